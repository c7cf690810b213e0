"""Conversion, side by side with the original: rows/s of one process in user-CPU seconds, train split, shuffled labels.

Both sides start from compiled bytecode, as an installed package does. `TASK_ratio` is for 20,000 records, start-up included;
`TASK_ratio_100k` for five times as many. `workers2_ratio` is the time on the clock of one process over that of two, for EE.
`slope` is fitted to the logarithms of records and seconds; `slope_net` to the same, less the seconds that a single record takes.

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


def records(sample, task, n):
    "The sample's records over and over, each with a sentence of its own with a person, a city and an organisation, annotated."
    base = [json.loads(l) for l in open(sample, encoding='utf-8')]
    rng = random.Random(7)
    name = lambda k: ''.join(rng.choices('林海青云石川东明远宁安江白松柏秋月星河岚', k=k))
    for i, r in zip(range(n), itertools.cycle(base)):
        r = json.loads(json.dumps(r))
        person, city, firm = name(3), name(2) + '市', name(2) + f'{i}公司'
        r['text'] += f'另据{firm}消息，{person}于{i}日抵达{city}。'
        if task == 'NER': r['entity'] += [dict(entity=person, entity_type='人物'), dict(entity=city, entity_type='地理位置'), dict(entity=firm, entity_type='组织机构')]
        if task == 'RE': r['relation'].append(dict(head=firm, relation='所在城市', tail=city))
        if task == 'EE': r['event'].append(dict(event_type='组织关系-加盟', event_trigger='抵达', arguments=[dict(argument=person, role='加盟者'), dict(argument=firm, role='所加盟组织')]))
        yield r


def make(folder, data, task, n):
    path = folder/task/f'{n}.json'
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        with open(path, 'w', encoding='utf-8') as f:
            for r in records(data/task/'sample.json', task, n): f.write(json.dumps(r, ensure_ascii=False) + '\n')
    return path


def command(program, src, out, data, task):
    return [*program, '--src_path', src, '--tgt_path', out, '--schema_path', data/task/'schema.json', '--language', 'zh', '--task', task,
            '--split_num', SPLIT_NUM[task], '--random_sort', '--split', 'train']


def main():
    o = arguments(__doc__).parse_args()
    data = (o.original or Path(__file__).parent.parent)/'data'
    n, runs = (4000, 3) if o.quick else (20_000, 9)
    rows, ours = [], [sys.executable, '-m', 'iepile_nb.cli.convert']
    compiled = dict(PYTHONDONTWRITEBYTECODE='')
    with tempfile.TemporaryDirectory() as tmp:
        tmp = Path(tmp)
        for task in SPLIT_NUM:
            out = tmp/'out.json'
            a = lambda: cpu_seconds(command(ours, src, out, data, task), **compiled)[0]
            b = lambda: cpu_seconds(command([sys.executable, o.original/'ie2instruction/convert_func.py'], src, tmp/'theirs.json', data, task),
                                    PYTHONHASHSEED='0', PYTHONPATH=str(o.original), **compiled)[0]
            for name, size, times in ((task, n, runs), (f'{task}_100k', 100_000, 1))[:1 if o.quick else 2]:
                src, end = make(tmp, data, task, size), name.removeprefix(task)
                ratio, seconds, _ = in_turn(a, b, times) if o.original else (None, sorted(a() for _ in range(times))[times // 2], None)
                if o.original: rows.append((f'{task}_ratio{end}', ratio, 'times the original'))
                rows.append((f'{task}_rows_per_s{end}', sum(1 for _ in open(out, 'rb')) / seconds, 'rows/s'))
        src, seconds = make(tmp, data, 'EE', 5 * n), {}
        for k in (1, 2):
            start = time.monotonic()
            cpu_seconds([*command(ours, src, out, data, 'EE'), '--workers', str(k)], **compiled)
            seconds[k] = time.monotonic() - start
        rows.append(('workers2_ratio', seconds[1] / seconds[2], 'times one process'))
        sizes = (2000, 10_000, 100_000) if o.quick else (20_000, 100_000, 1_000_000)
        run = lambda n, *more: cpu_seconds([*command(ours, make(tmp, data, 'NER', n), out, data, 'NER'), *more], **compiled)
        start = statistics.median(run(sizes[0], '--limit', '1')[0] for _ in range(5))
        used = {s: run(s) for s in sizes}
        rows.append(('peak_mb', max(mb for _, mb in used.values()), 'MB'))
        for name, less in (('slope', 0), ('slope_net', start)):
            fit = statistics.linear_regression(*[list(map(math.log, x)) for x in (used, [t - less for t, _ in used.values()])])
            rows.append((name, fit.slope, 'log-log'))
    write('convert', rows)


if __name__ == '__main__': main()
