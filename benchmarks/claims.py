"""Two claims of the paper, tried on the embedded model and relations of domains that it never saw.

    python benchmarks/claims.py           # about an hour and a half on 2 cores
    python benchmarks/claims.py --quick

(a) Hard negatives reach the same F1 with fewer rows. An adapter is trained on N rows, drawn from those
that ask all negatives, the positives and hard negatives built by this package, or the positives and as
many random ones. `a.KIND.N` is its F1 when every label is asked, four at a time.

(b) A model that was trained with about twenty labels in every query does worse when ten or thirty are
asked; asking in batches, in training and test alike, avoids that. `b.query20.testK` was trained twenty
labels at a time and is asked K at a time, of 60; `b.batch4.test4` was trained and is asked four at a
time, on as many rows. Six domains that the model knows are added to the two it never saw, for two have
too few relations.

Every value is the mean over seeds, which draw other training texts and rows; the test texts stay the
same. `low` and `high` are the ends of the 95% interval of that mean (Student's t). Seeds differ more than
kinds do, so the claims are judged by differences within a seed: `a.gain_over_all.N` and
`a.gain_over_random.N`, what hard negatives add at N rows; `b.dropK`, what is lost by asking K instead of
twenty; `b.gain_overK`, what batches of four add to asking K.
"""
import random
import statistics
import tempfile
from functools import partial
from pathlib import Path

from common import arguments, write
from iepile_nb.convert import convert
from iepile_nb.lib.io import write_jsonl
from iepile_nb.course import DEMO_TRAINING, side_by_side
from iepile_nb.evaluate import evaluate
from iepile_nb.infer import predict
from iepile_nb.lora import load_model
from iepile_nb.negatives import HardNegatives
from iepile_nb.corpus import dataset, domain_names, domain_schema
from iepile_nb.questions import Schema
from iepile_nb.train import train

TASK, LANGUAGE = 'RE', 'en'
# domains for (b), besides the two unseen ones
MORE = 'law', 'sport', 'culture', 'medicine', 'science', 'technology'
# Student's t for 1 to 9 degrees of freedom
T95 = 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262


def interval(values):
    "(mean, low, high): the 95% interval of a mean over seeds."
    mean, n = statistics.mean(values), len(values)
    if n < 2: return mean, mean, mean
    t = T95[min(n - 2, 8)]
    half = t * statistics.stdev(values) / n**.5
    return mean, mean - half, mean + half


def texts(domains, n, seed, split): return dataset(LANGUAGE, domains, TASK, n, seed, split)


def at_random(negatives, labels, seed):
    "As many random labels for each label as another dictionary has hard ones."
    rng = random.Random(seed)
    def others(label): return [x for x in labels if x != label]
    return HardNegatives({l: rng.sample(others(l), len(near)) for l, near in negatives.items()})


def rows_of(records, schema, n, seed, **kw):
    "`n` training rows of some records, drawn by the seed."
    rows = list(convert(records, schema, TASK, LANGUAGE, random_sort=True, seed=seed, source='claims', **kw))
    random.Random(seed).shuffle(rows)
    if len(rows) < n: raise SystemExit(f'{len(rows)} rows are too few for {n}; draw more records')
    return rows[:n]


def adapted(rows, folder, seed):
    "The model with an adapter trained on some rows."
    folder.mkdir()
    write_jsonl(folder/'train.json', rows)
    options = {**DEMO_TRAINING, 'seed': seed}
    train(model_name_or_path='tiny', train_file=folder/'train.json', output_dir=folder/'lora', **options)
    return load_model('tiny', str(folder/'lora'))


def f1(model, records, schema, split_num):
    rows = convert(records, schema, TASK, LANGUAGE, 'test', split_num, source='claims')
    return evaluate(list(predict(rows, *model, batch_size=64, max_new_tokens=384)))['total']['f1']


def claim_a(tmp, seed, sizes, n_test):
    "{a.KIND.ROWS: F1} of a seed."
    domains, found = tuple(domain_names(LANGUAGE, heldout=True)), {}
    schema = domain_schema(LANGUAGE, domains, TASK)
    hard = HardNegatives.build(schema)
    records, test = texts(domains, 4 * max(sizes), seed, 'train'), texts(domains, n_test, 0, 'test')
    for kind, negatives in dict(all=None, random=at_random(hard, schema.labels, seed), hard=hard).items():
        rows = rows_of(records, schema, max(sizes), seed, split_num=4, negatives=negatives)
        for n in sizes:
            found[f'a.{kind}.{n}'] = f1(adapted(rows[:n], tmp/f'{kind}{n}', seed), test, schema, 4)
    return found | {f'a.gain_over_{k}.{n}': found[f'a.hard.{n}'] - found[f'a.{k}.{n}']
                    for k in ('all', 'random') for n in sizes}


def claim_b(tmp, seed, n_rows, n_test):
    "{b.NAME: F1, or F1 lost} of a seed."
    domains, found = (*domain_names(LANGUAGE, heldout=True), *MORE), {}
    schema = Schema(domain_schema(LANGUAGE, domains, TASK).labels[:60]) # 10, 20 and 30 divide 60
    records, test = texts(domains, 2 * n_rows, seed, 'train'), texts(domains, n_test, 0, 'test')
    for name, k, asked in (('query20', 20, (10, 20, 30)), ('batch4', 4, (4,))):
        model = adapted(rows_of(records, schema, n_rows, seed, split_num=k), tmp/name, seed)
        for t in asked: found[f'b.{name}.test{t}'] = f1(model, test, schema, t)
    at = {t: found[f'b.query20.test{t}'] for t in (10, 20, 30)}
    gains = {f'b.gain_over{t}': found['b.batch4.test4'] - at[t] for t in at}
    return found | {f'b.drop{t}': at[20] - at[t] for t in (10, 30)} | gains


def both(seed, sizes, n_test):
    "What a seed gives."
    with tempfile.TemporaryDirectory() as tmp:
        found = claim_a(Path(tmp), seed, sizes, n_test) | claim_b(Path(tmp), seed, max(sizes), n_test)
    print(f'seed {seed}:', {k: round(v, 1) for k, v in found.items()}, flush=True)
    return found


def main():
    p = arguments(__doc__)
    p.add_argument('--seeds', type=int, help='how many (5; with --quick 3)')
    p.add_argument('--rows', type=int, nargs='+',
                   help='training rows to try for (a); the most are used for (b)')
    p.add_argument('--texts', type=int, help='test texts of a seed (150; with --quick 60)')
    o = p.parse_args()
    sizes = o.rows or ((60, 150) if o.quick else (100, 200, 400, 800))
    n_test, seeds = o.texts or (60 if o.quick else 150), o.seeds or (3 if o.quick else 5)
    by_seed = side_by_side(partial(both, sizes=sizes, n_test=n_test), range(1, 1 + seeds))
    rows = {k: interval([s[k] for s in by_seed]) for k in by_seed[0]}
    write('claims', [(k, mean, 'F1', low, high) for k, (mean, low, high) in rows.items()])


if __name__ == '__main__': main()
