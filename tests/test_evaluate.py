"Scoring: parity with the original, its defects, and what must hold for any answer."
import json

import pytest
from hypothesis import given, settings, strategies as st

from iepile_nb.convert import convert
from iepile_nb.lib.io import UserError, write_jsonl
from iepile_nb.scoring import macro
from iepile_nb.lib.predictions import read_row
from iepile_nb.certainty import compare_results, resampled
from iepile_nb.errors import ERROR_KINDS
from iepile_nb.evaluate import CHECKS, evaluate, orders, reordered, why
from iepile_nb.cli.eval import _parser, main
from iepile_nb.questions import Schema, encode, output
from iepile_nb.tasks import TASKS, read_instruction
from iepile_nb.lib.answers import parse_answer

EVENTS = Schema(['e', 'f'], {'e': ['who', 'where', 'when'], 'f': ['what']})
SCHEMAS = {'NER': Schema(['a', 'b', 'c']), 'EET': Schema(['e', 'f']), 'EE': EVENTS, 'EEA': EVENTS, 'RE': Schema(['r', 's', 't']),
           'SPO': Schema(['A_r_B', 'A_r_C', 'C_s_A'], {'A_r_B': ['A', 'r', 'B'], 'A_r_C': ['A', 'r', 'C'], 'C_s_A': ['C', 's', 'A']}),
           'KG': Schema(['p', 'q'], {'p': ['x', 'y', 'z'], 'q': ['z', 'w']})}


def answered(task, records, schema=None, answers=None, split_num=None, language='en'):
    "Prediction rows: the right answers, or the given ones."
    t, rows, schema = TASKS[task], [], schema or SCHEMAS[task]
    for record in records:
        gold = t.gold(record, schema)
        for row in convert([record], schema, task, language, 'test', split_num, source='src'):
            qs = read_instruction(row['instruction'], t)[1]
            rows.append({**row, 'output': output(t, qs, gold, record['text'])})
    return rows if answers is None else [{**r, 'output': a} for r, a in zip(rows, answers, strict=True)]


def one(task, annotations, answer, **kw):
    "The total of one record whose rows all get this answer."
    record = {'text': '公司 X 裁员 at Y by Z', TASKS[task].key: annotations}
    rows = answered(task, [record], split_num=-1)
    answer = answer if isinstance(answer, str) else encode(answer)
    return evaluate([{**r, 'output': answer} for r in rows], **kw)['total']


def event(kind='e', trigger='裁员', **args):
    return {'event_type': kind, 'event_trigger': trigger, 'arguments': [{'role': r, 'argument': a} for r, a in args.items()]}


# the original's scores ------------------------------------------------------------------------------------------

def test_original_scores_to_the_digit(shared):
    golden = json.loads((shared/'spec/golden_scores.json').read_text(encoding='utf-8'))
    assert len(golden) == 14
    for case, expected in golden.items():
        name, mode = case.split('|')
        path = shared/'data/predictions'/name
        got = evaluate(path, name.split('_')[0], 'original', mode, 'source')
        assert dict(got) == expected and list(got) == list(expected), case
        assert evaluate(path, rules='original', match_mode=mode)['total'] == expected['total'], case


def test_default_rules_and_why_on_real_predictions(shared):
    for path in (shared/'data/predictions').glob('*.json'):
        result = evaluate(path, sort_by='source')
        assert len(result) == 3 and 60 < min(v for k, v in result['total'].items() if k.endswith('f1')) < 100
        assert all(f.count <= f.of and f.advice for f in why(path))


@pytest.mark.parametrize('task', ['KG', 'SPO', 'EET'])
def test_no_original_rules_where_the_original_fails(task):
    record = {'text': 't', TASKS[task].key: []}
    with pytest.raises(UserError, match=f'the original cannot score {task}'): evaluate(answered(task, [record]), rules='original')


# the defects of the original (spec/defects.md) ------------------------------------------------------------------

def test_E2_E3_E4_every_task_can_be_scored():
    assert one('EET', [event()], {'e': ['裁员'], 'f': []})['f1'] == 100
    spo = {'head': 'X', 'head_type': 'A', 'relation': 'r', 'tail': 'Y', 'tail_type': 'B'}
    assert evaluate(answered('SPO', [{'text': 'X Y', 'relation': [spo]}]))['total']['f1'] == 100
    kg = [{'head': 'X', 'relation': 'x', 'tail': 'Y'}]
    assert evaluate(answered('KG', [{'text': 'X Y', 'relation': kg}]))['total']['f1'] == 100


def test_E5_E6_E7_arguments(tmp_path, capsys):
    write_jsonl(tmp_path/'o.json', answered('RE', [{'text': 'X', 'relation': []}]))
    with pytest.raises(SystemExit) as e: main([str(tmp_path/'o.json'), '--task', 'MRC'])
    assert e.value.code == 2
    assert main([str(tmp_path/'o.json'), '--task', 're']) == 0 and main([str(tmp_path/'o.json')]) == 0
    assert main([str(tmp_path/'o.json'), '--metrics_list', 'f1,rouge']) == 1
    assert "error: no metric 'f1,rouge'" in capsys.readouterr().err


def test_E8_head_and_tail_are_read():
    gold = [{'head': 'X', 'relation': 'r', 'tail': 'Y'}]
    assert one('RE', gold, {'r': [{'head': 'X', 'tail': 'Y'}]})['f1'] == 100
    assert one('RE', gold, {'r': [{'head': 'X', 'tail': 'Y'}]}, rules='original')['F1'] == 0
    assert one('RE', gold, {'r': [{'subject': 'X', 'object': 'Y'}]}, rules='original')['F1'] == 100


@pytest.mark.parametrize('frame', ['```json\n%s\n```', '```\n%s\n```', '%s\nI hope this helps', 'Sure: %s', '<think>{hm}</think>\n%s',
                                   'Here {is} it:\n```json\n%s\n```', 'Of {"a", "b"} and {it\'s: x}: %s', '%s Or {not}'])
def test_E9_E10_text_around_the_json(frame):
    gold, answer = [{'entity': 'X', 'entity_type': 'a'}], frame % '{"a": ["X"], "b": [], "c": []}'
    assert one('NER', gold, answer) == {'n': 1, 'errors': 0, 'precision': 100, 'recall': 100, 'f1': 100}
    assert one('NER', gold, answer, rules='original') == {'总样本数': 1, '错误数': 1, 'P': 0, 'R': 0, 'F1': 0}


def test_no_object_is_taken_from_within_a_broken_one():
    for broken in ('{"a": [{"x": 1} {"y": 2}]}', '{"a" [{"x": 1}]}', "{'a': [{'b': {}}]}", '{a: [{b: {}}]}', '{no} object', '{x}' * 400_000):
        assert parse_answer(broken) == (None, 'broken JSON')
    for cut in ('{"a": [{"x": 1}, {"y', 'So {it} is: {"a": [{}, ', '{"a'): assert parse_answer(cut) == (None, 'cut off')


def test_E11_no_trigger():
    answer = {'e': [{'trigger': 'NAN', 'arguments': {'who': 'Z', 'where': 'NAN', 'when': 'NAN'}}]}
    for trigger in ('', 'NAN', None): assert one('EE', [event(trigger=trigger, who='Z')], answer)['event_f1'] == 100


def test_E12_E13_E25_E27_one_bad_answer_kills_nothing():
    good = [{'entity': 'X', 'entity_type': 'a'}]
    assert one('EE', [event()], {'e': [{'trigger': '裁员', 'arguments': []}]})['event_f1'] == 100
    assert one('EE', [event()], {'e': [{'trigger': '裁员', 'arguments': {'who': [{'x': 1}]}}]}, match_mode='set')['event_f1'] == 100
    assert one('EE', [event()], {'e': [{'trigger': '裁员', 'arguments': {'who': [{'x': 1}]}}]}, match_mode='set',
               rules='original')['argument_P'] == 0
    kg = [{'head': 'X', 'relation': 'x', 'tail': 'Y'}]
    assert one('KG', kg, {'p': {'X': {'x': ['Y', 3]}}})['f1'] == 100
    for deep in ('{"a":' * 20_000, '[' * 20_000, '{"a": %s1%s}' % ('[' * 20_000, ']' * 20_000)):
        for rules in ('default', 'original'): evaluate(answered('NER', [{'text': 'X', 'entity': good}], answers=[deep]), rules=rules)


def test_E14_one_text_with_two_annotations():
    records = [{'text': 'X Y', 'entity': [{'entity': e, 'entity_type': 'a'}]} for e in 'XY']
    total = evaluate(answered('NER', records))['total']
    assert (total['n'], total['f1']) == (2, 100)
    assert evaluate(answered('NER', records), rules='original')['total']['总样本数'] == 1


def test_one_record_twice_in_any_order():
    record = {'text': 'X', 'entity': [{'entity': 'X', 'entity_type': 'a'}]}
    rows = answered('NER', [record], split_num=2)
    assert len(rows) == 1 or len(rows) == 2
    rows = answered('NER', [record], split_num=1)
    for order in (rows + rows, [r for r in rows for _ in 'xx']):
        total = evaluate(order)['total']
        assert (total['n'], total['f1']) == (2, 100)


def test_E16_E17_ids_and_labels(tmp_path):
    rows = answered('NER', [{'text': 'X', 'entity': [{'entity': 'X', 'entity_type': 'a'}]}])
    assert evaluate([{**r, 'id': 7} for r in rows])['total']['f1'] == 100
    assert evaluate([{k: v for k, v in r.items() if k not in ('id', 'source', 'task')} for r in rows])['total']['f1'] == 100
    unlabelled = [{k: v for k, v in r.items() if k != 'label'} for r in rows]
    write_jsonl(tmp_path/'o.json', unlabelled)
    with pytest.raises(UserError, match="o.json:1: no 'label'"): evaluate(tmp_path/'o.json')
    write_jsonl(tmp_path/'o.json', rows + unlabelled)
    result = evaluate(tmp_path/'o.json')
    assert result['total']['n'] == 1 and "1 lines were skipped" in result.notes[0] and "o.json:2: no 'label'" in result.notes[0]


def test_gold_answer_as_label():
    "Rows made from training data: no id, and the gold answer of each row stands in `label`."
    record = {'text': 'X Y', 'entity': [{'entity': 'X', 'entity_type': 'a'}, {'entity': 'Y', 'entity_type': 'b'}]}
    rows = [{**r, 'label': r['output']} for r in convert([record], SCHEMAS['NER'], 'NER', 'en', split_num=1)]
    assert len(rows) == 3 and evaluate(rows)['total'] == {'n': 1, 'errors': 0, 'precision': 100, 'recall': 100, 'f1': 100}
    assert evaluate([{**r, 'output': '{}'} for r in rows])['total']['recall'] == 0


@pytest.mark.parametrize('task, gold', [
    ('NER', {'a': ['X'], 'b': [], 'odd': ['Y']}), ('RE', {'r': [{'subject': 'X', 'object': 'Y'}], 'odd': [{'subject': 'X', 'object': 'Z'}]}),
    ('EE', {'e': [{'trigger': '裁员', 'arguments': {'who': 'Z', 'odd': 'Y'}}], 'odd': [{'trigger': 'Y', 'arguments': {}}]}),
    ('EEA', {'e': [{'who': 'Z', 'odd': 'Y'}], 'odd': [{'who': 'Z'}]}), ('EET', {'e': ['裁员'], 'odd': ['Y']}),
    ('KG', {'p': {'X': {'x': 'Y', 'odd': 'Z'}}, 'odd': {'X': {'x': 'Y'}}})])
def test_a_gold_answer_counts_as_far_as_it_was_asked(task, gold):
    "A label or role in the gold answer of a training row that its instruction does not ask is not missed."
    record = {'text': 'X Y Z 裁员', TASKS[task].key: [event(who='Z')] if task == 'EEA' else []}
    row = answered(task, [record], split_num=-1)[0]
    asked = {k: v for k, v in gold.items() if k != 'odd'}
    answer = json.loads(encode(asked).replace(', "odd": "Y"', '').replace(', "odd": "Z"', ''))
    result = evaluate([{**row, 'label': encode(gold), 'output': encode(answer)}])
    assert all(v == 100 for k, v in result['total'].items() if k.endswith(('precision', 'recall', 'f1'))), result
    assert not result.errors()
    missed = evaluate([{**row, 'label': encode(gold), 'output': '{}'}]).errors()
    assert missed and not any('odd' in e.gold for e in missed)


def test_E18_E23_errors_are_told():
    record = {'text': 'X', 'relation': [{'head': 'X', 'relation': 'r', 'tail': 'Y'}]}
    answers = ['{"r": [{"subject": "X", "object": ["Y"]}]}', '{"s": [', 'nothing']
    result = evaluate(answered('RE', [record], answers=answers, split_num=1))
    assert (result['total']['n'], result['total']['errors']) == (1, 2)
    assert result.notes[0].startswith('2 of 3 answers cannot be read (cut off 1, no JSON object 1)')
    assert result.notes[1].startswith('1 parts of answers have a wrong shape')


def test_E20_sort_by_any_field():
    rows = answered('NER', [{'text': t, 'entity': []} for t in 'XY'])
    rows[0]['lang'], rows[1]['lang'], rows[1]['source'] = 'zh', 'en', 'total'
    assert list(evaluate(rows, sort_by='task')) == ['total', 'NER'] and list(evaluate(rows, sort_by='lang')) == ['total', 'en', 'zh']
    assert list(evaluate(rows, sort_by='source')) == ['total', 'src', 'source total'] and len(evaluate(rows, sort_by='input')) == 3
    with pytest.raises(UserError, match="no row has a 'colour' to sort by"): evaluate(rows, sort_by='colour')


def test_E22_what_nobody_asked_is_not_missed():
    nothing = {'event_type': 'e', 'event_trigger': '', 'arguments': []}
    rows = answered('EE', [{'text': '裁员 Z', 'event': [event(who='Z', unknown_role='Z'), nothing, event('unknown_type')]}])
    total = evaluate(rows)['total']
    assert total['event_f1'] == total['argument_f1'] == 100
    assert evaluate(rows, rules='original')['total']['event_R'] < 50


# rules of our own -----------------------------------------------------------------------------------------------

def test_nan_counts_only_where_it_is_annotated():
    found = {'a': ['X', 'NAN', ''], 'b': [], 'c': []}
    assert one('NER', [{'entity': 'X', 'entity_type': 'a'}], found)['f1'] == 100
    gold = [{'entity': 'X', 'entity_type': 'a'}, {'entity': 'NAN', 'entity_type': 'a'}]
    assert one('NER', gold, found)['f1'] == 100
    assert one('NER', gold, {'a': ['X']})['recall'] == 50


def test_repeats():
    gold = [{'entity': 'X', 'entity_type': 'a'}] * 2
    assert one('NER', gold, {'a': ['X']})['f1'] == 100
    assert one('NER', gold, {'a': ['X', 'X']})['precision'] == 50
    assert one('NER', gold, {'a': ['X', 'X']}, match_mode='set')['precision'] == 100
    assert one('EE', [event(), event()], {'e': [{'trigger': '裁员', 'arguments': {}}]})['event_recall'] == 50


def test_two_types_with_one_predicate():
    spo = [{'head': 'X', 'head_type': 'A', 'relation': 'r', 'tail': 'Y', 'tail_type': t} for t in 'B']
    rows = answered('SPO', [{'text': 'X Y', 'relation': spo}])
    assert evaluate(rows)['total'] == {'n': 1, 'errors': 0, 'precision': 100, 'recall': 100, 'f1': 100}
    turned = [{**r, 'output': o['output']} for r, o in zip(rows, rows[::-1])]
    assert evaluate(turned)['total']['f1'] == 0


def test_events_and_arguments_are_counted_apart():
    answer = {'e': [{'trigger': 'wrong', 'arguments': {'who': 'Z', 'where': 'NAN', 'when': ['X', 'Y']}}]}
    total = one('EE', [event(who='Z', when='Y')], answer)
    assert (total['event_f1'], total['argument_recall'], round(total['argument_precision'], 2)) == (0, 100, 66.67)


def test_missing_outputs_count_against_recall_but_a_test_file_is_refused():
    rows = answered('NER', [{'text': t, 'entity': [{'entity': t, 'entity_type': 'a'}]} for t in 'XY'])
    assert evaluate([rows[0], {**rows[1], 'output': None}])['total']['recall'] == 50
    with pytest.raises(UserError, match='this is a test file'): evaluate([{**r, 'output': None} for r in rows])
    with pytest.raises(UserError, match='no rows'): evaluate([])


# how equal strings must be --------------------------------------------------------------------------------------

def test_normalised_forgives_case_blanks_and_width_but_no_label():
    gold = [{'entity': 'Ｘ Labs', 'entity_type': 'a'}]
    assert one('NER', gold, {'a': ['x  labs']})['f1'] == 0
    assert one('NER', gold, {'a': ['x  labs']}, matching='normalised')['f1'] == 100
    assert one('NER', gold, {'A': ['x labs'], 'b': ['x labs']}, matching='normalised')['f1'] == 0
    assert one('EE', [event(who='Ｚ')], {'e': [{'trigger': '裁 员', 'arguments': {'who': 'z'}}]}, matching='normalised')['argument_f1'] == 100
    assert one('EE', [event(who='Z')], {'e': [{'trigger': '裁员', 'arguments': {'WHO': 'Z'}}]}, matching='normalised')['argument_f1'] == 0


def test_partial_is_half_right_and_matches_once():
    gold = [{'entity': '公司 X', 'entity_type': 'a'}]
    total = one('NER', gold, {'a': ['公司']}, matching='partial')
    assert (total['precision'], total['recall'], total['f1']) == (50, 50, 50)
    assert one('NER', gold, {'a': ['公司', 'X 裁员']}, matching='partial')['precision'] == 25
    assert one('NER', gold, {'a': ['公司 X', 'X']}, matching='partial')['precision'] == 50
    assert one('NER', gold, {'a': ['Z']}, matching='partial')['f1'] == 0 and one('NER', gold, {'b': ['公司']}, matching='partial')['f1'] == 0
    pair = [{'head': '公司 X', 'relation': 'r', 'tail': 'Y'}]
    assert one('RE', pair, {'r': [{'subject': 'X', 'object': 'Y'}]}, matching='partial')['f1'] == 50
    assert one('RE', pair, {'r': [{'subject': 'X', 'object': 'Z'}]}, matching='partial')['f1'] == 0


def test_offsets_tell_mentions_apart():
    record = {'text': 'X and X', 'entity': [{'entity': 'X', 'entity_type': 'a', 'offset': [6, 7]}]}
    rows = answered('NER', [record])
    assert evaluate(rows)['total']['f1'] == 100 and evaluate(rows, matching='offset')['total']['f1'] == 0
    record['entity'] += [{'entity': 'X', 'entity_type': 'a', 'start': 0, 'end': 1}]
    rows = [{**rows[0], 'label': record['entity'], 'output': '{"a": ["X", "X"]}'}] # the conversion keeps one of equal mentions
    assert evaluate(rows, matching='offset')['total']['f1'] == 100 and evaluate(rows[:1])['total']['precision'] == 50
    assert evaluate(answered('NER', [{'text': 'X', 'entity': [{'entity': 'X', 'entity_type': 'a'}]}]), matching='offset')['total']['f1'] == 100
    with pytest.raises(UserError, match='entities and triggers'): evaluate(answered('RE', [{'text': 'X', 'relation': []}]), matching='offset')
    with pytest.raises(UserError, match='no matching'): evaluate(rows, matching='loose')
    with pytest.raises(UserError, match='matches strictly'): evaluate(rows, matching='partial', rules='original')
    for by in ('label', 'language', 'length'):
        with pytest.raises(UserError, match=f'the original knows no {by}'): evaluate(rows, rules='original', sort_by=by)


# groups ---------------------------------------------------------------------------------------------------------

def test_groups_by_label_language_and_length_and_the_macro_average():
    records = [{'text': 'X' * n, 'entity': [{'entity': 'X', 'entity_type': l}]} for n, l in ((40, 'a'), (120, 'a'), (900, 'b'))]
    rows = answered('NER', records[:2]) + answered('NER', records[2:], language='zh', answers=['{"c": ["X"]}'])
    assert list(evaluate(rows, sort_by='language')) == ['total', 'en', 'zh']
    assert list(evaluate(rows, sort_by='length')) == ['total', '  0-49', '100-199', '800+']
    result = evaluate(rows, sort_by='label')
    assert {l: (d['n'], d['f1']) for l, d in result.items() if l != 'total'} == {'a': (2, 100), 'b': (1, 0), 'c': (0, 0)}
    assert macro(result.scores) == {'labels': 3, 'macro_f1': pytest.approx(100 / 3)}


def test_no_group_takes_the_place_of_another_score(tmp_path):
    names = ['total', 'notes', 'macro', 'label total', 'a']
    records = [{'text': 'X', 'entity': [{'entity': 'X', 'entity_type': l}]} for l in names]
    rows = answered('NER', records, Schema(names), answers=['{"total": []}', *['{"notes": ["X"], "macro": ["X"], "label total": ["X"], "a": ["X"]}'] * 4], split_num=-1)
    result = evaluate(rows, sort_by='label')
    assert set(result) == {'total', 'label label total', 'label notes', 'label macro', 'label total', 'a'}
    assert result['total'] == evaluate(rows)['total'] and result['label label total']['f1'] == 0 < result['label total']['f1']
    write_jsonl(tmp_path/'p.json', [{**r, 'source': s} for r, s in zip(rows, ['rules', 'intervals'] * 3)])
    assert main([str(tmp_path/'p.json'), '--sort_by', 'source', '--output', str(tmp_path/'o.json')]) == 0
    saved = json.loads((tmp_path/'o.json').read_text())
    assert list(saved)[:3] == ['total', 'source intervals', 'source rules'] and saved['rules'].startswith('Default') and 'n' not in saved['intervals']


# files ----------------------------------------------------------------------------------------------------------

def test_a_shuffled_file_scores_as_an_ordered_one(tmp_path):
    import random
    records = [{'text': f'X {i % 30}', 'entity': [{'entity': 'X', 'entity_type': 'abc'[i % 3]}]} for i in range(60)]
    rows = [{**r, 'output': o} for r, o in zip(answered('NER', records, split_num=1), ['{"a": ["X"]}', '{"b": []}', 'none'] * 60)]
    totals = []
    for i in range(3):
        write_jsonl(tmp_path/'p.json', rows)
        result = evaluate(tmp_path/'p.json')
        totals.append((result['total'], result.notes))
        assert result['total'] == evaluate(rows)['total'] and [t.counts for t in result.texts] == [s.counts for s in result.scores]
        assert evaluate(tmp_path/'p.json', rules='original')['total']['总样本数'] == 30
        random.Random(i).shuffle(rows)
    assert totals[0][0]['n'] == 60 and [t[0] for t in totals] == [totals[0][0]] * 3


def test_training_rows_with_predictions_beside_the_gold(tmp_path):
    record = {'text': 'X Y', 'entity': [{'entity': 'X', 'entity_type': 'a'}, {'entity': 'Y', 'entity_type': 'b'}]}
    rows = [{**r, 'predict': r['output'].replace('Y', 'Z')} for r in convert([record], SCHEMAS['NER'], 'NER', 'en', split_num=1)]
    write_jsonl(tmp_path/'p.json', rows)
    for source in (rows, tmp_path/'p.json'): assert evaluate(source)['total'] == {'n': 1, 'errors': 0, 'precision': 50, 'recall': 50, 'f1': 50}


def test_one_json_array_and_instructions_written_otherwise(tmp_path):
    rows = answered('NER', [{'text': '"input": "X", {}', 'entity': [{'entity': 'X', 'entity_type': 'a'}]}, {'text': 'Y', 'entity': []}])
    rows[1]['instruction'] = rows[1]['instruction'].replace('"Y"', '"\\ud800"') # half a character
    for change in (lambda i: i, lambda i: json.dumps(json.loads(i)), lambda i: json.dumps(json.loads(i), indent=1),
                   lambda i: json.dumps(json.loads(i) | {'example': [{'input': 'a', 'output': '{}'}]})):
        changed = [{**r, 'instruction': change(r['instruction'])} for r in rows]
        assert evaluate(changed)['total']['f1'] == 100
        (tmp_path/'p.json').write_text(json.dumps(changed))
        assert evaluate(tmp_path/'p.json')['total']['f1'] == 100


def test_texts_are_read_again_when_looked_at(tmp_path):
    write_jsonl(tmp_path/'p.json', answered('NER', [{'text': t, 'entity': [{'entity': t, 'entity_type': 'a'}]} for t in 'XYZ'], split_num=1))
    result = evaluate(tmp_path/'p.json')
    assert [t.gold for t in result.texts] == [[('a', t)] for t in 'XYZ'] and result.texts[-1].rows[0].text == 'Z'
    assert [t.rows[0].text for t in result.texts[:2]] == ['X', 'Y'] and not any(hasattr(s, 'rows') for s in result.scores)


# certainty ------------------------------------------------------------------------------------------------------

def half_right(n, right, task='NER'):
    "n texts with one entity each; those in `right` are answered right."
    records = [{'text': f'X {i}', 'entity': [{'entity': 'X', 'entity_type': 'a'}]} for i in range(n)]
    return evaluate(answered(task, records, answers=['{"a": ["X"]}' if i in right else '{"a": ["Y"]}' for i in range(n)]))


def test_intervals_are_those_of_drawing_texts_one_by_one():
    import numpy as np
    result, rng = half_right(60, range(36)), np.random.default_rng(1)
    low, high = result.intervals(draws=20_000)['f1']
    slow = np.percentile([100 * (rng.integers(0, 60, 60) < 36).mean() for _ in range(20_000)], [2.5, 97.5])
    assert abs(low - slow[0]) < 1.7 and abs(high - slow[1]) < 1.7 and low < 60 < high
    assert result.intervals() == result.intervals() != result.intervals(seed=1)
    assert half_right(5, range(5)).intervals()['f1'] == (100, 100)


def test_the_two_ways_to_draw_agree():
    import numpy as np
    x = np.arange(300.).reshape(100, 3)
    many = np.concatenate([x] * 8)
    for a in (x, many):
        sums = resampled(a, 4000, np.random.default_rng(0))
        assert np.array_equal(sums, resampled(a, 4000, np.random.default_rng(0), block=500))
        assert sums.shape == (4000, 3)
        assert np.allclose(sums.mean(0), a.sum(0), rtol=.01) and np.allclose(sums.std(0), a.std(0) * len(a) ** .5, rtol=.06)


def test_a_difference_and_chance():
    worse, better = half_right(100, range(40)), half_right(100, range(70))
    d = {d.score: d for d in compare_results(better, worse, draws=2000)}['f1']
    assert (round(d.difference), d.n) == (30, 100) and 20 < d.low < 30 < d.high < 41 and d.p < .001
    same = compare_results(worse, half_right(100, range(60, 100)), draws=2000)[-1]
    assert same.difference == 0 and same.p == 1 and same.low < 0 < same.high
    slight = compare_results(half_right(100, range(41)), worse, draws=2000)[-1]
    assert slight.p > .9
    assert compare_results(worse, half_right(60, range(40)))[-1].n == 60
    with pytest.raises(UserError, match='no text in common'):
        compare_results(worse, evaluate(answered('NER', [{'text': 'other', 'entity': []}])))


def test_the_exact_p_of_a_small_case():
    "Three texts that only the first model gets right: all 8 exchanges have a difference as large in 2 cases."
    d = compare_results(half_right(3, range(3)), half_right(3, []), draws=20_000)[-1]
    assert abs(d.p - .25) < .02


# any answer -----------------------------------------------------------------------------------------------------

value = st.sampled_from(['X', 'Y', 'Z', '公司', 'NAN', '', 'a b', '"', '\\n', '\u2028'])
args = st.lists(st.fixed_dictionaries({'role': st.sampled_from(['who', 'where', 'when', 'what', 'odd']), 'argument': value}), max_size=4)
events = st.lists(st.fixed_dictionaries({'event_type': st.sampled_from(['e', 'f', 'odd']), 'event_trigger': value, 'arguments': args}),
                  max_size=4)
typed = st.builds(lambda h, t, label: {'head': h, 'tail': t, **dict(zip(('head_type', 'relation', 'tail_type'), label))},
                  value, value, st.sampled_from([*SCHEMAS['SPO'].parts.values(), ['Z', 'r', 'Z']]))
ANNOTATIONS = {
    'NER': st.lists(st.fixed_dictionaries({'entity': value, 'entity_type': st.sampled_from(['a', 'b', 'c', 'odd'])}), max_size=6),
    'RE': st.lists(st.fixed_dictionaries({'head': value, 'relation': st.sampled_from(['r', 's', 't', 'odd']), 'tail': value}), max_size=6),
    'SPO': st.lists(typed, max_size=6), 'EE': events, 'EEA': events, 'EET': events,
    'KG': st.lists(st.fixed_dictionaries({'head': value, 'relation': st.sampled_from(['x', 'y', 'z', 'w', 'odd']), 'tail': value},
                                         optional={'head_type': st.sampled_from(['p', 'q', 'odd'])}), max_size=6)}


@pytest.mark.parametrize('task', TASKS)
@settings(max_examples=60)
@given(data=st.data())
def test_perfect_answers_score_100(task, data):
    records = [{'text': data.draw(st.sampled_from(['X Y Z', '公司 Y', ''])), TASKS[task].key: data.draw(ANNOTATIONS[task])}
               for _ in range(data.draw(st.integers(1, 3)))]
    rows = answered(task, records, split_num=data.draw(st.sampled_from([1, 2, 3, 4, -1])), language=data.draw(st.sampled_from(['zh', 'en'])))
    if not rows: return
    if task != 'KG': rows = data.draw(st.permutations(rows)) # an attribute of two types belongs to the first that is asked
    result = evaluate(rows, match_mode=data.draw(st.sampled_from(['normal', 'set'])))
    counts = [c for t in result.texts for c in t.counts.values()]
    assert all(c.true_positives == c.predicted == c.gold for c in counts), [(t.gold, t.found) for t in result.texts]
    assert result['total']['errors'] == 0


junk = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.sampled_from(['X', 'NAN', '']),
                    lambda x: st.lists(x, max_size=3) | st.dictionaries(
                        st.sampled_from(['a', 'e', 'r', 'p', 'trigger', 'arguments', 'subject', 'head', 'object', 'who', 'x']) | st.text(max_size=2),
                        x, max_size=4), max_leaves=12)
bad_answer = st.none() | st.text(max_size=20) | junk | junk.map(json.dumps) | junk.map(lambda x: '```json\n' + json.dumps(x)[:-1])


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
        if task in ('NER', 'RE', 'EE', 'EEA'): str(evaluate(rows, rules='original', match_mode=mode)).encode('utf-8')
    str(why(rows)).encode('utf-8')


# kinds of errors ------------------------------------------------------------------------------------------------

def kinds(task, annotations, answer, **kw):
    rows = answered(task, [{'text': '公司 X 裁员 at Y by Z', TASKS[task].key: annotations}], split_num=-1)
    answer = answer if isinstance(answer, str) else encode(answer)
    rows = [{**r, 'output': answer} for r in rows]
    said = [e.kind for e in evaluate(rows, **kw).errors()]
    assert said == [e.kind for e in evaluate(rows).errors(**kw)]
    return said


def test_errors_are_told_as_the_score_was_made():
    "No score of 100 has errors, whatever the matching; and a repeat is none where repeats are dropped."
    ner = [{'entity': '公司 X', 'entity_type': 'a'}]
    assert kinds('NER', ner, {'a': ['公司x']}, matching='normalised') == []
    assert kinds('NER', ner, {'a': ['公司x', 'AT', 'Mars']}, matching='normalised') == ['invented', 'not in the text']
    assert kinds('NER', ner, {'a': ['公司 X', '公司 X']}) == ['repeated'] and kinds('NER', ner * 2, {'a': ['公司 X'] * 2}) == ['repeated']
    assert kinds('NER', ner, {'a': ['公司 X', '公司 X']}, match_mode='set') == []
    assert kinds('NER', ner, {'a': ['公司']}, matching='partial') == ['wrong boundary']
    assert kinds('EE', [event()], {'e': [{'trigger': '裁员', 'arguments': {}}] * 2}) == ['repeated']


def test_errors_of_places():
    record = {'text': 'X and X', 'entity': [{'entity': 'X', 'entity_type': 'a', 'offset': [6, 7]}]}
    said = lambda *answer, label='a': [(e.kind, e.found) for e in evaluate(
        [{**answered('NER', [record])[0], 'label': record['entity'], 'output': encode({label: answer})}], matching='offset').errors()]
    assert said('X') == [('wrong boundary', ('a', 'X'))] and said('X', 'X', 'X') == [('repeated', ('a', 'X'))] * 2
    assert said('X', 'X', 'Q') == [('repeated', ('a', 'X')), ('not in the text', ('a', 'Q'))] and said() == [('missed', None)]
    assert said('X', 'X', label='b') == [('wrong label', ('b', 'X'))] * 2


def test_every_kind_of_error():
    ner = [{'entity': '公司 X', 'entity_type': 'a'}]
    assert kinds('NER', ner, {'a': ['公司 X']}) == []
    assert kinds('NER', ner, {'a': ['公司 X'], 'z': ['Y']}) == ['not asked']
    assert kinds('NER', ner, {'b': ['公司 X']}) == ['wrong label']
    assert kinds('NER', ner, {'a': ['公司 X'], 'b': ['公司 X']}) == ['wrong label']
    assert kinds('NER', ner, {'a': ['公司']}) == ['wrong boundary']
    assert kinds('NER', ner, {'a': ['公司 X', '公司 X', '公司', 'Y']}) == ['repeated', 'invented', 'invented']
    assert kinds('NER', ner, {'a': ['公司 X', 'Mars']}) == ['not in the text']
    assert kinds('NER', ner, {'a': []}) == ['missed'] and kinds('NER', ner, 'none') == ['invalid answer']
    assert kinds('NER', [{'entity': 'Ｘ', 'entity_type': 'a'}], {'a': ['x']}, matching='normalised') == []
    pair = [{'head': 'X', 'relation': 'r', 'tail': 'Y'}]
    assert kinds('RE', pair, {'r': [{'subject': 'Y', 'object': 'X'}]}) == ['swapped']
    assert kinds('RE', pair, {'s': [{'subject': 'X', 'object': 'Y'}]}) == ['wrong label']
    assert kinds('RE', pair, {'r': [{'subject': '公司 X', 'object': 'Y'}]}) == ['wrong boundary']
    trip = [event(who='Z', where='Y')]
    assert kinds('EE', trip, {'e': [{'trigger': '裁员', 'arguments': {'where': 'Y', 'when': 'Z'}}]}) == ['wrong role']
    assert kinds('EE', trip, {'e': [{'trigger': '裁员', 'arguments': {'where': 'Y', 'who': 'Z', 'odd': 'X'}}]}) == ['not asked']
    assert sorted(kinds('EE', trip, {'f': [{'trigger': '裁员', 'arguments': {}}]})) == ['missed', 'missed', 'wrong label']
    kg = [{'head': 'X', 'relation': 'x', 'tail': 'Y'}]
    assert kinds('KG', kg, {'p': {'X': {'y': 'Y'}}}) == ['wrong role'] and kinds('KG', kg, {'p': {'X': {'x': 'Z'}}}) == ['invented', 'missed']


def test_confusions_and_hard_negatives(tmp_path):
    records = [{'text': f'X {i}', 'entity': [{'entity': 'X', 'entity_type': 'a'}]} for i in range(6)]
    rows = answered('NER', records, answers=['{"a": ["X"]}', '{"b": ["X"]}', '{"b": ["X"]}', '{"c": ["X"]}', '{}', '{"a": ["X", "Q"]}'])
    write_jsonl(tmp_path/'p.json', rows)
    for source in (rows, tmp_path/'p.json'):
        result = evaluate(source)
        e = result.errors()
        assert e.confusion == {('a', 'a'): 2, ('a', 'b'): 2, ('a', 'c'): 1, ('a', '(missed)'): 1, ('(not annotated)', 'a'): 1}
        assert (e.values, e.absent) == (6, 1) and [e.line for e in e] == [2, 3, 4, 5, 6] and 'Q' in str(e) and '(missed)' in e.confusion_table()
        assert result.hard_negatives(SCHEMAS['NER'])['a'] == ['b', 'c']


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
    assert sum(x.found is None for x in e) <= gold - right and {x.kind for x in e} <= set(ERROR_KINDS) and str(e)


# orders ---------------------------------------------------------------------------------------------------------

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
            schema = Schema([q.label for q in r.questions], {q.label: list(q.parts) for q in r.questions})
            yield {**row, 'output': output(r.task, r.questions, r.task.gold({r.task.key: r.label}, SCHEMAS[task]), r.text)}
    asked = lambda rows: sorted(repr(q) for row in rows for q in read_instruction(row['instruction'], TASKS[task])[1])
    for k in (1, 2): assert reordered(rows, k) == reordered(rows, k) and asked(reordered(rows, k)) == asked(rows)
    assert reordered(rows, 0) == rows
    if task == 'KG': return # an attribute of two types belongs to the first that is asked
    found = orders(rows, perfect, 3)
    assert all(c.true_positives == c.predicted == c.gold for r in found for s in r.scores for c in s.counts.values())


def test_orders_have_mean_spread_and_swaps():
    pair = [{'head': 'X', 'relation': l, 'tail': 'Y'} for l in 'rs']
    rows = [{**r, 'output': None} for i in range(8) for r in answered('RE', [{'text': f'X Y {i}', 'relation': pair}], split_num=2)]
    def turned(rows): # the first label asked is answered the wrong way round
        for row in rows:
            r = read_row(row)
            said = {q.label: [{'subject': 'YX'[bool(k)], 'object': 'XY'[bool(k)]}] if q.label in 'rs' else [] for k, q in enumerate(r.questions)}
            yield {**row, 'output': encode(said)}
    found = orders(rows, turned, 4)
    assert len(found) == 4 and len(set(found.f1())) > 1 and all(0 < s <= 100 for s in found.swaps)
    table = str(found)
    assert f'{max(found.f1()):.2f}' in table and 'spread' in table and 'swapped' in table
    changed = [{**rows[0], 'instruction': rows[0]['instruction'].replace('You are', 'Be')}]
    with pytest.raises(UserError, match='none of IEPile'): reordered(changed, 1)


# why ------------------------------------------------------------------------------------------------------------

def causes(rows, **kw): return ' | '.join(f.cause for f in why(rows, **kw))


def test_why_names_each_cause():
    texts = ['Ann likes Oslo', 'Bob likes Rome', 'Cyd likes Kyiv']
    records = [{'text': t, 'entity': [{'entity': w, 'entity_type': l} for w, l in zip(t.split()[::2], 'ab')]} for t in texts]
    rows = answered('NER', records)
    assert str(why(rows)).startswith('Nothing is wrong') and str(why(rows[:1])).startswith('Nothing is wrong')
    assert str(why([rows[0], {**rows[1], 'output': '{"a": []}'}])).startswith('No known cause')
    assert 'cut off' in causes([{**r, 'output': r['output'][:-3]} for r in rows])
    assert 'empty' in causes([{**rows[0], 'output': ''}])
    assert 'code fence' in causes([{**r, 'output': f"```json\n{r['output']}\n```"} for r in rows])
    assert 'repeat the prompt' in causes([{**rows[0], 'output': rows[0]['instruction']}])
    assert 'not asked' in causes([{**rows[0], 'output': '{"person": ["Ann"]}'}])
    assert 'only in case' in causes([{**rows[0], 'output': '{"a": ["ANN."]}'}])
    assert 'name nothing' in causes([{**r, 'output': '{"a": []}'} for r in rows])
    assert 'wrong shape' in causes([{**rows[0], 'output': '{"a": "Ann"}'}])
    assert 'stands twice' in causes([{**rows[0], 'output': '{"a": ["Ann"], "a": []}'}]) and 'twice' not in causes(rows)
    slipped = [{**r, 'output': o['output']} for r, o in zip(rows, rows[1:] + rows[:1])]
    assert 'the text does not contain' in causes(slipped) and 'before or after' in causes(slipped)
    moved = [{**r, 'label': o['label'], 'id': o['id']} for r, o in zip(rows, rows[1:])]
    assert 'annotated strings that the text does not contain' in causes(moved) and 'ids that belong' in causes(moved)
    assert 'nothing to find' in causes([{**r, 'label': '[]'} for r in rows])
    foreign = [{**r, 'label': r['label'].replace('"a"', '"o"').replace('"b"', '"p"')} for r in rows]
    assert 'under labels that were not asked' in causes(foreign)
    assert 'lines that cannot be scored' in causes(rows + [{'instruction': '{'}])
    events = answered('EET', [{'text': '裁员', 'event': [event()]}])
    assert 'rows of another task' in causes([{k: v for k, v in r.items() if k != 'task'} | {'label': r['output']} for r in events], task='NER')
    gold = [{'head': 'Ann', 'relation': 'r', 'tail': 'Oslo'}]
    assert 'head and tail' in causes(answered('RE', [{'text': texts[0], 'relation': gold}], answers=['{"r": [{"head": "Ann", "tail": "Oslo"}]}']))


def test_why_examples_point_to_lines(tmp_path):
    rows = answered('NER', [{'text': f'{t} x', 'entity': [{'entity': t, 'entity_type': 'a'}]} for t in ('X', 'Y', 'Z')])
    rows[1]['output'] = 'none'
    write_jsonl(tmp_path/'p.json', rows)
    found = why(tmp_path/'p.json')
    assert len(found) == 1 and found[0].example == 'line 2: none' and (found[0].count, found[0].of) == (1, 3)
    assert len(CHECKS) == 13


# the command ----------------------------------------------------------------------------------------------------

def test_command(tmp_path, capsys, caplog):
    rows = answered('NER', [{'text': t, 'entity': [{'entity': t, 'entity_type': 'a'}]} for t in ('X', '公司')])
    path = tmp_path/'results'/'out.json'
    write_jsonl(path, rows)
    path.write_bytes(path.read_bytes() + b'{"broken": \n')
    assert main(['--path1', str(path), '--task', 'NER', '--sort_by', 'source', '--language', 'zh', '--NAN', 'NAN', '--prefix', 'x']) == 0
    out = capsys.readouterr().out
    assert '| total | 2 | 0      | 100.00 | 100.00 | 100.00 |' in out and 'out.json:3: broken JSON' in out
    assert [r.getMessage().split()[0] for r in caplog.records] == ['--language', '--NAN', '--prefix']
    scores = json.loads((path.parent/'output_msg'/'out.json').read_text(encoding='utf-8'))
    assert scores['total'] == scores['src'] == {'n': 2, 'errors': 0, 'precision': 100, 'recall': 100, 'f1': 100}
    assert scores['intervals']['f1'] == [100, 100] and scores['macro'] == {'labels': 1, 'macro_f1': 100}
    assert scores['rules'].startswith('Default rules') and len(scores['notes']) == 1
    assert main([str(path), '--rules', 'original', '--output', str(tmp_path/'o.json')]) == 0
    assert list(json.loads((tmp_path/'o.json').read_text(encoding='utf-8'))) == ['total']
    assert main([str(path), '--limit', '1', '--output', str(tmp_path/'o.json')]) == 0
    assert json.loads((tmp_path/'o.json').read_text(encoding='utf-8'))['total']['n'] == 1
    assert main([str(path), '--against', str(path), '--draws', '0', '--report', str(tmp_path/'r.html')]) == 0
    out = capsys.readouterr().out
    assert '| +0.00 ' in out and ' to +0.00' not in out and '95% interval<' not in (tmp_path/'r.html').read_text(encoding='utf-8')
    assert main([str(path), '--against', str(path), '--draws', '50']) == 0 and '+0.00 to +0.00 | 1.0000 |' in capsys.readouterr().out
    assert main([str(path), '--why']) == 0 and 'lines that cannot be scored: 1 of 3' in capsys.readouterr().out


def test_the_example_of_the_help_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_jsonl('outputs/NER/answers.json', answered('NER', [{'text': 'X', 'entity': []}]))
    example = _parser().epilog.removeprefix('example: iepile_eval ').split()
    assert main(example) == 0 and (tmp_path/'outputs/NER/output_msg/answers.json').exists()


def test_draws_reach_every_interval(tmp_path, monkeypatch):
    import iepile_nb.evaluate as e
    asked, real = [], e.resampled
    monkeypatch.setattr(e, 'resampled', lambda x, draws, rng: asked.append(draws) or real(x, draws, rng))
    write_jsonl(tmp_path/'p.json', answered('NER', [{'text': 'X', 'entity': [{'entity': 'X', 'entity_type': 'a'}]}]))
    line = [str(tmp_path/'p.json'), '--report', str(tmp_path/'r.html'), '--against', str(tmp_path/'p.json')]
    assert main(line) == 0 and asked == [1000, 1000, 10_000]
    assert main([*line, '--draws', '77']) == 0 and asked[3:] == [77] * 3
    assert main([*line, '--draws', '0']) == 0 and len(asked) == 6


def test_errors_and_report_agree_with_the_score(tmp_path, capsys):
    gold = [{'entity': 'Ines Okafor', 'entity_type': 'a'}]
    write_jsonl(tmp_path/'p.json', answered('NER', [{'text': 'Ines Okafor', 'entity': gold}], answers=['{"a": ["ines okafor", "INES OKAFOR"]}']))
    page = tmp_path/'r.html'
    line = [str(tmp_path/'p.json'), '--errors', '--report', str(page), '--matching', 'normalised', '--match_mode']
    assert main([*line, 'set']) == 0 and 'No errors.' in capsys.readouterr().out and 'no errors' in page.read_text(encoding='utf-8')
    assert main([*line, 'normal']) == 0 and '| repeated | 1 |' in capsys.readouterr().out and '>repeated</button>' in page.read_text(encoding='utf-8')


def test_bad_arguments_and_odd_fields(tmp_path, capsys):
    rows = answered('NER', [{'text': t, 'entity': [{'entity': t, 'entity_type': 'a'}]} for t in 'XY'])
    write_jsonl(tmp_path/'p.json', rows + [{**rows[0], 'task': ['NER']}, {**rows[1], 'task': {'a': 1}}])
    for flags in (['--limit', '-1'], ['--limit', '0'], ['--limit', 'x'], ['--draws', '-1']):
        with pytest.raises(SystemExit) as e: main([str(tmp_path/'p.json'), *flags])
        assert e.value.code == 2 and 'argument --' in capsys.readouterr().err
    for rules, n in (('default', 'n'), ('original', '总样本数')):
        result = evaluate(tmp_path/'p.json', rules=rules)
        assert result['total'][n] == 2 and result.notes[0].startswith('2 lines were skipped') and "no task '['NER']'" in result.notes[0]
    odd = [{**r, 'source': ['s'], 'id': {'i': r['label']}} for r in rows]
    assert evaluate(odd, rules='original')['total']['总样本数'] == 2


def test_what_does_not_go_together_gets_one_line(tmp_path, capsys):
    path, page = tmp_path/'p.json', tmp_path/'r.html'
    write_jsonl(path, answered('NER', [{'text': 'X', 'entity': [{'entity': 'X', 'entity_type': 'a'}]}]))
    before = path.read_bytes()
    for flags, told in ((['--why', '--report', page], '--why finds causes'), (['--why', '--output', tmp_path/'o.json'], '--why finds causes'),
                        (['--rules', 'original', '--errors'], 'errors and reports follow the default rules'),
                        (['--rules', 'original', '--sort_by', 'label'], 'the original knows no label'),
                        (['--output', tmp_path/'.'/'p.json'], 'name another file'), (['--report', path], 'name another file')):
        assert main([str(path), *map(str, flags)]) == 1
        out, err = capsys.readouterr()
        assert not out and told in err and err.count('\n') == 1 and path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ['p.json']


def test_scores_are_shown_where_they_cannot_be_saved(tmp_path, capsys):
    write_jsonl(tmp_path/'p.json', answered('NER', [{'text': 'X', 'entity': [{'entity': 'X', 'entity_type': 'a'}]}]))
    (tmp_path/'output_msg').write_text('no folder')
    assert main([str(tmp_path/'p.json')]) == 1
    out, err = capsys.readouterr()
    assert '100.00' in out and 'Default rules' in out and 'the scores are not saved' in err and '--output names another place' in err
    assert main([str(tmp_path/'p.json'), '--output', str(tmp_path/'o.json')]) == 0 and (tmp_path/'o.json').exists()


def test_bad_files_get_one_line(tmp_path, capsys):
    cases = {'empty.json': b'', 'bytes.json': '{"text": "中"}'.encode('gb18030'), 'test.json': b'{"instruction": "{}"}'}
    for name, content in cases.items():
        (tmp_path/name).write_bytes(content)
        assert main([str(tmp_path/name)]) == 1
        assert capsys.readouterr().err.count('\n') == 1
    assert main([str(tmp_path/'none.json')]) == 1 and 'no such file' in capsys.readouterr().err
    assert not list(tmp_path.glob('output_msg/*'))
    with pytest.raises(SystemExit) as e: main([])
    assert e.value.code == 2
