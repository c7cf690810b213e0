"""Conversion beside the original's: rows/s of one process in user-CPU seconds, train split, shuffled labels.

Both sides start from compiled bytecode, as an installed package does. `TASK_ratio` is for 20,000 records,
start-up included; `TASK_ratio_100k` for five times as many. `workers2_ratio` is the time on the clock of
one process over that of two, for EE. `slope` is fitted to the logarithms of records and seconds;
`slope_net` to the same, less the seconds that a single record takes.

    python benchmarks/convert.py --original path/to/IEPile
"""
import itertools
import json
import math
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from common import arguments, cpu_seconds, in_turn, write

SPLIT_NUM = dict(NER=6, RE=4, EE=4)


def added(task, person, city, firm):
    "The annotations of the added sentence."
    if task == 'NER':
        typed = (person, '人物'), (city, '地理位置'), (firm, '组织机构')
        return [dict(entity=e, entity_type=t) for e, t in typed]
    if task == 'RE': return [dict(head=firm, relation='所在城市', tail=city)]
    joined = [dict(argument=person, role='加盟者'), dict(argument=firm, role='所加盟组织')]
    return [dict(event_type='组织关系-加盟', event_trigger='抵达', arguments=joined)]


def records(sample, task, n):
    "The sample's records over and over, each with one more sentence: a person, a city and a firm, annotated."
    base = [json.loads(l) for l in open(sample, encoding='utf-8')]
    key, rng = dict(NER='entity', RE='relation', EE='event')[task], random.Random(7)
    def name(k): return ''.join(rng.choices('林海青云石川东明远宁安江白松柏秋月星河岚', k=k))
    for i, r in zip(range(n), itertools.cycle(base)):
        r = json.loads(json.dumps(r))
        person, city, firm = name(3), name(2) + '市', name(2) + f'{i}公司'
        r['text'] += f'另据{firm}消息，{person}于{i}日抵达{city}。'
        r[key] += added(task, person, city, firm)
        yield r


def make(folder, data, task, n):
    path = folder/task/f'{n}.json'
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists(): return path
    with open(path, 'w', encoding='utf-8') as f:
        for r in records(data/task/'sample.json', task, n): f.write(json.dumps(r, ensure_ascii=False) + '\n')
    return path


def command(program, src, out, data, task):
    return [*program, '--src_path', src, '--tgt_path', out, '--schema_path', data/task/'schema.json',
            '--language', 'zh', '--task', task, '--split_num', SPLIT_NUM[task], '--random_sort',
            '--split', 'train']


OURS = sys.executable, '-m', 'iepile_nb.cli.convert'
COMPILED = {'PYTHONDONTWRITEBYTECODE': ''}


def beside_the_original(tmp, data, original, task, size, times):
    "(ratio or None, rows/s of ours) for a task and a number of records."
    src, out = make(tmp, data, task, size), tmp/'out.json'
    def ours(): return cpu_seconds(command(OURS, src, out, data, task), **COMPILED)[0]
    def theirs():
        program = sys.executable, original/'ie2instruction/convert_func.py'
        return cpu_seconds(command(program, src, tmp/'theirs.json', data, task), PYTHONHASHSEED='0',
                           PYTHONPATH=str(original), **COMPILED)[0]
    ratio, seconds = None, None
    if original: ratio, seconds, _ = in_turn(ours, theirs, times)
    else: seconds = sorted(ours() for _ in range(times))[times // 2]
    with open(out, 'rb') as f: return ratio, sum(1 for _ in f) / seconds


def workers_ratio(tmp, data, n):
    "The time on the clock of one process over that of two."
    src, seconds = make(tmp, data, 'EE', n), {}
    for k in (1, 2):
        start = time.monotonic()
        cpu_seconds([*command(OURS, src, tmp/'out.json', data, 'EE'), '--workers', str(k)], **COMPILED)
        seconds[k] = time.monotonic() - start
    return seconds[1] / seconds[2]


def growth(tmp, data, sizes):
    "How seconds grow with records, as rows of the results; and the largest resident size."
    def run(n, *more):
        cmd = command(OURS, make(tmp, data, 'NER', n), tmp/'out.json', data, 'NER')
        return cpu_seconds([*cmd, *more], **COMPILED)
    start = statistics.median(run(sizes[0], '--limit', '1')[0] for _ in range(5))
    used = {s: run(s) for s in sizes}
    yield 'peak_mb', max(mb for _, mb in used.values()), 'MB'
    for name, less in (('slope', 0), ('slope_net', start)):
        records, seconds = list(map(math.log, used)), [math.log(max(.001, t - less)) for t, _ in used.values()]
        yield name, statistics.linear_regression(records, seconds).slope, 'log-log'


def main():
    o = arguments(__doc__).parse_args()
    data = (o.original or Path(__file__).parent.parent)/'data'
    n, runs, rows = (4000, 3, []) if o.quick else (20_000, 9, [])
    with tempfile.TemporaryDirectory() as tmp:
        tmp = Path(tmp)
        for task in SPLIT_NUM:
            for end, size, times in (('', n, runs), ('_100k', 100_000, 1))[:1 if o.quick else 2]:
                ratio, speed = beside_the_original(tmp, data, o.original, task, size, times)
                if ratio: rows.append((f'{task}_ratio{end}', ratio, 'times the original'))
                rows.append((f'{task}_rows_per_s{end}', speed, 'rows/s'))
        rows.append(('workers2_ratio', workers_ratio(tmp, data, 5 * n), 'times one process'))
        rows += growth(tmp, data, (2000, 10_000, 100_000) if o.quick else (20_000, 100_000, 1_000_000))
    write('convert', rows)


if __name__ == '__main__': main()
