"Whatever a model writes: a score, kinds of errors, no crash."
import json

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from iepile_nb.evaluate import evaluate, why
from iepile_nb.tasks import TASKS
from helpers.prediction_rows import ANNOTATIONS, answered, bad_answer, junk


def mangled(answer, data):
    "A part of an answer, with an end that may not belong to it; or something else altogether."
    if data.draw(st.booleans()): return data.draw(bad_answer)
    part = answer[data.draw(st.integers(0, len(answer))):][:data.draw(st.integers(0, len(answer)))]
    return part + data.draw(st.sampled_from(['', '}', '"]}', ']}', '{']))


@pytest.mark.long
@settings(max_examples=5000, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_5000_mangled_answers(data):
    task = data.draw(st.sampled_from(list(TASKS)))
    record = {'text': 'X Y Z', TASKS[task].key: data.draw(ANNOTATIONS[task])}
    rows = [{**r, 'output': mangled(r['output'], data)}
            for r in answered(task, [record, {**record, 'text': 'Y'}], split_num=2)]
    rows += [{**r, 'output': json.dumps(data.draw(junk))} for r in rows[:1]]
    if not any(r['output'] is not None for r in rows): return
    for matching in ('strict', 'normalised', 'partial'):
        result = evaluate(rows, matching=matching)
        assert all(0 <= v for v in result['total'].values()) and str(result)
    str(result.errors()), result.errors().confusion_table(), result.intervals(10), str(why(rows))
    if task in ('NER', 'RE', 'EE', 'EEA'): evaluate(rows, rules='original')
