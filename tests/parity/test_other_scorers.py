"Scores of seqeval and nervaluate on the same spans, where the definitions agree."
import json
import random

import pytest

from iepile_nb.evaluate import evaluate
from iepile_nb.scoring import macro
from helpers.prediction_rows import answered

LABELS = 'abc'


def texts(seed=0, n=80):
    "(words, gold spans, predicted spans); spans are (label, first, last). All words differ."
    rng = random.Random(seed)
    for i in range(n):
        words = [f'w{i}x{j}' for j in range(12)]
        gold = [(rng.choice(LABELS), k, k + rng.randint(0, 2)) for k in (0, 4, 8) if rng.random() < .8]
        predicted = [predict(span, rng) for span in gold if rng.random() < .8]
        if rng.random() < .3 and not any(last == 11 for _, _, last in predicted):
            predicted.append((rng.choice(LABELS), 11, 11))
        yield words, gold, predicted


def predict(span, rng):
    "A span with another label or end, now and then."
    label, first, last = span
    if rng.random() < .3: label = rng.choice(LABELS)
    return label, first, last if rng.random() < .7 else max(first, last - 1)


def ours(cases, **kw):
    "The same as prediction rows, scored here."
    rows = []
    for words, gold, predicted in cases:
        def string(span): return ' '.join(words[span[1]:span[2] + 1])
        annotated = [{'entity': string(s), 'entity_type': s[0]} for s in gold]
        record = {'text': ' '.join(words), 'entity': annotated}
        answer = {l: [string(s) for s in predicted if s[0] == l] for l in LABELS}
        rows += answered('NER', [record], answers=[json.dumps(answer)])
    return evaluate(rows, **kw)


def bio(words, spans):
    "Spans as BIO tags."
    tags = ['O'] * len(words)
    for l, a, b in spans: tags[a:b + 1] = [f'B-{l}', *[f'I-{l}'] * (b - a)]
    return tags


def test_seqeval_agrees():
    seqeval = pytest.importorskip('seqeval.metrics', reason='seqeval is not installed')
    cases = list(texts())
    gold, predicted = ([bio(c[0], c[i]) for c in cases] for i in (1, 2))
    result = ours(cases, sort_by='label')
    scorers = {'precision': seqeval.precision_score, 'recall': seqeval.recall_score, 'f1': seqeval.f1_score}
    for name, score in scorers.items():
        assert result['total'][name] == pytest.approx(100 * score(gold, predicted))
    per = seqeval.classification_report(gold, predicted, output_dict=True)
    for l in LABELS: assert result[l]['f1'] == pytest.approx(100 * per[l]['f1-score'])
    assert macro(result.scores)['macro_f1'] == pytest.approx(100 * per['macro avg']['f1-score'])
    assert ours(cases, matching='offset')['total'] == result['total']


@pytest.mark.parametrize('matching', ['strict', 'partial'])
def test_nervaluate_agrees(matching):
    nervaluate = pytest.importorskip('nervaluate', reason='nervaluate is not installed')
    def unlabelled(spans): return [('a', *s[1:]) for s in spans] # its partial match looks at no label
    cases = [(words, unlabelled(gold), unlabelled(predicted)) for words, gold, predicted in texts(1)]
    def spans(i): return [[{'label': l, 'start': a, 'end': b} for l, a, b in c[i]] for c in cases]
    evaluator = nervaluate.Evaluator(spans(1), spans(2), tags=['a'], loader='dict')
    theirs = evaluator.evaluate()['overall'][matching]
    total = ours(cases, matching=matching)['total']
    assert total['precision'] == pytest.approx(100 * theirs.precision)
    assert total['recall'] == pytest.approx(100 * theirs.recall)
