"What all benchmarks share: ratios of user-CPU seconds from runs in turn, and results with their machine."
import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

from iepile_nb.lib.io import atomic_write, environment

ROOT = Path(__file__).parent.parent


def arguments(doc, **more):
    p = argparse.ArgumentParser(description=doc)
    p.add_argument('--quick', action='store_true',
                   help='the same rows from less work, within eight minutes on 2 cores')
    p.add_argument('--original', type=Path,
                   help='a checkout of zjunlp/IEPile to run beside ours; without it those rows are left out')
    return p


def cpu_seconds(cmd, **env):
    "User-CPU seconds of a command (its children included), and the largest resident size in MB."
    env = {**os.environ, **env}
    p = subprocess.Popen([*map(str, cmd)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=env)
    err = p.stderr.read()
    _, status, usage = os.wait4(p.pid, 0)
    p.returncode = os.waitstatus_to_exitcode(status)
    if p.returncode: raise SystemExit(f'{cmd} failed:\n{err.decode()[-2000:]}')
    return usage.ru_utime, usage.ru_maxrss / 1024


def in_turn(ours, theirs, runs):
    """(median ratio theirs/ours, median seconds of ours, of theirs) over runs in turn.

    Both are functions that give seconds."""
    pairs = [(ours(), theirs()) for _ in range(runs)]
    return (statistics.median(t / o for o, t in pairs), statistics.median(o for o, _ in pairs),
            statistics.median(t for _, t in pairs))


def cpu_name():
    try: return next(l.split(':')[1].strip() for l in open('/proc/cpuinfo') if l.startswith('model name'))
    except (OSError, StopIteration): return platform.processor()


def write(name, rows):
    """Print the rows as a table and write `results/NAME.json`.

    A row is (name, value, unit) and, where there is one, both ends of an interval."""
    env = environment()
    head = subprocess.run(['git', 'rev-parse', '--short', 'HEAD'], cwd=ROOT, capture_output=True, text=True)
    commit = head.stdout.strip()
    hardware = f"{env.pop('cpus')} x {cpu_name()}, GPU {env.pop('gpu')}"
    res = {'hardware': hardware, 'versions': env, 'commit': commit,
           'command': ' '.join(['python', *(a if not os.path.isabs(a) else Path(a).name for a in sys.argv)]),
           'rows': [dict(zip(('name', 'value', 'unit', 'low', 'high'), r)) for r in rows]}
    text = json.dumps(res, indent=1, ensure_ascii=False) + '\n'
    with atomic_write(ROOT/f'benchmarks/results/{name}.json') as f: f.write(text.encode())
    for n, v, u, *ends in rows:
        print(f'{n:40} {v:>12,.2f} {u}', '({:.2f} to {:.2f})'.format(*ends) if ends else '')
