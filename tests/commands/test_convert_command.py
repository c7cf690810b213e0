"`iepile_convert` as processes of their own: locale, hash seed, Ctrl-C, and what a kill leaves behind."
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.converted import arguments, many_records
from iepile_nb.cli.convert import main

CONVERT = sys.executable, '-m', 'iepile_nb.cli.convert'


def test_the_locale_does_not_matter(tmp_path, root):
    ascii_only = {'LC_ALL': 'C', 'PYTHONUTF8': '0', 'PYTHONIOENCODING': 'ascii', 'PYTHONPATH': str(root)}
    cmd = [*CONVERT, '--tgt_path', str(tmp_path/'o.json')]
    done = subprocess.run(cmd, cwd=root, env={**os.environ, **ascii_only}, capture_output=True)
    assert done.returncode == 0


def test_neither_hash_seed_nor_order_matter(tmp_path, root):
    "Processes with different hash seeds, on the file as it is and shuffled, with every kind of draw."
    src = root/'data/RE/sample.json'
    lines = src.read_text(encoding='utf-8').splitlines()
    random.Random(1).shuffle(lines)
    (tmp_path/'RE').mkdir()
    (tmp_path/'RE/shuffled.json').write_text('\n'.join(lines), encoding='utf-8')
    files = []
    for seed, path in (('1', src), ('2', src), ('3', tmp_path/'RE/shuffled.json')):
        files.append(tmp_path/f'{seed}.json')
        cmd = [*CONVERT, '--src_path', path, '--schema_path', 'data/RE/schema.json', '--task', 'RE',
               '--tgt_path', files[-1], '--cluster_mode', '--neg_schema', '.4', '--random_sort']
        env = {**os.environ, 'PYTHONHASHSEED': seed, 'PYTHONPATH': str(root)}
        subprocess.run(cmd, cwd=root, check=True, env=env, capture_output=True)
    a, b, c = (f.read_text(encoding='utf-8').splitlines() for f in files)
    assert a == b and sorted(a) == sorted(c)


def test_only_what_is_needed_is_imported(root):
    "A quarter of the time of a small conversion is start-up."
    code = 'import sys, iepile_nb.cli.convert; print(*sys.modules)'
    found = subprocess.run([sys.executable, '-c', code], cwd=root, capture_output=True, text=True, check=True)
    heavy = {'numpy', 'torch', 'matplotlib', 'yaml', 'multiprocessing', 'concurrent.futures'}
    assert not heavy & set(found.stdout.split())


in_proc = pytest.mark.skipif(not Path('/proc/self/stat').exists(), reason='looks at processes in /proc')


def descendants(pid):
    "Processes started by a process, that are alive."
    kids = []
    for p in Path('/proc').glob('[0-9]*/stat'):
        try: fields = p.read_text().rpartition(')')[2].split()
        except OSError: continue
        if int(fields[1]) == pid and fields[0] != 'Z': kids.append(int(p.parent.name))
    return kids


def is_alive(pid):
    try: return 'State:\tZ' not in Path(f'/proc/{pid}/status').read_text()
    except OSError: return False


def conversion(tmp_path, root, **how):
    "A conversion by two processes in full swing, a whole file in the place of its target; and its workers."
    src = many_records(tmp_path, 60_000)
    (tmp_path/'out.json').write_text('whole\n')
    cmd = [*CONVERT, *arguments(tmp_path, src, 'out.json', '--workers', '2', '--split_num', '1')]
    p = subprocess.Popen(cmd, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **how)
    while sum(f.stat().st_size for f in tmp_path.glob('.out*')) < 2_000_000: time.sleep(.02)
    return src, p, descendants(p.pid)


def wait_for_end(pids):
    for _ in range(500):
        if not any(map(is_alive, pids)): return
        time.sleep(.02)
    raise AssertionError('processes live on')


@in_proc
def test_a_kill_leaves_no_half_file_and_no_process(tmp_path, root):
    "kill -9 in the middle of a conversion by two processes; the next one cleans up."
    src, p, workers = conversion(tmp_path, root)
    p.kill()
    p.wait()
    assert len(workers) >= 2 and (tmp_path/'out.json').read_text() == 'whole\n'
    wait_for_end(workers)
    for f in tmp_path.glob('.out*'): os.utime(f, (0, 0))
    assert main(arguments(tmp_path, src, 'out.json', '--limit', '3')) == 0
    assert not list(tmp_path.glob('.out*')) and len((tmp_path/'out.json').read_text().splitlines()) == 3


@in_proc
def test_ctrl_c_ends_all_processes(tmp_path, root):
    "The terminal tells all processes; the first one speaks, and nothing is left."
    _, p, workers = conversion(tmp_path, root, start_new_session=True)
    os.killpg(p.pid, signal.SIGINT)
    assert p.wait(30) == 130 and p.stderr.read() == 'interrupted\n'
    wait_for_end(workers)
    assert (tmp_path/'out.json').read_text() == 'whole\n' and not list(tmp_path.glob('.out*'))


@in_proc
def test_a_killed_worker_ends_the_conversion(tmp_path, root):
    _, p, workers = conversion(tmp_path, root)
    os.kill(max(workers), signal.SIGKILL)
    assert p.wait(30) == 1 and 'a process of the conversion ended before its time' in p.stderr.read()
    wait_for_end(workers)
    assert (tmp_path/'out.json').read_text() == 'whole\n' and not list(tmp_path.glob('.out*'))
