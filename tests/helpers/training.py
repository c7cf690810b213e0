"What tests of training share: a small training set, short runs, ways to end a run, commands as processes."
import json
import os
import subprocess
import sys

import pytest
from conftest import PARROT, ROOT
from transformers import TrainerCallback

from iepile_nb.lib.io import write_jsonl
from iepile_nb.train import train

QUICK = dict(disable_tqdm=True, template='alpaca', per_device_train_batch_size=2, max_steps=2)
LONG = dict(max_steps=12, logging_steps=1, save_strategy='steps', save_steps=4, learning_rate=3e-3,
            lora_dropout=.2, lr_scheduler_type='cosine')
NER_ROWS = [{'task': 'NER', 'source': 's', 'output': json.dumps({'a': [c]}),
             'instruction': json.dumps({'instruction': 'i', 'schema': ['a'], 'input': c * 3})}
            for c in 'xyzw']
ENV = {**os.environ, 'PYTHONPATH': str(ROOT)}


@pytest.fixture
def train_file(tmp_path):
    "Twenty rows: the questions and answers of PARROT, four times."
    rows = [{'task': 'NER', 'source': 's', 'instruction': q, 'output': a} for q, a in PARROT.items()]
    write_jsonl(tmp_path/'train.json', rows * 4)
    return tmp_path/'train.json'


@pytest.fixture
def ner_file(tmp_path):
    "Sixteen rows whose answers can be scored."
    write_jsonl(tmp_path/'ner.json', NER_ROWS * 4)
    return tmp_path/'ner.json'


@pytest.fixture
def run(llama_dir, train_file, tmp_path):
    "Train a little, in `tmp_path`/out."
    files = dict(model_name_or_path=str(llama_dir), train_file=train_file, output_dir=str(tmp_path/'out'))
    usual = {**QUICK, **files}
    def go(**kw): return train(**{**usual, **kw})
    go.out = tmp_path/'out'
    return go


def losses(result): return {e['step']: e['loss'] for e in result['log'] if 'loss' in e}


def same_losses(a, b):
    "Do two runs have the same losses at the same steps?"
    return a.keys() == b.keys() and all(abs(a[s] - b[s]) < 1e-4 for s in a)


class At(TrainerCallback):
    "Does something when a step is logged; keeps the step and the model."
    def __init__(self, step=None, do=None): self.when, self.do, self.step, self.model = step, do, 0, None

    def on_train_begin(self, args, state, control, model=None, **kw): self.model = model

    def on_step_end(self, args, state, control, **kw): self.step = state.global_step

    def on_log(self, args, state, control, logs=None, **kw):
        if state.global_step == self.when and 'loss' in logs: self.do()


def interrupt(): raise KeyboardInterrupt


def interrupted(run, at=6, **kw):
    "A run that is interrupted at a step."
    with pytest.raises(KeyboardInterrupt): run(**{**LONG, **kw}, callbacks=[At(at, interrupt)])


def words(*lines, **options):
    "A command line of whole lines and options."
    given = [str(w) for k, v in options.items() for w in (f'--{k}', v)]
    return [w for l in lines for w in str(l).split()] + given


def process(*lines, cwd, start=('-m', 'iepile_nb.train'), ok=0, **options):
    "Run a command as a process of its own; gives what it wrote to stderr."
    cmd = [sys.executable, *start, *words(*lines, **options)]
    r = subprocess.run(cmd, capture_output=True, text=True, env=ENV, cwd=cwd, timeout=600)
    assert r.returncode == ok, r.stderr[-3000:]
    return r.stderr
