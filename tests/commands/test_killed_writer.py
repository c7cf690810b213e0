"A real process that is killed while it writes."
import os
import signal
import subprocess
import sys
import time

from iepile_nb.lib.io import read_jsonl, write_jsonl


def test_a_killed_writer_leaves_what_was_there(tmp_path, root):
    "kill -9 in the middle of writing: the old file stands, whole."
    target = tmp_path/'rows.json'
    write_jsonl(target, [{'old': 1}])
    code = ('import sys; from iepile_nb.lib.io import write_jsonl; '
            'write_jsonl(sys.argv[1], ({"new": i} for i in range(10**9)))')
    p = subprocess.Popen([sys.executable, '-c', code, target], cwd=root)
    while not any(f.stat().st_size > 10_000 for f in tmp_path.glob('.rows*')): time.sleep(.02)
    p.send_signal(signal.SIGKILL)
    p.wait()
    assert [o for _, o in read_jsonl(target)] == [{'old': 1}]


def test_the_next_writer_removes_what_a_killed_one_left(tmp_path):
    part = tmp_path/'.rows.json.abc.part'
    part.write_text('{"half": ')
    os.utime(part, (0, 0))
    write_jsonl(tmp_path/'rows.json', [{'new': 1}])
    assert [f.name for f in tmp_path.iterdir()] == ['rows.json']
