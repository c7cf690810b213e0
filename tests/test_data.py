"Data: schemas of every shape, importers of other formats, and the tools that look at records."
import json
import random

import pytest
from hypothesis import given, settings, strategies as st
from iepile_nb import convert as conversion
from iepile_nb.convert import convert
from iepile_nb.lib.io import UserError, read_jsonl
from iepile_nb.records import infer_schema, read_records, read_schema
from iepile_nb.cli.eval import main as evaluate
from iepile_nb.questions import instruction, output
from iepile_nb.tasks import TASKS, read_instruction


def save(path, *values):
    "One JSON value a line."
    path.write_text('\n'.join(v if isinstance(v, str) else json.dumps(v, ensure_ascii=False) for v in values), encoding='utf-8')
    return path


def rows(path): return [r for _, r in read_jsonl(path)]


# ---- schemas

DESCRIBED = {
    'NER': {'person': 'People by name.', 'city': {'description': 'Towns.', 'examples': ['Odda']}},
    'RE': {'founder': 'Who founded the subject.', 'owner of': ''},
    'EET': {'sale': 'Something is sold.', 'strike': 'Work stops.'},
    'EE': {'sale': {'sale': 'Something is sold.', 'trigger': True, 'arguments': {'buyer': 'Who pays.', 'price': ''}}, 'strike': {'arguments': ['place']}},
    'KG': [{'entity_type': 'person', 'attributes': {'born in': 'A place.', 'works as': ''}}]}
DESCRIBED['EEA'] = DESCRIBED['EE']
RECORDS = {
    'NER': [{'text': 'Ines left Odda.', 'entity': [{'entity': 'Ines', 'entity_type': 'person'}]}],
    'RE': [{'text': 'Ines founded Halden.', 'relation': [{'head': 'Halden', 'relation': 'founder', 'tail': 'Ines'}]}],
    'KG': [{'text': 'Ines of Odda.', 'relation': [{'head': 'Ines', 'head_type': 'person', 'relation': 'born in', 'tail': 'Odda'}]}],
    'EE': [{'text': 'Ines bought it.', 'event': [{'event_type': 'sale', 'event_trigger': 'bought', 'arguments': [{'role': 'buyer', 'argument': 'Ines'}]}]}]}
RECORDS['EET'] = RECORDS['EEA'] = RECORDS['EE']


@pytest.mark.parametrize('task', DESCRIBED)
def test_described_labels_convert_read_back_and_score(task, tmp_path, capsys):
    "OneKE's dict form, through conversion and scoring; the model's view of the row is the published one."
    save(tmp_path/'d.json', *RECORDS[task])
    save(tmp_path/'s.json', DESCRIBED[task])
    t, args = TASKS[task], ['--task', task, '--language', 'en', '--src_path', str(tmp_path/'d.json'), '--schema_path', str(tmp_path/'s.json'), '--source', 'x']
    for split in ('train', 'test'): assert conversion.main([*args, '--split', split, '--tgt_path', str(tmp_path/f'{split}.json')]) == 0
    row, = rows(tmp_path/'train.json')
    asked = json.loads(row['instruction'])['schema']
    assert isinstance(asked, list) == (task == 'KG')
    _, qs, text = read_instruction(row['instruction'])
    assert any(any(q.about) for q in qs) and instruction(t, 'en', qs, text) == row['instruction']
    found = [(q.label, *o) for q in qs for o in t.asked(q, t.gold(RECORDS[task][0]).get(q.label, []))]
    assert sorted(t.parse(json.loads(row['output']))) == sorted(found)
    test = rows(tmp_path/'test.json')
    if task != 'EEA': save(tmp_path/'p.json', *[r | {'output': row['output']} for r in test])
    else: save(tmp_path/'p.json', *[r | {'output': '{"sale": [{"buyer": "Ines"}]}'} for r in test])
    assert evaluate(['--path1', str(tmp_path/'p.json'), '--task', task]) == 0
    assert '100' in capsys.readouterr().out


def test_described_forms_are_those_of_oneke(tmp_path):
    say = lambda task: json.loads(next(convert(RECORDS[task], read_schema(save(tmp_path/'s.json', DESCRIBED[task]), task), task, 'en'))['instruction'])['schema']
    assert say('NER') == {'city': 'Towns. (Odda)', 'person': 'People by name.'}
    assert read_schema(save(tmp_path/'s.json', {'city': {'examples': 'Odda'}}), 'NER').about == {'city': '(Odda)'}
    assert say('EE')['sale'] == {'sale': 'Something is sold.', 'trigger': True, 'arguments': {'buyer': 'Who pays.', 'price': ''}}
    assert say('KG') == [{'entity_type': 'person', 'attributes': {'born in': 'A place.', 'works as': ''}}]


def test_described_labels_are_not_split():
    schema = TASKS['NER'].schema([f'l{i}' for i in range(20)], [], {})._replace(about={'l1': 'first'})
    assert len(list(convert(RECORDS['NER'], schema, 'NER', 'en'))) == 1


def test_themes(tmp_path):
    schema = save(tmp_path/'s.json', {'Person': [['person_born in_place'], ['born in']], 'Works': [['work_author_person'], ['author']]})
    save(tmp_path/'d.json', {'text': 'Ines of Odda', 'cate': 'Person', 'relation': []}, {'text': 'Ebb by Ines', 'cate': 'Works', 'relation': []})
    args = ['--task', 'RE', '--src_path', str(tmp_path/'d.json'), '--schema_path', str(schema), '--tgt_path', str(tmp_path/'o.json')]
    assert conversion.main(args) == 0 and len(rows(tmp_path/'o.json')) == 2
    assert conversion.main([*args, '--theme', 'Works']) == 0
    row, = rows(tmp_path/'o.json')
    assert json.loads(row['instruction'])['schema'] == ['author']
    assert conversion.main([*args, '--theme', 'Food']) == 1


@pytest.mark.parametrize('task', [t for t in TASKS if t != 'KG'])
def test_schema_auto(task, root, tmp_path):
    src = root/'data'/task/'sample.json'
    args = ['--task', task, '--src_path', str(src), '--schema_path', 'auto', '--tgt_path', str(tmp_path/'o.json')]
    assert conversion.main(args) == 0
    asked = {q.label for r in rows(tmp_path/'o.json') for q in read_instruction(r['instruction'], TASKS[task])[1]}
    assert asked == set(infer_schema(read_records(src, task), task).labels)


json_value = st.recursive(st.none() | st.booleans() | st.integers() | st.text('ab_', max_size=5),
    lambda x: st.lists(x, max_size=3) | st.dictionaries(st.sampled_from(['a', 'b', 'description', 'arguments', 'entity_type', 'examples']), x, max_size=3), max_leaves=8)


@pytest.mark.parametrize('task, schema, says', [
    ('NER', {'labels': ['person', 'city']}, "'labels' has a list"), ('RE', {'news': ['works for']}, "'news' has a list"),
    ('NER', ['person', ' '], 'no name is empty'), ('EE', {'attack': ['who', '']}, 'no name is empty')])
def test_a_schema_that_would_lose_labels_is_refused(tmp_path, task, schema, says):
    (tmp_path/'s.json').write_text(json.dumps(schema))
    with pytest.raises(UserError, match=says): read_schema(tmp_path/'s.json', task)


@settings(max_examples=100)
@given(st.lists(json_value, min_size=1, max_size=4), st.sampled_from(list(TASKS)), st.sampled_from(['', 'a']))
def test_any_json_is_a_schema_or_a_clear_error(tmp_path_factory, values, task, theme):
    path = save(tmp_path_factory.getbasetemp()/'any.json', *values)
    try: assert read_schema(path, task, theme=theme).labels
    except UserError as e: assert str(path) in str(e) and '\n' not in str(e)


# ---- importers

INES = {'text': 'Ines Okafor left Odda.', 'entity': [{'entity': 'Ines Okafor', 'entity_type': 'PER'}, {'entity': 'Odda', 'entity_type': 'LOC'}]}
LEFT = [{'head': 'Ines Okafor', 'head_type': 'PER', 'relation': 'left', 'tail': 'Odda', 'tail_type': 'LOC'}]
MOVE = [{'event_type': 'Move', 'event_trigger': 'left', 'arguments': [{'role': 'Who', 'argument': 'Ines Okafor'}, {'role': 'From', 'argument': 'Odda'}]}]
ROW = {'task': 'NER', 'source': 's', 'instruction': instruction(TASKS['NER'], 'en', [*map(TASKS['NER'].question, ['LOC', 'PER'])], INES['text']),
       'output': '{"LOC": ["Odda"], "PER": ["Ines Okafor"]}'}
FILES = { # one good record in each format, as the lines of a file, and the keys that it brings
    'records': ([json.dumps(INES)], 'entity'),
    'doccano': (['{"id": 3, "text": "Ines Okafor left Odda.", "entities": [{"id": 1, "label": "PER", "start_offset": 0, "end_offset": 11}, '
                 '{"id": 2, "label": "LOC", "start_offset": 17, "end_offset": 21}], "relations": [{"id": 9, "from_id": 1, "to_id": 2, "type": "left"}]}'], 'entity relation'),
    'labelstudio': (['{"data": {"text": "Ines Okafor left Odda."}, "annotations": [{"was_cancelled": true, "result": []}, {"result": ['
                     '{"id": "a", "type": "labels", "value": {"start": 0, "end": 11, "labels": ["PER"]}}, '
                     '{"id": "b", "type": "labels", "value": {"start": 17, "end": 22, "labels": ["LOC"]}}]}]}'.replace('22', '21')], 'entity'),
    'conll': (['Ines NNP B-PER', 'Okafor NNP I-PER', 'left VBD O', 'Odda NNP S-LOC', '. . O', ''], 'entity'),
    'instructie': ([json.dumps({'input': INES['text'], 'cate': 'Person', 'kg': [['Ines Okafor', 'left', 'Odda']], 'entity': INES['entity']})], 'entity'),
    'iepile': ([json.dumps(ROW)], 'entity')}
TASK_OF = {'instructie': 'RE'}


def read(path, form, task=None):
    "Records and what was refused."
    from iepile_nb.records import numbered_records
    bad = []
    got = list(numbered_records(path, TASKS[task or TASK_OF.get(form, 'NER')], form=form, bad=lambda e, raw=None: bad.append(str(e))))
    return [r for _, r in got], bad


@pytest.mark.parametrize('form', FILES)
def test_importer(form, tmp_path):
    lines, keys = FILES[form]
    (got,), bad = read(save(tmp_path/'f', *lines), form)
    assert not bad and got['text'] == INES['text'] and sorted(map(str, got['entity'])) == sorted(map(str, INES['entity']))
    if 'relation' in keys: assert got['relation'] == LEFT


@pytest.mark.parametrize('tags', ['B-PER I-PER O B-LOC O', 'I-PER I-PER O I-LOC O', 'B-PER E-PER O S-LOC O', 'B-PER L-PER O U-LOC O', 'B-PER M-PER O S-LOC O'])
@pytest.mark.parametrize('sep', [' ', '\t', '   '])
def test_every_tag_scheme(tags, sep, tmp_path):
    lines = [f'{w}{sep}{t}' for w, t in zip('Ines Okafor left Odda .'.split(), tags.split())]
    assert read(save(tmp_path/'f', '-DOCSTART- -X- O', '', '# id = 4', *lines, '', '', *lines), 'conll') == ([INES, INES], [])


def test_chinese_columns(tmp_path):
    got, bad = read(save(tmp_path/'f', *[f'{c}\t{t}' for c, t in zip('他住在U B城。', 'O O O B-LOC I-LOC I-LOC I-LOC O'.split())]), 'conll')
    assert got == [{'text': '他住在U B城。', 'entity': [{'entity': 'U B城', 'entity_type': 'LOC'}]}] and not bad


def test_doccano_spans(tmp_path):
    line = {'text': INES['text'], 'label': [[0, 12, 'PER'], [17, 21, 'LOC']]}
    assert read(save(tmp_path/'f', line), 'doccano') == ([INES], []) # a blank at the end of a mention is not part of it
    assert 'outside' in read(save(tmp_path/'f', line | {'text': 'Ines'}), 'doccano')[1][0]


def test_label_studio_arrays_and_short_form(tmp_path):
    short = {'text': INES['text'], 'label': [{'start': 0, 'end': 11, 'labels': ['PER']}, {'start': 17, 'end': 21, 'labels': ['LOC']}]}
    (tmp_path/'f').write_text(json.dumps([short, json.loads(FILES['labelstudio'][0][0])], indent=1))
    got, bad = read(tmp_path/'f', 'labelstudio')
    assert [{k: r[k] for k in INES} for r in got] == [INES, INES] and not bad


ANN = ['T1\tPER 0 11\tInes Okafor', 'T2\tLOC 17 21\tOdda', 'T3\tMove 12 16\tleft', 'R1\tleft Arg1:T1 Arg2:T2', 'E1\tMove:T3 Who:T1 From2:T2', 'A1\tNegated E1', '#1\tAnnotatorNotes T1\tsure?']


def test_brat(tmp_path):
    (tmp_path/'a.txt').write_text(INES['text'])
    save(tmp_path/'a.ann', *ANN)
    assert read(tmp_path, 'brat') == ([INES | {'relation': LEFT, 'event': MOVE}], [])
    (tmp_path/'b.txt').write_bytes('甲\r\n乙丙'.encode())
    save(tmp_path/'b.ann', 'T1\tX 0 1;3 4\t甲 乙', 'T2\tY 4 5\t丁')
    (tmp_path/'c.ann').write_text('')
    got, bad = read(tmp_path, 'brat')
    assert len(got) == 1 and len(bad) == 2 and "says '丁' where the text has '丙'" in ''.join(bad) and 'no .txt file beside it' in ''.join(bad)


def test_rows_of_iepile_are_gathered(root, tmp_path):
    "Records to rows and back, for every task; texts that occur twice stay two records."
    for name, task in TASKS.items():
        src, schema = root/'data'/name/'sample.json', read_schema(root/'data'/name/'schema.json', task)
        records = list(read_records(src, task))
        records = records + records[:1]
        save(tmp_path/'rows.json', *convert(records, schema, task, source='s'), {'task': 'RE' if name != 'RE' else 'NER'})
        back, bad = read(tmp_path/'rows.json', 'iepile', name)
        gold = lambda rs: sorted((r['text'], sorted((l, sorted(map(repr, map(norm, o)))) for l, o in task.gold(r, schema).items())) for r in rs)
        norm = lambda o: (o[0], sorted(o[1])) if task.metrics != ('',) else o
        if name == 'EEA': records = [r for r in records if r['event']]
        assert not bad and gold(back) == gold(records), name


def test_rows_far_apart_when_streaming(caplog):
    from iepile_nb.lib.formats import gather
    rows = [(n, ROW | {'instruction': instruction(TASKS['NER'], 'en', [TASKS['NER'].question(l)], t), 'output': json.dumps({l: []})})
            for n, (t, l) in enumerate([('a', 'x'), ('b', 'x'), ('a', 'y'), ('c', 'x'), ('d', 'x'), ('a', 'z')], 1)]
    assert [(n, r['text']) for n, r in gather(rows, TASKS['NER'], 'f', window=1)] == [(2, 'b'), (1, 'a'), (4, 'c'), (5, 'd'), (6, 'a')]
    assert '1 rows came more than 1 rows after' in caplog.text
    assert [r['text'] for _, r in gather(rows, TASKS['NER'], 'f')] == ['b', 'c', 'd', 'a']


def test_datasets(tmp_path, monkeypatch):
    import datasets
    from datasets import ClassLabel, Dataset, DatasetDict, Features, Sequence, Value
    rows = {'tokens': [['Ines', 'Okafor', 'left', 'Odda', '.']], 'ner_tags': [[1, 2, 0, 3, 0]]}
    d = Dataset.from_dict(rows, Features({'tokens': Sequence(Value('string')), 'ner_tags': Sequence(ClassLabel(names=['O', 'B-PER', 'I-PER', 'B-LOC']))}))
    assert read(d, 'hf') == read(d.to_iterable_dataset(), 'hf') == ([INES], [])
    DatasetDict(test=d).save_to_disk(tmp_path/'d')
    assert read(f"{tmp_path/'d'}:test", 'hf') == ([INES], [])
    assert 'holds the number 1, and the dataset does not say what it means' in read(Dataset.from_dict(rows), 'hf')[1][0]
    assert 'holds the number -1' in read(Dataset.from_dict(rows | {'ner_tags': [[1, 2, 0, 3, -1]]}).cast(d.features), 'hf')[1][0] # not the last name
    (tmp_path/'files').mkdir()
    d.to_parquet(tmp_path/'files/train.parquet')
    save(tmp_path/'d.jsonl', {'tokens': ['Ines', 'Okafor', 'left', 'Odda', '.'], 'ner_tags': 'B-PER I-PER O B-LOC O'.split()})
    for path in (tmp_path/'files', tmp_path/'files/train.parquet', tmp_path/'d.jsonl'): assert read(path, 'hf') == ([INES], [])
    with pytest.raises(UserError, match='d: cannot be read as a dataset .*wanted: split dev'): read(f"{tmp_path/'d'}:dev", 'hf')
    with pytest.raises(UserError, match="no columns 'tokens'"): read(Dataset.from_dict({'a': [1]}), 'hf')
    def gone(*a, **k): raise ConnectionError('no route\nto host')
    monkeypatch.setattr(datasets, 'load_dataset', gone)
    with pytest.raises(UserError, match='a/b: .*no route.*wanted: split x.*HF_ENDPOINT.*local path'): read('a/b:x', 'hf')
    with pytest.raises(UserError, match='wanted: hf://datasets/zjunlp/iepile/dev.json.*HF_ENDPOINT'): read('zjunlp/iepile/dev.json', 'iepile')
    def cut(*a, **k):
        yield ROW
        raise OSError('reset')
    monkeypatch.setattr(datasets, 'load_dataset', cut)
    with pytest.raises(UserError, match='its next rows'): read('zjunlp/iepile', 'iepile')


def test_columns_with_numbers_comments_and_blanks(tmp_path):
    "CoNLL-U's numbers and ranges, a comment that looks like columns, and tokens that are blanks are what they are."
    read_lines = lambda *lines: read(save(tmp_path/'f', *lines), 'conll')
    numbered = [f'{i}\t{w}\t_\t{t}' for i, (w, t) in enumerate(zip('Ines Okafor left Odda .'.split(), 'B-PER I-PER O B-LOC O'.split()), 1)]
    assert read_lines('#\thttp://a.b/c [2009]', '# text = Ines Okafor', '1-2\tXY\t_\t_', *numbered, '', '1\tHi\t_\tO') == ([INES, {'text': 'Hi', 'entity': []}], [])
    nested = ['1\tUni\tB-ORG\tO', '2\tKöln\tI-ORG\tB-LOC']
    spans = [{'entity': 'Uni Köln', 'entity_type': 'ORG'}, {'entity': 'Köln', 'entity_type': 'LOC'}]
    assert read_lines(*nested) == ([{'text': 'Uni Köln', 'entity': spans}], [])
    assert read_lines(*nested, '3\tist\tO')[0] == []
    assert read_lines('1 CD B-NUM', 'apple NN O', '', 'Hi UH O')[0][0]['text'] == '1 apple' # a number may be a token
    assert read_lines('Ines B-PER', '#', '#x B_Y', '# O')[1] and read_lines('# O', '#Odda B-LOC')[0][0]['text'] == '# #Odda'
    assert read_lines('10\u00a0000 B-N', 'km O')[0][0] == {'text': '10\u00a0000 km', 'entity': [{'entity': '10\u00a0000', 'entity_type': 'N'}]}
    for sep in ' \t': assert read_lines(f'中{sep}B-A', f' {sep}O', f'国{sep}B-A', f'\u3000{sep}O', f'好{sep}O')[0][0]['text'] == '中 国\u3000好'
    assert read_lines('科0 O', '张0 B-PER', '三1 I-PER')[0] == [{'text': '科张三', 'entity': [{'entity': '张三', 'entity_type': 'PER'}]}]


def test_marks_of_a_repeated_name(tmp_path):
    line = {'text': 'Bo saw Bo', 'entities': [dict(id=i, label='P', start_offset=a, end_offset=a + 2) for i, a in enumerate([0, 7])], 'relations': [dict(from_id=a, to_id=1 - a, type='r') for a in (0, 1)]}
    (got,), bad = read(save(tmp_path/'f', line), 'doccano')
    assert len(got['entity']) == len(got['relation']) == 1 and not bad


def test_label_studio_in_full(tmp_path, caplog):
    "Offsets of a browser, other names of fields, several annotations, and what has no place in a record."
    mark = lambda a, b, s, l, i='a': {'id': i, 'type': 'labels', 'value': {'start': a, 'end': b, 'text': s, 'labels': l}}
    task = lambda *results, **data: {'data': data or {'text': '😀 Ines 在奥达'}, 'annotations': [{'result': r} for r in results]}
    city = {'entity': '奥达', 'entity_type': 'C'}
    def one(t):
        caplog.clear()
        got, bad = read(save(tmp_path/'f', t), 'labelstudio')
        return (got[0]['entity'] if got else bad[0]), caplog.text
    for a in (8, 9): assert one(task([mark(a, a + 2, '奥达', ['C'])])) == ([city], '') # characters, or units of UTF-16
    assert "the mark says '奥达' where the text has '在奥'" in one(task([mark(7, 9, '奥达', ['C'])], text='x Ines 在奥不达'))[0]
    assert one(task([mark(1, 3, '奥达', 'C')], name='n1', body='在奥达呢')) == ([city], '')
    assert len(one(task([mark(8, 10, '奥达', ['C']), mark(2, 6, 'Ines', ['P'])]))[0]) == 2 # one id twice loses nothing
    assert one(task([mark(2, 6, 'Ines', ['P'])], [mark(8, 10, '奥达', ['C'])])) == ([{'entity': 'Ines', 'entity_type': 'P'}], caplog.text) and '1 further annotations' in caplog.text
    two = task([mark(2, 6, 'Ines', ['P'])], [mark(8, 10, '奥达', ['C'])])
    two['annotations'][1]['ground_truth'] = True
    assert one(two)[0] == [city]
    others = [{'type': 'choices', 'value': {'choices': ['x']}}, {'type': 'relation', 'from_id': 'a', 'to_id': 'a'}, mark(2, 6, 'Ines', [])]
    assert one(task([mark(8, 10, '奥达', ['C']), *others]))[0] == [city]
    assert '1 marks without a label (choices), 1 relations without a name, 1 marks without a label (labels)' in caplog.text
    assert '1 predictions' in one({'data': {'text': 'a'}, 'annotations': [], 'predictions': [{'result': []}]})[1]
    assert one({'text': '在奥达', 'ner': [{'start': 1, 'end': 3, 'text': '奥达', 'labels': ['C']}]}) == ([city], '')
    assert one({'text': '在奥达', 'annotation_id': 3}) == ([], '')


def test_brat_says_what_it_leaves_out(tmp_path, caplog):
    def one(*lines):
        (tmp_path/'a.txt').write_text(INES['text'])
        (tmp_path/'a.ann').write_bytes(b'\n'.join(l if isinstance(l, bytes) else l.encode() for l in lines))
        return read(tmp_path, 'brat')
    assert one(*ANN, 'N1\tReference T1 W:1', '*\tEquiv T1 T2')[0] and 'left out: 1 attributes, 1 notes, 1 normalizations, 1 equivalences' in caplog.text
    for line, problem in ((ANN[0], 'a.ann:8: two lines have the id T1'), ('E2\tMove:T9', "event E2 leads to 'T9', which marks nothing"),
                          ('T4 PER 0 11 Ines', 'a.ann:8: not of the form that brat writes, with tabs'), (b'#2\t\xff', 'a.ann:8: not UTF-8')):
        assert problem in one(*ANN, line)[1][0]
    (tmp_path/'sub').mkdir(), (tmp_path/'sub/b c.txt').write_text('b')
    assert 'sub/b c.txt: no key' in one(*ANN)[1][0] and '1 texts have no .ann file' in caplog.text
    (tmp_path/'none').mkdir()
    for path in ('none', 'nowhere'):
        with pytest.raises(UserError, match=f'{path}: no text files'): read(tmp_path/path, 'brat')


ODD = [None, 3, -1, 1.5, '', 'x', [], {}, [None], [[]], [{}], True, {'text': 3}, [[0, 1]], [['a', 'b', 'c']], [[-3, 2, 'a']], [[3, 0, 'a']], [{'id': 1}]]


@st.composite
def spoiled_inside(draw, value):
    "A JSON value with one value somewhere inside dropped, doubled or replaced."
    if isinstance(value, (dict, list)) and value and draw(st.integers(0, 4)):
        key = draw(st.sampled_from(list(value) if isinstance(value, dict) else range(len(value))))
        rest = value.copy()
        if not draw(st.integers(0, 5)): del rest[key]
        elif isinstance(rest, list) and not draw(st.integers(0, 5)): rest.append(rest[key])
        else: rest[key] = draw(spoiled_inside(value[key]))
        return rest
    return draw(st.sampled_from(ODD))


@st.composite
def broken(draw, forms=()):
    "(format, lines of a file of three records in which the middle one is spoiled, does the first or last line of the record still end it?)"
    form = draw(st.sampled_from(forms or [*FILES, 'brat']))
    good = ANN if form == 'brat' else FILES[form][0]
    body = [l for l in good if l]
    i, how = draw(st.integers(0, len(body) - 1)), draw(st.sampled_from(['cut', 'insert', 'replace', 'delete', 'bytes', 'json']))
    line, at = body[i], draw(st.integers(0, len(body[i])))
    odd = draw(st.sampled_from(['"', '{', ']', ',', '0', '-', '\t', ' ', ':', '\\', '\x00', '\u2028', '😀', 'null', '99', '-1', '1e9']))
    if how == 'json' and line[0] == '{':
        line = json.dumps(draw(spoiled_inside(json.loads(line))))
    else: line = {'cut': line[:at], 'insert': line[:at] + odd + line[at:], 'replace': line[:at] + odd + line[at+1:]}.get(how, line[:at] + line[at+1:])
    raw = [l.encode('utf-8', 'surrogatepass') for l in [*body[:i], line, *body[i+1:]]]
    if how == 'bytes': raw[i] = raw[i][:at] + b'\xff' + raw[i][at:]
    return form, raw


def spoiled_file(folder, form, raw):
    "A file or folder of three records of which the one in the middle is spoiled."
    if form == 'brat':
        for name in 'abc': (folder/f'{name}.txt').write_text(INES['text']), save(folder/f'{name}.ann', *ANN)
        (folder/'b.ann').write_bytes(b'\n'.join(raw))
        return folder
    texts, blank = [[l.replace('Ines', n).encode() for l in FILES[form][0]] for n in ('Anna', 'Olga')], [b''] * (form == 'conll')
    (folder/'f').write_bytes(b'\n'.join([*texts[0], *blank, *raw, *blank, *texts[1]]) + b'\n')
    return folder/'f'


def read_spoiled(src, form, raw):
    "The others come through, and the spoiled one comes through or is named; what was refused."
    got, bad = read(src, form)
    whole = [r['text'] for r in got]
    if form == 'brat': assert whole.count(INES['text']) + len(bad) >= 3 and len(got) >= 2
    else: assert {'Anna Okafor left Odda.', 'Olga Okafor left Odda.'} <= set(whole), bad
    if len(got) < 3: assert bad or not b''.join(raw).strip()
    assert all('\n' not in b and str(src) in b for b in bad)
    return bad


@pytest.mark.parametrize('form', [*FILES, 'brat'])
def test_spoiled_files_lose_nothing_in_silence(form, tmp_path_factory):
    folder = tmp_path_factory.mktemp('spoiled')
    @settings(max_examples=200)
    @given(broken([form]))
    def spoil(case): read_spoiled(spoiled_file(folder, *case), *case)
    spoil()


@settings(max_examples=60)
@given(broken())
def test_spoiled_files_are_converted_or_refused(tmp_path_factory, case):
    form, _ = case
    folder = tmp_path_factory.mktemp('spoiled')
    src, out = spoiled_file(folder, *case), folder/'rows.json'
    bad = read_spoiled(src, *case)
    code = conversion.main(['--from', form, '--src_path', str(src), '--schema_path', 'auto', '--task', TASK_OF.get(form, 'NER'), '--tgt_path', str(out)])
    assert code == (1 if bad else 0) and out.exists() == (not bad)


# ---- check, stats, leak, clean

def problems(records, task, schema=None, **k):
    from iepile_nb.lib.check import Report, mended_record
    report = Report('f')
    out = [mended_record(r, TASKS[task], schema, 1, report) for r in records]
    return out, [(p.kind, p.key, p.fix) for p in report.problems]


def test_check_mends_entities():
    from iepile_nb.questions import Schema
    e = lambda s, t='city': {'entity': s, 'entity_type': t}
    record = {'text': 'Ines saw New  York.', 'entity': [e(' Ines'), e('new york'), e('Odda'), e('Ines', 'verb'), e(''), e('Odda')]}
    (out,), found = problems([record], 'NER', Schema(['city']))
    assert out['entity'] == [e('Ines'), e('New  York'), e('Odda')] and record['entity'][0] == e(' Ines')
    assert found == [('blanks', 'entity[0].entity', 'repaired'), ('spelling', 'entity[1].entity', 'repaired'), ('absent', 'entity[2].entity', 'nothing'),
                     ('label', 'entity[3]', 'dropped'), ('empty', 'entity[4].entity', 'dropped'), ('repeated', 'entity[5]', 'dropped')]


def test_check_mends_events_and_attributes():
    from iepile_nb.questions import Schema
    event = {'event_type': 'sale', 'event_trigger': 'bought ', 'arguments': [{'role': 'buyer', 'argument': 'Ines'}, {'role': 'colour', 'argument': 'it'}, {'role': 'price', 'argument': 'NAN'}]}
    (out,), found = problems([{'text': 'Ines bought it', 'event': [event, event | {'event_type': 'war'}]}], 'EE', Schema(['sale'], {'sale': ['buyer', 'price']}))
    assert [a['role'] for a in out['event'][0]['arguments']] == ['buyer', 'price'] and out['event'][0]['event_trigger'] == 'bought' and len(out['event']) == 1
    assert ('part', 'event[0]', 'dropped') in found and ('label', 'event[1]', 'dropped') in found
    item = dict(head='Ines', head_type='person', relation='age', tail='it')
    assert problems([{'text': 'Ines bought it', 'relation': [item]}], 'KG', Schema(['person'], {'person': ['job']}))[0][0]['relation'] == []


def test_check_command(tmp_path, capsys):
    from iepile_nb.cli.data import main
    good = json.dumps(INES)
    (tmp_path/'d.json').write_bytes('\n'.join([good, '{"text": ', good, '{"text": "x"}', '{"text": "Ines Okafor left Odda.", "entity": []}', '\x01']).encode() + b'\n{"text": "\xff"}\n')
    args = ['--task', 'NER', '--src_path', str(tmp_path/'d.json')]
    assert main(['check', *args]) == 1
    out, err = capsys.readouterr()
    assert 'd.json:2: unreadable: broken JSON' in out and "d.json:4: unreadable: no key 'entity'" in out and 'd.json:3: duplicate' in out and 'd.json:5: conflict' in out
    assert 'd.json: 6 problems; --fix mends or drops' in err and list(tmp_path.iterdir()) == [tmp_path/'d.json']
    assert main(['check', *args, '--fix']) == 0
    assert 'd.json:5: conflict' in (out := capsys.readouterr().out) and 'd.json:3: duplicate' not in out # what is left to a person
    assert [r['text'] for r in rows(tmp_path/'d.fixed.json')] == [INES['text']] * 2
    dropped = rows(tmp_path/'d.fixed.dropped.jsonl')
    assert [d['line'] for d in dropped] == [2, 3, 4, 6, 7] and dropped[0]['raw'] == '{"text": ' and dropped[1]['raw'] == INES and dropped[4]['raw'] == '{"text": "\\xff"}'
    assert main(['check', '--task', 'NER', '--src_path', str(tmp_path/'d.fixed.json'), '--schema_path', 'auto']) == 1 # the conflict is left for a person
    assert main(['check', *args[:-1], str(tmp_path/'none.json')]) == 1 and main(['check', *args, args[-1]]) == 1


@settings(max_examples=60)
@given(broken())
def test_check_names_or_keeps_every_record(tmp_path_factory, case):
    "However a record is spoiled, it is kept, or dropped with a reason into the side file."
    from iepile_nb.cli.data import main
    form, raw = case
    if form == 'brat': return
    folder = tmp_path_factory.mktemp('checked')
    blank = [b''] * (form == 'conll')
    (folder/'f').write_bytes(b'\n'.join([*(l.replace('Ines', 'Anna').encode() for l in FILES[form][0]), *blank, *raw]) + b'\n')
    n = 1 + bool(b''.join(raw).strip())
    assert main(['check', '--fix', '--from', form, '--task', TASK_OF.get(form, 'NER'), '--src_path', str(folder/'f'), '--tgt_path', str(folder/'o.json')]) == 0
    kept, dropped = rows(folder/'o.json'), rows(folder/'o.dropped.jsonl') if (folder/'o.dropped.jsonl').exists() else []
    assert 'Anna Okafor left Odda.' in [r['text'] for r in kept]
    assert len(kept) + len(dropped) >= n or form == 'iepile' # a row of IEPile may become part of another record
    assert all(d['problem'] for d in dropped)


def test_check_of_nothing(tmp_path, capsys):
    from iepile_nb.cli.data import main
    for form, text in (('conll', ''), ('conll', '-DOCSTART- O\n'), ('records', '\n\n')):
        for what in ('check', 'clean'):
            assert main([what, '--from', form, '--src_path', str(save(tmp_path/'f', text))]) == 1
            assert 'no records in it' in capsys.readouterr().err and [*tmp_path.iterdir()] == [tmp_path/'f']


def test_stats(tmp_path, capsys):
    from iepile_nb.data import stats
    from iepile_nb.cli.data import main
    from iepile_nb.questions import Schema
    s = stats([INES, {'text': 'Nothing.', 'entity': []}], 'NER', Schema(['WORK', 'PER', 'LOC']), split_num=2) # asked in order: LOC and PER, then WORK
    assert (s['records'], s['without_any_annotation'], s['annotations'], s['rows'], s['rows_with_an_answer'], s['pure_negatives']) == (2, 1, 2, 4, 1, 3)
    assert s['longest'] == len(INES['text']) and s['pure_negatives_for_one_answer'] == 3 and '<table>' in s._repr_html_()
    assert stats([], 'NER')['records'] == 0
    save(tmp_path/'d.json', INES)
    assert main(['stats', '--src_path', str(tmp_path/'d.json'), '--schema_path', 'auto', '--tgt_path', str(tmp_path/'p.png')]) == 0
    assert (tmp_path/'p.png').stat().st_size > 5000 and 'rows with an answer' in capsys.readouterr().out


def test_pure_negatives_are_those_of_conversion(root):
    from iepile_nb.convert import row_counts
    from iepile_nb.data import stats
    for task in ('NER', 'RE', 'SPO', 'EE', 'EET'):
        schema, records = read_schema(root/'data'/task/'schema.json', task), list(read_records(root/'data'/task/'sample.json', task))
        s = stats(records, task, schema)
        assert (s['rows'], s['pure_negatives']) == tuple(row_counts(convert(records, schema, task)).values())


def test_leak_of_published_splits(shared):
    "What the folders' README says: texts that two splits share as published."
    from iepile_nb.data import leak, leak_counts
    for folder, a, b, n in (('CrossNER_science', 'dev', 'test', 11), ('semval-RE', 'train', 'test', 15)):
        found = leak_counts(leak({s: enumerate(read_records(shared/f'data/{folder}/{s}.json', annotated=False), 1) for s in (a, b)}))
        assert found[0]['equal texts'] == n and found[0]['near'] > 0


def test_leak_finds_near_texts():
    from iepile_nb.data import leak
    rng = random.Random(3)
    texts = [''.join(rng.choices('abcdefgh ', k=120)) for _ in range(60)]
    changed = [t[:60] + 'zz' + t[60:] if i % 2 else ''.join(rng.choices('abcdefgh ', k=120)) for i, t in enumerate(texts)]
    found = leak({'train': enumerate(({'text': t} for t in texts), 1), 'test': enumerate(({'text': t} for t in changed), 1)})
    assert {(r['text of'], r['also in']) for r in found} == {(f'test:{i + 1}', f'train:{i + 1}') for i in range(1, 60, 2)}


def test_clean(tmp_path):
    from iepile_nb.cli.data import main
    texts = ['12 % 13 % - 4 a', 'Hi', 'It is what it is.', '他住在北京。', 'Ines left Odda.', 'Ines left Odda.', '']
    save(tmp_path/'d.json', *[{'text': t, 'entity': []} for t in texts], {'text': 'Odda', 'entity': [{'entity': 'Odda', 'entity_type': 'LOC'}]})
    assert main(['clean', '--src_path', str(tmp_path/'d.json')]) == 0
    assert [r['text'] for r in rows(tmp_path/'d.clean.json')] == ['他住在北京。', 'Ines left Odda.', 'Odda']
    assert [d['line'] for d in rows(tmp_path/'d.clean.dropped.jsonl')] == [1, 2, 3, 6, 7]


def test_tables_escape_and_align():
    from iepile_nb.lib.tables import Table
    t = Table([{'a': '<b>', 'n': 1}, {'a': '城市', 'n': 22}], 'T & U')
    assert '&lt;b&gt;' in t._repr_html_() and 'T &amp; U' in t._repr_html_() and str(t).split('\n')[2:] == ['<b>   1', '城市  22'] and str(Table([])) == 'nothing'


def test_corpus_of_the_paper(root):
    from iepile_nb.data import corpus
    sets = corpus()
    count = lambda **k: sum(all(r[a] == b for a, b in k.items()) for r in sets)
    assert len(sets) == 33 and count(language='zh') == 7
    assert [count(task=t, language=l) for t in ('NER', 'RE', 'EE') for l in ('en', 'zh')] == [15, 3, 8, 2, 3, 2]
    assert json.loads((root/'iepile_nb/assets/datasets.json').read_text())['sources']


# ---- shaping the training set

@pytest.mark.parametrize('ratio', [0, .5, 1, 2, 100])
def test_pure_negative_ratio(root, tmp_path, ratio):
    from iepile_nb.convert import row_counts
    src, schema = root/'data/RE/sample.json', root/'data/RE/schema.json'
    records = rows(src)
    def run(records, *more):
        save(tmp_path/'d.json', *records)
        assert conversion.main(['--task', 'RE', '--src_path', str(tmp_path/'d.json'), '--schema_path', str(schema), '--source', 's', '--tgt_path', str(tmp_path/'o.json'), *more]) == 0
        return rows(tmp_path/'o.json')
    every, few = run(records), run(records, '--pure_negative_ratio', str(ratio))
    answers = [r for r in every if any(json.loads(r['output']).values())]
    c = row_counts(few)
    assert c['rows'] - c['pure negatives'] == len(answers) and c['pure negatives'] == min(int(ratio * len(answers)), len(every) - len(answers))
    assert [r for r in every if r in few] == few
    assert sorted(map(str, run(records[::-1], '--pure_negative_ratio', str(ratio)))) == sorted(map(str, few))


def test_recipe_of_real_datasets(shared, tmp_path, capsys):
    "Five published datasets, one training set: every row of a text in one part, counts and hashes beside it."
    from iepile_nb.cli.data import main
    sets = [('CrossNER_AI', 'NER', 'en', 1), ('CrossNER_science', 'NER', 'en', .5), ('SciERC_pairs', 'RE', 'en', 1), ('PHEE', 'EE', 'en', 2), ('FewFC', 'EE', 'zh', 1)]
    entry = '  - {{src_path: {0}/{1}/train.json, schema_path: {0}/{1}/schema.json, task: {2}, language: {3}, weight: {4}, limit: 60, pure_negative_ratio: 2}}'
    save(tmp_path/'r.yaml', 'seed: 7', 'dev_share: 0.2', 'datasets:', *[entry.format(shared/'data', *s) for s in sets])
    assert main(['recipe', '--src_path', str(tmp_path/'r.yaml'), '--tgt_path', str(tmp_path/'a')]) == 0
    assert 'CrossNER_AI' in capsys.readouterr().out
    train, dev = rows(tmp_path/'a/train.json'), rows(tmp_path/'a/dev.json')
    manifest = json.loads((tmp_path/'a/manifest.json').read_text())
    assert len(train) == sum(c['train'] for c in manifest['counts']) and len(dev) == sum(c['dev'] for c in manifest['counts'])
    assert len(manifest['sha256']) == 10 and manifest['recipe']['seed'] == 7 and 'python' in manifest['versions']
    text = lambda r: json.loads(r['instruction'])['input']
    assert {r['source'] for r in train} == {s[0] for s in sets} and not {*map(text, train)} & {*map(text, dev)}
    assert [r['source'] for r in train] != sorted(r['source'] for r in train)
    assert main(['recipe', '--src_path', str(tmp_path/'r.yaml'), '--tgt_path', str(tmp_path/'b')]) == 0
    assert (tmp_path/'a/train.json').read_bytes() == (tmp_path/'b/train.json').read_bytes()


@pytest.mark.parametrize('text, problem', [
    ('datasets: [', 'broken YAML'), ('- 1', "a list 'datasets'"), ('datasets: []', "a list 'datasets'"), ('color: 1\ndatasets: [{}]', "'color' is no key"),
    ('datasets: [{}]', "dataset 1: no 'src_path'"), ('seed: x\ndatasets: [{}]', "'seed' should be a number"),
    ('datasets: [{src_path: a, schema_path: b, task: NER, weight: x}]', "'weight' should be a number"),
    ('datasets: [{src_path: a, schema_path: b, task: XYZ}]', 'dataset 1: argument --task'), ('datasets: [{src_path: a, schema_path: b, task: NER}]', 'no such schema file'),
    ('datasets: [{src_path: a, schema_path: b, task: NER, split: test}]', 'dataset 1: a recipe makes training rows'),
    ('datasets: [{src_path: a, schema_path: b, task: NER, tgt_path: c}]', "dataset 1: 'tgt_path' is for the whole recipe")])
def test_recipes_that_are_wrong(tmp_path, capsys, text, problem):
    from iepile_nb.cli.data import main
    assert main(['recipe', '--src_path', str(save(tmp_path/'r.yaml', text)), '--tgt_path', str(tmp_path/'a')]) == 1
    err = capsys.readouterr().err
    assert problem in err and err.count('\n') == 1 and not (tmp_path/'a').exists()


def fixed(tmp_path, task, text, schema='auto', form='records'):
    "What `check --fix` keeps of a file, and what it writes beside it."
    from iepile_nb.cli.data import main
    for f in tmp_path.glob('out*'): f.unlink()
    args = ['check', '--fix', '--task', task, '--from', form, '--src_path', str(save(tmp_path/'in.json', text)), '--tgt_path', str(tmp_path/'out.json')]
    assert main(args + (['--schema_path', str(schema)] if schema else [])) == 0
    side = tmp_path/'out.dropped.jsonl'
    return rows(tmp_path/'out.json'), rows(side) if side.exists() else []


def test_a_blank_argument_costs_no_event(tmp_path):
    arguments = [{'role': 'who', 'argument': 'ACME'}, {'role': 'when', 'argument': ' '}]
    event = {'event_type': 'layoff', 'event_trigger': 'fired', 'arguments': arguments}
    (kept,), dropped = fixed(tmp_path, 'EE', json.dumps({'text': 'ACME fired ten.', 'event': [event]}))
    assert kept['event'][0]['event_trigger'] == 'fired' and kept['event'][0]['arguments'][0] == arguments[0] and not dropped


def test_a_spelling_is_mended_to_whole_words_only(tmp_path, capsys):
    record = {'text': 'Ines left by bus. PORTO 用ＡＢＣ的人', 'entity': [{'entity': e, 'entity_type': 'x'} for e in ('US', 'porto', 'abc')]}
    (kept,), _ = fixed(tmp_path, 'NER', json.dumps(record))
    assert [o['entity'] for o in kept['entity']] == ['US', 'PORTO', 'ＡＢＣ']
    out = capsys.readouterr().out
    assert 'absent' in out and "the text has 'PORTO'" in out


def test_dropped_annotations_and_items_stand_beside(tmp_path):
    good, none = {'entity': 'Ines', 'entity_type': 'person'}, {'entity': 'Ines', 'entity_type': 'ghost'}
    schema = save(tmp_path/'schema.json', '["person"]\n[]\n{}\n')
    (kept,), (dropped,) = fixed(tmp_path, 'NER', json.dumps({'text': 'Ines left.', 'entity': [good, none]}), schema)
    assert kept['entity'] == [good] and dropped['raw'] == none and 'ghost' in dropped['problem']
    array = json.dumps([{'text': 'Ines left.', 'entity': [good]}, 'stray'], indent=1)
    for text in (array, '\ufeff' + array):
        kept, dropped = fixed(tmp_path, 'NER', text)
        assert len(kept) == 1 and [d['raw'] for d in dropped] == ['"stray"']
    kept, dropped = fixed(tmp_path, 'NER', '[ O\nInes B-person\n\nleft X-y\n', form='conll')
    assert len(kept) == 1 and dropped


def test_options_that_a_part_does_not_use(tmp_path, capsys):
    from iepile_nb.cli.data import main
    path = str(save(tmp_path/'d.json', json.dumps(INES)))
    for argv, said in ((['check', path, '--tgt_path', 'x'], 'without --fix'), (['leak', path, path], 'different'),
                       (['clean', path, '--schema_path', 'none'], 'clean does not use --schema_path'),
                       (['recipe', path, '--limit', '1'], 'recipe does not use --limit'),
                       (['check', path, '--fix', '--tgt_path', path], 'name another file'),
                       (['stats', path, '--tgt_path', str(tmp_path/'p.html')], 'no picture')):
        files = argv[1:3] if argv[0] == 'leak' else argv[1:2]
        assert main([argv[0], '--src_path', *files, *argv[1 + len(files):]]) == 1
        assert said in capsys.readouterr().err
    for wrong in (['--limit', '-1'], ['--threshold', '2']):
        with pytest.raises(SystemExit): main(['leak', '--src_path', path, *wrong])
