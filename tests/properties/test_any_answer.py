"Perfect answers are perfect, bad ones raise nothing, whatever the task, the order and the matching."

import pytest
from hypothesis import given, settings, strategies as st

from iepile_nb.certainty import orders, reordered
from iepile_nb.errors import ERROR_KINDS
from iepile_nb.evaluate import evaluate, why
from iepile_nb.lib.predictions import read_row
from iepile_nb.questions import output
from iepile_nb.tasks import read_instruction, TASKS
from helpers.prediction_rows import ANNOTATIONS, SCHEMAS, answered, bad_answer


@pytest.mark.parametrize('task', TASKS)
@settings(max_examples=60)
@given(data=st.data())
def test_perfect_answers_score_100(task, data):
    text, language = st.sampled_from(['X Y Z', '公司 Y', '']), data.draw(st.sampled_from(['zh', 'en']))
    record = st.fixed_dictionaries({'text': text, TASKS[task].key: ANNOTATIONS[task]})
    records = data.draw(st.lists(record, min_size=1, max_size=3))
    rows = answered(task, records, split_num=data.draw(st.sampled_from([1, 2, 3, 4, -1])), language=language)
    if not rows: return
    # an attribute of two types belongs to the first that is asked
    if task != 'KG': rows = data.draw(st.permutations(rows))
    result = evaluate(rows, match_mode=data.draw(st.sampled_from(['normal', 'set'])))
    counts = [c for t in result.texts for c in t.counts.values()]
    told = [(t.gold, t.found) for t in result.texts]
    assert all(c.true_positives == c.predicted == c.gold for c in counts), told
    assert result['total']['errors'] == 0


@pytest.mark.parametrize('task', TASKS)
@settings(max_examples=60)
@given(data=st.data())
def test_no_answer_ever_raises(task, data):
    record = {'text': 'X Y Z', TASKS[task].key: data.draw(ANNOTATIONS[task])}
    rows = answered(task, [record, {**record, 'text': 'Y'}], split_num=2)
    rows = [{**r, 'output': data.draw(bad_answer)} for r in rows] + answered(task, [record], split_num=-1)
    if not rows: return
    for mode in ('normal', 'set'):
        result = evaluate(rows, match_mode=mode)
        assert 0 <= min(v for v in result['total'].values()) and str(result) and result._repr_markdown_()
        if task in ('NER', 'RE', 'EE', 'EEA'):
            str(evaluate(rows, rules='original', match_mode=mode)).encode('utf-8')
    str(why(rows)).encode('utf-8')


@pytest.mark.parametrize('task', TASKS)
@settings(max_examples=40)
@given(data=st.data())
def test_errors_add_up(task, data):
    "Everything wrong or missed is in exactly one error; each error has one kind."
    record = {'text': 'X Y Z 公司', TASKS[task].key: data.draw(ANNOTATIONS[task])}
    rows = [{**r, 'output': data.draw(bad_answer) or ''} for r in answered(task, [record], split_num=2)]
    if not rows: return
    result = evaluate(rows)
    e, c = result.errors(), [c for t in result.texts for c in t.counts.values()]
    right, found, gold = (sum(x[i] for x in c) for i in range(3))
    assert sum(x.found is not None for x in e) == found - right
    assert sum(x.gold is not None and (x.found is None or x.kind != 'wrong label') for x in e) <= gold
    assert sum(x.found is None for x in e) <= gold - right
    assert {x.kind for x in e} <= set(ERROR_KINDS)
    assert str(e)


@pytest.mark.parametrize('task', TASKS)
@settings(max_examples=25)
@given(data=st.data())
def test_another_order_asks_the_same(task, data):
    "Perfect answers are perfect in every order; each order is the same every time, and its own."
    record = {'text': 'X Y Z 公司', TASKS[task].key: data.draw(ANNOTATIONS[task])}
    rows = [{**r, 'output': None} for r in answered(task, [record], split_num=2)]
    if not rows: return
    def perfect(rows):
        for row in rows:
            r = read_row(row)
            gold = r.task.gold({r.task.key: r.label}, SCHEMAS[task])
            yield {**row, 'output': output(r.task, r.questions, gold, r.text)}
    def asked(rows):
        return sorted(repr(q) for row in rows for q in read_instruction(row['instruction'], TASKS[task])[1])
    for k in (1, 2):
        assert reordered(rows, k) == reordered(rows, k) and asked(reordered(rows, k)) == asked(rows)
    assert reordered(rows, 0) == rows
    if task == 'KG': return # an attribute of two types belongs to the first that is asked
    found = orders(rows, perfect, 3)
    counts = [c for r in found for s in r.scores for c in s.counts.values()]
    assert all(c.true_positives == c.predicted == c.gold for c in counts)
