"""F1 of a real pretrained model on real datasets: the base, and after LoRA on some records.

    python benchmarks/real.py --data FOLDER                  # two datasets, 100 records each, on a processor
    python benchmarks/real.py --data FOLDER --records 0,25,50,100,200 --datasets CrossNER_AI,bc5cdr,SciERC_pairs

Datasets are folders with schema.json, train.json and test.json. The handicap of empty lists is tuned on texts of
dev.json, or where there is none, on training texts that are not learned from. Each cell is kept under `--work` as
soon as it is measured, so a run that is stopped goes on; the results are those of all cells that are kept there.
Rows: MODEL.DATASET.RECORDS.MODE.f1, in percent, with 95% intervals over texts (event_f1 and argument_f1 of events).
0 records is the base, and the modes are span, free (what the model writes by itself) and tuned (span, with the
handicap that the dev texts gave). RECORDS-hard and RECORDS-random were trained on rows that ask, beside what is
there, for hard negatives or for as many random labels, and not for all labels.
"""
import json
import logging
import os
import random
import time
from itertools import product
from pathlib import Path

from common import ROOT, arguments, write

from iepile_nb.convert import convert
from iepile_nb.evaluate import evaluate
from iepile_nb.infer import predict
from iepile_nb.lib.contract import read_contract
from iepile_nb.lib.io import atomic_write, log, record_rng, write_jsonl
from iepile_nb.lib.list_bias import ListBias, list_biases
from iepile_nb.lib.presets import preset
from iepile_nb.lib.tuning import tune_trained
from iepile_nb.lora import load_model
from iepile_nb.negatives import HardNegatives, names
from iepile_nb.questions import output
from iepile_nb.records import read_records, read_schema, spo_triples
from iepile_nb.tasks import TASKS, read_instruction
from iepile_nb.train import train

TASK_OF = {'CrossNER_AI': 'NER', 'CrossNER_science': 'NER', 'CrossNER_literature': 'NER', 'bc5cdr': 'NER',
           'SciERC_pairs': 'RE', 'semval-RE': 'RE', 'PHEE': 'EE', 'FewFC': 'EE'}
CHINESE = {'FewFC'}


def sample(records, n, *key):
    "Some of the records, the same ones whatever else is asked for."
    return records if len(records) <= n else record_rng(42, 'real', *key).sample(records, n)


def at_random(negatives, labels, seed):
    "As many random labels for each label as another dictionary has hard ones."
    rng = random.Random(seed)
    def others(label): return [x for x in labels if x != label]
    return HardNegatives({l: rng.sample(others(l), len(near)) for l, near in negatives.items()})


class Dataset:
    def __init__(self, folder, n_test, n_dev):
        self.name, self.task = folder.name, TASKS[TASK_OF[folder.name]]
        self.language = 'zh' if self.name in CHINESE else 'en'
        read = lambda split: list(read_records(folder/f'{split}.json', self.task))
        self.train = read('train')
        self.schema = read_schema(folder/'schema.json', self.task, spo_triples(self.train))
        self.test = sample(read('test'), n_test, self.name, 'test')
        self.n_dev, self.dev_file = n_dev, read('dev') if (folder/'dev.json').is_file() else []

    def learned(self, n): return sample(self.train, n, self.name, 'train')

    def dev(self, n):
        "Records to tune on: of dev.json, or else some that are not among the n to learn from."
        own = {r['text'] for r in self.learned(n)}
        rest = self.dev_file or [r for r in self.train if r['text'] not in own]
        return sample(rest, self.n_dev, self.name, 'dev')

    def rows(self, records, split, **kw):
        return list(convert(records, self.schema, self.task, self.language, split, source=self.name, **kw))

    def train_rows(self, n, kind):
        "Rows to learn from, with all labels as negatives, with hard ones, or with as many random ones."
        hard = HardNegatives.build(names(self.task, self.schema))
        kinds = {'all': None, 'hard': hard, 'random': at_random(hard, names(self.task, self.schema), 42)}
        return self.rows(self.learned(n), 'train', negatives=kinds[kind])

    def answered(self, records):
        "Rows that ask everything, with their gold answers: to tune on."
        for record in records:
            for row in self.rows([record], 'test'):
                questions = read_instruction(row['instruction'])[1]
                yield {**row, 'output': output(self.task, questions, self.task.gold(record), record['text'])}


def cell(path, measure):
    "What is in a file, or what is measured and put there."
    if not path.is_file():
        found = measure()
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as f: f.write(json.dumps(found, indent=1).encode())
    return json.loads(path.read_text())


def score(data, model, tokenizer, mode, bias=None):
    start = time.process_time()
    answers = list(predict(data.rows(data.test, 'test'), model, tokenizer, constrain=mode, bias=bias or {}))
    result = evaluate(answers)
    found = {**result['total'], 'intervals': result.intervals(), 'texts': len(data.test),
             'cpu_s': round(time.process_time() - start, 1)}
    log.info('%s %s: %s', data.name, mode, found)
    return found


def learned(data, name, n, kind, folder):
    "The adapter of a training on n records, and what it took."
    write_jsonl(folder/'train.json', data.train_rows(n, kind))
    options = {'train_file': folder/'train.json', 'save_strategy': 'epoch', 'save_total_limit': 1}
    if write_jsonl(folder/'dev.json', data.answered(data.dev(n))): options |= {'valid_file': folder/'dev.json'}
    start = time.process_time()
    record = train(output_dir=folder/'lora', preset=name, disable_tqdm=True, tuner=tune_trained, **options)
    losses = [e['loss'] for e in record['log'] if 'loss' in e]
    return {**{k: record[k] for k in ('rows', 'seconds', 'tuning')}, 'loss': [losses[0], losses[-1]],
            'cpu_s': round(time.process_time() - start, 1)}


def measure(name, data, sizes, kinds, modes, work):
    "Cells of one dataset: (records, mode, scores)."
    how = {'bits': preset(name)['bits'], 'dtype': 'bf16' if preset(name).get('bf16') else None}
    folder, model = work/name/data.name, preset(name)['model_name_or_path']
    if 0 in sizes:
        for mode in modes:
            def base(): return score(data, *load_model(model, **how), mode)
            yield 0, mode, cell(folder/f'0.{mode}.json', base)
    for n, kind in product(filter(None, sizes), kinds):
        own = folder/(str(n) if kind == 'all' else f'{n}-{kind}')
        trained = cell(own/'trained.json', lambda: learned(data, name, n, kind, own))
        bias = list_biases(None, read_contract(own/'lora'))
        for mode in modes:
            def adapted(): return score(data, *load_model(model, str(own/'lora'), **how), mode)
            yield n, mode, cell(own/f'{mode}.json', adapted)
        def tuned():
            if all(ListBias(**t['bias']) == ListBias() for t in trained['tuning'].values()):
                return cell(own/'span.json', dict) # nothing was surely better, so it is the same
            return score(data, *load_model(model, str(own/'lora'), **how), 'span', bias)
        if trained['tuning']: yield n, 'tuned', cell(own/'tuned.json', tuned)


def rows_of(work):
    "Rows of the results: all cells that are kept, of all models and datasets."
    for folder in sorted(work.glob('*/*/')):
        own = sorted((p for p in folder.glob('[1-9]*/')), key=lambda p: (int(p.name.split('-')[0]), p.name))
        cells = [(n.name if n else 0, mode, n/f'{mode}.json' if n else folder/f'0.{mode}.json')
                 for n in (None, *own) for mode in ('span', 'free', 'tuned')]
        for n, mode, path in cells:
            if not path.is_file(): continue
            found = json.loads(path.read_text())
            f1s = {k: ends for k, ends in found['intervals'].items() if k.endswith('f1')}
            for k, ends in f1s.items():
                yield f'{folder.parent.name}.{folder.name}.{n}.{mode}.{k}', found[k], '%', *ends


def main():
    p = arguments(__doc__)
    p.add_argument('--data', type=Path, default=os.environ.get('IEPILE_SHARED') and
                   Path(os.environ['IEPILE_SHARED'])/'data', help='the folder of the datasets')
    p.add_argument('--model', default='smollm2-135m', help='a preset')
    p.add_argument('--datasets', default='CrossNER_AI,CrossNER_science')
    p.add_argument('--records', default='0,100', help='to learn from, with commas; 0 is the base')
    p.add_argument('--negatives', default='all', help='all, hard, random, with commas')
    p.add_argument('--test', type=int, default=100, help='texts to be tested on')
    p.add_argument('--dev', type=int, default=40, help='texts to tune on')
    p.add_argument('--modes', default='span,free')
    p.add_argument('--work', type=Path, default=ROOT/'outputs/real', help='where cells are kept')
    p.add_argument('--name', default='real', help='of the file in benchmarks/results')
    o = p.parse_args()
    if not o.data: p.error('--data is needed: a folder of datasets')
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    for name in o.datasets.split(','):
        data = Dataset(o.data/name, o.test, o.dev)
        sizes, modes, kinds = [*map(int, o.records.split(','))], o.modes.split(','), o.negatives.split(',')
        for _ in measure(o.model, data, sizes, kinds, modes, o.work): write(o.name, list(rows_of(o.work)))


if __name__ == '__main__': main()
