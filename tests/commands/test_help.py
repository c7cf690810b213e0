"Every command's --help has an example, and it runs: in a folder with the project's data, as in a checkout."
import os
import re
import shlex
import subprocess
import sys

import pytest
from conftest import ROOT

PREPARE = ('iepile_convert --src_path data/NER/sample.json --schema_path data/NER/schema.json --task NER '
           '--tgt_path outputs/NER/{0}.json --split {0}')
NEEDS = {'train': ['train'], 'model': ['train'], 'predict': ['test'], 'eval': ['test', 'answers']}
MAKES = {'convert': 'NER/train.json', 'negatives': 'hard_RE.json', 'predict': 'NER/answers.json',
         'train': 'NER/lora/adapter_model.safetensors', 'eval': 'NER/report.html', 'demo': 'mine/report.html'}
SAYS = {'data': 'record', 'model': 'GB'}
SHORTER = {'demo': '--epochs 1'} # the example itself takes minutes: it runs among the long tests


def run(line, cwd, timeout=300):
    "Run a command line that should end well; returns the finished process."
    program, *args = shlex.split(line)
    cmd = [sys.executable, '-m', 'iepile_nb.cli.' + program.removeprefix('iepile_'), *args]
    env = {**os.environ, 'PYTHONPATH': str(ROOT)}
    r = subprocess.run(cmd, cwd=cwd, capture_output=True, text=True, timeout=timeout, env=env)
    assert r.returncode == 0, r.stdout + r.stderr
    return r


def example(name, cwd):
    "The example that a command's help gives."
    text = ' '.join(run(f'iepile_{name} --help', cwd).stdout.split())
    return re.search(rf'example: (iepile_{name} .*)', text)[1]


@pytest.fixture(scope='module')
def place(tmp_path_factory):
    "An empty folder with the project's data in it."
    p = tmp_path_factory.mktemp('place')
    (p/'data').symlink_to(ROOT/'data')
    return p


def prepare(part, place):
    "What an example starts from, if it is not there: rows, or answers to them."
    if (place/f'outputs/NER/{part}.json').exists(): return
    run(example('predict', place) if part == 'answers' else PREPARE.format(part), place)


COMMANDS = 'convert', 'data', 'negatives', 'train', 'predict', 'eval', 'model', 'demo'

@pytest.mark.parametrize('name', COMMANDS)
def test_the_example_of_help_runs(name, place):
    for part in NEEDS.get(name, ()): prepare(part, place)
    r = run(f"{example(name, place)} {SHORTER.get(name, '')}", place)
    assert name not in MAKES or (place/'outputs'/MAKES[name]).exists()
    assert SAYS.get(name, '') in r.stdout and 'Traceback' not in r.stderr


QUICK = [*(f'{name} --help' for name in COMMANDS), 'model presets',
         'demo --data none --task NER --language en']

@pytest.mark.parametrize('line', QUICK)
def test_what_needs_no_model_loads_none(line, place):
    "Help, lists and mistakes in the arguments come at once: nothing heavy is imported."
    name, *args = line.split()
    code = (f'import sys; from iepile_nb.cli.{name} import main\n'
            f'try: main({args})\nexcept SystemExit: pass\n'
            'heavy = "torch", "transformers", "peft", "datasets", "matplotlib"\n'
            'print([m for m in heavy if m in sys.modules])')
    env = {**os.environ, 'PYTHONPATH': str(ROOT)}
    r = subprocess.run([sys.executable, '-c', code], cwd=place, capture_output=True, text=True, env=env)
    assert r.stdout.splitlines()[-1:] == ['[]'], r.stdout + r.stderr


@pytest.mark.long
def test_the_example_of_the_demo_as_it_stands(place):
    run(example('demo', place), place, timeout=1200)
    assert (place/'outputs/mine/report.html').exists()


def test_help_of_the_module_that_torchrun_starts(place):
    cmd, env = [sys.executable, '-m', 'iepile_nb.train', '--help'], {**os.environ, 'PYTHONPATH': str(ROOT)}
    r = subprocess.run(cmd, cwd=place, capture_output=True, text=True, env=env)
    assert r.returncode == 0 and 'example: iepile_train' in ' '.join(r.stdout.split())
    assert '--lora_target_modules' in r.stdout
