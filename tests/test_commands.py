"The commands as people call them: the original's documented lines with the program's name replaced, and every example of a --help."
import json
import os
import re
import shlex
import subprocess
import sys

import pytest
from conftest import ROOT

COMMANDS = 'convert', 'data', 'negatives', 'train', 'predict', 'eval', 'model', 'demo'


def run(line, cwd, ok=0, timeout=300):
    "Run a command line of the README or of the original; returns stdout and stderr together."
    program, *args = shlex.split(line)
    cmd = [sys.executable, '-m', 'iepile_nb.cli.' + program.removeprefix('iepile_'), *args]
    r = subprocess.run(cmd, cwd=cwd, capture_output=True, text=True, timeout=timeout, env={**os.environ, 'PYTHONPATH': str(ROOT)})
    assert r.returncode == ok, r.stdout + r.stderr
    return r.stdout + r.stderr


@pytest.fixture(scope='module')
def place(tmp_path_factory):
    "An empty folder with the project's data in it, as if one stood at the top of a checkout."
    p = tmp_path_factory.mktemp('place')
    (p/'data').symlink_to(ROOT/'data')
    return p


def rows(path): return [json.loads(l) for l in path.read_text(encoding='utf-8').splitlines()]


CONVERT = [
    ('iepile_convert --src_path data/NER/sample.json --tgt_path out/NER/train.json --schema_path data/NER/schema.json '
     '--language zh --task NER --split_num 6 --random_sort --split train', 'out/NER/train.json', 7),
    ('iepile_convert --src_path data/NER/sample.json --tgt_path out/NER/test.json --schema_path data/NER/schema.json '
     '--language zh --task NER --split_num 6 --split test', 'out/NER/test.json', 7),
    ('iepile_convert --src_path data/SPO/sample.json --tgt_path out/SPO/train.json --schema_path data/SPO/schema.json '
     '--cluster_mode --hard_negative_path data/hard_negative/SPO.json --language zh --task SPO --split_num 4 --random_sort --split train',
     'out/SPO/train.json', 14)]

TRAIN = ('iepile_train --do_train --do_eval --overwrite_output_dir --model_name_or_path tiny --stage sft --model_name llama --template llama2 '
         '--train_file out/NER/train.json --valid_file out/NER/train.json --output_dir out/lora --per_device_train_batch_size 2 '
         '--per_device_eval_batch_size 2 --gradient_accumulation_steps 4 --preprocessing_num_workers 16 --num_train_epochs 10 '
         '--learning_rate 5e-5 --max_grad_norm 0.5 --optim adamw_torch --max_source_length 400 --cutoff_len 700 --max_target_length 300 '
         '--evaluation_strategy epoch --save_strategy epoch --save_total_limit 10 --lora_r 16 --lora_alpha 32 --lora_dropout 0.05 --bf16')
PREDICT = ('iepile_predict --stage sft --model_name_or_path tiny --checkpoint_dir out/lora --model_name llama --template llama2 --do_predict '
           '--input_file out/NER/test.json --output_file results/out.json --finetuning_type lora --output_dir lora/test '
           '--predict_with_generate --cutoff_len 512 --bf16 --max_new_tokens 300 --bits 4')


def test_the_documented_lines(place):
    "Conversion, training, prediction in 4 bits and evaluation, exactly as the original documents them."
    for line, path, at_least in CONVERT:
        run(line, place)
        assert len(rows(place/path)) >= at_least
    run(TRAIN, place)
    assert (place/'out/lora/adapter_model.safetensors').exists() and (place/'out/lora/tokenizer.json').exists()
    run(PREDICT, place)
    asked, answered = rows(place/'out/NER/test.json'), rows(place/'results/out.json')
    assert [{**a, 'output': ''} for a in asked] == [{**a, 'output': ''} for a in answered]
    out = run('iepile_eval --path1 results/out.json --task NER', place)
    assert 'F1' in out and (place/'results/output_msg/out.json').exists()


@pytest.mark.parametrize('name', ['convert', 'negatives', 'train', 'predict', 'eval', 'model'])
def test_the_example_of_help_runs(name, place):
    if name in ('train', 'predict', 'eval', 'model'): prepare(place)
    text = ' '.join(run(f'iepile_{name} --help', place).split())
    example = re.search(rf'example: (iepile_{name} .*)', text)[1]
    run(example, place)


def prepare(place):
    "What the examples of the later commands need: the files that those of the earlier ones make."
    line = '--src_path data/NER/sample.json --schema_path data/NER/schema.json --task NER'
    if not (place/'outputs/NER/test.json').exists():
        for split in ('train', 'test'): run(f'iepile_convert {line} --tgt_path outputs/NER/{split}.json --split {split}', place)


BAD = [('iepile_convert --src_path data/none.json', 1, 'no such file'),
       ('iepile_convert --split_num two', 2, 'invalid int'), ('iepile_convert --swap_space 4', 2, 'unrecognized arguments'),
       ('iepile_train --model_name_or_path tiny --train_file out/NER/test.json --output_dir out/x', 1, 'test-format file'),
       ('iepile_train --model_name_or_path tiny --train_file out/NER/none.json --output_dir out/x', 1, 'no such file'),
       ('iepile_predict --model_name_or_path out/lora --input_file out/NER/test.json --output_file out/x.json', 1, 'tiny'),
       ('iepile_eval out/NER/test.json', 1, "no row has an 'output'")]


@pytest.mark.parametrize('line,code,says', BAD)
def test_mistakes_get_one_line(line, code, says, place):
    if not (place/'out/lora').exists(): test_the_documented_lines(place)
    out = run(line, place, ok=code)
    assert says in out and 'Traceback' not in out
    assert not (place/'out/x.json').exists() and not (place/'out/x').exists()
