"Conversion, for made-up records of every task: what the rows answer is what was annotated and asked."
import json
from collections import Counter

import pytest
from helpers.made_up import task_schema_record
from hypothesis import given, settings, strategies as st
from iepile_nb.convert import convert
from iepile_nb.negatives import HardNegatives, names
from iepile_nb.questions import split
from iepile_nb.tasks import read_instruction

SPLIT_NUMS = st.integers(-1, 7).filter(bool)


def in_any_order(task, item):
    "Arguments have no order."
    return (item[0], item[1], frozenset(item[2])) if task.metrics != ('',) else item


def asked_gold(task, schema, record, questions):
    "The annotated items that the questions could bring."
    gold = task.gold(record, schema)
    items = ((q.label, *o) for q in questions for o in task.asked(q, gold.get(q.label, [])))
    return Counter(in_any_order(task, item) for item in items)


def answered(task, rows):
    "(what the rows answer, what they ask)"
    got, questions = Counter(), []
    for r in rows:
        _, batch, _ = read_instruction(r['instruction'], task)
        questions += batch
        key = {task.answer_key(q): q.label for q in batch}
        assert len(key) == len(batch) > 0
        answer = json.loads(r['output'])
        assert list(answer) == [task.answer_key(q) for q in batch]
        got.update(in_any_order(task, (key[l], *rest)) for l, *rest in task.parse(answer, pytest.fail))
    return got, questions


@settings(max_examples=400)
@given(task_schema_record(), st.sampled_from([1, .5, 0, -1]), SPLIT_NUMS, st.booleans(), st.booleans())
def test_rows_parsed_back_are_what_was_annotated_and_asked(case, p, k, shuffled, hard):
    task, schema, record = case
    negatives = HardNegatives.build(names(task, schema)) if hard else None
    rows = list(convert([record], schema, task, 'en', 'train', k, p, negatives, shuffled, 'made up'))
    got, questions = answered(task, rows)
    want = asked_gold(task, schema, record, questions)
    if task.name == 'EET': want = Counter({i: n for i, n in want.items() if i[1]})
    if task.name == 'EEA': want = Counter({i: n for i, n in want.items() if i[2]})
    assert got == want
    if p == 1 and not hard and task.asks_absent: assert {q.label for q in questions} >= set(schema.labels)


@settings(max_examples=100)
@given(task_schema_record(), SPLIT_NUMS)
def test_test_rows_ask_everything(case, k):
    task, schema, record = case
    rows = list(convert([record], schema, task, 'en', 'test', k, source='made up'))
    asked = [q.label for r in rows for q in read_instruction(r['instruction'], task)[1]]
    own = list(task.gold(record, schema))
    if task.asks_absent: assert sorted(asked) == sorted(schema.labels)
    else: assert set(asked) <= set(own)
    assert all(json.loads(r['label']) == task.annotations(record) for r in rows)


@given(st.integers(0, 79), st.integers(1, 12))
def test_split_rule(n, k):
    sizes = [len(b) for b in split(list(range(n)), k)]
    assert all(s == k for s in sizes[:-1])
    assert n < k or max(1, k // 2) <= sizes[-1] < k + max(1, k // 2)
    assert sum(split(list(range(n)), k), []) == list(range(n))
