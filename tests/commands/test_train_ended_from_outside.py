"A training that is ended from outside: nothing half written stays, and one line is said."
import signal
import subprocess
import sys
import time

import pytest
from helpers.training import ENV, run, train_file, words # fixtures among them


def start(out, train_file, llama_dir, *lines):
    line = words('--max_steps 2000 --save_strategy steps --save_steps 1 --template alpaca --use_cpu', *lines,
                 model_name_or_path=llama_dir, train_file=train_file, output_dir=out)
    return subprocess.Popen([sys.executable, '-m', 'iepile_nb.train', *line], env=ENV, text=True,
                            stderr=subprocess.PIPE, stdout=subprocess.PIPE)


def wait_for(found, seconds=120):
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end
        time.sleep(.05)


def left_over(out):
    return [p.name for p in out.rglob('*') if p.suffix == '.part' or p.name in ('.saving', '.training')]


@pytest.mark.parametrize('times', [1, 2])
def test_sigterm_leaves_no_part_of_a_file(times, run, train_file, llama_dir):
    "The first ends the run after its step; the second at once."
    p = start(run.out, train_file, llama_dir)
    wait_for(lambda: (run.out/'checkpoint-2').exists())
    for _ in range(times): p.send_signal(signal.SIGTERM)
    err = p.communicate(timeout=120)[1]
    assert p.returncode == 130 and 'Traceback' not in err and err.rstrip().endswith('interrupted')
    assert not left_over(run.out) and list(run.out.glob('checkpoint-*/checkpoint.json'))


def test_a_second_training_is_refused_while_the_first_runs(run, train_file, llama_dir):
    p = start(run.out, train_file, llama_dir)
    wait_for(lambda: (run.out/'checkpoint-1').exists())
    second = start(run.out, train_file, llama_dir, '--learning_rate 5e-2')
    err = second.communicate(timeout=120)[1]
    said = [l for l in err.splitlines() if l.startswith('error')]
    assert second.returncode == 1 and 'Traceback' not in err
    assert said == [f'error: {run.out}: another training writes there (process {p.pid}); wait until it has '
                    'ended, or choose another --output_dir']
    p.kill()
    p.communicate(timeout=60)
    third = start(run.out, train_file, llama_dir)
    wait_for(lambda: third.poll() is not None or (run.out/'.training').read_text() == f'{third.pid}\n')
    third.terminate()
    assert third.communicate(timeout=120) and not left_over(run.out)


def test_a_full_disk_names_the_file(run, train_file, llama_dir):
    "What torch writes does not fit; nothing that is half written takes up room afterwards."
    code = ('import errno, sys, torch\n'
            'def full(obj, f, *a, **k):\n'
            '    open(f, "wb").write(b"x")\n'
            '    raise OSError(errno.ENOSPC, "No space left on device")\n'
            'torch.save = full\n'
            'from iepile_nb.train import main\n'
            'raise SystemExit(main(sys.argv[1:]))')
    line = words('--max_steps 4 --save_strategy steps --save_steps 2 --template alpaca --use_cpu',
                 model_name_or_path=llama_dir, train_file=train_file, output_dir=run.out)
    p = subprocess.run([sys.executable, '-c', code, *line], env=ENV, text=True, capture_output=True,
                       timeout=120)
    said = [l for l in p.stderr.splitlines() if l.startswith('error')]
    assert p.returncode == 1 and 'Traceback' not in p.stderr and len(said) == 1
    assert '.saving/checkpoint-2/' in said[0] and 'the disk is full; nothing is saved' in said[0]
    assert not left_over(run.out)


def test_an_error_in_two_processes_is_one_line(run, train_file, llama_dir):
    p = start(run.out, train_file, llama_dir, '--nproc 2 --lora_target_modules nope')
    err = p.communicate(timeout=300)[1]
    assert p.returncode == 1 and 'Traceback' not in err and 'torch.distributed' not in err
    assert err.count('error: ') == 1 and 'it has down_proj' in err
    assert not run.out.exists()


def test_sigterm_ends_two_processes_with_a_checkpoint(run, train_file, llama_dir):
    p = start(run.out, train_file, llama_dir, '--nproc 2')
    wait_for(lambda: (run.out/'checkpoint-1').exists(), 300)
    p.send_signal(signal.SIGTERM)
    err = p.communicate(timeout=120)[1]
    assert p.returncode not in (0, -signal.SIGTERM) and 'Traceback' not in err and not left_over(run.out)
