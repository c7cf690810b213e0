"""Evaluation, side by side with the original: rows/s of one process in user-CPU seconds, equal numbers.

Predictions are the gold per asked label with 12% of the items dropped and 0.5% of the answers broken; both score
by the original's rules. `peak_mb` is for 100,000 texts of ten rows each, one million rows. `bootstrap_s` is CPU
time of 10,000 draws over 20,000 texts, of which many have the same counts, `bootstrap_distinct_s` the same where
no two have (at most 5 s are required of both).

    python benchmarks/evaluate.py --original path/to/IEPile

The original needs rouge_chinese and jieba to start.
"""
import json
import random
import sys
import tempfile
import time
from pathlib import Path

from common import ROOT, arguments, cpu_seconds, in_turn, write
from convert import records

from iepile_nb.convert import convert
from iepile_nb.lib.io import write_jsonl
from iepile_nb.records import read_schema
from iepile_nb.scoring import Counts
from iepile_nb.evaluate import evaluate
from iepile_nb.questions import output
from iepile_nb.tasks import get_task, read_instruction

SPLIT_NUM = dict(NER=6, RE=4, EE=4)


def answered(data, task, n, split_num):
    "Prediction rows for the sample's records, each text with a sentence of its own."
    task, rng = get_task(task), random.Random(3)
    schema = read_schema(data/task.name/'schema.json', task)
    for record in records(data/task.name/'sample.json', task.name, n):
        gold = task.gold(record, schema)
        for row in convert([record], schema, task, 'zh', 'test', split_num, source='bench'):
            kept = {l: [i for i in items if rng.random() >= .12] for l, items in gold.items()}
            answer = output(task, read_instruction(row['instruction'], task)[1], kept, record['text'])
            yield {**row, 'output': answer[:-2] if rng.random() < .005 else answer}


def distinct(i):
    "Counts that no two texts share: 29 and 701 have no common factor, and 29 * 701 > 20,000."
    return Counts(i % 29, 29 + i % 701, 29 + i % 31)


def bootstrap_seconds(scored):
    start = time.process_time()
    scored.intervals(draws=10_000)
    return time.process_time() - start


def main():
    o = arguments(__doc__).parse_args()
    texts, runs = dict.fromkeys(SPLIT_NUM, 20_000), 5
    if o.quick: texts, runs = dict(NER=20_000, RE=8000, EE=4000), 3
    data, rows = (o.original or ROOT)/'data', []
    command = 'from iepile_nb.cli.eval import main; raise SystemExit(main())' # as `iepile_eval` does
    ours = [sys.executable, '-c', command]
    with tempfile.TemporaryDirectory() as tmp:
        tmp = Path(tmp)
        for task in SPLIT_NUM:
            src, out = tmp/f'{task}.json', tmp/'output_msg'/f'{task}.json'
            lines = write_jsonl(src, answered(data, task, texts[task], SPLIT_NUM[task]))
            flags = ['--path1', src, '--task', task, '--sort_by', 'source']
            a = lambda: cpu_seconds([*ours, *flags, '--rules', 'original', '--output', tmp/'ours.json'])[0]
            if o.original:
                theirs = [sys.executable, o.original/'ie2instruction/eval_func.py']
                b = lambda: cpu_seconds([*theirs, *flags], PYTHONPATH=str(o.original))[0]
                ratio, seconds, _ = in_turn(a, b, runs)
                if json.loads((tmp/'ours.json').read_text()) != json.loads(out.read_text()):
                    raise SystemExit(f'{task}: the numbers differ')
                rows.append((f'{task}_ratio', ratio, 'times the original'))
            else: seconds = sorted(a() for _ in range(runs))[runs // 2]
            default = cpu_seconds([*ours, *flags, '--output', tmp/'default.json'])[0]
            rows += [(f'{task}_rows_per_s', lines / seconds, 'rows/s'),
                     (f'{task}_default_rows_per_s', lines / default, 'rows/s')]
            if task != 'NER': src.unlink() # NER's is needed below
        src = tmp/'large.json'
        large = 10_000 if o.quick else 100_000
        lines = write_jsonl(src, answered(ROOT/'data', 'RE', large, 1)) # ten labels, one in each row
        if lines != 10 * large: raise SystemExit(f'{lines} rows instead of {10 * large}')
        seconds, mb = cpu_seconds([*ours, src, '--output', tmp/'large_scores.json'])
        rows += [('peak_mb', mb, 'MB'), ('peak_rows', lines, 'rows')]
        scored = evaluate(tmp/'NER.json')
        rows.append(('bootstrap_s', bootstrap_seconds(scored), 's'))
        scored.scores = [s._replace(counts={('', 'label'): distinct(i)}) for i, s in enumerate(scored.scores)]
        if len({s.counts['', 'label'] for s in scored.scores}) < 20_000:
            raise SystemExit('the counts are not distinct')
        rows.append(('bootstrap_distinct_s', bootstrap_seconds(scored), 's'))
    write('evaluate', rows)


if __name__ == '__main__': main()
