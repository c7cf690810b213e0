"A file's format is recognised by its beginning, and corpora in many forms are read."
import json

import pytest
from helpers.data_files import ANN, FILES, INES, entity, read, save

from iepile_nb.lib.formats import recognised
from iepile_nb.lib.io import UserError
from iepile_nb.records import read_records

MOVED = '安诺搬到布里。'
PERSON, CITY = entity('安诺', '人物'), entity('布里', '城市')
OTHERS = { # a record of the same two mentions in other formats
    'cluener': {'text': MOVED, 'label': {'人物': {'安诺': [[0, 1]]}, '城市': {'布里': [[4, 5]]}}},
    'gliner': {'tokenized_text': list(MOVED), 'ner': [[0, 1, '人物'], [4, 5, '城市']]},
    'cmeee': {'text': MOVED, 'entities': [{'start_idx': 0, 'end_idx': 1, 'type': '人物', 'entity': '安诺'},
                                          {'start_idx': 4, 'end_idx': 5, 'type': '城市'}]},
    'prodigy': {'text': MOVED, 'spans': [{'start': 0, 'end': 2, 'label': '人物'},
                                         {'start': 4, 'end': 6, 'label': '城市', 'text': '布里'}]},
    'hf': {'chars': list(MOVED), 'labels': ['B-人物', 'I-人物', 'O', 'O', 'B-城市', 'I-城市', 'O']}}


@pytest.mark.parametrize('form', OTHERS)
@pytest.mark.parametrize('array', [False, True])
def test_corpora_with_mentions(form, array, tmp_path, caplog):
    caplog.set_level('INFO', 'iepile_nb')
    path = tmp_path/'f.json'
    save(path, json.dumps([OTHERS[form]] * 2, indent=1) if array else OTHERS[form])
    assert read(path, 'auto')[0][0] == {'text': MOVED, 'entity': [PERSON, CITY]} | read(path, form)[0][0]
    assert f'read as {form} (--from {form})' in caplog.text


@pytest.mark.parametrize('form', FILES)
def test_every_format_is_recognised(form, tmp_path):
    assert recognised(save(tmp_path/'f', *FILES[form])) == form


def test_folders_and_other_files(tmp_path):
    (tmp_path/'a.txt').write_text(INES['text'])
    assert recognised(tmp_path/'a.txt') == 'text'
    save(tmp_path/'a.ann', *ANN)
    assert recognised(tmp_path) == recognised(tmp_path/'a.ann') == recognised(tmp_path/'a.txt') == 'brat'
    for text in ('', '{', '[]', '{"text": "a"}', '{"a": 1}'):
        assert recognised(save(tmp_path/'f', text)) == 'records'
    assert recognised(tmp_path/'nowhere') == 'records'


def test_relations_and_events(tmp_path, caplog):
    spo = {'subject': '安诺', 'subject_type': '人物', 'predicate': '住在',
           'object': {'@value': '布里', 'since': '2020'}, 'object_type': {'@value': '城市', 'since': 'Date'}}
    (got,), bad = read(save(tmp_path/'f', {'text': MOVED, 'spo_list': [spo]}), 'auto', 'RE')
    assert not bad and '1 further parts of an object' in caplog.text
    assert got['relation'] == [{'head': '安诺', 'head_type': '人物', 'relation': '住在', 'tail': '布里',
                                'tail_type': '城市'}]
    event = {'event_type': '搬家', 'trigger': '搬', 'arguments': [{'role': '谁', 'argument': '安诺'}]}
    (got,), bad = read(save(tmp_path/'f', {'text': MOVED, 'event_list': [event]}), 'auto', 'EE')
    want = {'event_type': '搬家', 'event_trigger': '搬', 'arguments': event['arguments']}
    assert not bad and got['event'] == [want]


@pytest.mark.parametrize('tags', ['person person O city O', 'B_person I_person O B_city O',
                                  'person-B person-I O city-B O', 'person_B person_E O city_S O'])
def test_tags_of_every_spelling(tags, tmp_path):
    words = 'Anouk Roth left Brig .'.split()
    found = [entity('Anouk Roth', 'person'), entity('Brig', 'city')]
    want = ([{'text': 'Anouk Roth left Brig.', 'entity': found}], [])
    columns = save(tmp_path/'f.txt', *[f'{w} {t}' for w, t in zip(words, tags.split())], '')
    assert recognised(columns) == 'conll' and read(columns, 'auto') == want
    assert read(save(tmp_path/'f.jsonl', {'words': words, 'tags': tags.split()}), 'auto') == want


def test_tags_in_another_column(tmp_path):
    got, bad = read(save(tmp_path/'f', 'Anouk B-person 0.9', 'left O 0.8', 'Brig B-city 0.7'), 'conll')
    assert not bad and [e['entity'] for e in got[0]['entity']] == ['Anouk', 'Brig']
    assert 'is not a tag' in read(save(tmp_path/'f', 'Anouk NNP', 'left VBD'), 'conll')[1][0]


def test_tokens_without_tags(tmp_path):
    path = save(tmp_path/'f', 'Anouk', 'left', '.', '', 'Rain', 'fell', '')
    texts = [r['text'] for r in read_records(path, annotated=False, form='auto')]
    assert texts == ['Anouk left.', 'Rain fell']
    with pytest.raises(UserError, match='no records'): list(read_records(path, form='auto'))
    path = save(tmp_path/'f.jsonl', {'tokens': ['Anouk', 'left']})
    assert [r['text'] for r in read_records(path, annotated=False, form='auto')] == ['Anouk left']


def test_only_accepted_texts(tmp_path, caplog):
    lines = [OTHERS['prodigy'] | {'answer': a} for a in ('accept', 'reject', 'ignore', 'accept')]
    assert len(read(save(tmp_path/'f', *lines), 'auto')[0]) == 2
    assert '1 texts with the answer reject, 1 texts with the answer ignore' in caplog.text
    for form in ('doccano', 'labelstudio', 'records'): # nobody is told to write an empty list
        assert 'spans' in read(tmp_path/'f', form)[1][0]


def test_webanno_is_named(tmp_path):
    path = save(tmp_path/'f', '#FORMAT=WebAnno TSV 3.2', '', '#Text=Anouk left.', '1-1\t0-5\tAnouk\tPER')
    with pytest.raises(UserError, match='this is WebAnno TSV; export'): read(path, 'auto')


def test_tables(tmp_path, caplog):
    def rows(text, name='f.csv'):
        (tmp_path/name).write_text(text)
        return read(tmp_path/name, 'auto')
    want = [{'text': 'Anouk, in Brig', 'entity': [entity('Anouk', 'person'), entity('Brig', 'city')]},
            {'text': 'Rain', 'entity': []}]
    assert rows('id,Text,person,city,source\n1,"Anouk, in Brig",Anouk,Brig,web\n2,Rain,,,web\n') == (want, [])
    assert 'column named source' in caplog.text
    a_mention_a_row = ('sentence\tvalue\tlabel\nAnouk, in Brig\tAnouk\tperson\n'
                       'Anouk, in Brig\tBrig\tcity\nRain\t\t\n')
    assert rows(a_mention_a_row, 'f.tsv') == (want, [])
    assert "does not contain 'Chur'" in rows('text,value,label\nIn Brig,Chur,city\n')[1][0]


def test_local_files_are_not_looked_for_on_the_hub(tmp_path, monkeypatch):
    import datasets
    monkeypatch.setattr(datasets, 'load_dataset', lambda *a, **k: pytest.fail('asked for a dataset'))
    for name in ('f.parquet', 'f.csv', './f', 'a/b/c/d'):
        with pytest.raises(UserError, match='no such file'): read(name, 'hf')
    with pytest.raises(UserError, match='no file of a dataset'): read(save(tmp_path/'f.xyz', 'a'), 'hf')


def test_arrow_files(tmp_path):
    from datasets import Dataset
    Dataset.from_dict({'tokens': [['Anouk', 'left']], 'ner_tags': [['B-p', 'O']]}).save_to_disk(tmp_path/'d')
    arrow, = (tmp_path/'d').glob('*.arrow')
    want = [{'text': 'Anouk left', 'entity': [entity('Anouk', 'p')]}]
    assert read(arrow, 'auto')[0] == read(tmp_path/'d', 'auto')[0] == want


@pytest.mark.parametrize('form', ['records', 'hf'])
def test_numbers_that_are_none(form, tmp_path):
    one = INES if form == 'records' else {'tokens': ['Anouk'], 'tags': ['B-p']}
    for odd in ('NaN', '-Infinity'):
        line = json.dumps(one | {'score': 1}).replace('1}', odd + '}')
        for text in (line, f'[{line}]'): assert len(read(save(tmp_path/'f.json', text), form)[0]) == 1
    assert 'broken JSON' in read(save(tmp_path/'f.json', '{"text": NaN NaN}'), 'records')[1][0]
