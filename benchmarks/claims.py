"""Two claims of the paper, tried on the embedded model and relations of domains that it never saw.

    python benchmarks/claims.py           # about an hour and a half on 2 cores
    python benchmarks/claims.py --quick
    python benchmarks/claims.py --model smollm2-135m --data FOLDER/CrossNER_AI --seeds 3 --rows 100 --texts 60

(a) Hard negatives reach the same F1 with fewer rows. An adapter is trained on N rows, drawn from those
that ask all negatives, the positives and hard negatives built by this package, or the positives and as
many random ones. `a.KIND.N` is its F1 when every label is asked, four at a time.

(b) A model that was trained with about twenty labels in every query does worse when ten or thirty are
asked; asking in batches, in training and test alike, avoids that. `b.query20.testK` was trained twenty
labels at a time and is asked K at a time, of 60; `b.batch4.test4` was trained and is asked four at a
time, on as many rows. Six domains that the model knows are added to the two it never saw, for two have
too few relations.

With --model a real model (a preset) and a real dataset of entities take their place: a folder with
schema.json, train.json and test.json (and dev.json, whose texts are drawn from as well). A real dataset has
fewer labels; so (b) trains with all of them at once, and asks all and half of them.

Every value is the mean over seeds, which draw other training texts and rows; the test texts stay the
same. `low` and `high` are the ends of the 95% interval of that mean (Student's t). Seeds differ more than
kinds do, so the claims are judged by differences within a seed: `a.gain_over_all.N` and
`a.gain_over_random.N`, what hard negatives add at N rows; `b.dropK`, what is lost by asking K labels instead of
those of the training; `b.gain_overK`, what batches of four add to asking K. `NAME.seedN` is what seed N gave.
What a seed gave with a real model is kept in `outputs/claims`, so a run that is stopped goes on.
"""
import random
import statistics
import tempfile
from functools import partial
from pathlib import Path
from typing import Callable, NamedTuple

from common import ROOT, arguments, write
from real import at_random, cell
from iepile_nb.convert import convert
from iepile_nb.lib.io import write_jsonl
from iepile_nb.lib.presets import preset
from iepile_nb.course import DEMO_TRAINING, side_by_side
from iepile_nb.evaluate import evaluate
from iepile_nb.infer import predict
from iepile_nb.lora import load_model
from iepile_nb.negatives import HardNegatives
from iepile_nb.corpus import dataset, domain_names, domain_schema
from iepile_nb.questions import Schema
from iepile_nb.records import read_records, read_schema
from iepile_nb.train import train

# domains for (b), besides the two unseen ones
MORE = 'law', 'sport', 'culture', 'medicine', 'science', 'technology'
# Student's t for 1 to 9 degrees of freedom
T95 = 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262


class Case(NamedTuple):
    "What a claim is tried on."
    task: str
    schema: Schema
    draw: Callable   # (how many, seed) to records to learn from
    test: list       # records
    model: dict      # for `load_model`
    training: dict   # for `train`
    query: int       # labels asked at once, see (b)
    asked: tuple     # as well, in the test


def made_case(claim, n_test):
    "Relations that a grammar made."
    domains = tuple(domain_names('en', heldout=True)) + (MORE if claim == 'b' else ())
    schema = domain_schema('en', domains, 'RE')
    if claim == 'b': schema = Schema(schema.labels[:60]) # 10, 20 and 30 divide 60
    texts = lambda n, seed, split='train': dataset('en', domains, 'RE', n, seed, split)
    training = {'model_name_or_path': 'tiny', **DEMO_TRAINING}
    return Case('RE', schema, texts, texts(n_test, 0, 'test'), {'name_or_path': 'tiny'}, training, 20, (10, 20, 30))


def real_case(folder, model, n_test):
    "A dataset of entities, and a preset."
    schema, splits = read_schema(folder/'schema.json', 'NER'), ['train'] + ['dev'] * (folder/'dev.json').is_file()
    records = [r for s in splits for r in read_records(folder/f'{s}.json', 'NER')]
    test = random.Random(0).sample(list(read_records(folder/'test.json', 'NER')), n_test)
    draw = lambda n, seed: random.Random(seed).sample(records, min(n, len(records)))
    how = {'name_or_path': preset(model)['model_name_or_path'], 'bits': preset(model)['bits'],
           'dtype': 'bf16' if preset(model).get('bf16') else None}
    n = len(schema.labels)
    return Case('NER', schema, draw, test, how, {'preset': model, 'save_strategy': 'no'}, n, (n // 2, n))


def interval(values):
    "(mean, low, high): the 95% interval of a mean over seeds."
    mean, n = statistics.mean(values), len(values)
    if n < 2: return mean, mean, mean
    t = T95[min(n - 2, 8)]
    half = t * statistics.stdev(values) / n**.5
    return mean, mean - half, mean + half


def rows_of(case, records, n, seed, **kw):
    "`n` training rows of some records, drawn by the seed."
    rows = list(convert(records, case.schema, case.task, 'en', random_sort=True, seed=seed, source='claims', **kw))
    random.Random(seed).shuffle(rows)
    if len(rows) < n: raise SystemExit(f'{len(rows)} rows are too few for {n}; draw more records')
    return rows[:n]


def adapted(case, rows, folder, seed):
    "The model with an adapter trained on some rows."
    folder.mkdir()
    write_jsonl(folder/'train.json', rows)
    train(train_file=folder/'train.json', output_dir=folder/'lora', seed=seed, **case.training)
    return load_model(**case.model, checkpoint_dir=str(folder/'lora'))


def f1(case, model, split_num):
    rows = convert(case.test, case.schema, case.task, 'en', 'test', split_num, source='claims')
    return evaluate(list(predict(rows, *model, batch_size=64, max_new_tokens=384)))['total']['f1']


def claim_a(case, tmp, seed, sizes):
    "{a.KIND.ROWS: F1} of a seed."
    hard, found = HardNegatives.build(case.schema), {}
    records = case.draw(4 * max(sizes), seed)
    for kind, negatives in dict(all=None, random=at_random(hard, case.schema.labels, seed), hard=hard).items():
        rows = rows_of(case, records, max(sizes), seed, split_num=4, negatives=negatives)
        for n in sizes:
            found[f'a.{kind}.{n}'] = f1(case, adapted(case, rows[:n], tmp/f'{kind}{n}', seed), 4)
    return found | {f'a.gain_over_{k}.{n}': found[f'a.hard.{n}'] - found[f'a.{k}.{n}']
                    for k in ('all', 'random') for n in sizes}


def claim_b(case, tmp, seed, sizes):
    "{b.NAME: F1, or F1 lost} of a seed."
    records, found, q = case.draw(2 * max(sizes), seed), {}, case.query
    for name, k, asked in ((f'query{q}', q, case.asked), ('batch4', 4, (4,))):
        model = adapted(case, rows_of(case, records, max(sizes), seed, split_num=k), tmp/name, seed)
        for t in asked: found[f'b.{name}.test{t}'] = f1(case, model, t)
    at = {t: found[f'b.query{q}.test{t}'] for t in case.asked}
    gains = {f'b.gain_over{t}': found['b.batch4.test4'] - at[t] for t in at}
    return found | {f'b.drop{t}': at[q] - at[t] for t in case.asked if t != q} | gains


def of_seed(seed, o, sizes, n_test):
    "What a seed gives."
    found = {}
    for claim, work in (('a', claim_a), ('b', claim_b)):
        if claim not in o.claims: continue
        case = real_case(o.data, o.model, n_test) if o.model else made_case(claim, n_test)
        def measured():
            with tempfile.TemporaryDirectory() as tmp: return work(case, Path(tmp), seed, sizes)
        name = f'{claim}.{seed}.{"-".join(map(str, sizes))}.{n_test}.json'
        found |= cell(ROOT/'outputs/claims'/o.model/o.data.name/name, measured) if o.model else measured()
    print(f'seed {seed}:', {k: round(v, 1) for k, v in found.items()}, flush=True)
    return found


def main():
    p = arguments(__doc__)
    p.add_argument('--seeds', type=int, help='how many (5; with --quick 3)')
    p.add_argument('--rows', type=int, nargs='+',
                   help='training rows to try for (a); the most are used for (b)')
    p.add_argument('--texts', type=int, help='test texts of a seed (150; with --quick 60)')
    p.add_argument('--claims', default='ab', help='a, b or ab (%(default)s)')
    p.add_argument('--model', help='a preset, such as smollm2-135m, in the place of the embedded model')
    p.add_argument('--data', type=Path, help='of --model: the folder of a dataset of entities')
    o = p.parse_args()
    if bool(o.model) != bool(o.data): p.error('--model and --data need each other')
    sizes = o.rows or ((60, 150) if o.quick else (100, 200, 400, 800))
    n_test, seeds = o.texts or (60 if o.quick else 150), o.seeds or (3 if o.quick else 5)
    work = partial(of_seed, o=o, sizes=tuple(sizes), n_test=n_test)
    several = map if o.model else side_by_side # a real model fills the memory
    by_seed = list(several(work, range(1, 1 + seeds)))
    rows = {k: interval([s[k] for s in by_seed]) for k in by_seed[0]}
    name = f'claims-{o.model}' if o.model else 'claims'
    each = [(f'{k}.seed{i}', f1, 'F1') for i, found in enumerate(by_seed, 1) for k, f1 in found.items()]
    write(name, [(k, mean, 'F1', low, high) for k, (mean, low, high) in rows.items()] + each)


if __name__ == '__main__': main()
