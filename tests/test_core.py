"Files that appear whole or not at all, seeds that do not depend on order, commands with one kind of manners."
import argparse
import gzip
import json
import logging
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from hypothesis import given, strategies as st
from iepile_nb.lib.io import (UserError, atomic_write, check_apart, progress, read_jsonl, record_rng,
                              write_jsonl)
from iepile_nb.cli.common import Flag, at_least, command, old_flags

json_value = st.recursive(st.none() | st.booleans() | st.integers(-2**53, 2**53) | st.text(st.characters(exclude_categories=['Cs'])),
                          lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=5), v, max_size=3), max_leaves=6)


@given(st.lists(st.dictionaries(st.text(max_size=5), json_value, max_size=4), min_size=1, max_size=5))
def test_json_lines_round_trip(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp('rt')/'x.json'
    assert write_jsonl(path, rows) == len(rows)
    assert [o for _, o in read_jsonl(path)] == rows


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_in_one_line(tmp_path_factory, data):
    path = tmp_path_factory.mktemp('any')/'x.json'
    path.write_bytes(data)
    try: assert all(isinstance(o, dict) for _, o in read_jsonl(path))
    except UserError as e: assert str(path) in str(e) and '\n' not in str(e)


def test_a_killed_writer_leaves_what_was_there(tmp_path, root):
    "kill -9 in the middle of writing: the old file stands, whole."
    target = tmp_path/'rows.json'
    write_jsonl(target, [{'old': 1}])
    code = f'import time\nfrom iepile_nb.core import *\ndef rows():\n    for i in range(10**9): yield {{"new": i}}\nwrite_jsonl({str(target)!r}, rows())'
    p = subprocess.Popen([sys.executable, '-c', code], cwd=root)
    while not any(f.stat().st_size > 10_000 for f in tmp_path.glob('.rows*')): time.sleep(.02)
    p.send_signal(signal.SIGKILL)
    p.wait()
    assert [o for _, o in read_jsonl(target)] == [{'old': 1}]


def test_atomic_write_keeps_the_usual_permissions(tmp_path):
    with atomic_write(tmp_path/'a') as f: f.write(b'x')
    (tmp_path/'b').write_bytes(b'x')
    assert os.stat(tmp_path/'a').st_mode == os.stat(tmp_path/'b').st_mode


def test_seeds_name_the_record_not_its_place():
    assert record_rng(1, 'a', 'b').random() == record_rng(1, 'a', 'b').random()
    assert len({record_rng(1, *k).random() for k in (('a', 'b'), ('ab',), ('b', 'a'), ('a', 'b', ''))}) == 4


def test_progress_writes_plain_lines_to_a_log(caplog):
    with caplog.at_level(logging.INFO, 'iepile_nb'):
        assert list(progress(range(3), 'rows', total=3, every=0)) == [0, 1, 2]
    assert [r.message.split(',')[0] for r in caplog.records] == ['rows: 1/3', 'rows: 2/3', 'rows: 3/3']


def test_commands_say_one_line(capsys):
    @command
    def fails(argv): raise UserError('x.json:3: broken')
    assert fails([]) == 1 and capsys.readouterr().err == 'error: x.json:3: broken\n'
    @command
    def works(argv): print(json.dumps(argv))
    assert works(['a']) == 0


def test_old_flags_are_accepted_and_others_refused(caplog):
    p = argparse.ArgumentParser()
    old_flags(p, [Flag('--gone', 'of an engine that is not used'), Flag('--switch', 'always on', False)])
    with caplog.at_level(logging.WARNING, 'iepile_nb'): p.parse_args(['--gone', '3', '--switch'])
    assert [r.message for r in caplog.records] == ['--gone has no effect: of an engine that is not used', '--switch has no effect: always on']
    with pytest.raises(SystemExit): p.parse_args(['--never_heard_of'])


def test_what_the_file_system_refuses_is_one_line(tmp_path, capsys):
    @command
    def main(argv):
        "Write a file."
        write_jsonl(argv[0], [{}])
    assert main([str(tmp_path)]) == 1 and 'is a folder' in capsys.readouterr().err
    (tmp_path/'file').write_text('')
    assert main([str(tmp_path/'file'/'a')]) == 1
    err = capsys.readouterr().err
    assert err.count('\n') == 1 and 'file' in err and [f.name for f in tmp_path.iterdir()] == ['file']


@pytest.mark.parametrize('content, says', [
    (gzip.compress(b'{"text": "a"}'), 'gunzip'), ('{"text": "a"}'.encode('utf-16'), 'iconv -f utf-16'), (b'PAR1....', '--from hf'),
    (b'PK\x03\x04', 'unpack'), (b'{\n  "text": "a"\n}\n', 'jq -c'), (b'[{"text": "a"}, ', 'broken JSON array')])
def test_other_kinds_of_files_are_named_once(tmp_path, content, says):
    (tmp_path/'x.json').write_bytes(content)
    seen = []
    with pytest.raises(UserError, match=re.escape(says)): list(read_jsonl(tmp_path/'x.json', seen.append))
    assert not seen


def test_one_bad_item_of_an_array_does_not_cost_the_rest(tmp_path):
    (tmp_path/'x.json').write_bytes(b'[{"n": 1}, 2, {"n": 3}]')
    bad = []
    assert [n for n, _ in read_jsonl(tmp_path/'x.json', bad.append)] == [1, 3]
    assert 'item 2 of the array is a JSON int' in str(bad[0])
    with pytest.raises(UserError, match='item 2'): list(read_jsonl(tmp_path/'x.json'))


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(UserError, match='is a folder; name a file'): list(read_jsonl(tmp_path))


def test_a_link_stays_and_a_pipe_is_written_to(tmp_path):
    import threading
    real, link, pipe, got = tmp_path/'real.json', tmp_path/'link.json', tmp_path/'pipe', []
    real.write_text('old')
    link.symlink_to(real)
    write_jsonl(link, [{'a': 1}])
    assert link.is_symlink() and real.read_text() == '{"a":1}\n'
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    write_jsonl(pipe, [{'a': 1}])
    reader.join(10)
    assert got == [b'{"a":1}\n'] and pipe.is_fifo()
    with pytest.raises(UserError, match='a pipe or a device'): list(read_jsonl(pipe))


def test_a_target_is_no_source(tmp_path):
    (tmp_path/'a').write_text('x')
    (tmp_path/'link').symlink_to(tmp_path/'a')
    for tgt in (tmp_path/'a', tmp_path/'link', tmp_path/'.'/'a'):
        with pytest.raises(UserError, match='name another file'): check_apart(tgt, tmp_path/'none', tmp_path/'a')
    check_apart(tmp_path/'b', tmp_path/'a')


@pytest.mark.parametrize('s', ['0', '-1', '1.5', 'x', '', '٣'])
def test_numbers_that_are_no_counts(s):
    with pytest.raises(argparse.ArgumentTypeError): at_least(1)(s)
