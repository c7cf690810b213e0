"Every error has one kind, told as the score was made."
import json
import time

from iepile_nb.errors import classify_error
from iepile_nb.evaluate import evaluate
from iepile_nb.lib.io import write_jsonl
from iepile_nb.questions import Schema, encode
from iepile_nb.tasks import TASKS
from helpers.prediction_rows import SCHEMAS, answered, entity, event


def kinds(task, annotations, answer, **kw):
    rows = answered(task, [{'text': '公司 X 裁员 at Y by Z', TASKS[task].key: annotations}], split_num=-1)
    answer = answer if isinstance(answer, str) else encode(answer)
    rows = [{**r, 'output': answer} for r in rows]
    said = [e.kind for e in evaluate(rows, **kw).errors()]
    assert said == [e.kind for e in evaluate(rows).errors(**kw)]
    return said


def test_errors_are_told_as_the_score_was_made():
    "No score of 100 has errors, whatever the matching; and a repeat is none where repeats are dropped."
    ner = [entity('公司 X')]
    assert kinds('NER', ner, {'a': ['公司x']}, matching='normalised') == []
    found = kinds('NER', ner, {'a': ['公司x', 'AT', 'Mars']}, matching='normalised')
    assert found == ['invented', 'not in the text']
    assert kinds('NER', ner, {'a': ['公司 X', '公司 X']}) == ['repeated']
    assert kinds('NER', ner * 2, {'a': ['公司 X'] * 2}) == ['repeated']
    assert kinds('NER', ner, {'a': ['公司 X', '公司 X']}, match_mode='set') == []
    assert kinds('NER', ner, {'a': ['公司']}, matching='partial') == ['wrong boundary']
    assert kinds('EE', [event()], {'e': [{'trigger': '裁员', 'arguments': {}}] * 2}) == ['repeated']


def test_errors_of_places():
    record = {'text': 'X and X', 'entity': [entity('X', offset=[6, 7])]}
    def said(*answer, label='a'):
        row = {**answered('NER', [record])[0], 'label': record['entity'], 'output': encode({label: answer})}
        return [(e.kind, e.found) for e in evaluate([row], matching='offset').errors()]
    assert said('X') == [('wrong boundary', ('a', 'X'))]
    assert said('X', 'X', 'X') == [('repeated', ('a', 'X'))] * 2
    assert said('X', 'X', 'Q') == [('repeated', ('a', 'X')), ('not in the text', ('a', 'Q'))]
    assert said() == [('missed', None)]
    assert said('X', 'X', label='b') == [('wrong label', ('b', 'X'))] * 2


def test_every_kind_of_error():
    ner = [entity('公司 X')]
    assert kinds('NER', ner, {'a': ['公司 X']}) == []
    assert kinds('NER', ner, {'a': ['公司 X'], 'z': ['Y']}) == ['not asked']
    assert kinds('NER', ner, {'b': ['公司 X']}) == ['wrong label']
    assert kinds('NER', ner, {'a': ['公司 X'], 'b': ['公司 X']}) == ['wrong label']
    assert kinds('NER', ner, {'a': ['公司']}) == ['wrong boundary']
    assert kinds('NER', ner, {'a': ['公司 X', '公司 X', '公司', 'Y']}) == ['repeated', 'invented', 'invented']
    assert kinds('NER', ner, {'a': ['公司 X', 'Mars']}) == ['not in the text']
    assert kinds('NER', ner, {'a': []}) == ['missed'] and kinds('NER', ner, 'none') == ['invalid answer']
    assert kinds('NER', [entity('Ｘ')], {'a': ['x']}, matching='normalised') == []
    pair = [{'head': 'X', 'relation': 'r', 'tail': 'Y'}]
    assert kinds('RE', pair, {'r': [{'subject': 'Y', 'object': 'X'}]}) == ['swapped']
    assert kinds('RE', pair, {'s': [{'subject': 'X', 'object': 'Y'}]}) == ['wrong label']
    assert kinds('RE', pair, {'r': [{'subject': '公司 X', 'object': 'Y'}]}) == ['wrong boundary']
    trip = [event(who='Z', where='Y')]
    def answer(kind, **arguments): return {kind: [{'trigger': '裁员', 'arguments': arguments}]}
    assert kinds('EE', trip, answer('e', where='Y', when='Z')) == ['wrong role']
    assert kinds('EE', trip, answer('e', where='Y', who='Z', odd='X')) == ['not asked']
    assert sorted(kinds('EE', trip, answer('f'))) == ['missed', 'missed', 'wrong label']
    kg = [{'head': 'X', 'relation': 'x', 'tail': 'Y'}]
    assert kinds('KG', kg, {'p': {'X': {'y': 'Y'}}}) == ['wrong role']
    assert kinds('KG', kg, {'p': {'X': {'x': 'Z'}}}) == ['invented', 'missed']


def test_confusions_and_hard_negatives(tmp_path):
    records = [{'text': f'X {i}', 'entity': [entity('X')]} for i in range(6)]
    answers = ['{"a": ["X"]}', '{"b": ["X"]}', '{"b": ["X"]}', '{"c": ["X"]}', '{}', '{"a": ["X", "Q"]}']
    rows = answered('NER', records, answers=answers)
    write_jsonl(tmp_path/'p.json', rows)
    for source in (rows, tmp_path/'p.json'):
        result = evaluate(source)
        e = result.errors()
        assert e.confusion == {('a', 'a'): 2, ('a', 'b'): 2, ('a', 'c'): 1, ('a', '(missed)'): 1,
                               ('(not annotated)', 'a'): 1}
        assert (e.values, e.absent) == (6, 1)
        assert [e.line for e in e] == [2, 3, 4, 5, 6]
        assert 'Q' in str(e)
        assert '(missed)' in e.confusion_table()
        assert result.hard_negatives(SCHEMAS['NER'])['a'] == ['b', 'c']


def test_many_items_of_one_text_take_no_longer_each():
    "Errors are found by an index; they are those that comparing everything gives."
    def texts(n):
        words = [f'w{i}x v{i}' for i in range(n)]
        record = {'text': ' '.join(words), 'entity': [entity(w, f'l{i}') for i, w in enumerate(words)]}
        schema = Schema([f'l{i}' for i in range(n + 2)])
        said = {f'l{i + i % 3}': [w if i % 2 else w[:-1]] for i, w in enumerate(words)}
        return evaluate(answered('NER', [record], schema, [json.dumps(said)], -1))
    small, n = texts(60), 3000
    t = small.texts[0]
    gold, found = ([('', i) for i in side] for side in (t.gold, t.found))
    left = [c for c in found if c not in gold]
    free = [c for c in gold if c not in found]
    asked = {q.label: set() for q in t.rows[0].questions}
    expected = []
    for c in left:
        kind, g = classify_error(t.task, t.rows[0].text, asked, c, free, gold)
        if g in free: free.remove(g)
        expected.append((kind, c[1], g and g[1]))
    assert [(e.kind, e.found, e.gold) for e in small.errors() if e.found] == expected
    start = time.process_time()
    assert len(texts(n).errors()) >= n
    assert time.process_time() - start < 5
