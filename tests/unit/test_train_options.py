"Options of a training: read from a line or a file, checked, refused."
import json

import pytest
from helpers.original_flags import ORIGINAL
from helpers.training import run, train_file, words # fixtures among them

from iepile_nb.cli.train import _parser, main, parse
from iepile_nb.lib.io import UserError
from iepile_nb.lib.options import OPTIONS, TrainOptions, check_same, layer_names, settings


def command(*lines, **options): return main(words(*lines, **options))


@pytest.mark.parametrize('name', [f for f in ORIGINAL if f not in ('input_file', 'output_file')])
def test_every_flag_of_the_original_is_known(name):
    value = {'optim': 'adamw_torch', 'finetuning_type': 'lora', 'report_to': 'none', 'stage': 'sft',
             'bits': '4', 'lora_target_modules': "['q_proj']", 'model_name': 'llama3',
             'template': 'llama2'}.get(name, '1')
    assert parse(['--train_file', 'a', '--output_dir', 'b', f'--{name}', value])['output_dir'] == 'b'


def test_every_option_has_a_flag_with_the_same_default():
    flags = {a.dest: a for a in _parser()._actions if type(a).__name__ == '_StoreAction'}
    assert set(flags) == set(OPTIONS)
    assert all(flags[name].default == TrainOptions().get(name) and flags[name].help for name in OPTIONS)


def test_flags_of_other_times():
    given = parse('--train_file a --output_dir b --warmup_ratio 0.1 --no_cuda --evaluation_strategy steps '
                  '--gradient_checkpointing True --weight_decay 0.1 --lr_scheduler_type cosine '
                  '--logging_dir x '
                  '--ddp_timeout 180000000 --ddp_find_unused_parameters False'.split())
    assert given == dict(train_file='a', output_dir='b', warmup_steps=.1, use_cpu=True, eval_strategy='steps',
                         activation_checkpointing=True, weight_decay=.1, lr_scheduler_type='cosine',
                         ddp_timeout=180000000, ddp_find_unused_parameters=False)


WRONG = ['--no_such 1', '--bits 3', '--lora_rank 4', 'stray', '--stage ppo']

@pytest.mark.parametrize('line', ['--train_file a', '--output_dir b',
                                  *(f'--train_file a --output_dir b {more}' for more in WRONG)])
def test_wrong_arguments(line):
    with pytest.raises(SystemExit) as e: command(line)
    assert e.value.code == 2


def test_options_in_a_file(llama_dir, train_file, tmp_path, capsys):
    options = dict(model_name_or_path=str(llama_dir), train_file=str(train_file),
                   output_dir=str(tmp_path/'out'), max_steps=1, learning_rate='1e-3', template='alpaca',
                   bf16=True, disable_tqdm=True,
                   lora_target_modules=['q_proj'], valid_file=None)
    (tmp_path/'run.json').write_text(json.dumps(options))
    (tmp_path/'run.yaml').write_text('\n'.join(f'{k}: {json.dumps(v)}' for k, v in options.items()))
    for name in ('run.json', 'run.yaml'): assert command(tmp_path/name) == 0
    assert json.loads((tmp_path/'out/adapter_config.json').read_text())['target_modules'] == ['q_proj']
    for bad in (b'a: [', b'\xff', b'- a'):
        (tmp_path/'bad.yaml').write_bytes(bad)
        assert command(tmp_path/'bad.yaml') == 1
    assert command(tmp_path/'none.yaml') == 1


def test_options_on_top_of_those_in_a_file(tmp_path, capsys):
    file = tmp_path/'run.yaml'
    file.write_text('train_file: a.json\noutput_dir: b\nlearning_rate: 1e-3\nweight_decay: .1\nbf16: true')
    line = [str(file), '--limit', '2', '--learning_rate', '1e-4', '--weight_decay', '.2']
    assert parse(line) == dict(train_file='a.json', output_dir='b', learning_rate=1e-4, weight_decay=.2,
                               bf16=True, limit=2)
    with pytest.raises(SystemExit): parse(['--limit', '2', str(file)])
    assert f'unrecognized arguments: {file}' in capsys.readouterr().err


SENSELESS = ['--limit 0', '--limit -1', '--val_set_size -3 --do_eval', '--lora_r 0', '--nproc 0', '--seed -1',
             '--per_device_train_batch_size 0', '--learning_rate -1', '--lora_dropout 1.5']

@pytest.mark.parametrize('line', SENSELESS)
def test_numbers_that_make_no_sense(line, train_file, tmp_path, capsys):
    assert command(line, train_file=train_file, output_dir=tmp_path/'out') == 1
    err = capsys.readouterr().err
    assert err.startswith(f"error: {' '.join(line.split()[:2])}") and err.count('\n') == 1
    assert 'it should be ' in err and not (tmp_path/'out').exists()


REFUSED = [(dict(deepspeed={'zero_optimization': {'stage': 3}}), '--fsdp does that'),
           (dict(fsdp=True), 'on several GPUs'), (dict(push_to_hub=True), '--hub_model_id'),
           (dict(preset='gpt'), 'there are tiny'),
           (dict(finetuning_type='freeze'), 'learns more with less; use lora'),
           (dict(finetuning_type='full', bits=4), '--bits 16'), (dict(template='nope'), 'there are auto'),
           (dict(lora_target_modules='W_pack'), 'it has down_proj'),
           (dict(resume_from_checkpoint='x'), '--resume_from_checkpoint is not'),
           (dict(label_smoothing_factor=.1), '--label_smoothing_factor is not'),
           (dict(train_sampling_strategy='group_by_length'), '--train_sampling_strategy is not'),
           (dict(dataloader_drop_last=True), '--dataloader_drop_last is not'),
           (dict(early_stopping=2, val_set_size=0), '--early_stopping has no rows to compare by'),
           (dict(eval_f1=4), r'from iepile_nb.lib.validation import score_answers, then train\(..., scorer=')]

@pytest.mark.parametrize('options,says', REFUSED)
def test_refusals(options, says, run):
    with pytest.raises(UserError, match=says): run(**options)


@pytest.mark.parametrize('stage', [0, 1, 2, None])
def test_up_to_stage_2_deepspeed_is_not_needed(stage, tmp_path, caplog):
    "With adapters and with all weights; a file that is not there is taken for stage 2."
    file = tmp_path/'ds.json'
    if stage is not None: file.write_text(json.dumps({'zero_optimization': {'stage': stage}, 'bf16': {}}))
    with caplog.at_level('INFO', 'iepile_nb'):
        assert settings(deepspeed=str(file)).get('deepspeed') is None
        settings(deepspeed=str(file), finetuning_type='full')
    assert 'trained by torch (DDP)' in caplog.text and 'if memory is short, add --fsdp' in caplog.text
    assert ('no such file' in caplog.text) == (stage is None)


@pytest.mark.parametrize('content', [b'stage 2', b'\xff'])
def test_what_is_no_configuration_of_deepspeed(content, tmp_path):
    (tmp_path/'ds.json').write_bytes(content)
    with pytest.raises(UserError, match='no configuration for DeepSpeed'):
        settings(deepspeed=str(tmp_path/'ds.json'))


def test_what_is_not_offered_may_be_given_at_its_default(run):
    settings(label_smoothing_factor=0., dataloader_drop_last=False, train_sampling_strategy='random',
             resume_from_checkpoint=None)
    with pytest.raises(TypeError, match="no option 'lora_rank'"): run(lora_rank=4)


def test_no_gpu_if_none_is_wanted(run, monkeypatch):
    import iepile_nb.base
    real, asked = iepile_nb.base.load_base, []
    def load_base(*a, cpu, **k):
        asked.append(cpu)
        return real(*a, cpu=cpu, **k)
    monkeypatch.setattr(iepile_nb.base, 'load_base', load_base)
    run(use_cpu=True), run(overwrite=True)
    assert asked == [True, False]


def test_an_option_is_never_run(run, tmp_path):
    with pytest.raises(UserError, match='no layer'):
        run(lora_target_modules=f"__import__('os').system('touch {tmp_path}/PWNED') or ['q_proj']")
    assert not (tmp_path/'PWNED').exists()


LAYERS = [('all', None), (None, None), ("['all']", None), ('["q_proj"]', ['q_proj']),
          ('q_proj,v_proj', ['q_proj', 'v_proj']), ("['q_proj', 'v_proj']", ['q_proj', 'v_proj'])]

@pytest.mark.parametrize('text,names', LAYERS)
def test_layer_names(text, names): assert layer_names(text) == names


def test_options_of_an_adapter_that_names_few(tmp_path):
    own = dict(target_modules=['q_proj'], base_model_name_or_path='x')
    config = dict(peft_type='LORA', r=8, lora_alpha=16, **own)
    (tmp_path/'adapter_model.safetensors').write_bytes(b'looked at later')
    (tmp_path/'adapter_config.json').write_text(json.dumps(config))
    for kw in (dict(use_dora=True), dict(additional_target='lm_head')):
        says = f'--{[*kw][0]} .*, but the adapter'
        with pytest.raises(UserError, match=says): check_same(str(tmp_path), kw)


BAD = {'missing': (None, 'no such file'), 'empty': ('', 'the file is empty'),
       'blank': ('\n\n', 'the file is empty'),
       'broken': ('{"instruction": "q", "output": "a"}\n\n{"instruction"\n', ':3: broken JSON'),
       'not UTF-8': (b'{"output": "\xff"}', 'not UTF-8'),
       'no text': ('{"instruction": "q", "output": {"a": []}}', ":1: 'output' should be a string"),
       'no question': ('{"instruction": "", "output": "a"}', "no row is left"),
       'no answer': ('{"instruction": "q", "output": " "}', 'no row is left')}

@pytest.mark.parametrize('name', BAD)
def test_bad_rows_are_one_line(name, llama_dir, tmp_path, capsys):
    content, says = BAD[name]
    if isinstance(content, str): content = content.encode()
    file, out = tmp_path/'in.json', tmp_path/'out'
    if content is not None: file.write_bytes(content)
    assert command(model_name_or_path=llama_dir, train_file=file, output_dir=out) == 1
    err = [l for l in capsys.readouterr().err.splitlines() if l.startswith('error')]
    assert len(err) == 1 and says in err[0] and not (out/'adapter_config.json').exists()
