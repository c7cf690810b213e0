"Prediction files: what is read, what is repaired, what is told."
import json

import pytest

from iepile_nb.convert import convert
from iepile_nb.evaluate import evaluate, why
from iepile_nb.lib.answers import parse_answer
from iepile_nb.lib.io import UserError, write_jsonl
from helpers.prediction_rows import SCHEMAS, answered, entity, event, one


@pytest.mark.parametrize('frame', [
    '```json\n%s\n```', '```\n%s\n```', '%s\nI hope this helps', 'Sure: %s', '<think>{hm}</think>\n%s',
    'Here {is} it:\n```json\n%s\n```', 'Of {"a", "b"} and {it\'s: x}: %s', '%s Or {not}'])
def test_text_around_the_json_is_passed_over(frame):
    gold, answer = [entity('X')], frame % '{"a": ["X"], "b": [], "c": []}'
    assert one('NER', gold, answer) == {'n': 1, 'errors': 0, 'precision': 100, 'recall': 100, 'f1': 100}
    assert one('NER', gold, answer, rules='original') == {'总样本数': 1, '错误数': 1, 'P': 0, 'R': 0, 'F1': 0}


def test_no_object_is_taken_from_within_a_broken_one():
    for broken in ('{"a": [{"x": 1} {"y": 2}]}', '{"a" [{"x": 1}]}', "{'a': [{'b': {}} {}]}",
                   '{a: [{b: {}}]}',
                   '{no} object', '{x}' * 400_000):
        assert parse_answer(broken) == (None, 'broken JSON')
    for cut in ('{"a": [{"x": 1}, {"y', 'So {it} is: {"a": [{}, ', '{"a'):
        assert parse_answer(cut) == (None, 'cut off')


def test_one_bad_answer_kills_nothing():
    good = [entity('X')]
    assert one('EE', [event()], {'e': [{'trigger': '裁员', 'arguments': []}]})['event_f1'] == 100
    odd = {'e': [{'trigger': '裁员', 'arguments': {'who': [{'x': 1}]}}]}
    assert one('EE', [event()], odd, match_mode='set')['event_f1'] == 100
    assert one('EE', [event()], odd, match_mode='set', rules='original')['argument_P'] == 0
    kg = [{'head': 'X', 'relation': 'x', 'tail': 'Y'}]
    assert one('KG', kg, {'p': {'X': {'x': ['Y', [3]]}}})['f1'] == 100
    for deep in ('{"a":' * 20_000, '[' * 20_000, '{"a": %s1%s}' % ('[' * 20_000, ']' * 20_000)):
        rows = answered('NER', [{'text': 'X', 'entity': good}], answers=[deep])
        for rules in ('default', 'original'): evaluate(rows, rules=rules)


def test_rows_without_id_or_label(tmp_path):
    rows = answered('NER', [{'text': 'X', 'entity': [entity('X')]}])
    assert evaluate([{**r, 'id': 7} for r in rows])['total']['f1'] == 100
    bare = [{k: v for k, v in r.items() if k not in ('id', 'source', 'task')} for r in rows]
    assert evaluate(bare)['total']['f1'] == 100
    unlabelled = [{k: v for k, v in r.items() if k != 'label'} for r in rows]
    write_jsonl(tmp_path/'o.json', unlabelled)
    with pytest.raises(UserError, match="o.json:1: no 'label'"): evaluate(tmp_path/'o.json')
    write_jsonl(tmp_path/'o.json', rows + unlabelled)
    result = evaluate(tmp_path/'o.json')
    assert result['total']['n'] == 1
    assert "1 lines were skipped" in result.notes[0]
    assert "o.json:2: no 'label'" in result.notes[0]


def test_answers_that_cannot_be_read_are_told():
    record = {'text': 'X', 'relation': [{'head': 'X', 'relation': 'r', 'tail': 'Y'}]}
    answers = ['{"r": [{"subject": "X", "object": ["Y"]}]}', '{"s": [', 'nothing']
    result = evaluate(answered('RE', [record], answers=answers, split_num=1))
    assert (result['total']['n'], result['total']['errors']) == (1, 2)
    assert result.notes[0].startswith('2 of 3 answers cannot be read (cut off 1, no JSON object 1)')
    assert result.notes[1].startswith('1 part of answers with a wrong shape')


def test_missing_outputs_count_against_recall_but_a_test_file_is_refused():
    rows = answered('NER', [{'text': t, 'entity': [entity(t)]} for t in 'XY'])
    assert evaluate([rows[0], {**rows[1], 'output': None}])['total']['recall'] == 50
    unanswered = [{**r, 'output': None} for r in rows]
    with pytest.raises(UserError, match='this is a test file'): evaluate(unanswered)
    with pytest.raises(UserError, match='no rows'): evaluate([])


def test_a_shuffled_file_scores_as_an_ordered_one(tmp_path):
    import random
    records = [{'text': f'X {i % 30}', 'entity': [entity('X', 'abc'[i % 3])]} for i in range(60)]
    answers = ['{"a": ["X"]}', '{"b": []}', 'none'] * 60
    rows = [{**r, 'output': o} for r, o in zip(answered('NER', records, split_num=1), answers)]
    totals = []
    for i in range(3):
        write_jsonl(tmp_path/'p.json', rows)
        result = evaluate(tmp_path/'p.json')
        totals.append((result['total'], result.notes))
        assert result['total'] == evaluate(rows)['total']
        assert [t.counts for t in result.texts] == [s.counts for s in result.scores]
        assert evaluate(tmp_path/'p.json', rules='original')['total']['总样本数'] == 30
        random.Random(i).shuffle(rows)
    assert totals[0][0]['n'] == 60 and [t[0] for t in totals] == [totals[0][0]] * 3


def test_training_rows_with_predictions_beside_the_gold(tmp_path):
    record = {'text': 'X Y', 'entity': [entity('X'), entity('Y', 'b')]}
    train = convert([record], SCHEMAS['NER'], 'NER', 'en', split_num=1)
    rows = [{**r, 'predict': r['output'].replace('Y', 'Z')} for r in train]
    write_jsonl(tmp_path/'p.json', rows)
    for source in (rows, tmp_path/'p.json'):
        assert evaluate(source)['total'] == {'n': 1, 'errors': 0, 'precision': 50, 'recall': 50, 'f1': 50}


def test_one_json_array_and_instructions_written_otherwise(tmp_path):
    records = [{'text': '"input": "X", {}', 'entity': [entity('X')]}, {'text': 'Y', 'entity': []}]
    rows = answered('NER', records)
    rows[1]['instruction'] = rows[1]['instruction'].replace('"Y"', '"\\ud800"') # half a character
    for change in (lambda i: i, lambda i: json.dumps(json.loads(i)),
                   lambda i: json.dumps(json.loads(i), indent=1),
                   lambda i: json.dumps(json.loads(i) | {'example': [{'input': 'a', 'output': '{}'}]})):
        changed = [{**r, 'instruction': change(r['instruction'])} for r in rows]
        assert evaluate(changed)['total']['f1'] == 100
        (tmp_path/'p.json').write_text(json.dumps(changed))
        assert evaluate(tmp_path/'p.json')['total']['f1'] == 100


def test_texts_are_read_again_when_looked_at(tmp_path):
    records = [{'text': t, 'entity': [entity(t)]} for t in 'XYZ']
    write_jsonl(tmp_path/'p.json', answered('NER', records, split_num=1))
    result = evaluate(tmp_path/'p.json')
    assert [t.gold for t in result.texts] == [[('a', t)] for t in 'XYZ']
    assert result.texts[-1].rows[0].text == 'Z'
    assert [t.rows[0].text for t in result.texts[:2]] == ['X', 'Y']
    assert not any(hasattr(s, 'rows') for s in result.scores)


def asked_otherwise(rows, sentence='List what you see.', **more):
    "The rows with another first sentence, and without ids."
    for r in rows:
        inner = {**json.loads(r['instruction']), 'instruction': sentence, **more}
        inner = json.dumps(inner, ensure_ascii=False)
        yield {k: v for k, v in r.items() if k != 'id'} | {'instruction': inner}


def test_texts_are_told_apart_whatever_the_sentence_says():
    texts = 'Xa is', 'no Xa', 'Xa "is" \\ here'
    records = [{'text': t, 'entity': [entity('Xa')]} for t in texts]
    rows = answered('NER', records, split_num=1)
    for r in rows: r['label'] = r['output'] # the gold answer
    for i, r in enumerate(rows): r['output'] = '{"a": []}' if i % 2 else '{"a": ["Xa"]}'
    expected = evaluate(rows)['total']
    own = list(asked_otherwise(rows))
    assert expected['n'] == 3 and evaluate(own)['total'] == evaluate(rows)['total']
    assert evaluate([{**r, 'id': 'same'} for r in own])['total'] == expected
    assert evaluate(list(asked_otherwise(rows, example=[{'input': 'a'}])))['total'] == expected
    untold = [{k: v for k, v in r.items() if k != 'task'} for r in own]
    assert evaluate(untold, task='NER')['total'] == expected
    with pytest.raises(UserError, match='the task cannot be told'): evaluate(untold)


def test_rows_of_one_text_that_name_their_task_or_not():
    rows = answered('NER', [{'text': 'X Y', 'entity': [entity('X'), entity('Y', 'b')]}], split_num=1)
    rows[1] = {k: v for k, v in rows[1].items() if k != 'task'}
    rows[2] = {**rows[2], 'task': 'ner'}
    assert evaluate(rows)['total']['n'] == 1 and evaluate(rows)['total']['f1'] == 100


def test_annotations_that_nobody_asked_are_told():
    rows = answered('NER', [{'text': 'X Y', 'entity': [entity('X'), entity('Y', 'z'), entity('X', 'z')]}])
    result = evaluate(rows)
    assert result['total']['f1'] == 100
    told, = result.notes
    assert told.startswith('2 annotations under a label that was never asked: z; they are not in the score')
    assert 'never asked' in str(why(rows)) and 'Nothing is wrong' not in str(why(rows))
    rows = answered('EE', [{'text': 'X', 'event': [event(odd='X'), event(kind='z')]}])
    assert 'under labels that were never asked: e, odd 1, z 1;' in evaluate(rows).notes[0]
    kg = [{'head': 'X', 'relation': r, 'tail': 'Y', 'head_type': 'p'} for r in 'xv']
    assert 'p, v' in evaluate(answered('KG', [{'text': 'X Y', 'relation': kg}])).notes[0]
    assert not evaluate(answered('NER', [{'text': 'X', 'entity': [entity('X')]}])).notes


def test_what_is_said_about_repeats_is_true():
    twice = {'text': 'X X', 'entity': [entity('X'), entity('X')], 'event': [event(), event()]}
    said = '{"a": ["X", "X"], "b": [], "c": []}'
    result = evaluate(answered('NER', [twice], answers=[said]))
    assert result['total']['precision'] == 50 and 'must be annotated twice' not in result.rules
    assert evaluate(answered('EE', [twice]))['total']['event_precision'] == 100


def test_nan_in_a_field_that_nobody_reads(tmp_path):
    rows = answered('NER', [{'text': t, 'entity': [entity(t)]} for t in 'XY'])
    lines = [json.dumps({'score': float('nan'), 'w': [float('inf')], **r}) for r in rows]
    (tmp_path/'p.json').write_text('\n'.join(lines) + '\n{"a": NaN\n')
    result = evaluate(tmp_path/'p.json')
    assert result['total']['n'] == 2 and len(result.notes) == 1 and 'p.json:3' in result.notes[0]
    assert [t.rows[0].text for t in result.texts] == ['X', 'Y']


def test_files_of_other_tools(tmp_path):
    row = answered('NER', [{'text': 'X "Y" {', 'entity': [entity('X')]}])[0]
    prompt = f"system\n{{not this}}\nuser\n{row['instruction']}\nassistant\n"
    told = {'prompt': prompt, 'label': row['output'], 'predict': row['output']}
    assert evaluate([told])['total']['f1'] == 100
    write_jsonl(tmp_path/'p.json', [told, {**told, 'predict': ''}, {**told, 'label': row['label']}])
    assert evaluate(tmp_path/'p.json')['total'] | {'f1': 0} == {
        'n': 3, 'errors': 1, 'precision': 100, 'recall': pytest.approx(200 / 3), 'f1': 0}
    write_jsonl(tmp_path/'q.json', [{'prompt': 'Find X', 'predict': '', 'label': ''}])
    with pytest.raises(UserError, match="q.json:1: no 'instruction'.*the row has prompt, predict, label"):
        evaluate(tmp_path/'q.json')
