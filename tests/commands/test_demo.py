"The main job: small, in 16 and 4 bits, and on real data where that is at hand."
import os
import shutil
import signal
import subprocess
import sys

import pytest

from helpers.demo import run_demo, runs, wait_for
from iepile_nb.cli.demo import main
from iepile_nb.course import read_job


@pytest.mark.parametrize('bits', [16, 4])
def test_a_small_demo(bits, tmp_path, root, capsys):
    small = '--task', 'NER', '--language', 'en', '--limit', 12, '--bits', bits
    results = run_demo(tmp_path, '--data', root/'data/demo/en/NER', *small)
    assert results['scores'][0]['after']['n'] == 12 and results['settings']['bits'] == bits
    out, err = capsys.readouterr()
    assert 'F1 after' in out and 'report.html' in out and 'en: this takes about' in err
    assert (tmp_path/'en/lora/adapter_model.safetensors').exists()


def test_real_data(tmp_path, shared):
    small = '--task', 'NER', '--language', 'en', '--limit', 8
    results = run_demo(tmp_path, '--data', shared/'data/CrossNER_AI', *small)
    assert results['scores'][0]['after']['n'] == 8


FLOWERS = 'The tulip grows in Lund . / An iris opened near Brno . / Nobody waters the tulip . / Lund sleeps .'

def test_one_file_of_another_format_is_split(tmp_path, capsys):
    "A CoNLL file alone: a fifth of the texts is the test, the labels are those that occur."
    tags = {'tulip': 'B-PLANT', 'iris': 'B-PLANT', 'Lund': 'B-TOWN', 'Brno': 'B-TOWN'}
    lines = [[f"{w} {tags.get(w, 'O')}" for w in t.split()] for t in FLOWERS.split(' / ')]
    (tmp_path/'garden.conll').write_text('\n\n'.join('\n'.join(l) for l in lines) + '\n')
    own = '--data', tmp_path/'garden.conll', '--task', 'NER', '--language', 'en'
    results = run_demo(tmp_path/'out', *own)
    assert results['scores'][0]['after']['n'] == 1
    assert '3 texts to learn from, 1 to be tested on; labels: PLANT, TOWN' in capsys.readouterr().err


def test_texts_that_are_learned_and_asked(tmp_path, root, capsys):
    "The same records in both files, as somebody without a test set might do: it runs, and is said."
    lines = (root/'data/demo/en/NER/train.json').read_text(encoding='utf-8').splitlines()[:4]
    shutil.copy(root/'data/demo/en/NER/schema.json', tmp_path)
    for split in ('train', 'test'): (tmp_path/f'{split}.json').write_text('\n'.join(lines), encoding='utf-8')
    assert len(read_job(tmp_path, 'NER', 'en').test) == 4
    assert '4 texts are in train.json and test.json' in capsys.readouterr().err


def test_a_folder_needs_task_and_language(capsys):
    with pytest.raises(SystemExit) as e: main(['--data', 'data/demo/en/NER'])
    assert e.value.code == 2 and '--task and --language' in capsys.readouterr().err


def test_a_wrong_folder(capsys, tmp_path):
    assert main(['--data', str(tmp_path/'none'), '--task', 'NER', '--language', 'en']) == 1
    assert 'no such folder' in capsys.readouterr().err


def test_a_demo_that_was_killed_goes_on(tmp_path, root):
    "What the base answered is not asked again; with the end of the job that is forgotten."
    small = '--data', root/'data/demo/en/NER', '--task', 'NER', '--language', 'en', '--limit', 12
    args = list(map(str, [*small, '--epochs', 20, '--out', tmp_path]))
    cmd = [sys.executable, '-m', 'iepile_nb.cli.demo', *args]
    killed = subprocess.Popen(cmd, cwd=root, stderr=subprocess.DEVNULL)
    done, before = tmp_path/'en/done.json', tmp_path/'before/en_NER.json'
    assert wait_for(done.exists, 120)
    killed.kill()
    killed.wait()
    when = before.stat().st_mtime_ns
    assert main(args) == 0 and before.stat().st_mtime_ns == when and not done.exists()
    said = (tmp_path/'en/log.txt').read_text()
    assert said.count('texts are asked') == 2 and 'before en_NER: finished before' in said
    run_demo(tmp_path, *small)
    assert before.stat().st_mtime_ns > when


ENDS = signal.SIGTERM, signal.SIGKILL, signal.SIGHUP, signal.SIGINT

@pytest.mark.parametrize('how', ENDS, ids=lambda s: s.name)
def test_its_processes_end_with_it(how, tmp_path, root):
    "Ended, killed, interrupted, or by the closing of its terminal: nothing that it started goes on."
    notes = [tmp_path/'one', tmp_path/'two']
    code = ('import sys; from iepile_nb.course import side_by_side; from helpers.demo import note_and_sleep; '
            'from iepile_nb.cli.common import command; '
            'raise SystemExit(command(lambda argv: side_by_side(note_and_sleep, argv))())')
    env = {**os.environ, 'PYTHONPATH': f'{root}{os.pathsep}{root/"tests"}'}
    cmd = [sys.executable, '-c', code, *map(str, notes)]
    parent = subprocess.Popen(cmd, env=env, stderr=subprocess.PIPE, text=True)
    assert wait_for(lambda: all(n.exists() and n.read_text() for n in notes), 120)
    children = [int(n.read_text()) for n in notes]
    assert all(map(runs, children))
    parent.send_signal(how)
    assert len(parent.communicate(timeout=20)[1].splitlines()) <= 1 # one word at most, no traceback
    assert wait_for(lambda: not any(map(runs, children)), 20)
