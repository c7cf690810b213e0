"""Conversion gives what the original gives. The facts in `golden/` come from running zjunlp/IEPile (commit
933918d) once on the records in `data/`, so this test never skips; a larger set may lie in ../shared."""
import json
from pathlib import Path

import orjson
import pytest
from helpers.facts import facts
from iepile_nb.convert import convert
from iepile_nb.lib.fast_rows import convert_lines
from iepile_nb.records import read_records, read_schema

GOLDEN = Path(__file__).parent/'golden'
OWN = [p.stem for p in sorted(GOLDEN.glob('*.json'))]
SPLIT_NUM = dict(NER=6, RE=4, SPO=4, EE=4, EET=4, EEA=4, KG=1)
# Runs where the original adds rows that ask nothing: nothing annotated and no negatives asked; KG not split.
EMPTY_ROWS = 'EE.train.zh.neg0', 'KG.train.zh.neg0', 'KG.train.zh.nosplit'


def rows_of(name, data):
    "The rows of one run, by its name: TASK.split.language[.random][.neg*][.nosplit]; the fast writer's too."
    task, split, language, *flags = name.split('.', 3)
    flags = flags[0] if flags else ''
    neg = float(flags.removeprefix('neg')) if flags.startswith('neg') else 1
    records = list(read_records(data/task/'sample.json', task))
    schema, k = read_schema(data/task/'schema.json', task), -1 if 'nosplit' in flags else SPLIT_NUM[task]
    options = dict(task=task, language=language, split=split, split_num=k, neg_schema=neg,
                   random_sort='random' in flags, source=task)
    rows = list(convert(records, schema, **options))
    assert list(convert_lines(records, schema, **options)) == [orjson.dumps(r) for r in rows]
    return rows


def without_empty_rows(want):
    "The original's facts less its rows that ask nothing."
    for text, f in list(want.items()):
        f['n_rows'] -= f['sizes'].count(0)
        f['sizes'] = [n for n in f['sizes'] if n]
        if not f['sizes'] or f['roles'] and not any(f['roles'].values()): del want[text]
    return want


def check(name, want, data):
    got = facts(rows_of(name, data))
    if name in EMPTY_ROWS: want = without_empty_rows(want)
    assert list(got) == list(want)
    for text, f in want.items():
        for k, v in f.items():
            have = got[text].get(k, {} if k == 'roles' else [])
            if k == 'answers': v, have = (sorted(x, key=json.dumps) for x in (v, have))
            if k == 'roles': v, have = ({l: sorted(r) for l, r in x.items()} for x in (v, have))
            assert have == v, (name, text, k)


@pytest.mark.parametrize('name', OWN)
def test_own_samples(name, root):
    check(name, json.loads((GOLDEN/f'{name}.json').read_text(encoding='utf-8')), root/'data')


def test_there_are_golden_files(): assert len(OWN) >= 60


def test_shared_facts(shared):
    golden = json.loads((shared/'spec/golden_facts.json').read_text(encoding='utf-8'))
    assert len(golden) == 68
    for name, want in golden.items(): check(name, want, shared/'data/iepile_samples')
