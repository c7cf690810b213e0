"""Many files and a server: what an engine costs, what a second process gives, what is lost, and how well costs are foretold.

`local2_ratio_*` is the time on the clock of one worker over that of two, medians of runs in turn. `overhead_*` is what
the command takes more with --engine, on one shard, in user-CPU seconds. `lost` and `doubled` count the rows of
predictions from a server during which the command or the server was killed, then started again. `cost_error_*` is the
largest error of a plan, in percent of the median of measured runs of three sizes; the plan was fitted to other runs.

    python benchmarks/scale.py
"""
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import ROOT, arguments, cpu_seconds, write
from convert import records

from iepile_nb.convert import convert
from iepile_nb.lib.costs import fit_rate, plan_costs
from iepile_nb.lib.io import read_jsonl, write_jsonl
from iepile_nb.records import read_records, read_schema

SAMPLE, SCHEMA = ROOT/'data/NER/sample.json', ROOT/'data/NER/schema.json'


def corpus(folder, n, shards):
    "n records in so many files, and predictions about them."
    for kind in ('records', 'answers'): (folder/kind).mkdir(parents=True)
    schema, rows = read_schema(SCHEMA, 'NER'), list(records(SAMPLE, 'NER', n))
    for i in range(shards):
        part = rows[i * n // shards:(i + 1) * n // shards]
        write_jsonl(folder/f'records/{i:03}.jsonl', part)
        test = convert(part, schema, 'NER', split='test', source='records')
        write_jsonl(folder/f'answers/{i:03}.jsonl', ({**r, 'output': '{"人物": ["林海"], "地理位置": []}'} for r in test))
    return folder


def line(stage, folder, src, *more):
    "A command line that converts or scores."
    logs = ['--logging_dir', tempfile.mkdtemp(dir=folder)] if '--engine' in more else []
    program = [sys.executable, '-m', f'iepile_nb.cli.{"convert" if stage == "convert" else "eval"}']
    if stage == 'score': return [*program, src, '--output', folder/'scores.json', *more, *logs]
    target = tempfile.mkdtemp(dir=folder) if logs else folder/'rows.json'
    return [*program, '--src_path', src, '--tgt_path', target, '--schema_path', SCHEMA, '--source', 's', '--split', 'test',
            *more, *logs]


def clock(cmd):
    start = time.monotonic()
    cpu_seconds(cmd)
    return time.monotonic() - start


def second_worker(tmp, n, runs):
    "Time of one worker over that of two, by stage."
    folder = corpus(tmp/'many', n, 16)
    for stage, kind in (('convert', 'records'), ('score', 'answers')):
        def timed(k): return clock(line(stage, tmp, folder/kind, '--engine', 'local', '--workers', k))
        yield f'local2_ratio_{stage}', statistics.median(timed(1) / timed(2) for _ in range(runs)), 'times one worker'


def overhead(tmp, n, runs):
    "What an engine adds, in percent."
    folder = corpus(tmp/'one', n, 1)
    for stage, kind in (('convert', 'records'), ('score', 'answers')):
        file = next((folder/kind).iterdir())
        def ratio():
            plain = cpu_seconds(line(stage, tmp, file))[0]
            return cpu_seconds(line(stage, tmp, folder/kind, '--engine', 'local'))[0] / plain
        yield f'overhead_{stage}', 100 * (statistics.median(ratio() for _ in range(runs)) - 1), f'% of {n} records'


def cost_errors(tmp, sizes, runs):
    "The largest error of a plan, in percent, by stage."
    folders = {n: corpus(tmp/str(n), n, 1) for n in sizes}
    for stage, kind in (('convert', 'records'), ('score', 'answers')):
        def seconds(n): return cpu_seconds(line(stage, tmp, next((folders[n]/kind).iterdir())))[0]
        rate = fit_rate([(n, statistics.median(seconds(n) for _ in range(3))) for n in (sizes[0], sizes[-1])])
        errors = []
        for n in sizes:
            found = statistics.median(seconds(n) for _ in range(runs))
            said = plan_costs(n, {'rates': {stage: {'per_s': rate.per_s, 'start_s': rate.start_s}}}).seconds
            errors.append(100 * abs(said - found) / found)
        yield f'cost_error_{stage}', max(errors), f'% at most, of {len(sizes)} sizes'


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def started(port, tokenizer):
    "A server as a process of its own, ready."
    cmd = [sys.executable, ROOT/'tests/helpers/faulty_server.py', str(port), tokenizer]
    p = subprocess.Popen(cmd, stderr=subprocess.DEVNULL)
    while True:
        with socket.socket() as s:
            if s.connect_ex(('127.0.0.1', port)) == 0: return p
        time.sleep(.1)


def killed_predictions(tmp, n_rows, runs):
    "Rows lost and doubled; the command is killed in every second run, the server in the others."
    from iepile_nb.base import find_model
    tokenizer, schema, rng = find_model('tiny'), read_schema(ROOT/'data/demo/en/NER/schema.json', 'NER'), random.Random(3)
    rows = list(convert(read_records(ROOT/'data/demo/en/NER/test.json', 'NER'), schema, 'NER', 'en', 'test', source='s'))
    write_jsonl(tmp/'test.json', ({**rows[i % len(rows)], 'n': i} for i in range(n_rows)))
    lost = doubled = 0
    for run in range(runs):
        port = free_port()
        server, out = started(port, tokenizer), tmp/f'out{run}.json'
        cmd = [sys.executable, '-m', 'iepile_nb.cli.predict', '--engine', 'server', '--base_url', f'http://127.0.0.1:{port}',
               '--model_name_or_path', tokenizer, '--template', 'alpaca', '--input_file', tmp/'test.json', '--output_file', out]
        p, journal = subprocess.Popen([*map(str, cmd)], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL), Path(f'{out}.journal')
        while p.poll() is None and not (journal.exists() and journal.stat().st_size > 5000): time.sleep(.02)
        time.sleep(rng.random() * .5)
        if run % 2: p.send_signal(signal.SIGKILL)
        else:
            server.kill()
            server.wait()
            time.sleep(.5)
            server = started(port, tokenizer)
        p.wait()
        if not out.exists():
            again = subprocess.run([*map(str, cmd)], capture_output=True, text=True)
            if again.returncode: raise SystemExit(again.stderr[-2000:])
        server.kill()
        server.wait()
        found = [r['n'] for _, r in read_jsonl(out) if r['output']]
        lost, doubled = lost + n_rows - len(set(found)), doubled + len(found) - len(set(found))
    return [('lost', lost, f'rows of {runs} runs of {n_rows}'), ('doubled', doubled, f'rows of {runs} runs of {n_rows}')]


def main():
    a = arguments(__doc__.partition('\n')[0]).parse_args()
    os.environ['HF_HUB_OFFLINE'] = '1'
    runs, rows = 3 if a.quick else 5, []
    with tempfile.TemporaryDirectory() as tmp:
        tmp = Path(tmp)
        for section in (overhead(tmp, 200_000, runs), killed_predictions(tmp, 2000, 4 if a.quick else 20),
                        second_worker(tmp, 100_000 if a.quick else 400_000, runs),
                        cost_errors(tmp, (5_000, 20_000, 60_000), runs)):
            for row in section:
                rows.append(row)
                write('scale', rows) # a run that is cut off leaves what it had


if __name__ == '__main__': main()
