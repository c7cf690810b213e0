"Data: schemas of every shape, importers of other formats, and the tools that look at records."
import json
import random

import pytest
from hypothesis import given, settings, strategies as st
from iepile_nb import convert as conversion
from iepile_nb.convert import convert
from iepile_nb.core import UserError, read_jsonl
from iepile_nb.data import infer_schema, read_records, read_schema
from iepile_nb.evaluate import main as evaluate
from iepile_nb.tasks import TASKS, instruction, read_instruction, output


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


@settings(max_examples=100, deadline=None)
@given(st.lists(json_value, min_size=1, max_size=4), st.sampled_from(list(TASKS)), st.sampled_from(['', 'a']))
def test_any_json_is_a_schema_or_a_clear_error(tmp_path_factory, values, task, theme):
    path = save(tmp_path_factory.getbasetemp()/'any.json', *values)
    try: assert read_schema(path, task, theme=theme).labels
    except UserError as e: assert str(path) in str(e) and '\n' not in str(e)
