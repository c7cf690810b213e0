"Training: what is accepted, what is refused, what is saved, and that a run goes on where it was."
import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest
import torch
from conftest import PARROT, ROOT
from test_infer import ORIGINAL

import iepile_nb.train as T
from iepile_nb.lib.io import UserError, write_jsonl
from iepile_nb.infer import predict
from iepile_nb.lora import load_model
from iepile_nb.prompt import get_template
from iepile_nb.train import (BatchOrder, check_same, encode_rows, hold_out, layer_names, manifest,
                             score_answers, train)
from iepile_nb.lib.options import parse, settings
from iepile_nb.cli.train import main
from iepile_nb.cli.train import main

QUICK = dict(disable_tqdm=True, template='alpaca', per_device_train_batch_size=2, max_steps=2)


@pytest.fixture
def train_file(tmp_path):
    write_jsonl(tmp_path/'train.json', [{'task': 'NER', 'source': 's', 'instruction': q, 'output': a} for q, a in list(PARROT.items()) * 4])
    return tmp_path/'train.json'

@pytest.fixture
def test_format(tmp_path):
    write_jsonl(tmp_path/'test.json', [{'id': 'i', 'task': 'NER', 'source': 's', 'instruction': q, 'label': '[]'} for q in PARROT])
    return tmp_path/'test.json'

@pytest.fixture
def run(llama_dir, train_file, tmp_path):
    "Train a little, in `tmp_path`/out."
    def go(**kw): return train(**{**QUICK, 'model_name_or_path': str(llama_dir), 'train_file': train_file, 'output_dir': str(tmp_path/'out'), **kw})
    go.out = tmp_path/'out'
    return go

def losses(result): return {e['step']: e['loss'] for e in result['log'] if 'loss' in e}

def command(*args, **kw):
    return main([x for a in args for x in str(a).split()] + [x for k, v in kw.items() for x in (f'--{k}', str(v))])


# Rows

def test_a_test_file_is_named_as_such(run, test_format, train_file):
    for kw in (dict(train_file=test_format), dict(valid_file=test_format)):
        with pytest.raises(UserError, match=r"test.json:1: this is a test-format file \(it has no 'output'\); convert it with --split train"): run(**kw)
    assert not run.out.exists()

BAD = {'missing': (None, 'no such file'), 'empty': ('', 'the file is empty'), 'blank': ('\n\n', 'the file is empty'),
       'broken': ('{"instruction": "q", "output": "a"}\n\n{"instruction"\n', ':3: broken JSON'), 'not UTF-8': (b'{"output": "\xff"}', 'not UTF-8'),
       'no text': ('{"instruction": "q", "output": {"a": []}}', ":1: 'output' should be a string"),
       'no question': ('{"instruction": "", "output": "a"}', "no row is left"), 'no answer': ('{"instruction": "q", "output": " "}', 'no row is left')}

@pytest.mark.parametrize('name', BAD)
def test_bad_rows(name, llama_dir, tmp_path, capsys):
    content, says = BAD[name]
    if content is not None: (tmp_path/'in.json').write_bytes(content if isinstance(content, bytes) else content.encode())
    assert command(model_name_or_path=llama_dir, train_file=tmp_path/'in.json', output_dir=tmp_path/'out') == 1
    err = [l for l in capsys.readouterr().err.splitlines() if l.startswith('error')]
    assert len(err) == 1 and says in err[0] and not (tmp_path/'out/adapter_config.json').exists()

def test_other_forms_of_files(run, train_file, tmp_path):
    rows = [json.loads(l) for l in train_file.read_text().splitlines()]
    (tmp_path/'array.json').write_text('\ufeff' + json.dumps(rows), encoding='utf-8')
    assert run(train_file=tmp_path/'array.json')['rows'] == len(rows)

def test_held_out_rows():
    rows = [{'n': i} for i in range(20000)]
    for n, held in ((None, 1000), (30, 30), (5000, 2000), (0, 0)): assert [len(x) for x in hold_out(rows, n)] == [20000 - held, held]
    a, b = hold_out(rows)
    assert sorted(r['n'] for r in a + b) == list(range(20000)) and hold_out(rows) == (a, b) != hold_out(rows, seed=1)
    assert [len(x) for x in hold_out(rows[:1])] == [1, 0] and [len(x) for x in hold_out(rows[:2], 1000)] == [1, 1]

def test_rows_are_counted(tokenizer, caplog):
    rows = [{'instruction': json.dumps({'instruction': 'i', 'schema': ['a'], 'input': 'x. ' * n}), 'output': '{}'} for n in (1, 300)]
    rows += [{'instruction': 'q', 'output': ''}, {'instruction': json.dumps({'instruction': 'i', 'schema': ['a'] * 500, 'input': 'x'}), 'output': '{}'}]
    with caplog.at_level('INFO', 'iepile_nb'): out = encode_rows(rows, tokenizer, get_template('alpaca', tokenizer), cutoff_len=200)
    assert len(out) == 2 and 'rows to train on: 2; shortened: 1' in caplog.text and 'left out: 2 of 4 rows; the first is row 3' in caplog.text
    with pytest.raises(UserError, match='no row is left to evaluate on; row 1: the answer is empty'):
        encode_rows(rows[2:3], tokenizer, get_template('alpaca', tokenizer), 'evaluate on')


# The command

DOCUMENTED = ('--do_train --do_eval --overwrite_output_dir --stage sft --model_name llama --template llama2 --per_device_train_batch_size 2 '
    '--per_device_eval_batch_size 2 --gradient_accumulation_steps 4 --preprocessing_num_workers 16 --num_train_epochs 3 --learning_rate 5e-5 '
    '--max_grad_norm 0.5 --optim adamw_torch --max_source_length 400 --cutoff_len 700 --max_target_length 300 --evaluation_strategy epoch '
    '--save_strategy epoch --save_total_limit 10 --lora_r 16 --lora_alpha 32 --lora_dropout 0.05 --bf16')

def test_the_documented_line(llama_dir, train_file, tmp_path):
    out = tmp_path/'a/b/lora'
    assert command(DOCUMENTED, model_name_or_path=llama_dir, train_file=train_file, valid_file=train_file, output_dir=out) == 0
    config = json.loads((out/'adapter_config.json').read_text())
    assert (config['r'], config['lora_alpha'], config['lora_dropout'], config['task_type']) == (16, 32, .05, 'CAUSAL_LM')
    names = {p.name for p in out.iterdir()}
    assert {'adapter_model.safetensors', 'tokenizer.json', 'tokenizer_config.json', 'train_log.json', 'trainer_state.json'} <= names
    assert len(list(out.glob('checkpoint-*'))) == 3
    log = json.loads((out/'train_log.json').read_text())
    assert log['rows'] == 20 and sum('eval_loss' in e for e in log['log']) == 4 and log['environment']['torch']
    load_model(llama_dir, out)

@pytest.mark.parametrize('name', [f for f in ORIGINAL if f not in ('input_file', 'output_file')])
def test_every_flag_of_the_original_is_known(name, llama_dir):
    value = {'optim': 'adamw_torch', 'finetuning_type': 'lora', 'report_to': 'none', 'stage': 'sft', 'lora_target_modules': "['q_proj']",
             'bits': '4', 'model_name': 'llama3', 'template': 'llama2'}.get(name, '1')
    assert parse(['--train_file', 'a', '--output_dir', 'b', f'--{name}', value])['output_dir'] == 'b'

def test_flags_of_other_times():
    given = parse('--train_file a --output_dir b --warmup_ratio 0.1 --no_cuda --evaluation_strategy steps --gradient_checkpointing True '
                  '--weight_decay 0.1 --lr_scheduler_type cosine --ddp_timeout 180000000 --ddp_find_unused_parameters False --logging_dir x'.split())
    assert given == dict(train_file='a', output_dir='b', warmup_steps=.1, use_cpu=True, eval_strategy='steps', activation_checkpointing=True,
                         weight_decay=.1, lr_scheduler_type='cosine', ddp_timeout=180000000, ddp_find_unused_parameters=False)

@pytest.mark.parametrize('line', ['--train_file a', '--output_dir b', '--train_file a --output_dir b --no_such 1', '--train_file a --output_dir b --bits 3',
                                  '--train_file a --output_dir b --lora_rank 4', '--train_file a --output_dir b stray', '--train_file a --output_dir b --stage ppo'])
def test_wrong_arguments(line):
    with pytest.raises(SystemExit) as e: command(line)
    assert e.value.code == 2

def test_options_in_a_file(llama_dir, train_file, tmp_path, capsys):
    options = dict(model_name_or_path=str(llama_dir), train_file=str(train_file), output_dir=str(tmp_path/'out'), max_steps=1, learning_rate='1e-3',
                   template='alpaca', bf16=True, disable_tqdm=True, lora_target_modules=['q_proj'], valid_file=None)
    (tmp_path/'run.json').write_text(json.dumps(options))
    (tmp_path/'run.yaml').write_text('\n'.join(f'{k}: {json.dumps(v)}' for k, v in options.items()))
    for name in ('run.json', 'run.yaml'): assert command(tmp_path/name) == 0
    assert json.loads((tmp_path/'out/adapter_config.json').read_text())['target_modules'] == ['q_proj']
    for bad in (b'a: [', b'\xff', b'- a'):
        (tmp_path/'bad.yaml').write_bytes(bad)
        assert command(tmp_path/'bad.yaml') == 1
    assert command(tmp_path/'none.yaml') == 1

def test_options_on_top_of_those_in_a_file(tmp_path, capsys):
    (tmp_path/'run.yaml').write_text('train_file: a.json\noutput_dir: b\nlearning_rate: 1e-3\nweight_decay: .1\nbf16: true')
    line = [str(tmp_path/'run.yaml'), '--limit', '2', '--learning_rate', '1e-4', '--weight_decay', '.2']
    assert parse(line) == dict(train_file='a.json', output_dir='b', learning_rate=1e-4, weight_decay=.2, bf16=True, limit=2)
    with pytest.raises(SystemExit): parse(['--limit', '2', str(tmp_path/'run.yaml')])
    assert f"unrecognized arguments: {tmp_path/'run.yaml'}" in capsys.readouterr().err

@pytest.mark.parametrize('line', ['--limit 0', '--limit -1', '--val_set_size -3 --do_eval', '--per_device_train_batch_size 0', '--seed -1', '--nproc 0',
                                  '--lora_r 0', '--learning_rate -1', '--lora_dropout 1.5'])
def test_numbers_that_make_no_sense(line, train_file, tmp_path, capsys):
    assert command(line, train_file=train_file, output_dir=tmp_path/'out') == 1
    err = capsys.readouterr().err
    assert err.startswith(f"error: {' '.join(line.split()[:2])}") and err.count('\n') == 1 and 'it should be ' in err and not (tmp_path/'out').exists()

def test_refusals(run, train_file, tmp_path):
    for kw, says in ((dict(deepspeed='ds.json'), 'FSDP2'), (dict(push_to_hub=True), '--hub_model_id'), (dict(preset='gpt'), 'there are tiny'), (dict(finetuning_type='freeze'), 'use lora'), (dict(finetuning_type='full', bits=4), '--bits 16'),
                     (dict(template='nope'), 'there are auto'), (dict(lora_target_modules='W_pack'), 'it has down_proj')):
        with pytest.raises(UserError, match=says): run(**kw)
    for kw in (dict(resume_from_checkpoint='x'), dict(label_smoothing_factor=.1), dict(train_sampling_strategy='group_by_length'), dict(dataloader_drop_last=True)):
        with pytest.raises(UserError, match=f'--{[*kw][0]} is not'): run(**kw)
    with pytest.raises(UserError, match='--early_stopping has no rows to compare by'): run(early_stopping=2, val_set_size=0)
    settings(label_smoothing_factor=0., dataloader_drop_last=False, train_sampling_strategy='random', resume_from_checkpoint=None)
    with pytest.raises(TypeError, match="no option 'lora_rank'"): run(lora_rank=4)

def test_the_order_follows_data_seed(run, monkeypatch):
    seeds = []
    monkeypatch.setattr(T, 'BatchOrder', lambda lengths, batch, seed, alike: seeds.append(seed) or BatchOrder(lengths, batch, seed, alike))
    run(), run(data_seed=7, overwrite=True)
    assert seeds == [42, 7]
    for kw in (dict(data_seed=8), dict(data_seed=7, adam_beta2=.9), dict(data_seed=7, lr_scheduler_kwargs={'a': 1})):
        with pytest.raises(UserError, match=f'--{[*kw][-1]} was'): run(**kw)

def test_no_gpu_if_none_is_wanted(run, monkeypatch):
    import iepile_nb.model as M
    real, asked = M.load_base, []
    monkeypatch.setattr(M, 'load_base', lambda *a, cpu, **k: asked.append(cpu) or real(*a, cpu=cpu, **k))
    run(use_cpu=True), run(overwrite=True)
    assert asked == [True, False]

def test_an_option_is_never_run(run, tmp_path):
    with pytest.raises(UserError, match='no layer'):
        run(lora_target_modules=f"__import__('os').system('touch {tmp_path}/PWNED') or ['q_proj']")
    assert not (tmp_path/'PWNED').exists()

@pytest.mark.parametrize('text,names', [('all', None), (None, None), ("['all']", None), ('q_proj,v_proj', ['q_proj', 'v_proj']),
                                        ("['q_proj', 'v_proj']", ['q_proj', 'v_proj']), ('["q_proj"]', ['q_proj'])])
def test_layer_names(text, names): assert layer_names(text) == names


# What is trained and saved

def test_without_evaluation(run):
    "T1: neither --do_eval nor a valid file."
    assert not any('eval_loss' in e for e in run()['log'])

def test_nothing_to_evaluate_on_is_said(train_file, caplog):
    assert T._load_rows(settings(train_file=train_file, eval_strategy='epoch', val_set_size=0))[1] == [] and 'no row is held out' in caplog.text

def test_options_of_an_adapter_that_names_few(tmp_path):
    (tmp_path/'adapter_config.json').write_text(json.dumps(dict(r=8, lora_alpha=16, target_modules=['q_proj'], base_model_name_or_path='x')))
    for kw in (dict(use_dora=True), dict(additional_target='lm_head')):
        with pytest.raises(UserError, match=f'--{[*kw][0]} .*, but the adapter'): check_same(str(tmp_path), kw)

def test_evaluation_of_few_rows(run):
    "T2: 20 rows and the default size of the held-out set."
    r = run(do_eval=True, val_set_size=1000)
    assert r['rows'] == 18 and sum('eval_loss' in e for e in r['log']) == 1

def test_saved_without_checkpoints(run, llama_dir):
    "T9: nothing is saved on the way, but the result is."
    run(save_strategy='no')
    assert not list(run.out.glob('checkpoint-*')) and (run.out/'adapter_model.safetensors').exists() and (run.out/'tokenizer.json').exists()
    load_model(llama_dir, run.out)

def test_saved_although_the_evaluation_fails(run, train_file, llama_dir, monkeypatch, caplog):
    def fail(*a, **kw): raise RuntimeError('out of memory')
    monkeypatch.setattr('transformers.Trainer.evaluate', fail)
    r = run(valid_file=train_file, eval_strategy='steps', eval_steps=1, max_steps=3)
    assert len(losses(r)) and 'the evaluation failed (RuntimeError: out of memory)' in caplog.text
    load_model(llama_dir, run.out)

def test_training_learns_what_prediction_answers(run, llama_dir):
    "All weights, trained on a handful of rows until they are known by heart; then predicted, from the saved folder alone."
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

def test_qlora(run, llama_dir):
    curve = list(losses(run(bits=4, max_steps=20, learning_rate=1e-2, lora_target_modules='q_proj,up_proj')).values())
    assert curve[-1] < curve[0]
    model = load_model(llama_dir, run.out, bits=4)[0]
    assert model.is_quantized and set(model.peft_config['default'].target_modules) == {'q_proj', 'up_proj'}

def test_additional_layers_are_saved_whole(run):
    run(additional_target='embed_tokens,lm_head', lora_r=2)
    from safetensors.torch import load_file
    assert {k.split('.')[-2] for k in load_file(run.out/'adapter_model.safetensors') if 'lora' not in k} == {'embed_tokens', 'lm_head'}

def test_a_loss_that_is_no_number_ends_the_run(run):
    with pytest.raises(UserError, match='the loss is nan at step .* try a smaller --learning_rate'):
        run(learning_rate=1e30, max_grad_norm=0., max_steps=20, logging_steps=1, save_strategy='no')
    assert not (run.out/'adapter_model.safetensors').exists()

def test_the_curve_is_drawn(run):
    from iepile_nb.report import plot_losses
    import matplotlib
    matplotlib.use('agg')
    r = run(max_steps=4, do_eval=True)
    assert len(plot_losses(r['log']).lines) == 2

def test_one_row_is_shown(run, caplog):
    with caplog.at_level('INFO', 'iepile_nb'): run()
    assert 'what it shall answer:\n{"a": ["xxxxxxxx}{"]}</s>' in caplog.text and 'step 2 of 2, loss' in caplog.text


# Going on in an adapter

def test_training_goes_on_in_an_adapter(run, llama_dir, tmp_path):
    run(output_dir=str(tmp_path/'one'), lora_r=4, max_steps=10, learning_rate=1e-2)
    first, second = (losses(run(output_dir=str(tmp_path/n), checkpoint_dir=c, lora_dropout=.1)) for n, c in (('new', None), ('two', str(tmp_path/'one'))))
    assert list(second.values())[0] < list(first.values())[0] - .5
    config = json.loads((tmp_path/'two/adapter_config.json').read_text())
    assert (config['r'], config['lora_alpha']) == (4, 8)

def test_other_values_than_the_adapter_s_are_refused(run, tmp_path):
    "T8: the original ignores them."
    run(output_dir=str(tmp_path/'one'), lora_r=4)
    for kw, says in ((dict(lora_r=64), '--lora_r 64, but the adapter .*one has 4'), (dict(lora_alpha=7.), '--lora_alpha 7.0')):
        with pytest.raises(UserError, match=says): run(checkpoint_dir=str(tmp_path/'one'), **kw)
    run(checkpoint_dir=str(tmp_path/'one'), lora_r=4, lora_alpha=8, lora_dropout=.5)
    assert json.loads((run.out/'adapter_config.json').read_text())['lora_dropout'] == .5

def test_a_new_adapter_on_top(run, llama_dir, tmp_path):
    run(output_dir=str(tmp_path/'one'), lora_r=4, max_steps=10, learning_rate=1e-2)
    run(checkpoint_dir=str(tmp_path/'one'), resume_lora_training=False, lora_r=2)
    assert json.loads((run.out/'adapter_config.json').read_text())['r'] == 2
    load_model(llama_dir, f'{tmp_path}/one,{run.out}')


def test_adapters_underneath_are_remembered(run, llama_dir, tmp_path):
    from iepile_nb.lib.contract import read_contract
    from iepile_nb.lib.presets import choose_template
    one, two, three, four = (str(tmp_path/n) for n in ('one', 'two', 'three', 'four'))
    run(output_dir=one, lora_r=2)
    run(output_dir=two, lora_r=2)
    run(output_dir=three, checkpoint_dir=f'{one},{two}', template=None)
    run(output_dir=four, checkpoint_dir=one, resume_lora_training=False, template=None)
    assert [read_contract(f).get('under') and read_contract(f)['under'][0]['adapter'] for f in (one, three, four)] == [[], one, one]
    base = load_model(llama_dir)
    for f in (three, four):
        with pytest.raises(UserError, match=f'--checkpoint_dir {one},{f}'): choose_template(*base, adapter=f)
        assert choose_template(*base, adapter=f'{one},{f}')
        with pytest.raises(UserError, match=f'--checkpoint_dir {one},{f}'): run(checkpoint_dir=f, template=None)
    run(checkpoint_dir=f'{one},{three}', template=None)
    assert [u['adapter'] for u in read_contract(run.out)['under']] == [one]

def test_options_that_an_adapter_fixes_are_refused(run, tmp_path):
    run(output_dir=str(tmp_path/'one'), lora_r=2, lora_target_modules='q_proj')
    def go(**kw): return run(checkpoint_dir=str(tmp_path/'one'), **kw)
    for kw in (dict(lora_target_modules='v_proj'), dict(additional_target='lm_head'), dict(use_dora=True), dict(use_rslora=True)):
        with pytest.raises(UserError, match=f'--{[*kw][0]} .*, but the adapter .*one has .*--resume_lora_training False'): go(**kw)
    go(lora_target_modules="['q_proj']", use_dora=False, lora_r=2)

def test_layers_trained_whole_in_half_precision(run, train_file, tmp_path, monkeypatch):
    "All that is trained is float32, also where the base is not; with an evaluation by F1 in between, and going on."
    import iepile_nb.model as M
    monkeypatch.setattr(M, 'fast_dtypes', lambda: [torch.bfloat16, torch.float32])
    M.pick_dtype.cache_clear()
    write_jsonl(tmp_path/'ner.json', NER_ROWS)
    seen, real = [], T.make_trainer
    monkeypatch.setattr(T, 'make_trainer', lambda model, *a, **k: seen.append(model) or real(model, *a, **k))
    kw = dict(additional_target='embed_tokens,lm_head', bf16=True, train_file=tmp_path/'ner.json', valid_file=tmp_path/'ner.json', eval_f1=2)
    first = run(**kw)
    second = run(**kw, checkpoint_dir=str(run.out), output_dir=str(tmp_path/'two'), template=None)
    M.pick_dtype.cache_clear()
    for model in seen:
        assert {p.dtype for p in model.parameters() if p.requires_grad} == {torch.float32}
        assert {p.dtype for p in model.parameters() if not p.requires_grad} == {torch.bfloat16}
    assert len(seen) == 2 and all('eval_f1' in r['log'][-1] and r['log'][-1]['eval_f1'] >= 0 for r in (first, second))

# Going on where it was

LONG = dict(max_steps=12, logging_steps=1, save_strategy='steps', save_steps=4, learning_rate=3e-3, lora_dropout=.2, lr_scheduler_type='cosine')

def interrupted(run, monkeypatch, at=6, **kw):
    "A run that is interrupted at a step."
    real = T.Watched.log
    def log(self, logs, *args):
        if self.state.global_step == at: raise KeyboardInterrupt
        real(self, logs, *args)
    monkeypatch.setattr(T.Watched, 'log', log)
    with pytest.raises(KeyboardInterrupt): run(**{**LONG, **kw})
    monkeypatch.setattr(T.Watched, 'log', real)

def test_a_run_goes_on(run, tmp_path, monkeypatch, caplog):
    straight = losses(run(**LONG, output_dir=str(tmp_path/'straight')))
    interrupted(run, monkeypatch)
    assert not (run.out/'adapter_model.safetensors').exists()
    with caplog.at_level('INFO', 'iepile_nb'): resumed = losses(run(**LONG, overwrite_output_dir=True))
    assert 'going on from' in caplog.text and 'checkpoint-4' in caplog.text
    assert resumed.keys() == straight.keys() and all(abs(resumed[s] - straight[s]) < 1e-4 for s in straight)

def test_another_run_is_refused(run, train_file, monkeypatch):
    interrupted(run, monkeypatch)
    with pytest.raises(UserError, match='--learning_rate was 0.003, now 0.001'): run(**{**LONG, 'learning_rate': 1e-3})
    with pytest.raises(UserError, match='--lora_r was 8, now 4'): run(**LONG, lora_r=4)
    with pytest.raises(UserError, match='the training rows have changed'): run(**LONG, limit=5)
    run(**{**LONG, 'logging_steps': 2, 'dataloader_num_workers': 0})

def test_a_finished_run_is_left_alone(run, monkeypatch):
    first = run(**LONG)
    trained = (run.out/'adapter_model.safetensors').stat().st_mtime_ns
    assert run(**LONG) == first and (run.out/'adapter_model.safetensors').stat().st_mtime_ns == trained
    run(**LONG, overwrite_output_dir=True)
    assert (run.out/'adapter_model.safetensors').stat().st_mtime_ns > trained

def test_a_failed_push_is_made_good(run, monkeypatch):
    import iepile_nb.model as M
    def push(folder, name, private):
        pushed.append(name)
        if len(pushed) == 1: raise UserError('the hub did not take it')
    pushed = []
    monkeypatch.setattr(M, 'push', push)
    kw = dict(push_to_hub=True, hub_model_id='me/mine')
    with pytest.raises(UserError, match='the hub did not'): run(**kw)
    trained = (run.out/'adapter_model.safetensors').stat().st_mtime_ns
    run(**kw)
    run()
    assert pushed == ['me/mine'] * 2 and (run.out/'adapter_model.safetensors').stat().st_mtime_ns == trained

def test_an_interrupted_evaluation_is_made_good(run, train_file, monkeypatch):
    real = T.Watched.evaluation_loop
    def stop(*a, **k): raise KeyboardInterrupt
    monkeypatch.setattr(T.Watched, 'evaluation_loop', stop)
    with pytest.raises(KeyboardInterrupt): run(valid_file=train_file)
    assert (run.out/'adapter_model.safetensors').exists() and not json.loads((run.out/'iepile_train.json').read_text())['finished']
    weights = (run.out/'adapter_model.safetensors').read_bytes()
    monkeypatch.setattr(T.Watched, 'evaluation_loop', real)
    r = run(valid_file=train_file)
    assert 'eval_loss' in r['log'][-1] and json.loads((run.out/'iepile_train.json').read_text())['finished']
    assert (run.out/'adapter_model.safetensors').read_bytes() == weights and max(losses(r)) == 2

def test_patience_outlives_an_interruption(run, tmp_path, monkeypatch):
    "The first evaluation is the best, so patience 2 ends the run after the third, wherever it was interrupted."
    write_jsonl(tmp_path/'ner.json', NER_ROWS * 4)
    scores = {2: 90., 4: 50., 6: 40., 8: 30., 10: 20.}
    at = []
    monkeypatch.setattr(T, 'score_answers', lambda *a, **k: scores[at[-1]])
    real, loop = T.Watched.log, T.Watched.evaluation_loop
    def evaluation_loop(self, *a, **k):
        at.append(max(self.state.global_step, 2))
        return loop(self, *a, **k)
    monkeypatch.setattr(T.Watched, 'evaluation_loop', evaluation_loop)
    kw = dict(train_file=tmp_path/'ner.json', valid_file=tmp_path/'ner.json', eval_f1=4, early_stopping=2, eval_strategy='steps', eval_steps=2,
              save_strategy='steps', save_steps=2, max_steps=20, logging_steps=1)
    for how in ('killed', 'asked to end'):
        def log(self, logs, *args):
            if self.state.global_step == 5 and how == 'killed': raise KeyboardInterrupt
            if self.state.global_step == 4 and how == 'asked to end' and 'loss' in logs: os.kill(os.getpid(), signal.SIGINT)
            real(self, logs, *args)
        monkeypatch.setattr(T.Watched, 'log', log)
        with pytest.raises(KeyboardInterrupt): run(**kw, output_dir=str(tmp_path/how))
        monkeypatch.setattr(T.Watched, 'log', real)
        assert T.last_checkpoint(tmp_path/how)[-1] == ('4' if how == 'killed' else '5')
        r = run(**kw, output_dir=str(tmp_path/how))
        assert max(losses(r)) == 6 and (tmp_path/how/'adapter_model.safetensors').exists(), (how, losses(r))

def test_starting_afresh(run, monkeypatch):
    interrupted(run, monkeypatch, at=10)
    r = run(**{**LONG, 'max_steps': 2, 'save_steps': 2}, overwrite=True)
    assert min(losses(r)) == 1 and [p.name for p in run.out.glob('checkpoint-*')] == ['checkpoint-2']

def test_a_mistake_leaves_the_run_before(run):
    run()
    def files(): return {p: p.read_bytes() for p in run.out.rglob('*') if p.is_file()}
    before = files()
    for kw in (dict(lora_target_modules='nope'), dict(template='nope'), dict(cutoff_len=20)):
        for how in ('overwrite', 'overwrite_output_dir'):
            with pytest.raises(UserError): run(**kw, **{how: True})
    assert files() == before and run.out/'checkpoint-2/trainer_state.json' in before

def test_a_checkpoint_that_was_cut_short_is_passed_over(run, monkeypatch, caplog):
    interrupted(run, monkeypatch, at=10)
    (run.out/'checkpoint-8/trainer_state.json').unlink()
    with caplog.at_level('INFO', 'iepile_nb'): run(**LONG)
    assert 'checkpoint-4' in caplog.text

def test_checkpoints_of_another_program(run):
    (run.out/'checkpoint-5').mkdir(parents=True)
    (run.out/'checkpoint-5/trainer_state.json').write_text('{}')
    with pytest.raises(UserError, match='holds a run with other options'): run()


# What is fixed while it runs

def test_the_order_is_the_same_for_any_number_of_processes():
    draw = random.Random(1)
    lengths = [draw.randint(1, 99) for _ in range(103)]
    for alike in (True, False):
        order = BatchOrder(lengths, 8, seed=3, alike=alike)
        first, again = list(order), list(order)
        order.set_epoch(1)
        assert first == again != list(order) and len(first) == len(order) == 104
        assert sorted(first) == list(range(103)) + [103] # one empty place

def test_rows_of_similar_length_stand_together():
    draw = random.Random(2)
    lengths = [draw.randint(1, 999) for _ in range(400)]
    def waste(order): return sum(8 * max(lengths[i] for i in order[k:k + 8]) for k in range(0, 400, 8)) / sum(lengths)
    assert waste(list(BatchOrder(lengths, 8))) < 1.1 < 1.5 < waste(list(BatchOrder(lengths, 8, alike=False)))

def test_accumulation_changes_nothing(run, tmp_path):
    kw = dict(lora_dropout=0., max_steps=6, logging_steps=1, learning_rate=1e-2)
    a = losses(run(**kw, per_device_train_batch_size=6, output_dir=str(tmp_path/'a')))
    b = losses(run(**kw, per_device_train_batch_size=2, gradient_accumulation_steps=3, output_dir=str(tmp_path/'b')))
    c = losses(run(**kw, per_device_train_batch_size=6, packing=False, output_dir=str(tmp_path/'c')))
    assert all(abs(a[s] - x[s]) < 1e-4 for s in a for x in (b, c)) and a[6] < a[1]

def test_four_rows(run):
    r = run(limit=4, per_device_train_batch_size=8, max_steps=-1, num_train_epochs=3, do_eval=True, logging_steps=1)
    assert r['rows'] == 3 and max(losses(r)) == 3

def test_every_answer_cut_away(run):
    with pytest.raises(UserError, match='no row is left|does not fit|more than'): run(cutoff_len=60, max_target_length=1)

def test_pure_negatives_are_reported(run, tmp_path, caplog):
    rows = [{'task': 'NER', 'source': 's', 'instruction': 'q', 'output': '{"a": []}'}] * 7 + [{'task': 'RE', 'source': 't', 'instruction': 'q', 'output': '{"a": ["x"]}'}]
    m = manifest(rows)
    assert (m['rows'], m['pure_negatives']) == (8, 7) and m['parts'][0] == {'task': 'NER', 'source': 's', 'rows': 7, 'pure_negatives': 7}
    assert '7 of 8 rows are pure negatives' in caplog.text

def test_the_contract_is_saved(run, llama_dir, tmp_path):
    from iepile_nb.lib.contract import read_contract
    from iepile_nb.lib.presets import choose_template
    run(template='llama2', cutoff_len=600, save_strategy='steps', save_steps=1)
    for folder in (run.out, run.out/'checkpoint-2'):
        c = read_contract(folder)
        assert (c['template'], c['cutoff_len'], c['bits'], c['base']) == ('llama2', 600, 16, str(llama_dir)) and len(c['data']) == 16
    assert choose_template(*load_model(llama_dir, run.out), adapter=run.out) == get_template('llama2', load_model(llama_dir)[1])
    with pytest.raises(UserError, match='the template was llama2, now alpaca'): run(checkpoint_dir=str(run.out), output_dir=str(tmp_path/'two'), template='alpaca')
    run(checkpoint_dir=str(run.out), output_dir=str(tmp_path/'two'), template=None)
    assert read_contract(tmp_path/'two')['template'] == 'llama2'

def test_a_full_model_has_a_contract(run):
    from iepile_nb.lib.presets import choose_template
    run(finetuning_type='full', template='llama2', learning_rate=1e-2)
    model, tokenizer = load_model(run.out)
    assert choose_template(model, tokenizer) == get_template('llama2', tokenizer)
    with pytest.raises(UserError, match='now alpaca'): choose_template(model, tokenizer, 'alpaca')

def test_variants_of_lora(run, llama_dir):
    run(use_dora=True, use_rslora=True)
    config = json.loads((run.out/'adapter_config.json').read_text())
    assert config['use_dora'] and config['use_rslora']
    load_model(llama_dir, run.out)


def test_four_bits_learn_after_an_evaluation(llama_dir):
    "On some processors a pass without gradients turns weights of 4 bits into a form that has no backward pass."
    from iepile_nb.base import load_base
    from iepile_nb.lora import add_lora, answer_loss, packs_exactly
    from iepile_nb.prompt import collate, encode_row
    model, tokenizer = load_base(llama_dir, bits=4, dtype='fp32')
    model = add_lora(T._for_kbit(model), r=2, dropout=0.)
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
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(before, gradients())) and all(g.abs().max() > 0 for g in before)


# F1 while it trains

NER_ROWS = [{'task': 'NER', 'source': 's', 'instruction': json.dumps({'instruction': 'i', 'schema': ['a'], 'input': c * 3}), 'output': json.dumps({'a': [c]})} for c in 'xyzw']

def test_f1_of_answers(llama_dir, tokenizer, monkeypatch):
    model, tok = load_model(llama_dir)
    said = iter([['x', 'q'], ['y'], [], ['w']])
    monkeypatch.setattr(T, 'predict', lambda rows, *a, **k: [{**r, 'output': json.dumps({'a': next(said)})} for r in rows])
    model.train()
    assert score_answers(NER_ROWS, model, tok, get_template('alpaca', tok)) == pytest.approx(75) and model.training

def test_the_best_by_f1_is_kept(run, tmp_path, monkeypatch, llama_dir):
    write_jsonl(tmp_path/'ner.json', NER_ROWS * 4)
    scores = iter([20., 60., 50., 40., 30.])
    monkeypatch.setattr(T, 'score_answers', lambda *a, **k: next(scores))
    r = run(train_file=tmp_path/'ner.json', valid_file=tmp_path/'ner.json', eval_f1=4, early_stopping=2, max_steps=-1, num_train_epochs=9, save_total_limit=1,
            learning_rate=1e-2, per_device_train_batch_size=8)
    f1 = [e['eval_f1'] for e in r['log'] if 'eval_f1' in e]
    assert f1 == [20., 60., 50., 40., 30.] # four epochs, and the end
    best = load_model(llama_dir, run.out/'checkpoint-4')[0]
    last = load_model(llama_dir, run.out)[0]
    assert all(torch.equal(a, b) for a, b in zip(best.state_dict().values(), last.state_dict().values()))

def test_generated_answers_are_scored(run, tmp_path):
    write_jsonl(tmp_path/'ner.json', NER_ROWS)
    r = run(train_file=tmp_path/'ner.json', valid_file=tmp_path/'ner.json', eval_f1=3, eval_strategy='steps', eval_steps=1)
    assert all(0 <= e['eval_f1'] <= 100 for e in r['log'] if 'eval_loss' in e) and 'eval_f1' in r['log'][-1]


# What stays behind

def test_the_card(run, train_file):
    run(do_eval=True, license='apache-2.0', model_name_or_path='tiny', cutoff_len=900, template=None)
    text = (run.out/'README.md').read_text(encoding='utf-8')
    for part in ('license: apache-2.0', '| base | tiny |', 'the tokenizer\'s own (see prompt.json)', '| NER | s | 18 |', '`cutoff_len` | 900', '![curves](training.png)', 'eval_loss', 'torch'):
        assert part in text, part
    assert str(train_file.parent) not in text and (run.out/'training.png').read_bytes()[:4] == b'\x89PNG'

def test_the_curves_in_a_notebook(run, monkeypatch):
    shown = []
    class Handle:
        def update(self, picture): shown.append(picture)
    monkeypatch.setattr(T, 'in_notebook', lambda: True)
    monkeypatch.setattr('IPython.display.display', lambda picture, display_id=None: shown.append(picture) or Handle())
    monkeypatch.setattr(T.Live, 'last', -99.)
    run(disable_tqdm=False, do_eval=True, logging_steps=1)
    assert len(shown) >= 2 and all(p.data[:4] == b'\x89PNG' for p in shown) and shown[0].data != shown[-1].data

def test_pushed(run, monkeypatch):
    import huggingface_hub
    calls = []
    class Api:
        def create_repo(self, repo_id, **kw): calls.append(('create', repo_id, kw))
        def upload_folder(self, **kw): calls.append(('upload', kw['repo_id'], kw))
    monkeypatch.setattr(huggingface_hub, 'HfApi', Api)
    run(push_to_hub=True, hub_model_id='me/mine')
    (_, name, made), (_, _, sent) = calls
    assert name == 'me/mine' and made == {'private': True, 'exist_ok': True} and sent['folder_path'] == str(run.out)
    assert any(p.startswith('checkpoint') for p in sent['ignore_patterns'])


# Kills, interruptions, full disks

def test_a_full_disk_is_one_line(run, monkeypatch):
    import safetensors.torch, errno
    real, n = T.Watched._save, []
    def full(self, *a, **k):
        n.append(1)
        if len(n) > 1: raise OSError(errno.ENOSPC, 'No space left on device')
        real(self, *a, **k)
    monkeypatch.setattr(T.Watched, '_save', full)
    with pytest.raises(UserError, match='out: the disk is full; checkpoint-4 is complete. Make room and give the same command again'): run(**LONG)
    monkeypatch.setattr(T.Watched, '_save', real)
    assert [p.name for p in run.out.glob('checkpoint-*')] == ['checkpoint-4']
    assert max(losses(run(**LONG))) == 12

def test_no_memory_is_one_line(run, monkeypatch):
    def compute_loss(*a, **k): raise torch.OutOfMemoryError('CUDA out of memory')
    monkeypatch.setattr(T.Watched, 'compute_loss', compute_loss)
    with pytest.raises(UserError, match='Halve --per_device_train_batch_size'): run()

def test_an_evaluation_without_memory_loses_nothing(run, monkeypatch, caplog):
    def loop(*a, **k): raise torch.OutOfMemoryError('CUDA out of memory')
    monkeypatch.setattr(T.Watched, 'evaluation_loop', loop)
    run(do_eval=True, early_stopping=3, max_steps=4, eval_strategy='steps', eval_steps=2)
    assert (run.out/'adapter_model.safetensors').exists() and caplog.text.count('the evaluation failed') >= 3

def test_ctrl_c_saves_and_the_run_goes_on(run, tmp_path, monkeypatch):
    before = signal.getsignal(signal.SIGINT)
    straight = losses(run(**LONG, output_dir=str(tmp_path/'straight')))
    real = T.Watched.log
    def log(self, logs, *args):
        if self.state.global_step == 6: os.kill(os.getpid(), signal.SIGINT)
        real(self, logs, *args)
    monkeypatch.setattr(T.Watched, 'log', log)
    with pytest.raises(KeyboardInterrupt): run(**LONG)
    monkeypatch.setattr(T.Watched, 'log', real)
    assert T.last_checkpoint(run.out).endswith('checkpoint-7') and signal.getsignal(signal.SIGINT) == before
    resumed = losses(run(**LONG))
    assert resumed.keys() == straight.keys() and all(abs(resumed[s] - straight[s]) < 1e-4 for s in straight)

# As processes

ENV = {**os.environ, 'PYTHONPATH': str(ROOT)}

def test_help():
    r = subprocess.run([sys.executable, '-m', 'iepile_nb.train', '--help'], capture_output=True, text=True, env=ENV)
    assert r.returncode == 0 and 'example: iepile_train' in ' '.join(r.stdout.split()) and '--lora_target_modules' in r.stdout

def process(*args, cwd, start=('-m', 'iepile_nb.train'), ok=0, **kw):
    "Run a command as a process of its own; gives what it wrote to stderr."
    cmd = [sys.executable, *start, *[str(x) for a in args for x in str(a).split()], *[str(x) for k, v in kw.items() for x in (f'--{k}', v)]]
    r = subprocess.run(cmd, capture_output=True, text=True, env=ENV, cwd=cwd, timeout=600)
    assert r.returncode == ok, r.stderr[-3000:]
    return r.stderr

EVEN = dict(template='alpaca', max_steps=6, logging_steps=1, lora_dropout=0, learning_rate=1e-2, save_strategy='steps', save_steps=3, lr_scheduler_type='cosine')

def test_two_processes_learn_as_one(run, llama_dir, train_file, tmp_path):
    "And a checkpoint of one goes on in two. Two processes on the CPU, as --nproc starts them; 18 rows do not fill the last batch."
    import shutil
    files = dict(model_name_or_path=llama_dir, train_file=train_file)
    one = losses(run(**EVEN, limit=18, per_device_train_batch_size=4, do_eval=True, valid_file=train_file, output_dir=str(tmp_path/'one')))
    shutil.copytree(tmp_path/'one/checkpoint-3', tmp_path/'half/checkpoint-3')
    card = json.loads((tmp_path/'one/iepile_train.json').read_text())
    (tmp_path/'half/iepile_train.json').write_text(json.dumps({**card, 'finished': False}))
    for name in ('two', 'half'):
        err = process('--nproc 2 --limit 18 --per_device_train_batch_size 2 --do_eval', cwd=tmp_path, **files, **EVEN, valid_file=train_file, output_dir=tmp_path/name)
        assert (tmp_path/name/'adapter_model.safetensors').exists() and err.count('step 6 of 6') == 1
        two = losses(json.loads((tmp_path/name/'train_log.json').read_text()))
        assert two.keys() == one.keys() and all(abs(one[s] - two[s]) < 1e-4 for s in one), (one, two)
    assert 'checkpoint-3' in err

def test_another_number_of_processes_than_asked_for(run, monkeypatch):
    with pytest.raises(UserError, match='2 processes were asked for, but this run has 1; start with `iepile_train --nproc 2`'): run(nproc=2)
    assert not run.out.exists()

@pytest.mark.long
def test_torchrun(llama_dir, train_file, tmp_path):
    line = '-m torch.distributed.run --nproc_per_node 2 --master_port 29517 -m iepile_nb.train'.split()
    process(model_name_or_path=llama_dir, train_file=train_file, output_dir=tmp_path/'out', template='alpaca', max_steps=3, cwd=tmp_path, start=line)
    assert (tmp_path/'out/adapter_model.safetensors').exists()
    err = process('--nproc 3', model_name_or_path=llama_dir, train_file=train_file, output_dir=tmp_path/'x', cwd=tmp_path, start=line, ok=1)
    assert '3 processes were asked for, but this run has 2' in err

@pytest.mark.long
def test_killed_at_ten_moments(run, llama_dir, train_file, tmp_path):
    "Killed without warning again and again, the same command comes to the same losses. Dropout and a scheduler are on."
    kw = dict(template='alpaca', max_steps=60, logging_steps=3, save_strategy='steps', save_steps=5, learning_rate=3e-3, lora_dropout=.2, lr_scheduler_type='cosine',
              per_device_train_batch_size=4)
    straight = losses(run(**kw, output_dir=str(tmp_path/'straight')))
    draw, kills = random.Random(7), 0
    cmd = [sys.executable, '-m', 'iepile_nb.train', '--model_name_or_path', llama_dir, '--train_file', train_file, '--output_dir', tmp_path/'out',
           *[x for k, v in kw.items() for x in (f'--{k}', v)]]
    while kills < 10:
        p = subprocess.Popen(list(map(str, cmd)), env=ENV, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        for line in p.stderr: # the moment counts from where training starts; imports take longest
            if 'batches are made by' in line: break
        time.sleep(draw.uniform(0, 2.))
        if p.poll() is None: kills += 1
        p.kill()
        p.wait()
        for c in (tmp_path/'out').glob('checkpoint-*'): assert json.loads((c/'trainer_state.json').read_text()) and (c/'prompt.json').exists()
        if (tmp_path/'out/train_log.json').exists(): break
    subprocess.run(list(map(str, cmd)), env=ENV, cwd=tmp_path, check=True, capture_output=True)
    resumed = losses(json.loads((tmp_path/'out/train_log.json').read_text()))
    assert kills >= 3 and resumed.keys() == straight.keys() and all(abs(resumed[s] - straight[s]) < 1e-4 for s in straight)

@pytest.mark.parametrize('sign', [signal.SIGINT, signal.SIGTERM])
@pytest.mark.long
def test_a_signal_ends_a_process_in_good_order(sign, llama_dir, train_file, tmp_path):
    cmd = [sys.executable, '-m', 'iepile_nb.train', '--model_name_or_path', llama_dir, '--train_file', train_file, '--output_dir', tmp_path/'out',
           '--template', 'alpaca', '--max_steps', '5000', '--save_strategy', 'no']
    p = subprocess.Popen(list(map(str, cmd)), env=ENV, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    for line in p.stderr:
        if ' of 5000, loss' in line: break
    p.send_signal(sign)
    assert p.wait(120) == 130 and 'the same command goes on from there' in p.stderr.read()
    assert len(list((tmp_path/'out').glob('checkpoint-*'))) == 1 and not (tmp_path/'out/.saving').exists()


# The original's documented lines

DATA = '--train_file train.json --valid_file train.json --preprocessing_num_workers 16'
SCRIPT = ('--do_train --do_eval --overwrite_output_dir --stage sft --model_name llama --per_device_train_batch_size 2 --per_device_eval_batch_size 2 '
          '--gradient_accumulation_steps 4 --num_train_epochs 10 --learning_rate 5e-5 --max_grad_norm 0.5 --optim adamw_torch --max_source_length 400 '
          '--cutoff_len 700 --max_target_length 300 --evaluation_strategy epoch --save_strategy epoch --save_total_limit 10 --bf16')

def documented(more, tmp_path, ok=0):
    "A line of the original's README on a small model; few rows, so that ten epochs are short."
    return process(SCRIPT, DATA, '--limit 4', more, cwd=tmp_path, ok=ok)

@pytest.fixture
def place(llama_dir, train_file, tmp_path):
    (tmp_path/'models').symlink_to(llama_dir.parent)
    return tmp_path

def adapter(folder):
    c = json.loads((folder/'adapter_config.json').read_text())
    return c['r'], c['lora_alpha'], c['lora_dropout']

def test_lora_as_documented_3_3_and_continued_4_2(place):
    documented('--model_name_or_path models/llama --template llama2 --output_dir lora/one --lora_r 16 --lora_alpha 32 --lora_dropout 0.05', place)
    assert adapter(place/'lora/one') == (16, 32, .05) and len(list((place/'lora/one').glob('checkpoint-*'))) == 10
    documented('--model_name_or_path models/llama --checkpoint_dir lora/one --template llama2 --output_dir lora/two --lora_r 16 --lora_alpha 32 --lora_dropout 0.05', place)
    assert adapter(place/'lora/two') == (16, 32, .05)
    err = documented('--model_name_or_path models/llama --checkpoint_dir lora/one --template llama2 --output_dir lora/three --lora_r 64 --lora_alpha 64', place, ok=1)
    assert 'error: --lora_r 64, but the adapter' in err and 'Traceback' not in err

@pytest.mark.long
def test_oneke_as_documented_4_3(place):
    oneke = '--model_name_or_path models/llama --template llama2_zh'
    documented(f'{oneke} --output_dir lora/lora --lora_r 64 --lora_alpha 64 --lora_dropout 0.05', place)
    assert adapter(place/'lora/lora') == (64, 64, .05)
    documented(f'{oneke} --output_dir lora/full --finetuning_type full', place)
    assert not (place/'lora/full/adapter_config.json').exists() and (place/'lora/full/model.safetensors').exists()
    documented(f'{oneke} --output_dir lora/plain', place) # the README's line for full training lacks --finetuning_type
    assert adapter(place/'lora/plain') == (8, 16, .1)

def test_deepspeed_as_in_the_scripts(place):
    err = documented('--model_name_or_path models/llama --template llama2 --output_dir lora/x --deepspeed configs/ds_config_bf16.json', place, ok=1)
    assert 'error: --deepspeed is not supported' in err and 'FSDP2' in err and 'Traceback' not in err
