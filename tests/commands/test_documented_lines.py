"The command lines of the original's documentation, and what mistakes in them say."
import json
import os
import shlex
import subprocess
import sys

import pytest
from conftest import ROOT

CONVERT = [
    ('iepile_convert --src_path data/NER/sample.json --tgt_path out/NER/train.json --language zh --task NER '
     '--schema_path data/NER/schema.json --split_num 6 --random_sort --split train', 'out/NER/train.json', 7),
    ('iepile_convert --src_path data/NER/sample.json --tgt_path out/NER/test.json --language zh --task NER '
     '--schema_path data/NER/schema.json --split_num 6 --split test', 'out/NER/test.json', 7),
    ('iepile_convert --src_path data/SPO/sample.json --tgt_path out/SPO/train.json --language zh --task SPO '
     '--schema_path data/SPO/schema.json --cluster_mode --hard_negative_path data/hard_negative/SPO.json '
     '--split_num 4 --random_sort --split train', 'out/SPO/train.json', 14)]
TRAIN = (
    'iepile_train --do_train --do_eval --overwrite_output_dir --model_name_or_path tiny --stage sft '
    '--model_name llama --template llama2 --train_file out/NER/train.json --valid_file out/NER/train.json '
    '--per_device_train_batch_size 2 --per_device_eval_batch_size 2 --gradient_accumulation_steps 4 '
    '--preprocessing_num_workers 16 --learning_rate 5e-5 --max_grad_norm 0.5 --optim adamw_torch '
    '--max_source_length 400 --cutoff_len 700 --max_target_length 300 --evaluation_strategy epoch '
    '--save_strategy epoch --save_total_limit 10 --bf16 ')
LORA = TRAIN + '--output_dir out/lora --num_train_epochs 10 --lora_r 16 --lora_alpha 32 --lora_dropout 0.05'
PREDICT = (
    'iepile_predict --stage sft --model_name_or_path tiny --checkpoint_dir out/lora --model_name llama '
    '--template llama2 --do_predict --input_file out/NER/test.json --output_file results/out.json '
    '--finetuning_type lora --output_dir lora/test --predict_with_generate --cutoff_len 512 --bf16 '
    '--max_new_tokens 300 --bits 4')


def run(line, cwd, ok=0):
    "Run a command line; returns what it wrote."
    program, *args = shlex.split(line)
    cmd = [sys.executable, '-m', 'iepile_nb.cli.' + program.removeprefix('iepile_'), *args]
    env = {**os.environ, 'PYTHONPATH': str(ROOT)}
    r = subprocess.run(cmd, cwd=cwd, capture_output=True, text=True, timeout=600, env=env)
    assert r.returncode == ok, r.stdout + r.stderr
    return r.stdout + r.stderr


def rows(path): return [json.loads(l) for l in path.read_text(encoding='utf-8').splitlines()]


def adapter(folder):
    config = json.loads((folder/'adapter_config.json').read_text())
    return config['r'], config['lora_alpha'], config['lora_dropout']


@pytest.fixture(scope='module')
def place(tmp_path_factory):
    "A folder with the project's data, in which the first documented lines made rows and an adapter."
    p = tmp_path_factory.mktemp('place')
    (p/'data').symlink_to(ROOT/'data')
    for line, path, at_least in CONVERT:
        run(line, p)
        assert len(rows(p/path)) >= at_least
    run(LORA, p)
    return p


def test_training(place):
    out = place/'out/lora'
    assert adapter(out) == (16, 32, .05)
    names = {p.name for p in out.iterdir()}
    assert {'adapter_model.safetensors', 'tokenizer.json', 'tokenizer_config.json', 'train_log.json',
            'trainer_state.json'} <= names and len(list(out.glob('checkpoint-*'))) == 10
    log = json.loads((out/'train_log.json').read_text())
    assert log['rows'] == len(rows(place/'out/NER/train.json')) and log['environment']['torch']
    assert sum('eval_loss' in e for e in log['log']) == 10 # every epoch


def test_prediction_in_four_bits_and_evaluation(place):
    run(PREDICT, place)
    asked, answered = rows(place/'out/NER/test.json'), rows(place/'results/out.json')
    assert [{**a, 'output': ''} for a in asked] == [{**a, 'output': ''} for a in answered]
    assert 'F1' in run('iepile_eval --path1 results/out.json --task NER', place)
    assert (place/'results/output_msg/out.json').exists()


def test_training_goes_on_in_an_adapter(place):
    go_on = TRAIN + '--checkpoint_dir out/lora --limit 4 --num_train_epochs 1 '
    run(go_on + '--output_dir out/two --lora_r 16 --lora_alpha 32 --lora_dropout 0.05', place)
    assert adapter(place/'out/two') == (16, 32, .05)
    said = run(go_on + '--output_dir out/three --lora_r 64 --deepspeed configs/ds_config_bf16.json', place)
    assert '--lora_r 64 has no effect' in said and 'trained by torch (DDP)' in said
    assert adapter(place/'out/three') == (16, 32, .05)


@pytest.mark.long
@pytest.mark.parametrize('more,r', [('--lora_r 64 --lora_alpha 64 --lora_dropout 0.05', 64), ('', 8),
                                    ('--finetuning_type full', None)])
def test_the_lines_of_oneke(more, r, place):
    "With LoRA, with all weights, and the line for all weights that lacks its --finetuning_type."
    line = TRAIN.replace('--template llama2', '--template llama2_zh') + '--limit 4 --num_train_epochs 10 '
    run(f'{line} --overwrite --output_dir out/oneke {more}', place)
    if r: assert adapter(place/'out/oneke')[0] == r
    else: assert (place/'out/oneke/model.safetensors').exists()


BAD = [('iepile_convert --src_path data/none.json', 1, 'no such file'),
       ('iepile_convert --split_num two', 2, 'invalid int'),
       ('iepile_convert --swap_space 4', 2, 'unrecognized arguments'),
       ('iepile_train --train_file out/NER/test.json --output_dir out/x', 1, 'test-format file'),
       ('iepile_train --train_file out/NER/none.json --output_dir out/x', 1, 'no such file'),
       (TRAIN + '--output_dir out/x --finetuning_type freeze', 1, 'learns more with less; use lora'),
       ('iepile_predict --model_name_or_path out/lora --input_file out/NER/test.json '
        '--output_file out/x.json', 1, 'tiny'),
       ('iepile_eval out/NER/test.json', 1, "no row has an 'output'")]

@pytest.mark.parametrize('line,code,says', BAD)
def test_mistakes_get_one_line(line, code, says, place):
    out = run(line, place, ok=code)
    assert says in out and 'Traceback' not in out
    assert not (place/'out/x.json').exists() and not (place/'out/x').exists()
