"Columns, tables, tuples and lists of tokens as people have them; what nobody knows is refused in words."
import json

import pytest
from helpers.data_files import entity, read, save

from iepile_nb.cli.convert import main as convert
from iepile_nb.cli.data import main as data
from iepile_nb.lib.formats import chosen_form, recognised
from iepile_nb.lib.io import UserError
from iepile_nb.records import read_records

PAIR = [entity('Nadia Ferro', 'person'), entity('Lugo', 'city')]
WORDS, TAGS = 'Nadia Ferro saw Lugo .'.split(), 'B-person I-person O B-city O'.split()
TEXT = {'text': 'Nadia Ferro saw Lugo.', 'entity': PAIR}


def columns(order, sep='\t'): return ['\n'.join(sep.join(order(w, t)) for w, t in zip(WORDS, TAGS)), '']


@pytest.mark.parametrize('order', [lambda w, t: (t, w), lambda w, t: (w, 'NN', t, '7', 'x'),
                                   lambda w, t: (w, t, '_')])
def test_tags_stand_in_any_column(order, tmp_path):
    path = save(tmp_path/'f.bio', *columns(order))
    assert recognised(path) == 'conll' and read(path, 'auto') == ([TEXT], [])


def test_columns_that_are_named_or_chosen(tmp_path, capsys):
    rows = [f'{i}\t{w}\t{t}\t_' for i, (w, t) in enumerate(zip(WORDS, TAGS), 1)]
    assert read(save(tmp_path/'f', '# global.columns = ID FORM NER MISC', *rows, ''), 'auto') == ([TEXT], [])
    two = save(tmp_path/'f', *[f'{w} B-chunk {t}' for w, t in zip(WORDS, TAGS)], '')
    assert read(two, 'auto') == read(two, 'conll:1,3') == ([TEXT], [])
    assert {e['entity_type'] for e in read(two, 'conll:1,2')[0][0]['entity']} == {'chunk'}
    assert 'no column 3 for the tag' in read(save(tmp_path/'g', 'a x O', 'b O'), 'conll:1,3')[1][0]
    args = ['--src_path', str(two), '--schema_path', 'auto', '--tgt_path', str(tmp_path/'o.json')]
    assert convert([*args, '--columns', '1,2']) == 0 and '"chunk' in (tmp_path/'o.json').read_text()
    for columns_, said in (('1', 'the token and of its tag'), ('1,x', "no column 'x'")):
        assert convert([*args, '--columns', columns_]) == 1 and said in capsys.readouterr().err
    with pytest.raises(UserError, match='the format doccano has none'): read(two, 'doccano:1,2')


def test_tags_that_name_no_label(tmp_path):
    path = save(tmp_path/'f', 'Nadia B', 'Ferro I', 'saw O', '')
    with pytest.raises(UserError, match='f: the tags B, I name no label'): read(path, 'auto')
    path = save(tmp_path/'f', {'tokens': ['a', 'b'], 'tags': ['B', 'O']})
    with pytest.raises(UserError, match='name no label'): read(path, 'hf')
    path = save(tmp_path/'f.txt', 'Nadia,B-p', 'saw,O', '', 'Rain,O', '')
    with pytest.raises(UserError, match='commas stand between'): read(path, 'auto')


def test_lists_of_tokens(tmp_path):
    both = {'sent': WORDS, 'ner_labels': TAGS}, {'x': WORDS, 'y': TAGS}
    for one in both: assert read(save(tmp_path/'f', one), 'auto') == ([TEXT], [])
    assert read(save(tmp_path/'f', {'a': WORDS, 'b': [0] * 5, 'c': TAGS}), 'hf:a,c') == ([TEXT], [])
    chars = {'text': '拉迪在 卢戈', 'labels': ['B-人', 'I-人', 'O', 'O', 'B-城', 'I-城']}
    want = {'text': chars['text'], 'entity': [entity('拉迪', '人'), entity('卢戈', '城')]}
    assert read(save(tmp_path/'f', chars), 'auto') == ([want], [])
    gap = save(tmp_path/'f', {'tokens': WORDS, 'tags': [*TAGS[:4], None]})
    assert "token 5, '.', has no tag" in read(gap, 'auto')[1][0]


SPACY = ['Nadia Ferro saw Lugo.', {'entities': [[0, 11, 'person'], [16, 20, 'city']]}]
PYTHON = ('# data\nTRAIN_DATA = [\n  ("Nadia Ferro saw Lugo.", '
          '{"entities": [(0, 11, "person"), (16, 20, "city")]}),\n]\n')


@pytest.mark.parametrize('text', [json.dumps([SPACY]), f'{json.dumps(SPACY)}\n{json.dumps(SPACY)}', PYTHON,
                                  json.dumps({'classes': ['person'], 'annotations': [SPACY, None]})])
def test_spacy_pairs(text, tmp_path):
    path = save(tmp_path/'f', text)
    assert recognised(path) == 'spacy'
    got, bad = read(path, 'spacy')
    assert got[0] == TEXT and not bad


def test_files_that_need_a_package(tmp_path, monkeypatch):
    def absent(name): raise ModuleNotFoundError(name=name)
    monkeypatch.setattr('iepile_nb.lib.formats.import_module', absent)
    for name, package in (('f.spacy', 'spacy'), ('f.xlsx', 'openpyxl')):
        said = f'{name}: .* needs the package {package}.*: pip install {package}'
        with pytest.raises(UserError, match=said): read(save(tmp_path/name, 'PK\x03\x04'), 'auto')


def test_excel(tmp_path, monkeypatch, caplog):
    from types import SimpleNamespace
    rows = [('text', 'person', None), ('Nadia saw Lugo', 'Nadia', None), (None, None, None),
            ('Rain', None, '', 3)]
    empty = SimpleNamespace(title='notes', iter_rows=lambda values_only: iter([(None, None)]))
    sheet = SimpleNamespace(title='texts', iter_rows=lambda values_only: iter(rows))
    more = SimpleNamespace(title='more', iter_rows=lambda values_only: iter([('text',), ('Snow',)]))
    book = SimpleNamespace(worksheets=[empty, sheet, more])
    module = SimpleNamespace(load_workbook=lambda path, **options: book)
    monkeypatch.setattr('iepile_nb.lib.formats.import_module', lambda name: module)
    path = save(tmp_path/'f.xlsx', 'PK')
    with pytest.raises(UserError, match='f.xlsx:4: 4 cells'): read(path, 'auto')
    rows[3] = ('Rain', None, None)
    assert [len(r['entity']) for r in read(path, 'auto')[0]] == [1, 0]
    assert "sheet 'texts' is read; left out: more" in caplog.text


TOKEN_ROWS = ''.join(f'{"1" * (i == 0)},{w},X,{t}\n' for i, (w, t) in enumerate(zip(WORDS, TAGS)))


@pytest.mark.parametrize('table', [
    'Sentence #,Word,POS,Tag\n' + TOKEN_ROWS,
    'text;person;city\n"Nadia Ferro saw Lugo.";"[""Nadia Ferro""]";Lugo\n',
    'text\tlabel\tmention\nNadia Ferro saw Lugo.\tperson\tNadia Ferro\n\tcity\tLugo\n'])
def test_tables(table, tmp_path):
    (tmp_path/'f.dat').write_text(table)
    assert recognised(tmp_path/'f.dat') == 'table' and read(tmp_path/'f.dat', 'auto') == ([TEXT], [])


def test_tables_with_triples_and_other_names(tmp_path):
    (tmp_path/'f.csv').write_text('sentence,subject,predicate,object\nA saw B,A,saw,B\n')
    saw = {'head': 'A', 'relation': 'saw', 'tail': 'B'}
    assert read(tmp_path/'f.csv', 'auto', 'RE')[0][0]['relation'] == [saw]
    (tmp_path/'f.csv').write_text('Satz,Art,Wort\nNadia saw Lugo,city,Lugo\nNadia saw Lugo,city,Faenza\n')
    with pytest.raises(UserError, match='f.csv:1: no column is called text'): read(tmp_path/'f.csv', 'auto')
    said = read(tmp_path/'f.csv', 'table:Satz,Art,Wort')[1][0]
    assert "f.csv:2: 'city': the text does not contain 'Faenza'" in said
    (tmp_path/'f.csv').write_text('text,a\nNadia, alone,Nadia\n')
    with pytest.raises(UserError, match='f.csv:2: 3 cells'): read(tmp_path/'f.csv', 'auto')


def test_spans_with_the_last_character(tmp_path):
    spans = [{'begin': 0, 'stop': 10, 'category': 'person', 'mention': 'Nadia Ferro'},
             {'begin': 16, 'stop': 20, 'category': 'city'}]
    assert read(save(tmp_path/'f', {'sentence': TEXT['text'], 'entities': spans}), 'auto') == ([TEXT], [])
    assert 'relation' in read(tmp_path/'f', 'auto', 'RE')[1][0] # nobody annotated relations


@pytest.mark.parametrize('name, text, said', [
    ('f.dat', 'name|thing\n', "known \\(it begins with 'name.thing'\\); name it with --from: records"),
    ('f.xml', '<a/>', "begins with '<a/>'"), ('f.pdf', '%PDF-1.7\n', "begins with '%PDF-1.7'"),
    ('f.json', 'version https://git-lfs.github.com/spec/v1\n', 'only a pointer of Git LFS'),
    ('f.docx', 'PK\x03\x04', 'a zip file')])
def test_what_nobody_knows(name, text, said, tmp_path):
    with pytest.raises(UserError, match=said): chosen_form(save(tmp_path/name, text))


def test_texts_without_annotations(tmp_path):
    path = save(tmp_path/'f.txt', 'Nadia left.', '', 'It rained in Lugo.')
    assert [r['text'] for r in read_records(path, annotated=False)] == ['Nadia left.', 'It rained in Lugo.']
    assert [r['text'] for r in read_records(path, annotated=False, form='textfile')] == [path.read_text()]
    with pytest.raises(UserError, match='no records in it that are annotated'): list(read_records(path))


def test_another_format_than_was_named_is_said_once(tmp_path, capsys):
    path = save(tmp_path/'f.json', {'tokenized_text': WORDS, 'ner': [[0, 1, 'person'], [3, 3, 'city']]})
    args = ['--src_path', str(path), '--schema_path', 'auto', '--tgt_path', str(tmp_path/'o.json')]
    assert convert([*args, '--from', 'records']) == 1
    assert 'read as records, though it looks like gliner (--from gliner)' in capsys.readouterr().err
    assert convert(args) == 0 and capsys.readouterr().err.count('read as gliner') == 1
    assert read(path, 'gliner') == ([TEXT], [])


def test_messages_are_one_line(tmp_path, capsys):
    assert "it has 'a b'" in read(save(tmp_path/'f', {'text': 'x', 'a\nb': [1]}), 'records')[1][0]
    moved = {'text': 'In\nLugo', 'spans': [{'start': 0, 'end': 7, 'label': 'city', 'text': 'Lugo\nand'}]}
    assert "says 'Lugo and' where the text has 'In Lugo'" in read(save(tmp_path/'f', moved), 'prodigy')[1][0]
    path = save(tmp_path/'f.json', {'text': 'In New\nLugo', 'entity': [entity('New Lugo', 'city')]})
    assert data(['check', '--src_path', str(path)]) == 1
    assert "the text has 'New Lugo', not 'New Lugo'; write it" in capsys.readouterr().out


def test_equal_problems_are_said_once(tmp_path, capsys):
    path = save(tmp_path/'f.json', *[{'text': f'{i}', 'entity': [entity('Lugo', 'city')]} for i in range(15)])
    assert data(['check', '--src_path', str(path)]) == 1
    said = capsys.readouterr().out
    assert said.count("the text does not contain 'Lugo'") == 1 and '(and 14 more: 2, 3, 4,' in said


@pytest.mark.parametrize('recipe, said', [
    ('datasets:\n  - &x {src_path: a, schema_path: b, task: NER, source: *x}', "'source' should be"),
    ('datasets:\n  - {src_path: [a], schema_path: b, task: NER}', "dataset 1: 'src_path' should be a string"),
    ('datasets: ' + '[' * 3000, 'too deep|broken YAML'), ('datasets: &x [*x]', 'a list')])
def test_recipes_inside_themselves(recipe, said, tmp_path, capsys):
    path = save(tmp_path/'r.yaml', recipe)
    assert data(['recipe', '--src_path', str(path), '--tgt_path', str(tmp_path/'out')]) == 1
    error = capsys.readouterr().err
    assert error.count('\n') == 1 and any(s in error for s in said.split('|'))
    assert not (tmp_path/'out').exists()
