"Adapters of all kinds: variants, whole layers, going on in one, a new one on top of others."
import json

import pytest
import torch
from helpers.training import At, losses, ner_file, run, train_file # fixtures among them

from iepile_nb.lib.contract import read_contract
from iepile_nb.lib.io import UserError
from iepile_nb.lib.presets import choose_template
from iepile_nb.lib.run import ready_for_kbit
from iepile_nb.lib.validation import score_answers
from iepile_nb.lora import load_model
from iepile_nb.prompt import get_template


def config(folder): return json.loads((folder/'adapter_config.json').read_text())


def test_variants_of_lora(run, llama_dir):
    run(use_dora=True, use_rslora=True)
    assert config(run.out)['use_dora'] and config(run.out)['use_rslora']
    load_model(llama_dir, run.out)


def test_additional_layers_are_saved_whole(run):
    from safetensors.torch import load_file
    run(additional_target='embed_tokens,lm_head', lora_r=2)
    saved = load_file(run.out/'adapter_model.safetensors')
    assert {k.split('.')[-2] for k in saved if 'lora' not in k} == {'embed_tokens', 'lm_head'}


def test_training_goes_on_in_an_adapter(run, tmp_path):
    run(output_dir=str(tmp_path/'one'), lora_r=4, max_steps=10, learning_rate=1e-2)
    first, second = (losses(run(output_dir=str(tmp_path/n), checkpoint_dir=c, lora_dropout=.1))
                     for n, c in (('new', None), ('two', str(tmp_path/'one'))))
    assert list(second.values())[0] < list(first.values())[0] - .5
    assert (config(tmp_path/'two')['r'], config(tmp_path/'two')['lora_alpha']) == (4, 8)


def test_other_values_than_the_adapter_s_have_no_effect(run, tmp_path, caplog):
    "As in the original, whose script for going on gives some; here that is said."
    run(output_dir=str(tmp_path/'one'), lora_r=4)
    run(checkpoint_dir=str(tmp_path/'one'), lora_r=64, lora_alpha=8, lora_dropout=.5)
    assert '--lora_r 64 has no effect: the adapter has 4' in caplog.text
    assert '--lora_alpha' not in caplog.text
    assert [config(run.out)[k] for k in ('r', 'lora_alpha', 'lora_dropout')] == [4, 8, .5]


def test_options_that_an_adapter_fixes_are_refused(run, tmp_path):
    run(output_dir=str(tmp_path/'one'), lora_r=2, lora_target_modules='q_proj')
    def go(**kw): return run(checkpoint_dir=str(tmp_path/'one'), **kw)
    for kw in (dict(lora_target_modules='v_proj'), dict(additional_target='lm_head'), dict(use_dora=True),
               dict(use_rslora=True)):
        says = f'--{[*kw][0]} .*, but the adapter .*one has .*--resume_lora_training False'
        with pytest.raises(UserError, match=says): go(**kw)
    go(lora_target_modules="['q_proj']", use_dora=False, lora_r=2)


def test_a_new_adapter_on_top(run, llama_dir, tmp_path):
    run(output_dir=str(tmp_path/'one'), lora_r=4, max_steps=10, learning_rate=1e-2)
    run(checkpoint_dir=str(tmp_path/'one'), resume_lora_training=False, lora_r=2)
    assert config(run.out)['r'] == 2
    load_model(llama_dir, f'{tmp_path}/one,{run.out}')


def test_adapters_underneath_are_remembered(run, llama_dir, tmp_path):
    one, two, three, four = (str(tmp_path/n) for n in ('one', 'two', 'three', 'four'))
    run(output_dir=one, lora_r=2)
    run(output_dir=two, lora_r=2)
    run(output_dir=three, checkpoint_dir=f'{one},{two}', template=None)
    run(output_dir=four, checkpoint_dir=one, resume_lora_training=False, template=None)
    def under(folder): return [u['adapter'] for u in read_contract(folder).get('under') or []]
    assert [under(f) for f in (one, three, four)] == [[], [one], [one]]
    base = load_model(llama_dir)
    for f in (three, four):
        says = f'--checkpoint_dir {one},{f}'
        with pytest.raises(UserError, match=says): choose_template(*base, adapter=f)
        assert choose_template(*base, adapter=f'{one},{f}')
        with pytest.raises(UserError, match=says): run(checkpoint_dir=f, template=None)
    run(checkpoint_dir=f'{one},{three}', template=None)
    assert under(run.out) == [one]


def test_layers_trained_whole_in_half_precision(run, ner_file, tmp_path, monkeypatch):
    "All that is trained is float32, also where the base is not; with F1 in between, and going on."
    import iepile_nb.base
    monkeypatch.setattr(iepile_nb.base, 'fast_dtypes', lambda: [torch.bfloat16, torch.float32])
    iepile_nb.base.pick_dtype.cache_clear()
    kw = dict(additional_target='embed_tokens,lm_head', bf16=True, train_file=ner_file, valid_file=ner_file,
              eval_f1=2, scorer=score_answers)
    seen = [At(), At()]
    try:
        first = run(**kw, callbacks=seen[:1])
        second = run(**kw, callbacks=seen[1:], checkpoint_dir=str(run.out), output_dir=str(tmp_path/'two'),
                     template=None)
    finally: iepile_nb.base.pick_dtype.cache_clear()
    for parameters in (list(s.model.parameters()) for s in seen):
        assert {p.dtype for p in parameters if p.requires_grad} == {torch.float32}
        assert {p.dtype for p in parameters if not p.requires_grad} == {torch.bfloat16}
    assert all(r['evaluation']['eval_f1'] >= 0 for r in (first, second))


def test_four_bits_learn_after_an_evaluation(llama_dir):
    "Without gradients, some processors turn weights of 4 bits into a form that has no backward pass."
    from iepile_nb.base import load_base
    from iepile_nb.lora import add_lora, answer_loss, packs_exactly
    from iepile_nb.prompt import collate, encode_row
    model, tokenizer = load_base(llama_dir, bits=4, dtype='fp32')
    model = add_lora(ready_for_kbit(model), r=2, dropout=0.)
    for n, p in model.named_parameters():
        if 'lora_B' in n: torch.nn.init.normal_(p, std=.1)
    batch = collate([encode_row(tokenizer, get_template('alpaca', tokenizer), 'Q', 'A')], 2)
    def gradients():
        model.train().zero_grad()
        answer_loss(model.get_base_model(), batch, net=model).backward()
        return [p.grad.clone() for p in model.parameters() if p.requires_grad]
    before = gradients()
    model.eval()
    with torch.no_grad(): answer_loss(model.get_base_model(), batch, net=model)
    assert packs_exactly(model)
    after = gradients()
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(before, after))
    assert all(g.abs().max() > 0 for g in before)
