"The demo, run and looked at."
import json
import os
import subprocess
import time
from pathlib import Path

from iepile_nb.cli.demo import main


def run_demo(out, *args):
    assert main(['--out', str(out), '--epochs', '1', *map(str, args)]) == 0
    results = json.loads((out/'results.json').read_text(encoding='utf-8'))
    page = (out/'report.html').read_text(encoding='utf-8')
    assert page.lower().startswith('<!doctype html>') and ' src="http' not in page and '<link' not in page
    assert results['scores'] and results['losses'] and results['examples']
    for s in results['scores']: assert s['before']['n'] == s['after']['n'] > 0
    return results


def note_and_sleep(path):
    "Work that takes long, done by the process whose number it writes down."
    Path(path).write_text(str(os.getpid()))
    time.sleep(300)


def runs(pid):
    "Whether a process is still at work; one that has ended and was not yet fetched is not."
    ps = subprocess.run(['ps', '-o', 'stat=', '-p', str(pid)], capture_output=True, text=True)
    return bool(state := ps.stdout.strip()) and not state.startswith('Z')


def wait_for(what, seconds=60):
    "Wait until something is so; returns whether it came to be."
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what(): return True
        time.sleep(.1)
    return False
