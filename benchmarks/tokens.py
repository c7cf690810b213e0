"""What two million training rows cost before the first step: time, memory, disk, and a second start.

    python benchmarks/tokens.py          # 50,000, 100,000 and 200,000 rows, a quarter of an hour on 2 cores
    python benchmarks/tokens.py --quick  # 5,000, 10,000 and 20,000 rows

Generated rows of both languages are made ready as a training does it: counted, tokenised into the cache, put in
order for an epoch; a batch is read. Each start is a process of its own, and what it takes beyond Python with the
tokenizer loaded is its extra memory: the most of its own (`RssAnon`, looked at a hundred times a second). Pages of
mapped files belong to the system, which takes them back when it needs them, and all processes share them. A
straight line through the three sizes says what two million rows take (`..._at_2m`); `..._a_row` is its slope.
"""
import json
import subprocess
import sys
import tempfile
import threading
import time
from itertools import islice
from pathlib import Path

import numpy as np
from common import arguments, write

SIZES, QUICK, MOST = (50_000, 100_000, 200_000), (5_000, 10_000, 20_000), 2_000_000


def own_memory():
    "What this process has in memory but for mapped files, in MB."
    lines = Path('/proc/self/status').read_text().splitlines()
    return next(int(l.split()[1]) for l in lines if l.startswith('RssAnon')) / 1024


class Peak(threading.Thread):
    "Within this context: the most that `own_memory` was, over what it was at the start."
    def __enter__(self):
        self.before, self.most, self.over = own_memory(), 0., threading.Event()
        self.start()
        return self

    def run(self):
        while not self.over.wait(.01): self.most = max(self.most, own_memory() - self.before)

    def __exit__(self, *error):
        self.over.set()
        self.join()


def start(folder):
    "One start, in this process; prints what it took."
    from iepile_nb.base import load_tokenizer
    from iepile_nb.lib.options import length_options, settings
    from iepile_nb.lib.token_rows import tokens_in_memory, tokens_on_disk, usable
    from iepile_nb.prompt import get_template
    from iepile_nb.train import BatchOrder, load_rows
    tokenizer = load_tokenizer('tiny')
    template = get_template('auto', tokenizer)
    tokens_in_memory([{'instruction': 'q', 'output': '{}'}], tokenizer, template) # libraries are loaded
    wall, cpu = time.perf_counter(), time.process_time()
    with Peak() as peak:
        o = settings(train_file=f'{folder}/train.json', cache_path=f'{folder}/cache')
        rows, _ = load_rows(o)
        rows.kinds(), rows.fingerprint_of_rows()
        tokens = usable(tokens_on_disk(rows, tokenizer, template, o.cache_path, **length_options(o)))
        order = iter(BatchOrder(tokens.column('length'), 64))
        batch = [tokens[i] for i in islice(order, 64)]
    print(json.dumps({'seconds': time.perf_counter() - wall, 'cpu': time.process_time() - cpu, 'mb': peak.most,
                      'batch': sum(len(r.input_ids) for r in batch)}))


def starts(n):
    "The first and the second start with so many rows, and bytes on the disk."
    from iepile_nb.lib.io import write_jsonl
    from iepile_nb.lib.training_rows import training_rows
    with tempfile.TemporaryDirectory() as folder:
        write_jsonl(f'{folder}/train.json', islice(training_rows(), n))
        cmd = [sys.executable, __file__, folder]
        first, second = (json.loads(subprocess.run(cmd, check=True, capture_output=True).stdout) for _ in range(2))
        disk = sum(p.stat().st_size for p in Path(folder, 'cache').rglob('*.arrow'))
    assert first['batch'] == second['batch']
    print(f'{n} rows: {first} {second}', flush=True)
    return first, second, disk


def main():
    sizes = QUICK if arguments(__doc__).parse_args().quick else SIZES
    found = [starts(n) for n in sizes]
    def line(values): return np.polyfit(sizes, values, 1)
    rows = []
    for i, name in enumerate(('first_start', 'second_start')):
        for key, unit in (('seconds', 's'), ('mb', 'MB')):
            values = [f[i][key] for f in found]
            rows += [(f'{name}_{key}_{n}', v, unit) for n, v in zip(sizes, values)]
            rows.append((f'{name}_{key}_at_2m', np.polyval(line(values), MOST), unit))
    rows += [('rows_per_cpu_second', sizes[-1] / found[-1][0]['cpu'], 'rows/s'),
             ('memory_a_row', 2**20 * line([f[0]['mb'] for f in found])[0], 'bytes'),
             ('disk_a_row', found[-1][2] / sizes[-1], 'bytes')]
    write('tokens', rows)


if __name__ == '__main__': start(sys.argv[1]) if len(sys.argv) > 1 and Path(sys.argv[1]).is_dir() else main()
