"Scores of other tools on the same spans, where the definitions agree; and many mangled answers."
import json
import random

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from iepile_nb.evaluate import evaluate, why
from iepile_nb.tasks import TASKS
from test_evaluate import ANNOTATIONS, answered, bad_answer, junk

LABELS = 'abc'


def texts(seed=0, n=80):
    "(words, gold spans, predicted spans): spans of words, (label, first, last); every word is another, so strings are places."
    rng = random.Random(seed)
    for i in range(n):
        words = [f'w{i}x{j}' for j in range(12)]
        gold = [(rng.choice(LABELS), k, k + rng.randint(0, 2)) for k in (0, 4, 8) if rng.random() < .8]
        said = [(rng.choice(LABELS) if rng.random() < .3 else l, a, b if rng.random() < .7 else max(a, b - 1)) for l, a, b in gold if rng.random() < .8]
        yield words, gold, said + ([(rng.choice(LABELS), 11, 11)] if rng.random() < .3 and not any(b == 11 for _, _, b in said) else [])


def ours(cases, **kw):
    "The same as prediction rows, scored here."
    rows = []
    for words, gold, said in cases:
        string = lambda s: ' '.join(words[s[1]:s[2] + 1])
        record = {'text': ' '.join(words), 'entity': [{'entity': string(s), 'entity_type': s[0]} for s in gold]}
        answer = {l: [string(s) for s in said if s[0] == l] for l in LABELS}
        rows += answered('NER', [record], answers=[json.dumps(answer)])
    return evaluate(rows, **kw)


def bio(words, spans):
    tags = ['O'] * len(words)
    for l, a, b in spans: tags[a:b + 1] = [f'B-{l}', *[f'I-{l}'] * (b - a)]
    return tags


def test_seqeval_agrees():
    seqeval = pytest.importorskip('seqeval.metrics', reason='seqeval is not installed')
    cases = list(texts())
    gold, said = ([bio(c[0], c[i]) for c in cases] for i in (1, 2))
    result = ours(cases, sort_by='label')
    for name, score in (('precision', seqeval.precision_score), ('recall', seqeval.recall_score), ('f1', seqeval.f1_score)):
        assert result['total'][name] == pytest.approx(100 * score(gold, said))
    per = seqeval.classification_report(gold, said, output_dict=True)
    for l in LABELS: assert result[l]['f1'] == pytest.approx(100 * per[l]['f1-score'])
    from iepile_nb.scoring import macro
    assert macro(result.scores)['macro_f1'] == pytest.approx(100 * per['macro avg']['f1-score'])
    assert ours(cases, matching='offset')['total'] == result['total']


@pytest.mark.parametrize('matching', ['strict', 'partial'])
def test_nervaluate_agrees(matching):
    nervaluate = pytest.importorskip('nervaluate', reason='nervaluate is not installed')
    one = lambda spans: [('a', *s[1:]) for s in spans]  # its partial match looks at no label
    cases = [(w, one(g), one(s)) for w, g, s in texts(1)]
    spans = lambda i: [[{'label': l, 'start': a, 'end': b} for l, a, b in c[i]] for c in cases]
    theirs = nervaluate.Evaluator(spans(1), spans(2), tags=['a'], loader='dict').evaluate()['overall'][matching]
    total = ours(cases, matching=matching)['total']
    assert (total['precision'], total['recall']) == (pytest.approx(100 * theirs.precision), pytest.approx(100 * theirs.recall))


@pytest.mark.long
@settings(max_examples=5000, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_5000_mangled_answers(data):
    "Whatever a model writes: a score, kinds of errors, no crash."
    task = data.draw(st.sampled_from(list(TASKS)))
    record = {'text': 'X Y Z', TASKS[task].key: data.draw(ANNOTATIONS[task])}
    rows = answered(task, [record, {**record, 'text': 'Y'}], split_num=2)
    cut = lambda s: s[data.draw(st.integers(0, len(s))):][:data.draw(st.integers(0, len(s)))]
    rows = [{**r, 'output': data.draw(bad_answer) if data.draw(st.booleans()) else cut(r['output']) + data.draw(st.sampled_from(['', '}', '"]}', ']}', '{']))}
            for r in rows]
    rows += [{**r, 'output': json.dumps(data.draw(junk))} for r in rows[:1]]
    if not any(r['output'] is not None for r in rows): return
    for matching in ('strict', 'normalised', 'partial'):
        result = evaluate(rows, matching=matching)
        assert all(0 <= v for v in result['total'].values()) and str(result)
    str(result.errors()), result.errors().confusion_table(), result.intervals(10), str(why(rows))
    if task in ('NER', 'RE', 'EE', 'EEA'): evaluate(rows, rules='original')
