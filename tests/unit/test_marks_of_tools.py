"Marks are read from the text that they are of, however their tool counts."
import pytest
from helpers.data_files import entity, read, save

from iepile_nb.lib.formats import in_characters
from iepile_nb.lib.io import UserError


def region(a, b, label, text=None, **more):
    value = {'start': a, 'end': b, 'labels': [label]} | ({'text': text} if text else {})
    return {'id': f'{a}-{b}-{label}', 'type': 'labels', 'value': value, **more}


def task(data, *regions): return {'data': data, 'annotations': [{'result': list(regions)}]}


@pytest.mark.parametrize('text, place', [
    ('Rain.\r\nAnouk\r\nleft Brig', (17, 21)), ('😀 Rain.\r\nAnouk\r\nin Brig', (18, 22)),
    ('é Anouk in Brig', (12, 16)), ('😀 in Brig', (6, 10))])
def test_every_way_of_counting(text, place):
    a, b = in_characters(text, {1: ('city', [place], 'Brig')})[1][1][0]
    assert text[a:b].strip() == 'Brig'


def test_a_way_must_fit_all_marks():
    marks = {1: ('c', [(3, 7)], 'Brig'), 2: ('c', [(0, 1)], '😀'), 3: ('c', [(0, 1)], None)}
    with pytest.raises(UserError, match="says '😀'|says 'Brig'"):
        in_characters('😀 Brig Brig', marks | {1: ('c', [(4, 8)], 'Brig')})
    assert in_characters('😀 Brig', {1: ('c', [(3, 7)], 'Brig'), 2: ('c', [(3, 7)], None)})[2][1] == [(2, 6)]


def test_both_readings_are_shown(tmp_path):
    one = task({'text': '😀 Anouk in Brig'}, region(12, 15, 'city', 'Brig'))
    bad = read(save(tmp_path/'f', one), 'labelstudio')[1]
    assert "says 'Brig' where the text has 'rig', and 'Bri' if offsets count UTF-16 units" in bad[0]


TEXTS = {'title': 'A day in Brig', 'letter': 'Anouk took the train in the morning.'}


@pytest.mark.parametrize('said', [True, False])
def test_two_texts_of_a_task_are_two_records(said, tmp_path):
    marks = [region(9, 13, 'city', 'Brig' if said else None, to_name='title'),
             region(0, 5, 'person', 'Anouk' if said else None, to_name='letter')]
    got, bad = read(save(tmp_path/'f', task(TEXTS, *marks)), 'labelstudio')
    assert not bad and [(r['text'], r['entity']) for r in got] == [
        (TEXTS['title'], [entity('Brig', 'city')]), (TEXTS['letter'], [entity('Anouk', 'person')])]


def test_a_widget_with_another_name_than_its_field(tmp_path):
    told = region(9, 13, 'city', 'Brig', to_name='t1')
    assert read(save(tmp_path/'f', task(TEXTS, told)), 'labelstudio')[0][0]['text'] == TEXTS['title']
    untold = region(9, 13, 'city', to_name='t1')
    assert 'may be any of title, letter' in read(save(tmp_path/'f', task(TEXTS, untold)), 'labelstudio')[1][0]
    link = {'type': 'relation', 'from_id': '9-13-city', 'to_id': '0-5-person', 'labels': ['r']}
    both = task(TEXTS, told | {'to_name': 'title'}, region(0, 5, 'person', to_name='letter'), link)
    assert [r['relation'] for r in read(save(tmp_path/'f', both), 'labelstudio')[0]] == [[], []]


def test_marks_in_a_text_with_markup(tmp_path):
    value = {'start': '/p[1]/text()[1]', 'globalOffsets': {'start': 9, 'end': 13}, 'text': 'Brig',
             'hypertextlabels': ['city']}
    mark = {'type': 'hypertextlabels', 'to_name': 'x', 'value': value}
    one = task({'page': '<p>Anouk &amp; Brig.</p>'}, mark)
    one['annotations'][0]['result'][0]['value']['globalOffsets'] = {'start': 8, 'end': 12}
    got, bad = read(save(tmp_path/'f', one), 'labelstudio')
    assert not bad and (got[0]['text'], got[0]['entity']) == ('Anouk & Brig.', [entity('Brig', 'city')])


def test_tasks_that_nobody_annotated(tmp_path, caplog):
    from iepile_nb.records import read_records
    done = task({'text': 'In Brig.'}, region(3, 7, 'city', 'Brig'))
    skipped = {'data': {'text': 'b'}, 'annotations': [{'was_cancelled': True, 'result': []}]}
    path = save(tmp_path/'f', done, {'data': {'text': 'a'}, 'annotations': []}, skipped)
    assert [r['text'] for r in read_records(path, form='labelstudio')] == ['In Brig.']
    assert 'left out: 2 texts that are not annotated; --split test takes them' in caplog.text
    assert len(list(read_records(path, annotated=False, form='labelstudio'))) == 3
    assert 'not annotated yet' in read(path, 'labelstudio')[1][0]


def test_doccano_without_marks(tmp_path):
    for label in (['entities'], {'city': {'Brig': [[3, 6]]}}):
        said = read(save(tmp_path/'f', {'text': 'In Brig.', 'label': label}), 'doccano')[1][0]
        assert "'label' should be a list of marks such as [0, 4" in said and 'Error' not in said
    said = read(save(tmp_path/'f', {'text': 'In Brig.', 'label': []}), 'doccano', 'EE')[1][0]
    assert "no key 'event'" in said and "it has 'entity'" in said and '[]' not in said


def test_doccano_events(tmp_path):
    marks = [dict(id=i, label=l, start_offset=a, end_offset=b)
             for i, l, a, b in ((1, '人物', 0, 2), (2, '会见触发词', 4, 6), (3, '地点', 7, 9))]
    links = [dict(from_id=2, to_id=1, type='参与者'), dict(from_id=1, to_id=3, type='住在')]
    line = {'text': '安诺今天会见在布里。', 'entities': marks, 'relations': links}
    (got,), bad = read(save(tmp_path/'f', line), 'doccano', 'EE')
    assert not bad and got['event'] == [{'event_type': '会见', 'event_trigger': '会见',
                                         'arguments': [{'role': '参与者', 'argument': '安诺'}]}]
    assert [e['entity'] for e in got['entity']] == ['安诺', '布里'] and len(got['relation']) == 1
    marks[1]['label'] = 'meeting'
    (got,), _ = read(save(tmp_path/'f', line | {'relations': links[:1]}), 'doccano', 'EE')
    assert [e['event_type'] for e in got['event']] == ['meeting'] and len(got['entity']) == 3


def test_label_studio_events(tmp_path):
    link = {'type': 'relation', 'from_id': 't', 'to_id': 'w', 'direction': 'right', 'labels': ['who']}
    marks = region(4, 10, 'exit', 'resign', id='t'), region(0, 3, 'person', 'Ann', id='w')
    path = save(tmp_path/'e.json', [task({'text': 'Ann resigned.'}, *marks, link),
                                    task({'text': 'Ann resigned.'}, marks[1])])
    who = {'role': 'who', 'argument': 'Ann'}
    events = [r['event'] for r in read(path, 'labelstudio', 'EE')[0]]
    assert events == [[{'event_type': 'exit', 'event_trigger': 'resign', 'arguments': [who]}], []]


def test_brat_pieces_and_relations_of_events(tmp_path):
    (tmp_path/'a.txt').write_text('The Upper\nValley Line opened, then closed.')
    save(tmp_path/'a.ann', 'T1\tcompany 4 9;10 21\tUpper Valley Line', 'T2\tOpen 22 28\topened',
         'T3\tClose 35 41\tclosed',
         'T4\tpart 4 9;17 21\tUpper Line', 'E1\tOpen:T2', 'E2\tClose:T3', 'R1\tbefore Arg1:E1 Arg2:E2')
    (got,), bad = read(tmp_path, 'brat')
    assert not bad and [e['entity'] for e in got['entity']][:1] == ['Upper\nValley Line']
    assert 'Upper Line' in [e['entity'] for e in got['entity']]
    assert [(r['head'], r['tail']) for r in got['relation']] == [('opened', 'closed')]


def test_empty_tokens(tmp_path):
    from iepile_nb.lib.tokens import from_tokens
    tokens, tags = ['', 'Anouk', '', 'left', 'Upper', '', 'Brig', ''], 'O B-p O O B-c I-c I-c B-c'.split()
    assert from_tokens(tokens, tags) == {'text': 'Anouk left Upper Brig',
                                         'entity': [entity('Anouk', 'p'), entity('Upper Brig', 'c')]}
