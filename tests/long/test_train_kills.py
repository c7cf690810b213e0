"Training under torchrun, killed without warning, and ended by signals."
import json
import random
import signal
import subprocess
import sys
import time

import pytest
from helpers.training import ENV, losses, process, run, same_losses, train_file, words # fixtures among them

pytestmark = pytest.mark.long


def start(tmp_path, **options):
    "Start a training as a process of its own."
    cmd = [sys.executable, '-m', 'iepile_nb.train', *words(**options)]
    return subprocess.Popen(cmd, env=ENV, cwd=tmp_path, stderr=subprocess.PIPE, text=True)


def wait_for(p, text):
    for line in p.stderr:
        if text in line: return


def test_torchrun(llama_dir, train_file, tmp_path):
    line = '-m torch.distributed.run --nproc_per_node 2 --master_port 29517 -m iepile_nb.train'.split()
    files = dict(model_name_or_path=llama_dir, train_file=train_file)
    process(**files, output_dir=tmp_path/'out', template='alpaca', max_steps=3, cwd=tmp_path, start=line)
    assert (tmp_path/'out/adapter_model.safetensors').exists()
    line[-1:] = ['--', 'iepile_nb.train'] # or torchrun takes --nproc for an option of its own
    err = process('--nproc 3', **files, output_dir=tmp_path/'x', cwd=tmp_path, start=line, ok=1)
    assert '3 processes were asked for, but this run has 2' in err


def test_killed_at_ten_moments(run, llama_dir, train_file, tmp_path):
    "Killed again and again, the same command comes to the same losses, with dropout and a schedule."
    kw = dict(template='alpaca', max_steps=60, logging_steps=3, save_strategy='steps', save_steps=5,
              learning_rate=3e-3, lora_dropout=.2, lr_scheduler_type='cosine', per_device_train_batch_size=4)
    files = dict(model_name_or_path=llama_dir, train_file=train_file, output_dir=tmp_path/'out')
    straight = losses(run(**kw, output_dir=str(tmp_path/'straight')))
    draw, kills = random.Random(7), 0
    while kills < 10:
        p = start(tmp_path, **files, **kw)
        wait_for(p, 'batches are made by') # then training starts; imports take longest
        time.sleep(draw.uniform(0, 2.))
        if p.poll() is None: kills += 1
        p.kill()
        p.wait()
        for c in (tmp_path/'out').glob('checkpoint-*'):
            assert json.loads((c/'trainer_state.json').read_text()) and (c/'prompt.json').exists()
        if (tmp_path/'out/train_log.json').exists(): break
    process(**files, **kw, cwd=tmp_path)
    resumed = losses(json.loads((tmp_path/'out/train_log.json').read_text()))
    assert kills >= 3 and same_losses(resumed, straight)


@pytest.mark.parametrize('sign', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_process_in_good_order(sign, llama_dir, train_file, tmp_path):
    p = start(tmp_path, model_name_or_path=llama_dir, train_file=train_file, output_dir=tmp_path/'out',
              template='alpaca', max_steps=5000, save_strategy='no')
    wait_for(p, ' of 5000, loss')
    p.send_signal(sign)
    assert p.wait(120) == 130 and 'the same command goes on from there' in p.stderr.read()
    assert len(list((tmp_path/'out').glob('checkpoint-*'))) == 1 and not (tmp_path/'out/.saving').exists()
