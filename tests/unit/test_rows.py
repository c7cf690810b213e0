"The rules of rows: what is asked, in which order, what is answered; each where the original goes wrong, too."
import json

import pytest
from helpers.converted import RECORD, SALE, THREE, answers, asked, event, rows_of
from iepile_nb.convert import row_counts
from iepile_nb.lib.io import KeyedRandom, UserError
from iepile_nb.negatives import Sampler, read_negatives
from iepile_nb.questions import NAN, Schema
from iepile_nb.records import read_records, read_schema, spo_triples
from iepile_nb.tasks import TASKS, split_spo


# ---- what is asked

def test_a_label_without_hard_negatives_has_none():
    assert asked(rows_of([RECORD], THREE, negatives={'nothing': ['else']}, split_num=1)) != []


def test_hard_negatives_outside_the_schema_are_not_asked():
    rows = rows_of([RECORD], THREE, negatives={'city': ['planet', 'date'], 'person': ['robot']}, split_num=4)
    assert {l for s in asked(rows) for l in s} == {'city', 'person', 'date'}


@pytest.mark.parametrize('p', [1, .5, 0, -1])
def test_every_share_of_negatives_for_every_task(p, root):
    for task in TASKS:
        data = root/'data'/task
        records, schema = read_records(data/'sample.json', task), read_schema(data/'schema.json', task)
        rows = rows_of(records, schema, task, neg_schema=p)
        assert rows and all(asked([r])[0] for r in rows)


def test_no_row_asks_nothing():
    empty = {'text': 'nothing', 'entity': [], 'event': [], 'relation': []}
    for task, schema in dict(NER=THREE, EE=SALE, EET=SALE, EEA=SALE, RE=THREE, KG=SALE).items():
        for k in (1, 4, -1): assert rows_of([empty], schema, task, neg_schema=0, split_num=k) == []


def test_options_that_make_no_sense():
    with pytest.raises(UserError, match='split_num is 0'): rows_of([RECORD], THREE, split_num=0)
    with pytest.raises(UserError, match='split_num is -2'): rows_of([RECORD], THREE, split_num=-2)
    with pytest.raises(UserError, match='neg_schema is 1.5'): rows_of([RECORD], THREE, neg_schema=1.5)


def test_one_predicate_stands_never_twice_in_a_batch():
    types = [dict(subject_type=s, predicate='star', object_type='person') for s in ('film', 'play')]
    schema = TASKS['SPO'].schema(types, [], {})
    star = dict(head='Salt', head_type='film', relation='star', tail='Tove', tail_type='person')
    rows = rows_of([{'text': 'Salt with Tove', 'relation': [star]}], schema, 'SPO')
    assert answers(rows) == [{'star': [{'subject': 'Salt', 'object': 'Tove'}]}, {'star': []}]


def test_joined_labels_are_cut_so_that_they_fit_the_records():
    assert split_spo('a_b_c') == ('a', 'b', 'c') and split_spo('a_b_c_d') == ('a', 'b_c', 'd')
    owns = dict(head='x', head_type='ORG_CO', relation='owns', tail='y', tail_type='ORG')
    triples = spo_triples([{'text': 'x y', 'relation': [owns]}])
    schema = TASKS['SPO'].schema(['ORG_CO_owns_ORG'], [], {}, triples)
    assert schema.parts == {'ORG_CO_owns_ORG': ['ORG_CO', 'owns', 'ORG']}
    with pytest.raises(UserError, match='should look like'): split_spo('owner')


def test_all_triggers_are_named():
    r = {'text': 'a b c', 'event': [event('cut', t, who=['x']) for t in 'abc']}
    cut = Schema(['cut'], {'cut': ['who']})
    row, = rows_of([r], cut, 'EEA')
    assert asked([row])[0][0]['trigger'] == ['a', 'b', 'c'] and len(answers([row])[0]['cut']) == 3
    test, = rows_of([r], cut, 'EEA', split='test')
    assert 'trigger' not in asked([test])[0][0]
    test, = rows_of([r], cut, 'EEA', split='test', eea_triggers=True)
    assert asked([test])[0][0]['trigger'] == ['a', 'b', 'c']


def test_a_label_outside_the_schema_is_asked_of_its_record():
    r = {'text': 'x', 'entity': [{'entity': 'x', 'entity_type': 'comet'}]}
    assert 'comet' in asked(rows_of([r], THREE))[0]


# ---- what is answered

def test_attributes_belong_to_the_entity_type_that_is_named_or_owns_them():
    kg = Schema(['person', 'city'], {'person': ['spouse', 'area'], 'city': ['river', 'area']})
    r = {'text': 'Ines of Porto by the Douro, 41 km2, married Tove.', 'relation': [
        {'head': 'Porto', 'relation': 'river', 'tail': 'Douro'},
        {'head': 'Ines', 'relation': 'spouse', 'tail': 'Tove'},
        {'head': 'Porto', 'head_type': 'city', 'relation': 'area', 'tail': '41 km2'}]}
    assert answers(rows_of([r], kg, 'KG')) == [{'city': {'Porto': {'river': 'Douro', 'area': '41 km2'}}},
                                               {'person': {'Ines': {'spouse': 'Tove'}}}]


def test_answers_follow_the_text():
    cities = [{'entity': 'B', 'entity_type': 'city'}, {'entity': 'A', 'entity_type': 'city'}]
    row, = rows_of([{'text': 'first A then B', 'entity': cities}], Schema(['city']))
    assert answers([row]) == [{'city': ['A', 'B']}]


def test_several_values_of_a_role_follow_the_text():
    r = {'text': 'A, B and C bought', 'event': [event('sale', 'bought', buyer=['C', 'A', 'B', 'A'])]}
    sale, = answers(rows_of([r], SALE, 'EE'))[0]['sale']
    assert sale['arguments'] == {'buyer': ['A', 'B', 'C'], 'seller': NAN}


def test_events_without_trigger_or_arguments():
    sales = [{'event_type': 'sale', 'event_trigger': 'x'},
             {'event_type': 'sale', 'arguments': [{'role': 'buyer', 'argument': 'x'}]}]
    r, roles = {'text': 'x', 'event': sales}, {'buyer': 'x', 'seller': NAN}
    answer = {task: answers(rows_of([r], SALE, task))[0]['sale'] for task in ('EE', 'EET', 'EEA')}
    assert answer['EE'] == [{'trigger': 'x', 'arguments': {}}, {'trigger': NAN, 'arguments': roles}]
    assert answer['EET'] == ['x'] and answer['EEA'] == [roles]


def test_relations_are_answered_as_subject_and_object():
    r = {'text': 'x y', 'relation': [dict(head='x', relation='owns', tail='y')]}
    assert answers(rows_of([r], Schema(['owns']), 'RE'))[0] == {'owns': [{'subject': 'x', 'object': 'y'}]}


def test_counting_no_rows(): assert row_counts([]) == {'rows': 0, 'pure negatives': 0}


# ---- the draws

def test_hard_negatives_are_asked_with_a_few_others(root):
    "Positives, their hard negatives, and min(split_num, rest) others; without positives one label or more."
    schema = read_schema(root/'data/RE/schema.json', 'RE')
    negatives = read_negatives(root/'data/hard_negative/hard_dict.json', 'RE', 'RE')
    for r in read_records(root/'data/RE/sample.json', 'RE'):
        own = list(TASKS['RE'].gold(r))
        sampler = Sampler(KeyedRandom(42, r['text']), negatives=negatives, split_num=2)
        drawn = sampler.labels(schema.labels, own)
        must = set(own) | set(negatives.of(own))
        if own: assert must <= set(drawn) and len(drawn) == len(must) + min(2, len(schema.labels) - len(must))
        else: assert 1 <= len(drawn) <= len(schema.labels)


def test_the_share_of_negatives_is_binomial():
    every = [f'l{i:02}' for i in range(40)]
    sizes = [len(Sampler(KeyedRandom(i), .3).labels(every, ['l00'])) for i in range(300)]
    assert 11.5 < sum(sizes) / len(sizes) - 1 < 12.5 and len(set(sizes)) > 10
    assert all(Sampler(KeyedRandom(i), .3).labels(every, ['l00'])[0] == 'l00' for i in range(20))
    assert all(Sampler(KeyedRandom(i), .001).labels(every, []) for i in range(20))


def test_shuffled_labels_differ_by_record():
    samplers = [Sampler(KeyedRandom(1, str(i)), random_sort=True) for i in range(20)]
    assert len({tuple(s.labels(list('abcdef'), [])) for s in samplers}) > 10


# ---- all real datasets

def has_key(folder, key):
    path = next(p for p in folder.glob('t*.json'))
    return key in json.loads(path.open(encoding='utf-8').readline())


def test_all_shared_folders_convert(shared):
    n = 0
    for schema in sorted((shared/'data').rglob('schema.json')):
        folder = schema.parent
        fits = (t for t in ('NER', 'RE', 'EE') if has_key(folder, TASKS[t].key))
        task = folder.name if folder.name in TASKS else next(fits)
        for path in sorted(folder.glob('*.json')):
            if path.name in ('schema.json', 'hard_negative.json'): continue
            if 'instruction' in path.read_text(encoding='utf-8')[:300]: continue
            for split in ('train', 'test'):
                records = read_records(path, task, limit=50)
                assert rows_of(records, read_schema(schema, task), task, 'en', split)
                n += 1
    assert n > 30
