"""How good the embedded model is: on domains it was trained on, on two it never saw, and after LoRA on those.

    python benchmarks/tiny.py           # about half an hour on 2 cores
    python benchmarks/tiny.py --quick

Every text is fresh (other seeds than training), decoding is greedy and free, everything is asked as
`iepile_convert --split test` asks it. `unseen` counts only what has a name of the half that training never drew
from; `renamed` asks by label names that training never used; `valid` is the share of answers that are plain JSON
with exactly the asked keys. An adapter is trained by two processes, a core each, on rows that ask up to eight
labels, as the model is used to.
"""
import json
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import torch
from common import arguments, write
from iepile_nb.lib.io import record_rng, write_jsonl
from iepile_nb.lib.presets import training_settings
from iepile_nb.course import DEMO_TRAINING, Job, read_job, side_by_side, test_rows, train_rows
from iepile_nb.scoring import Counts, match_counts
from iepile_nb.evaluate import evaluate
from iepile_nb.infer import predict
from iepile_nb.lora import load_model
from iepile_nb.tasks import get_task, read_instruction
from iepile_nb.corpus import dataset, domain_schema, is_train_value
from iepile_nb.lib.label_names import other_names, renamed_record, renamed_schema
from iepile_nb.lib.patterns import domain_names

TASKS, LANGUAGES, SEED = ('NER', 'RE', 'EE'), ('en', 'zh'), 20261


def job(language, domains, task, n, seed, rename=False):
    "A dataset of `n` fresh test texts; with other label names if asked."
    records = dataset(language, domains, task, n, seed, 'test')
    schema = domain_schema(language, domains, task)
    if rename:
        names = other_names(language, domains, record_rng(seed, language), share=1., pool='unseen')
        full = [{'entity': [], 'relation': [], 'event': [], **r} for r in records]
        records, schema = [renamed_record(r, names) for r in full], renamed_schema(schema, names)
    name = domains if isinstance(domains, str) else '+'.join(domains)
    return Job(get_task(task), language, name, schema, [], records)


def valid(row):
    "Is the answer plain JSON with exactly the asked keys, in their order?"
    task, questions, _ = read_instruction(row['instruction'], get_task(row['task']))
    try: return list(json.loads(row['output'])) == [task.answer_key(q) for q in questions]
    except (ValueError, TypeError): return False


def unseen_f1(result):
    "F1 of what holds a name which training never drew; triggers are no such names."
    def new(task, items):
        return [(kind, thing) for i in items for kind, thing in task.counts(i)
                if kind != 'event' and not all(is_train_value(thing[k]) for k in task.taken[kind])]
    total = Counts()
    for t in result.texts:
        task = t.rows[0].task
        total = sum(match_counts(new(task, t.found), new(task, t.gold)).values(), total)
    return total.f1


def cell(name, jobs, model):
    "The rows of the result for one task and language."
    options = dict(batch_size=64, max_new_tokens=384, constrain='free')
    rows = [r for j in jobs for r in predict(test_rows(j), *model, **options)]
    result = evaluate(rows)
    keys = {'f1': 'f1', 'event_f1': 'trigger_f1', 'argument_f1': 'argument_f1'}
    out = [(f'{name}.{keys[k]}', v, 'F1') for k, v in result['total'].items() if k in keys]
    out.append((f'{name}.unseen_f1', unseen_f1(result), 'F1'))
    out.append((f'{name}.valid', 100 * sum(map(valid, rows)) / len(rows), '% of answers'))
    for r in out: print(*r, flush=True)
    return out


def adapter(language, folder):
    "One adapter for a language: 400 rows a task, of texts of the domains that are held out; its seconds."
    domains, rows = tuple(domain_names(language, heldout=True)), []
    for task in TASKS:
        texts = dataset(language, domains, task, 1000, SEED + 2, 'train')
        schema = domain_schema(language, domains, task)
        mine = train_rows(Job(get_task(task), language, 'heldout', schema, texts, []), split_num=8)
        record_rng(SEED, language, task).shuffle(mine)
        rows += mine[:400]
    record_rng(SEED, language).shuffle(rows)
    write_jsonl(folder/f'{language}.json', rows)
    start = time.monotonic()
    half = training_settings('tiny')['per_device_train_batch_size'] // 2 # each of two processes
    options = [f'--{k}={v}' for k, v in (DEMO_TRAINING | {'per_device_train_batch_size': half}).items()]
    files = ['--train_file', folder/f'{language}.json', '--output_dir', folder/language]
    train = [sys.executable, '-m', 'iepile_nb.train', '--nproc=2', '--model_name_or_path=tiny', '--use_cpu']
    subprocess.run([*train, *files, *options], check=True)
    return time.monotonic() - start


def throughput(bits, limit):
    "Rows per second on the demo's test rows."
    model = load_model('tiny', bits=bits)
    rows = test_rows(read_job(Path(__file__).parent.parent/'data/demo/en/NER', 'NER', 'en', limit))
    start = time.monotonic()
    n = len(list(predict(rows, *model, batch_size=64, constrain='free')))
    return n / (time.monotonic() - start)


def base_cells(language, n):
    "The base model on the domains it knows, under new names, and on those it does not know."
    base, seen, rows = load_model('tiny'), domain_names(language), []
    for t in TASKS:
        each = -(-n // len(seen)) # texts of a domain
        for name, rename in (('base_seen', False), ('base_renamed', True)):
            rows += cell(f'{name}.{t}.{language}', [job(language, d, t, each, SEED, rename) for d in seen], base)
        rows += cell(f'base_heldout.{t}.{language}', [heldout(language, t, n)], base)
    return rows


def tuned_cells(language, n, folder):
    "The model with its adapter, on the domains that the adapter was trained for."
    tuned = load_model('tiny', str(folder/language))
    return [r for t in TASKS for r in cell(f'lora_heldout.{t}.{language}', [heldout(language, t, n)], tuned)]


def heldout(language, task, n):
    "A job of the domains that the base model never saw."
    return job(language, tuple(domain_names(language, heldout=True)), task, n, SEED + 1)


def main():
    o = arguments(__doc__).parse_args()
    n = 40 if o.quick else 300
    rows = [r for part in side_by_side(partial(base_cells, n=n), LANGUAGES) for r in part]
    torch.set_num_threads(2)
    with tempfile.TemporaryDirectory() as tmp:
        rows += [(f'lora_seconds.{l}', adapter(l, Path(tmp)), 's') for l in LANGUAGES]
        tuned = partial(tuned_cells, n=n, folder=Path(tmp))
        rows += [r for part in side_by_side(tuned, LANGUAGES) for r in part]
    value = dict((r[0], r[1]) for r in rows)
    scores = [k for k in value if k.startswith('lora_heldout') and k.endswith('f1') and 'unseen' not in k]
    gains = [value[k] - value[k.replace('lora_', 'base_', 1)] for k in scores]
    rows.append(('lora_gain', sum(gains) / len(gains), 'F1 points'))
    rows += [(f'throughput_{b}bit', throughput(b, 20 if o.quick else 100), 'rows/s') for b in (16, 4)]
    write('tiny', rows)


if __name__ == '__main__': main()
