"A run from its rows to its result: what is learned, evaluated and saved."
import json

import pytest
import torch
from conftest import PARROT
from helpers.training import At, losses, ner_file, run, same_losses, train_file # fixtures among them

from iepile_nb.infer import predict
from iepile_nb.lib.contract import read_contract
from iepile_nb.lib.io import UserError, write_jsonl
from iepile_nb.lib.memory import plan
from iepile_nb.lib.presets import choose_template
from iepile_nb.lib.validation import score_answers
from iepile_nb.lora import answer_loss, load_model
from iepile_nb.prompt import collate, encode_row, get_template


def test_without_evaluation(run):
    "Neither --do_eval nor a valid file."
    assert not any('eval_loss' in e for e in run()['log'])


def test_evaluation_of_few_rows(run):
    "20 rows and a held-out set of the default size."
    r = run(do_eval=True, val_set_size=1000)
    assert r['rows'] == 18 and sum('eval_loss' in e for e in r['log']) == 1


def test_the_loss_of_held_out_rows_is_a_mean_over_tokens(run, llama_dir, tmp_path, caplog):
    "However they are cut into batches; answers of different lengths would weigh differently otherwise."
    rows = [{'instruction': 'say', 'output': json.dumps({'a': [c * n]})} for n, c in enumerate('pqrst', 1)]
    rows.append({'instruction': 'say', 'output': json.dumps({'a': ['many words of another kind'] * 6})})
    write_jsonl(tmp_path/'held.json', rows)
    def go(size):
        with caplog.at_level('INFO', 'iepile_nb'):
            r = run(valid_file=tmp_path/'held.json', per_device_eval_batch_size=size, lora_dropout=0.,
                    overwrite=True)
        return r['evaluation']['eval_loss']
    found = [go(size) for size in (1, 4, 8)]
    model, tokenizer = load_model(llama_dir, run.out)
    template = get_template('alpaca', tokenizer)
    encoded = [encode_row(tokenizer, template, r['instruction'], r['output']) for r in rows]
    batch = collate(encoded, tokenizer.pad_token_id)
    assert found == pytest.approx([answer_loss(model, batch).item()] * 3, abs=1e-3)
    assert f'step 2 of 2, held-out rows: loss {found[0]:.3f}' in caplog.text


@pytest.mark.parametrize('more,times', [(dict(eval_strategy='epoch', max_steps=-1, num_train_epochs=2), 2),
                                        (dict(eval_strategy='steps', eval_steps=2, max_steps=3), 2),
                                        (dict(eval_strategy='steps', eval_steps=2, max_steps=4), 2),
                                        (dict(do_eval=True), 1)])
def test_saved_weights_are_evaluated_once(more, times, run, train_file):
    r = run(valid_file=train_file, per_device_train_batch_size=8, **more)
    steps = [e['step'] for e in r['log'] if 'eval_loss' in e]
    assert len(steps) == len(set(steps)) == times and r['evaluation']['step'] == steps[-1] == max(losses(r))


def test_four_rows(run):
    r = run(limit=4, per_device_train_batch_size=8, max_steps=-1, num_train_epochs=3, do_eval=True,
            logging_steps=1)
    assert r['rows'] == 3 and max(losses(r)) == 3


def test_saved_without_checkpoints(run, llama_dir):
    "Nothing is saved on the way, but the result is."
    run(save_strategy='no')
    assert not list(run.out.glob('checkpoint-*')) and not (run.out/'.saving').exists()
    assert (run.out/'adapter_model.safetensors').exists() and (run.out/'tokenizer.json').exists()
    load_model(llama_dir, run.out)


@pytest.mark.parametrize('error', [RuntimeError('broken'), torch.OutOfMemoryError('CUDA out of memory')])
def test_saved_although_evaluations_fail(error, run, train_file, llama_dir, caplog):
    def fail(*a, **kw): raise error
    r = run(valid_file=train_file, eval_strategy='steps', eval_steps=1, max_steps=3, eval_f1=1,
            early_stopping=5, scorer=fail)
    says = f'the evaluation failed ({type(error).__name__}: {error})'
    assert len(losses(r)) and caplog.text.count(says) >= 3
    load_model(llama_dir, run.out)


def test_training_learns_what_prediction_answers(run):
    "All weights, trained until a handful of rows is known by heart; predicted from the saved folder."
    r = run(finetuning_type='full', max_steps=150, learning_rate=4e-3, per_device_train_batch_size=5)
    curve = list(losses(r).values())
    assert curve[-1] < .1 < 5 < curve[0]
    out = predict([{'instruction': q} for q in PARROT], *load_model(run.out), template='alpaca')
    assert [p['output'] for p in out] == list(PARROT.values())


def test_lora_learns_and_the_base_stays(run, llama_dir):
    before = load_model(llama_dir)[0].state_dict()
    curve = list(losses(run(max_steps=30, learning_rate=1e-2, lora_r=16)).values())
    assert curve[-1] < curve[0] - 1
    assert all(torch.equal(v, before[k]) for k, v in load_model(llama_dir)[0].state_dict().items())


def test_lora_on_four_bits(run, llama_dir):
    curve = losses(run(bits=4, max_steps=20, learning_rate=1e-2, lora_target_modules='q_proj,up_proj'))
    assert list(curve.values())[-1] < list(curve.values())[0]
    model = load_model(llama_dir, run.out, bits=4)[0]
    assert model.is_quantized and set(model.peft_config['default'].target_modules) == {'q_proj', 'up_proj'}


def test_accumulation_and_packing_change_nothing(run, tmp_path):
    kw = dict(lora_dropout=0., max_steps=6, logging_steps=1, learning_rate=1e-2)
    def go(name, **more): return losses(run(**kw, **more, output_dir=str(tmp_path/name)))
    a = go('a', per_device_train_batch_size=6)
    assert same_losses(a, go('b', per_device_train_batch_size=2, gradient_accumulation_steps=3))
    assert same_losses(a, go('c', per_device_train_batch_size=6, packing=False))
    assert a[6] < a[1]


def test_a_loss_that_is_no_number_ends_the_run(run):
    with pytest.raises(UserError, match='the loss is nan at step .* try a smaller --learning_rate'):
        run(learning_rate=1e30, max_grad_norm=0., max_steps=20, logging_steps=1, save_strategy='no')
    assert not (run.out/'adapter_model.safetensors').exists()


def test_no_memory_is_one_line(run):
    def no_memory(): raise torch.OutOfMemoryError('CUDA out of memory')
    with pytest.raises(UserError, match='Halve --per_device_train_batch_size'):
        run(logging_steps=1, callbacks=[At(1, no_memory)])


def test_too_little_memory_is_noticed_before_the_first_step(run, monkeypatch, caplog):
    caplog.set_level('INFO')
    needed, look = [], At()
    def spy(*args, **kw):
        needed.append(plan(*args, **kw).total)
        return plan(*args, **kw)
    monkeypatch.setattr('iepile_nb.lib.memory.plan', spy)
    first = run()
    monkeypatch.setattr('iepile_nb.lib.memory.available_memory', lambda: 1.)
    run(overwrite_output_dir=True)
    assert 'this machine has 0.0; the system ends what needs more' in caplog.text
    caplog.clear()
    between = (needed[1] + needed[2]) / 2
    monkeypatch.setattr('iepile_nb.lib.memory.available_memory', lambda: between)
    second = run(overwrite_output_dir=True, callbacks=[look])
    assert needed[0] == needed[1] > needed[2] and look.model.is_gradient_checkpointing
    assert 'activations are computed twice' in caplog.text and 'the system ends' not in caplog.text
    assert same_losses(losses(first), losses(second))
    caplog.clear()
    run(overwrite_output_dir=True, activation_checkpointing=False) # as it was asked for
    assert 'computed twice' not in caplog.text and 'less is needed with --gradient_check' in caplog.text


def test_a_plan_that_cannot_be_made_ends_nothing(run, monkeypatch):
    def no_plan(*args, **kw): raise NotImplementedError('an operation without shapes')
    monkeypatch.setattr('iepile_nb.lib.memory.shape_of', no_plan)
    assert run()['rows']


def test_enough_memory_is_not_mentioned(run, caplog):
    caplog.set_level('INFO')
    run(max_steps=1)
    assert 'may need' not in caplog.text


def test_another_number_of_processes_than_asked_for(run):
    says = '2 processes were asked for, but this run has 1; start with `iepile_train --nproc 2`'
    with pytest.raises(UserError, match=says): run(nproc=2)
    assert not run.out.exists()


# The contract and the card

def test_the_contract_is_saved(run, llama_dir, tmp_path):
    run(template='llama2', cutoff_len=600, save_strategy='steps', save_steps=1)
    for folder in (run.out, run.out/'checkpoint-2'):
        c = read_contract(folder)
        assert (c['template'], c['cutoff_len'], c['bits'], c['base']) == ('llama2', 600, 16, str(llama_dir))
        assert len(c['data']) == 16
    template = choose_template(*load_model(llama_dir, run.out), adapter=run.out)
    assert template == get_template('llama2', load_model(llama_dir)[1])
    go_on = dict(checkpoint_dir=str(run.out), output_dir=str(tmp_path/'two'))
    with pytest.raises(UserError, match='template was llama2, now alpaca'): run(**go_on, template='alpaca')
    run(**go_on, template=None)
    assert read_contract(tmp_path/'two')['template'] == 'llama2'


def test_a_full_model_has_a_contract(run):
    run(finetuning_type='full', template='llama2', learning_rate=1e-2)
    model, tokenizer = load_model(run.out)
    assert choose_template(model, tokenizer) == get_template('llama2', tokenizer)
    with pytest.raises(UserError, match='now alpaca'): choose_template(model, tokenizer, 'alpaca')


def test_the_card(run, train_file):
    run(do_eval=True, license='apache-2.0', model_name_or_path='tiny', cutoff_len=900, template=None)
    text = (run.out/'README.md').read_text(encoding='utf-8')
    for part in ('license: apache-2.0', '| base | tiny |', "the tokenizer's own (see prompt.json)",
                 '| NER | s | 18 |', '`cutoff_len` | 900', '![curves](training.png)', 'eval_loss', 'torch'):
        assert part in text, part
    assert str(train_file.parent) not in text
    assert (run.out/'training.png').read_bytes()[:4] == b'\x89PNG'


def test_the_curves_are_drawn(run):
    import matplotlib
    from iepile_nb.lib.curves import plot_losses
    matplotlib.use('agg')
    log = run(max_steps=4, do_eval=True)['log']
    assert len(plot_losses(log).lines) == 2
    assert len(plot_losses([{**e, 'name': n} for n in 'ab' for e in log]).lines) == 4
    both = plot_losses([*log, {'step': 4, 'eval_f1': 50.}]).figure.axes
    assert [len(ax.lines) for ax in both] == [2, 1] and both[1].get_ylim() == (0, 100)


def test_the_curves_grow_in_a_notebook(run, monkeypatch):
    from iepile_nb import train as module
    from iepile_nb.lib.trainer import LiveCurves
    shown = []
    class Handle:
        def update(self, picture): shown.append(picture)
    monkeypatch.setattr(module, 'in_notebook', lambda: True)
    monkeypatch.setattr(LiveCurves, 'every', 0.)
    def display(picture, display_id=None):
        shown.append(picture)
        return Handle()
    monkeypatch.setattr('IPython.display.display', display)
    run(disable_tqdm=False, do_eval=True, logging_steps=1)
    assert len(shown) >= 2 and all(p.data[:4] == b'\x89PNG' for p in shown)
    assert shown[0].data != shown[-1].data


def test_pushed(run, monkeypatch):
    import huggingface_hub
    calls = []
    class Api:
        def create_repo(self, repo_id, **kw): calls.append((repo_id, kw))
        def upload_folder(self, **kw): calls.append((kw['repo_id'], kw))
    monkeypatch.setattr(huggingface_hub, 'HfApi', Api)
    run(push_to_hub=True, hub_model_id='me/mine')
    (name, made), (_, sent) = calls
    assert name == 'me/mine' and made == {'private': True, 'exist_ok': True}
    assert sent['folder_path'] == str(run.out)
    assert any(p.startswith('checkpoint') for p in sent['ignore_patterns'])


# F1 while it trains

def test_f1_of_answers(parrot_dir):
    "The parrot answers all rows by heart; one of them is annotated otherwise, one is not to be answered."
    model, tokenizer = load_model(parrot_dir)
    rows = [{'task': 'NER', 'source': 's', 'instruction': q, 'output': a} for q, a in PARROT.items()]
    template = get_template('alpaca', tokenizer)
    def score(*share): return score_answers(rows, model, tokenizer, template, *share, constrain='free')
    assert score() == 100
    rows[0]['output'], rows[1]['output'] = '{"a": ["else"]}', '{"a": []}'
    model.train()
    assert score() == pytest.approx(100 * 2 * 3 / (5 + 4)) and model.training
    assert score((1, 5)) == 0 # the second row alone


def test_generated_answers_are_scored(run, ner_file):
    r = run(train_file=ner_file, valid_file=ner_file, eval_f1=3, eval_strategy='steps', eval_steps=1,
            scorer=score_answers)
    assert all(0 <= e['eval_f1'] <= 100 for e in r['log'] if 'eval_loss' in e)
    assert 'eval_f1' in r['evaluation']


def test_the_scorer_sees_the_same_rows_each_time(run, ner_file):
    seen = []
    def scorer(rows, model, tokenizer, template, share, cutoff_len):
        seen.append([r['instruction'] for r in rows])
        return 50.
    run(train_file=ner_file, valid_file=ner_file, eval_f1=3, eval_strategy='steps', eval_steps=1,
        scorer=scorer)
    assert len(seen) == 2 and all(s == seen[0] and len(s) == 3 for s in seen)


def test_the_best_by_f1_is_kept(run, ner_file, llama_dir):
    scores = iter([20., 60., 50., 40., 30.])
    r = run(train_file=ner_file, valid_file=ner_file, eval_f1=4, early_stopping=2, max_steps=-1,
            num_train_epochs=9, save_total_limit=1, learning_rate=1e-2, per_device_train_batch_size=8,
            scorer=lambda *a, **k: next(scores))
    said = [e['eval_f1'] for e in r['log'] if 'eval_f1' in e]
    assert said == [20., 60., 50., 40.] and r['evaluation']['eval_f1'] == 60 # what was saved
    best, last = (load_model(llama_dir, f)[0].state_dict() for f in (run.out/'checkpoint-4', run.out))
    assert all(torch.equal(a, b) for a, b in zip(best.values(), last.values()))
