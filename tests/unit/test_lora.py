"Adapters: on which layers, the loss on the answer alone, dropout that keeps little, loading one or several."
import shutil

import pytest
import torch
from helpers.models import lively_adapter, logits
from peft import PeftModel
from transformers import AutoModelForCausalLM

from iepile_nb.base import load_base
from iepile_nb.lib.io import UserError
from iepile_nb.lib.lean import DropLinear, which_are_kept
from iepile_nb.lib.templates import TEMPLATES
from iepile_nb.lora import (adapter_folders, add_lora, answer_loss, find_adapter, load_adapters, load_model,
                            packs_exactly)
from iepile_nb.prompt import collate, encode_row
from iepile_nb.windows import pack

ALPACA = TEMPLATES['alpaca']


@pytest.fixture(scope='module')
def adapter(llama_dir, tmp_path_factory):
    return lively_adapter(llama_dir, tmp_path_factory.mktemp('adapter')/'a')


@pytest.fixture(scope='module')
def llama(llama_dir): return load_base(llama_dir)


def trained_layers(lora):
    "The last part of the names of layers that are trained."
    return {n.split('.lora_')[0].rpartition('.')[2] for n, p in lora.named_parameters() if p.requires_grad}


# Adding

@pytest.mark.parametrize('bits', [16, 4])
def test_all_linear_layers_but_the_head(llama_dir, bits):
    lora = add_lora(load_base(llama_dir, bits)[0], r=2)
    every = {'q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'}
    assert trained_layers(lora) == every and lora.peft_config['default'].lora_alpha == 4


def test_named_layers(llama_dir):
    lora = add_lora(load_base(llama_dir)[0], targets=['q_proj', 'mlp.up_proj'])
    assert trained_layers(lora) == {'q_proj', 'up_proj'}
    with pytest.raises(UserError, match="no layer 'c_attn'; it has down_proj"):
        add_lora(load_base(llama_dir)[0], targets=['c_attn'])


def test_what_is_trained_is_float32(llama_dir, tmp_path):
    model, tokenizer = load_base(llama_dir)
    def half(m): return m.to(torch.bfloat16)
    def dtypes(m, trained): return {p.dtype for p in m.parameters() if p.requires_grad == trained}
    lora = add_lora(half(model), r=2, also=['embed_tokens', 'lm_head'])
    assert dtypes(lora, True) == {torch.float32} and dtypes(lora, False) == {torch.bfloat16}
    assert lora.dtype == torch.bfloat16 and packs_exactly(lora.get_base_model())
    assert logits(lora).isfinite().all()
    batch = collate([encode_row(tokenizer, ALPACA, 'Q', 'A')], 2)
    answer_loss(lora.get_base_model(), batch, net=lora).backward()
    grads = [p.grad for p in lora.parameters() if p.requires_grad and p.grad is not None]
    assert grads and {g.dtype for g in grads} == {torch.float32}
    lora.save_pretrained(tmp_path/'a')
    again = load_adapters(half(load_base(llama_dir)[0]), [str(tmp_path/'a')], trainable=True)
    assert dtypes(again, True) == {torch.float32} and logits(again).isfinite().all()
    plain = load_adapters(half(load_base(llama_dir)[0]), [str(tmp_path/'a')])
    assert {p.dtype for n, p in plain.named_parameters() if 'lora' not in n} == {torch.bfloat16}
    assert logits(plain).isfinite().all()


# Loading

def test_an_adapter_as_base_names_its_base(adapter, llama_dir):
    with pytest.raises(UserError) as e: load_model(adapter)
    assert f'use --model_name_or_path {llama_dir} --checkpoint_dir {adapter}' in str(e.value)


def test_an_adapter_counts(llama_dir, adapter):
    base, lora = load_model(llama_dir)[0], load_model(llama_dir, adapter)[0]
    assert not torch.allclose(logits(base), logits(lora), atol=1e-3)
    assert not any(p.requires_grad for p in lora.parameters())
    assert any(p.requires_grad for p in load_model(llama_dir, adapter, trainable=True)[0].parameters())


def test_several_adapters_add_up(llama_dir, adapter):
    one, two = (load_model(llama_dir, c)[0] for c in (adapter, f'{adapter}, {adapter}'))
    assert len(two.peft_config) == 1
    def change(m): return logits(m) - logits(load_model(llama_dir)[0])
    assert not torch.allclose(change(one), change(two), atol=1e-3)
    merged = load_model(llama_dir, adapter)[0].merge_and_unload()
    assert torch.allclose(logits(two), logits(PeftModel.from_pretrained(merged, adapter)), atol=1e-5)
    with pytest.raises(UserError, match='use --bits 16'):
        load_model(llama_dir, f'{adapter},{adapter}', bits=4)


def test_an_adapter_of_another_shape_is_refused(llama_dir, adapter, tmp_path):
    config = AutoModelForCausalLM.from_pretrained(llama_dir).config
    config.hidden_size, config.head_dim = 32, 8
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path/'other')
    shutil.copy(llama_dir/'tokenizer.json', tmp_path/'other')
    shutil.copy(llama_dir/'tokenizer_config.json', tmp_path/'other')
    with pytest.raises(UserError, match=f'does not fit .*other; it is for {llama_dir}'):
        load_model(tmp_path/'other', adapter)


def test_another_base_of_the_same_shape_is_said(llama_dir, adapter, tmp_path, caplog):
    shutil.copytree(llama_dir, tmp_path/'namesake')
    load_model(tmp_path/'namesake', adapter)
    assert 'was trained on' in caplog.text


def test_no_adapter_there(llama_dir, tmp_path):
    with pytest.raises(UserError, match='not an adapter folder'): load_model(llama_dir, tmp_path)


def test_an_adapter_on_the_hub(llama_dir, adapter, monkeypatch):
    import huggingface_hub
    monkeypatch.setattr(huggingface_hub, 'snapshot_download', lambda name, allow_patterns: str(adapter))
    assert adapter_folders('some/adapter, ' + str(adapter)) == [str(adapter)] * 2
    load_model(llama_dir, 'some/adapter')


def test_an_adapter_that_the_hub_does_not_give():
    with pytest.raises(UserError, match='no such adapter folder, and the hub'):
        find_adapter('no-such-owner/no-such-adapter')
    with pytest.raises(UserError, match='no such folder'): find_adapter('/no/such/adapter')


# Less work, the same loss

def rows_of(tokenizer, lengths):
    return [encode_row(tokenizer, ALPACA, 'Q' * n, 'A' * (n + 1)) for n in lengths]


def test_logits_at_answers_give_the_same_loss(llama):
    model, tokenizer = llama
    rows = rows_of(tokenizer, (1, 5, 30, 2))
    def own(rows):
        b, n = collate(rows, 2), max(len(r.input_ids) for r in rows)
        labels = torch.tensor([[-100] * (n - len(r.labels)) + r.labels for r in rows])
        inputs = {k: b[k] for k in ('input_ids', 'attention_mask', 'position_ids')}
        return model(**inputs, labels=labels).loss
    with torch.no_grad():
        ours = [answer_loss(model, make(rows, 2)) for make in (collate, pack)]
        whole, alone = own(rows), [own([r]) * sum(l != -100 for l in r.labels) for r in rows]
    n = sum(l != -100 for r in rows for l in r.labels)
    for loss in (*ours, sum(alone) / n): assert torch.allclose(loss, whole, atol=2e-5)


def test_answers_of_a_model_on_several_devices(llama):
    "The last layer lies on one device, the batch on another (here one without numbers)."
    model, tokenizer = llama
    batch, seen = collate([encode_row(tokenizer, ALPACA, 'Q', 'A')], 2), {}
    class Elsewhere(torch.Tensor):
        @classmethod
        def __torch_function__(cls, f, types, args=(), kwargs=None):
            if f is torch.Tensor.to: seen[args[0].shape] = args[1]
            return super().__torch_function__(f, types, args, kwargs or {})
    batch = {k: v.as_subclass(Elsewhere) if k in ('places', 'labels') else v for k, v in batch.items()}
    answer_loss(model, batch)
    assert list(seen.values()) == [torch.device('cpu')] * len(seen) and batch['labels'].shape in seen


def test_gradients_are_the_same(llama):
    model, tokenizer = llama
    rows, grads = rows_of(tokenizer, (1, 5, 30)), []
    for make in (collate, pack):
        model.zero_grad()
        answer_loss(model, make(rows, 2)).backward()
        grads.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
    assert torch.allclose(*grads, atol=1e-5) and grads[0].abs().max() > .01
    model.zero_grad()


# Dropout that keeps little

@pytest.mark.parametrize('p', [.1, .5])
def test_lean_dropout_computes_the_same(p):
    x = torch.randn(3, 50, 16, dtype=torch.double, requires_grad=True)
    w = torch.randn(4, 16, dtype=torch.double, requires_grad=True)
    torch.manual_seed(3)
    wanted = torch.nn.functional.linear(x * which_are_kept(x, p) / (1 - p), w)
    torch.manual_seed(3)
    got = DropLinear.apply(x, w, p)
    up = torch.randn_like(got)
    assert torch.allclose(got, wanted)
    for a, b in zip(torch.autograd.grad(got, (x, w), up), torch.autograd.grad(wanted, (x, w), up)):
        assert torch.allclose(a, b)
    assert abs((~which_are_kept(torch.empty(999, 101), p)).double().mean() - p) < .01


def test_lean_dropout_is_only_on_in_training(llama_dir, adapter):
    model, plain = load_model(llama_dir, adapter, trainable=True)[0], load_model(llama_dir, adapter)[0]
    def names(m): return {n for n, _ in m.named_parameters()}
    assert names(model) == names(plain) and model.state_dict().keys() == plain.state_dict().keys()
    assert torch.allclose(logits(model.eval()), logits(plain), atol=1e-6)
    model.train()
    assert not torch.allclose(logits(model), logits(model), atol=1e-6) # other inputs are dropped each time
    assert torch.allclose(logits(model.merge_and_unload().eval()), logits(plain), atol=1e-4)
