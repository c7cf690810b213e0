"What is counted, how equal strings must be, and how scores are grouped."
import json

import pytest

from iepile_nb.convert import convert
from iepile_nb.evaluate import evaluate
from iepile_nb.lib.io import UserError
from iepile_nb.questions import encode
from iepile_nb.scoring import macro
from iepile_nb.tasks import TASKS
from helpers.prediction_rows import SCHEMAS, answered, entity, event, one


def test_triggers_typed_relations_and_attributes_can_be_scored():
    assert one('EET', [event()], {'e': ['裁员'], 'f': []})['f1'] == 100
    spo = {'head': 'X', 'head_type': 'A', 'relation': 'r', 'tail': 'Y', 'tail_type': 'B'}
    assert evaluate(answered('SPO', [{'text': 'X Y', 'relation': [spo]}]))['total']['f1'] == 100
    kg = [{'head': 'X', 'relation': 'x', 'tail': 'Y'}]
    assert evaluate(answered('KG', [{'text': 'X Y', 'relation': kg}]))['total']['f1'] == 100


def test_relations_may_be_answered_with_head_and_tail():
    gold = [{'head': 'X', 'relation': 'r', 'tail': 'Y'}]
    assert one('RE', gold, {'r': [{'head': 'X', 'tail': 'Y'}]})['f1'] == 100
    assert one('RE', gold, {'r': [{'head': 'X', 'tail': 'Y'}]}, rules='original')['F1'] == 0
    assert one('RE', gold, {'r': [{'subject': 'X', 'object': 'Y'}]}, rules='original')['F1'] == 100


def test_an_event_without_a_trigger():
    answer = {'e': [{'trigger': 'NAN', 'arguments': {'who': 'Z', 'where': 'NAN', 'when': 'NAN'}}]}
    for trigger in ('', 'NAN', None):
        assert one('EE', [event(trigger=trigger, who='Z')], answer)['event_f1'] == 100


def test_one_text_with_two_annotations_is_two_texts():
    records = [{'text': 'X Y', 'entity': [entity(e)]} for e in 'XY']
    total = evaluate(answered('NER', records))['total']
    assert (total['n'], total['f1']) == (2, 100)
    assert evaluate(answered('NER', records), rules='original')['total']['总样本数'] == 1


def test_one_record_twice_in_any_order():
    record = {'text': 'X', 'entity': [entity('X')]}
    rows = answered('NER', [record], split_num=2)
    assert len(rows) == 1 or len(rows) == 2
    rows = answered('NER', [record], split_num=1)
    for order in (rows + rows, [r for r in rows for _ in 'xx']):
        total = evaluate(order)['total']
        assert (total['n'], total['f1']) == (2, 100)


def test_what_nobody_asked_is_not_missed():
    nothing = {'event_type': 'e', 'event_trigger': '', 'arguments': []}
    events = [event(who='Z', unknown_role='Z'), nothing, event('unknown_type')]
    rows = answered('EE', [{'text': '裁员 Z', 'event': events}])
    total = evaluate(rows)['total']
    assert total['event_f1'] == total['argument_f1'] == 100
    assert evaluate(rows, rules='original')['total']['event_R'] < 50


def test_gold_answer_as_label():
    "Rows made from training data: no id, and the gold answer of each row stands in `label`."
    record = {'text': 'X Y', 'entity': [entity('X'), entity('Y', 'b')]}
    rows = [{**r, 'label': r['output']} for r in convert([record], SCHEMAS['NER'], 'NER', 'en', split_num=1)]
    assert len(rows) == 3
    assert evaluate(rows)['total'] == {'n': 1, 'errors': 0, 'precision': 100, 'recall': 100, 'f1': 100}
    assert evaluate([{**r, 'output': '{}'} for r in rows])['total']['recall'] == 0


@pytest.mark.parametrize('task, gold', [
    ('NER', {'a': ['X'], 'b': [], 'odd': ['Y']}),
    ('RE', {'r': [{'subject': 'X', 'object': 'Y'}], 'odd': [{'subject': 'X', 'object': 'Z'}]}),
    ('EE', {'e': [{'trigger': '裁员', 'arguments': {'who': 'Z', 'odd': 'Y'}}],
            'odd': [{'trigger': 'Y', 'arguments': {}}]}),
    ('EEA', {'e': [{'who': 'Z', 'odd': 'Y'}], 'odd': [{'who': 'Z'}]}), ('EET', {'e': ['裁员'], 'odd': ['Y']}),
    ('KG', {'p': {'X': {'x': 'Y', 'odd': 'Z'}}, 'odd': {'X': {'x': 'Y'}}})])
def test_a_gold_answer_counts_as_far_as_it_was_asked(task, gold):
    "A label or role in the gold answer of a training row that its instruction does not ask is not missed."
    record = {'text': 'X Y Z 裁员', TASKS[task].key: [event(who='Z')] if task == 'EEA' else []}
    row = answered(task, [record], split_num=-1)[0]
    asked = {k: v for k, v in gold.items() if k != 'odd'}
    answer = json.loads(encode(asked).replace(', "odd": "Y"', '').replace(', "odd": "Z"', ''))
    result = evaluate([{**row, 'label': encode(gold), 'output': encode(answer)}])
    shares = {k: v for k, v in result['total'].items() if k.endswith(('precision', 'recall', 'f1'))}
    assert set(shares.values()) == {100}, shares
    assert not result.errors()
    missed = evaluate([{**row, 'label': encode(gold), 'output': '{}'}]).errors()
    assert missed and not any('odd' in e.gold for e in missed)


def test_nan_counts_only_where_it_is_annotated():
    found = {'a': ['X', 'NAN', ''], 'b': [], 'c': []}
    assert one('NER', [entity('X')], found)['f1'] == 100
    gold = [entity('X'), entity('NAN')]
    assert one('NER', gold, found)['f1'] == 100
    assert one('NER', gold, {'a': ['X']})['recall'] == 50


def test_repeats():
    gold = [entity('X')] * 2
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
    assert (total['event_f1'], total['argument_recall']) == (0, 100)
    assert round(total['argument_precision'], 2) == 66.67


def test_normalised_forgives_case_blanks_and_width_but_no_label():
    gold = [entity('Ｘ Labs')]
    assert one('NER', gold, {'a': ['x  labs']})['f1'] == 0
    assert one('NER', gold, {'a': ['x  labs']}, matching='normalised')['f1'] == 100
    assert one('NER', gold, {'A': ['x labs'], 'b': ['x labs']}, matching='normalised')['f1'] == 0
    def argument_f1(gold, **arguments):
        answer = {'e': [{'trigger': '裁 员', 'arguments': arguments}]}
        return one('EE', [event(who=gold)], answer, matching='normalised')['argument_f1']
    assert argument_f1('Ｚ', who='z') == 100
    assert argument_f1('Z', WHO='Z') == 0


def test_partial_is_half_right_and_matches_once():
    gold = [entity('公司 X')]
    total = one('NER', gold, {'a': ['公司']}, matching='partial')
    assert (total['precision'], total['recall'], total['f1']) == (50, 50, 50)
    assert one('NER', gold, {'a': ['公司', 'X 裁员']}, matching='partial')['precision'] == 25
    assert one('NER', gold, {'a': ['公司 X', 'X']}, matching='partial')['precision'] == 50
    assert one('NER', gold, {'a': ['Z']}, matching='partial')['f1'] == 0
    assert one('NER', gold, {'b': ['公司']}, matching='partial')['f1'] == 0
    pair = [{'head': '公司 X', 'relation': 'r', 'tail': 'Y'}]
    assert one('RE', pair, {'r': [{'subject': 'X', 'object': 'Y'}]}, matching='partial')['f1'] == 50
    assert one('RE', pair, {'r': [{'subject': 'X', 'object': 'Z'}]}, matching='partial')['f1'] == 0


def test_offsets_tell_mentions_apart():
    record = {'text': 'X and X', 'entity': [entity('X', offset=[6, 7])]}
    rows = answered('NER', [record])
    assert evaluate(rows)['total']['f1'] == 100 and evaluate(rows, matching='offset')['total']['f1'] == 0
    record['entity'] += [entity('X', start=0, end=1)]
    # the conversion keeps one of equal mentions, so both are put into the row here
    rows = [{**rows[0], 'label': record['entity'], 'output': '{"a": ["X", "X"]}'}]
    assert evaluate(rows, matching='offset')['total']['f1'] == 100
    assert evaluate(rows[:1])['total']['precision'] == 50
    without = answered('NER', [{'text': 'X', 'entity': [entity('X')]}])
    assert evaluate(without, matching='offset')['total']['f1'] == 100
    relations = answered('RE', [{'text': 'X', 'relation': []}])
    with pytest.raises(UserError, match='entities and triggers'): evaluate(relations, matching='offset')
    with pytest.raises(UserError, match='no matching'): evaluate(rows, matching='loose')
    with pytest.raises(UserError, match='matches strictly'):
        evaluate(rows, matching='partial', rules='original')
    for by in ('label', 'language', 'length'):
        with pytest.raises(UserError, match=f'the original knows no {by}'):
            evaluate(rows, rules='original', sort_by=by)


def test_groups_by_label_language_and_length_and_the_macro_average():
    records = [{'text': 'X' * n, 'entity': [entity('X', l)]} for n, l in ((40, 'a'), (120, 'a'), (900, 'b'))]
    rows = answered('NER', records[:2])
    rows += answered('NER', records[2:], language='zh', answers=['{"c": ["X"]}'])
    assert list(evaluate(rows, sort_by='language')) == ['total', 'en', 'zh']
    assert list(evaluate(rows, sort_by='length')) == ['total', '  0-49', '100-199', '800+']
    result = evaluate(rows, sort_by='label')
    labels = {l: (d['n'], d['f1']) for l, d in result.items() if l != 'total'}
    assert labels == {'a': (2, 100), 'b': (1, 0), 'c': (0, 0)}
    assert macro(result.scores) == {'labels': 3, 'macro_f1': pytest.approx(100 / 3)}


def test_scores_are_sorted_by_any_field():
    rows = answered('NER', [{'text': t, 'entity': []} for t in 'XY'])
    rows[0]['lang'], rows[1]['lang'], rows[1]['source'] = 'zh', 'en', 'total'
    assert list(evaluate(rows, sort_by='task')) == ['total', 'NER']
    assert list(evaluate(rows, sort_by='lang')) == ['total', 'en', 'zh']
    assert list(evaluate(rows, sort_by='source')) == ['total', 'src', 'source total']
    assert len(evaluate(rows, sort_by='input')) == 3
    with pytest.raises(UserError, match="no row has a 'colour' to sort by"): evaluate(rows, sort_by='colour')


@pytest.mark.parametrize('task', ['KG', 'SPO', 'EET'])
def test_no_original_rules_where_the_original_fails(task):
    record = {'text': 't', TASKS[task].key: []}
    with pytest.raises(UserError, match=f'the original cannot score {task}'):
        evaluate(answered(task, [record]), rules='original')
