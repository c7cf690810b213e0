"Commands that are told to end, that find no room, whose output nobody reads or no terminal can show."
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from iepile_nb.cli.convert import main as convert
from iepile_nb.lib.io import UserError, atomic_write, write_jsonl

WORDS = '北京 – “Łódź” 🎈'


@pytest.fixture
def records(tmp_path):
    "A file of records, and the command line that makes rows of them, which takes some seconds."
    person = {'entity': 'Ada Novak', 'entity_type': 'person'}
    record = {'text': f'Ada Novak lives in {WORDS}.', 'entity': [person]}
    write_jsonl(tmp_path/'in.json', [record] * 400_000)
    (tmp_path/'schema.json').write_text('["person", "city"]\n[]\n{}\n')
    return ['--src_path', str(tmp_path/'in.json'), '--tgt_path', str(tmp_path/'out'/'rows.json'),
            '--schema_path', str(tmp_path/'schema.json'), '--language', 'en']


def command(name, *argv): return [sys.executable, '-m', f'iepile_nb.cli.{name}', *argv]


def started(argv, folder):
    "A process that has begun to write into a folder."
    p = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)
    def begun(): return any(f.stat().st_size > 1000 for f in folder.glob('.*.part'))
    end = time.time() + 60
    while p.poll() is None and time.time() < end and not begun(): time.sleep(.02)
    return p


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize('workers', ['1', '2'])
def test_a_signal_to_end_leaves_nothing_unfinished(number, workers, records, tmp_path):
    p = started(command('convert', *records, '--workers', workers), tmp_path/'out')
    p.send_signal(number)
    assert p.communicate()[1].splitlines()[-1:] == ['ended by a signal'] and p.returncode == 128 + number
    assert not (tmp_path/'out').exists()


def children(pid):
    found = subprocess.run(['ps', '-o', 'pid=', '--ppid', str(pid)], capture_output=True, text=True).stdout
    return [int(n) for n in found.split()]


def alive(pid):
    try: return ' Z ' not in open(f'/proc/{pid}/stat').read()
    except OSError: return False


@pytest.mark.skipif(sys.platform != 'linux', reason='looks into /proc')
def test_workers_end_with_a_parent_that_is_killed_and_say_nothing(records, tmp_path):
    p = started(command('convert', *records, '--workers', '2'), tmp_path/'out')
    workers = children(p.pid)
    assert len(workers) >= 2
    p.kill()
    assert p.communicate()[1] == ''
    end = time.time() + 10
    while any(map(alive, workers)) and time.time() < end: time.sleep(.1)
    assert not any(map(alive, workers))


@pytest.mark.parametrize('workers', ['1', '2'])
def test_a_disk_without_room_names_the_file(workers, records, tmp_path):
    "A limit for the size of files stands for the end of the disk."
    line = ' '.join(['ulimit -f 2000;', *command('convert', *records, '--workers', workers)])
    r = subprocess.run(['bash', '-c', line], capture_output=True, text=True)
    assert r.returncode == 1 and r.stderr == f'error: {tmp_path}/out/rows.json: File too large\n'
    assert not (tmp_path/'out').exists()


def stats(tmp_path, before='', after=''):
    record = {'text': WORDS, 'entity': [{'entity': 'x', 'entity_type': WORDS}]}
    write_jsonl(tmp_path/'in.json', [record])
    line = ' '.join([before, *command('data', 'stats', '--src_path', str(tmp_path/'in.json')), after])
    return subprocess.run(['bash', '-c', line], capture_output=True)


def test_any_terminal_shows_something(tmp_path):
    r = stats(tmp_path, 'PYTHONIOENCODING=ascii')
    assert r.returncode == 0 and r.stdout.isascii() and b'\\u5317\\u4eac' in r.stdout


@pytest.mark.parametrize('reader', ['| true', '| head -c 1 > /dev/null', '2>&1 | true'])
def test_nobody_reads_on(reader, tmp_path):
    assert stats(tmp_path, after=reader).stderr == b''


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='has no /dev/full')
def test_the_output_itself_finds_no_room(tmp_path):
    r = stats(tmp_path, after='> /dev/full')
    assert r.returncode == 1 and r.stderr == b'error: standard output or a file: No space left on device\n'


@pytest.mark.parametrize('name', ['/dev/stdout', '/dev/stderr', '/dev/fd/1', '/proc/self/fd/1'])
def test_a_stream_is_no_target(name, root, capsys):
    argv = ['--src_path', str(root/'data/NER/sample.json'), '--schema_path', str(root/'data/NER/schema.json')]
    assert convert([*argv, '--tgt_path', name]) == 1
    assert f'error: {name}: is a stream' in capsys.readouterr().err
    with pytest.raises(UserError, match='name a file'), atomic_write(name): pass


@pytest.mark.parametrize('blank', [' ', '\r', '\u00a0', '\t '])
def test_an_argument_of_white_space_is_named(blank, capsys):
    assert convert(['--task', 'NER', blank, '--split', 'test']) == 2
    assert re.search('argument 3 .after NER. is blank.*backslash', capsys.readouterr().err)


IMPORTS = 'import sys, types; import iepile_nb.cli; raise KeyboardInterrupt'

def test_an_interrupt_while_a_command_imports_is_one_word():
    r = subprocess.run([sys.executable, '-c', IMPORTS], capture_output=True, text=True)
    assert r.returncode != 0 and r.stderr == 'interrupted\n'
