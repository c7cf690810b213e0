"Each importer reads what its tool writes, and says what it leaves out or refuses."
import json

import pytest
from helpers.data_files import ANN, FILES, INES, LEFT, MARKS, MOVE, entity, read, save
from iepile_nb.lib.formats import IMPORTERS, importer
from iepile_nb.lib.io import UserError
from iepile_nb.lib.tokens import bio_spans
from iepile_nb.records import read_records


@pytest.mark.parametrize('form', FILES)
def test_a_good_record(form, tmp_path):
    (got,), bad = read(save(tmp_path/'f', *FILES[form]), form)
    assert not bad and got['text'] == INES['text']
    assert sorted(map(str, got['entity'])) == sorted(map(str, INES['entity']))
    if form == 'doccano': assert got['relation'] == LEFT


def test_the_table_of_formats():
    others = 'brat hf prodigy cluener gliner cmeee duie duee spacy table text textfile'.split()
    assert set(IMPORTERS) == {*FILES, *others}


def test_an_importer_of_ones_own(tmp_path, monkeypatch):
    monkeypatch.setattr('iepile_nb.lib.formats.IMPORTERS', dict(IMPORTERS))
    @importer('plain')
    def read_plain(path, task, bad):
        for n, line in enumerate(path.read_text().splitlines(), 1): yield n, {'text': line, 'entity': []}
    (tmp_path/'f').write_text('Ines left.\nRain fell.')
    assert [r['text'] for r in read_records(tmp_path/'f', form='plain')] == ['Ines left.', 'Rain fell.']
    with pytest.raises(UserError, match="no format 'xml'; there is records"):
        list(read_records(tmp_path/'f', form='xml'))


@pytest.mark.parametrize('tags', ['B-PER I-PER O B-LOC O', 'I-PER I-PER O I-LOC O', 'B-PER E-PER O S-LOC O',
                                  'B-PER L-PER O U-LOC O', 'B-PER M-PER O S-LOC O'])
@pytest.mark.parametrize('sep', [' ', '\t', '   '])
def test_every_tag_scheme(tags, sep, tmp_path):
    lines = [f'{w}{sep}{t}' for w, t in zip('Ines Okafor left Odda .'.split(), tags.split())]
    path = save(tmp_path/'f', '-DOCSTART- -X- O', '', '# id = 4', *lines, '', '', *lines)
    assert read(path, 'conll') == ([INES, INES], [])


def test_tags_that_follow_no_scheme():
    assert bio_spans('B-a I-a B-a I-b O'.split()) == [(0, 2, 'a'), (2, 3, 'a'), (3, 4, 'b')]
    with pytest.raises(UserError, match="'x' is not a tag"): bio_spans(['B-a', 'x'])


def test_chinese_columns(tmp_path):
    tags = 'O O O B-LOC I-LOC I-LOC I-LOC O'.split()
    got, bad = read(save(tmp_path/'f', *[f'{c}\t{t}' for c, t in zip('他住在U B城。', tags)]), 'conll')
    assert got == [{'text': '他住在U B城。', 'entity': [entity('U B城', 'LOC')]}] and not bad


def conll(tmp_path): return lambda *lines: read(save(tmp_path/'f', *lines), 'conll')


def test_columns_with_numbers_and_comments(tmp_path):
    "CoNLL-U's numbers and ranges, and a comment that looks like columns."
    lines = conll(tmp_path)
    words, tags = 'Ines Okafor left Odda .'.split(), 'B-PER I-PER O B-LOC O'.split()
    numbered = [f'{i}\t{w}\t_\t{t}' for i, (w, t) in enumerate(zip(words, tags), 1)]
    comments = '#\thttp://a.b/c [2009]', '# text = Ines Okafor', '1-2\tXY\t_\t_'
    two = [INES, {'text': 'Hi', 'entity': []}]
    assert lines(*comments, *numbered, '', '1\tHi\t_\tO') == (two, [])
    count = '1 CD B-NUM', 'apple NN O', '', 'Hi UH O'
    assert lines(*count)[0][0]['text'] == '1 apple' # a number may be a token
    assert lines('Ines B-PER', '#', '#x B_Y', '# O')[1]
    assert lines('# O', '#Odda B-LOC')[0][0]['text'] == '# #Odda'


def test_columns_with_tags_inside_others(tmp_path):
    lines, nested = conll(tmp_path), ['1\tUni\tB-ORG\tO', '2\tKöln\tI-ORG\tB-LOC']
    spans = [entity('Uni Köln', 'ORG'), entity('Köln', 'LOC')]
    assert lines(*nested) == ([{'text': 'Uni Köln', 'entity': spans}], [])
    assert lines(*nested, '3\tist\tO')[0] == []


def test_tokens_that_are_blanks_or_have_a_place(tmp_path):
    lines = conll(tmp_path)
    hard = {'text': '10\u00a0000 km', 'entity': [entity('10\u00a0000', 'N')]}
    assert lines('10\u00a0000 B-N', 'km O')[0][0] == hard
    for sep in ' \t':
        got = lines(f'中{sep}B-A', f' {sep}O', f'国{sep}B-A', f'\u3000{sep}O', f'好{sep}O')[0]
        assert got[0]['text'] == '中 国\u3000好'
    assert lines('科0 O', '张0 B-PER', '三1 I-PER')[0] == [{'text': '科张三', 'entity': [entity('张三', 'PER')]}]


def test_doccano_spans(tmp_path):
    line = {'text': INES['text'], 'label': [[0, 12, 'PER'], [17, 21, 'LOC']]} # a blank is part of no mention
    assert read(save(tmp_path/'f', line), 'doccano') == ([INES], [])
    assert 'outside' in read(save(tmp_path/'f', line | {'text': 'Ines'}), 'doccano')[1][0]


def test_marks_of_a_repeated_name(tmp_path):
    marks = [dict(id=i, label='P', start_offset=a, end_offset=a + 2) for i, a in enumerate([0, 7])]
    links = [dict(from_id=a, to_id=1 - a, type='r') for a in (0, 1)]
    line = {'text': 'Bo saw Bo', 'entities': marks, 'relations': links}
    (got,), bad = read(save(tmp_path/'f', line), 'doccano')
    assert len(got['entity']) == len(got['relation']) == 1 and not bad


def mark(a, b, text, labels):
    return {'id': 'a', 'type': 'labels', 'value': {'start': a, 'end': b, 'text': text, 'labels': labels}}


def ls_task(*results, **data):
    return {'data': data or {'text': '😀 Ines 在奥达'}, 'annotations': [{'result': r} for r in results]}


CITY, INES_MARK, CITY_MARK = entity('奥达', 'C'), mark(2, 6, 'Ines', ['P']), mark(8, 10, '奥达', ['C'])


@pytest.fixture
def label_studio(tmp_path, caplog):
    "Read one task: its entities or what is wrong with it, and what was logged."
    def one(task):
        caplog.clear()
        got, bad = read(save(tmp_path/'f', task), 'labelstudio')
        return (got[0]['entity'] if got else bad[0] if bad else []), caplog.text
    return one


def test_label_studio_arrays_and_short_form(tmp_path):
    short = {'text': INES['text'], 'label': [m['value'] for m in MARKS]}
    (tmp_path/'f').write_text(json.dumps([short, json.loads(FILES['labelstudio'][0])], indent=1))
    got, bad = read(tmp_path/'f', 'labelstudio')
    assert [{k: r[k] for k in INES} for r in got] == [INES, INES] and not bad


def test_label_studio_offsets_of_a_browser(label_studio):
    for a in (8, 9): # characters, or units of UTF-16
        assert label_studio(ls_task([mark(a, a + 2, '奥达', ['C'])])) == ([CITY], '')
    other = ls_task([mark(7, 9, '奥达', ['C'])], text='x Ines 在奥不达')
    assert "the mark says '奥达' where the text has '在奥'" in label_studio(other)[0]


def test_label_studio_other_names_of_fields(label_studio):
    assert label_studio(ls_task([mark(1, 3, '奥达', 'C')], name='n1', body='在奥达呢')) == ([CITY], '')
    assert len(label_studio(ls_task([CITY_MARK, INES_MARK]))[0]) == 2 # one id twice loses nothing
    short = {'text': '在奥达', 'ner': [{'start': 1, 'end': 3, 'text': '奥达', 'labels': ['C']}]}
    assert label_studio(short) == ([CITY], '')
    assert label_studio({'text': '在奥达', 'annotation_id': 3}) == ([], '')


def test_label_studio_several_annotations(label_studio):
    two = ls_task([INES_MARK], [CITY_MARK])
    found, said = label_studio(two)
    assert found == [entity('Ines', 'P')] and '1 further annotations' in said
    two['annotations'][1]['ground_truth'] = True
    assert label_studio(two)[0] == [CITY]


def test_label_studio_says_what_it_leaves_out(label_studio):
    others = [{'type': 'choices', 'value': {'choices': ['x']}},
              {'type': 'relation', 'from_id': 'a', 'to_id': 'a'}, mark(2, 6, 'Ines', [])]
    found, said = label_studio(ls_task([CITY_MARK, *others]))
    assert found == [CITY]
    left = 'marks without a label (choices)', 'relations without a name', 'marks without a label (labels)'
    assert all(f'1 {what}' in said for what in left)
    guessed = {'data': {'text': 'a'}, 'annotations': [], 'predictions': [{'result': []}]}
    assert '1 predictions' in label_studio(guessed)[1]


def test_brat(tmp_path):
    (tmp_path/'a.txt').write_text(INES['text'])
    save(tmp_path/'a.ann', *ANN)
    assert read(tmp_path, 'brat') == ([INES | {'relation': LEFT, 'event': MOVE}], [])
    (tmp_path/'b.txt').write_bytes('甲\r\n乙丙'.encode())
    save(tmp_path/'b.ann', 'T1\tX 0 1;3 4\t甲 乙', 'T2\tY 4 5\t丁')
    (tmp_path/'c.ann').write_text('')
    got, bad = read(tmp_path, 'brat')
    assert len(got) == 1 and len(bad) == 2
    assert "says '丁' where the text has '丙'" in ''.join(bad) and 'no .txt file beside it' in ''.join(bad)


def test_brat_says_what_it_leaves_out_and_what_is_wrong(tmp_path, caplog):
    def one(*lines):
        (tmp_path/'a.txt').write_text(INES['text'])
        (tmp_path/'a.ann').write_bytes(b'\n'.join(l if isinstance(l, bytes) else l.encode() for l in lines))
        return read(tmp_path, 'brat')
    assert one(*ANN, 'N1\tReference T1 W:1', '*\tEquiv T1 T2')[0]
    assert 'left out: 1 attributes, 1 notes, 1 normalizations, 1 equivalences' in caplog.text
    for line, problem in ((ANN[0], 'a.ann:8: two lines have the id T1'),
                          ('E2\tMove:T9', "event E2 leads to 'T9', which marks nothing"),
                          ('T4 PER 0 11 Ines', 'a.ann:8: not of the form that brat writes, with tabs'),
                          (b'#2\t\xff', 'a.ann:8: not UTF-8')):
        assert problem in one(*ANN, line)[1][0]
    (tmp_path/'sub').mkdir()
    (tmp_path/'sub/b c.txt').write_text('b')
    assert 'sub/b c.txt: no key' in one(*ANN)[1][0] and 'not annotated yet' in one(*ANN)[1][0]
    (tmp_path/'none').mkdir()
    for path in ('none', 'nowhere'):
        with pytest.raises(UserError, match=f'{path}: no text files'): read(tmp_path/path, 'brat')
