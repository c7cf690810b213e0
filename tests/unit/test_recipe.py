"Recipes: several datasets mixed into one training set, and what is wrong with some."
import json
from pathlib import Path

import pytest
from helpers.converted import RECORD, convert_file
from iepile_nb.lib.io import UserError
from iepile_nb.lib.recipe import entry_options, mix, read_recipe


@pytest.mark.parametrize('more, problem', [
    ({'dev_share': 1}, "'dev_share' is 1; it should be 0 or more, and below 1"),
    ({'dev_share': float('nan')}, "'dev_share' is nan"), ({'dev_share': -.1}, "'dev_share' is -0.1")])
def test_recipes_with_odd_numbers(tmp_path, more, problem):
    (tmp_path/'r.yaml').write_text(json.dumps({'datasets': [{}], **more}).replace('NaN', '.nan'))
    with pytest.raises(UserError, match=problem): read_recipe(tmp_path/'r.yaml')


@pytest.mark.parametrize('more, problem', [
    ({'help': True}, "'help' is no key of a dataset"), ({'h': True}, "'h' is no key"),
    ({'lang': 'en'}, "'lang' is no key"),
    ({'form': 'records'}, "'form' is no key"), ({'from': 'word'}, "no format 'word'"),
    ({'weight': float('inf')}, "'weight' should be"), ({'weight': float('nan')}, "'weight' should be"),
    ({'limit': -1}, 'argument --limit'), ({'neg_schema': 3}, 'neg_schema is 3'),
    ({'schema_path': 'no_such.json'}, 'no_such.json: no such schema'),
    ({'src_path': 'no_such.json'}, 'no_such.json: '),
    ({'src_path': 'blank.json'}, 'blank.json: no records in it'),
    ({'tgt_path': 'x'}, "'tgt_path' is for the whole recipe"),
    ({'split': 'test'}, 'a recipe makes training rows')])
def test_what_is_wrong_with_a_dataset_of_a_recipe(tmp_path, monkeypatch, more, problem):
    assert convert_file(tmp_path, [RECORD]) == 0
    monkeypatch.chdir(tmp_path)
    Path('blank.json').write_text('\n \n')
    good = dict(src_path='in/x.json', schema_path='schema.json', task='NER')
    with pytest.raises(UserError, match=f'^r.yaml: dataset 2: {problem}'):
        mix({'datasets': [good, good | more]}, 'mixed', 'r.yaml')
    assert not list(Path('.').glob('mixed/*'))


def test_keys_are_the_flags_of_the_command():
    entry = {'src_path': 'a', 'schema_path': 'b', 'task': 'RE', 'from': 'conll', 'cluster_mode': True}
    o = entry_options(entry, 7)
    assert (o.form, o.cluster_mode, o.seed) == ('conll', True, 7)
    with pytest.raises(UserError) as e: entry_options({'colour': 1}, 7)
    known = ('cluster_mode, eea_triggers, from, hard_negative_path, language, limit, neg_schema, '
             'pure_negative_ratio, random_sort, schema_path, seed, source, split, split_num, src_path, task, '
             'tgt_path, theme, workers')
    assert str(e.value) == f"'colour' is no key of a dataset; there is weight, {known}"


def test_a_recipe_without_a_row(tmp_path, caplog):
    assert convert_file(tmp_path, [RECORD] * 5) == 0
    sets = dict(src_path=str(tmp_path/'in/x.json'), schema_path=str(tmp_path/'schema.json'), task='NER')
    with pytest.raises(UserError, match='r: there is no row to train on'):
        mix({'datasets': [sets | {'weight': 0}]}, tmp_path/'m', 'r')
    assert not list(tmp_path.glob('m/*'))
    caplog.clear()
    with caplog.at_level('WARNING', 'iepile_nb'):
        assert mix({'datasets': [sets], 'dev_share': 0}, tmp_path/'m')[0]['train'] == 5
    assert "5 of 5 records have labels that the schema lacks, such as 'person'" in caplog.text


def test_weights(tmp_path):
    records = [{'text': f'{i} Porto', 'entity': RECORD['entity'][1:]} for i in range(200)]
    assert convert_file(tmp_path, records) == 0
    sets = dict(src_path=tmp_path/'in/x.json', schema_path=tmp_path/'schema.json', task='NER')
    datasets = [sets, sets | {'weight': 2}, sets | {'weight': .5}]
    counts = mix({'datasets': datasets, 'dev_share': .2}, tmp_path/'m')
    n = counts[0]['train']
    assert [c['train'] + c['dev'] for c in counts][0] == 200 and 20 < counts[0]['dev'] < 60
    assert counts[1]['train'] == 2 * n and counts[1]['dev'] == counts[2]['dev'] == counts[0]['dev']
    assert .3 * n < counts[2]['train'] < .7 * n
    assert sum(c['train'] for c in counts) == len((tmp_path/'m/train.json').read_bytes().splitlines())


def test_what_is_read_is_not_mixed_over(tmp_path):
    assert convert_file(tmp_path, [RECORD]) == 0
    src, schema = tmp_path/'in/train.json', tmp_path/'schema.json'
    (tmp_path/'in/x.json').rename(src)
    before = src.read_bytes(), schema.read_bytes()
    with pytest.raises(UserError, match='dataset 1: .*train.json: '):
        mix({'datasets': [dict(src_path=src, schema_path=schema, task='NER')]}, tmp_path/'in')
    assert (src.read_bytes(), schema.read_bytes()) == before
