"Schema files of every shape, through iepile_convert and iepile_eval."
import json

import pytest
from helpers.data_files import rows, save
from helpers.described import DESCRIBED, RECORDS
from iepile_nb.cli.convert import main as convert
from iepile_nb.cli.eval import main as evaluate
from iepile_nb.questions import instruction
from iepile_nb.records import infer_schema, read_records
from iepile_nb.tasks import TASKS, read_instruction


@pytest.mark.parametrize('task', DESCRIBED)
def test_described_labels_convert_read_back_and_score(task, tmp_path, capsys):
    "The model's view of the row is the published one."
    save(tmp_path/'d.json', *RECORDS[task])
    save(tmp_path/'s.json', DESCRIBED[task])
    args = ['--task', task, '--language', 'en', '--source', 'x',
            '--src_path', str(tmp_path/'d.json'), '--schema_path', str(tmp_path/'s.json')]
    for split in ('train', 'test'):
        assert convert([*args, '--split', split, '--tgt_path', str(tmp_path/f'{split}.json')]) == 0
    t, (row,) = TASKS[task], rows(tmp_path/'train.json')
    assert isinstance(json.loads(row['instruction'])['schema'], list) == (task == 'KG')
    _, qs, text = read_instruction(row['instruction'])
    assert any(any(q.about) for q in qs) and instruction(t, 'en', qs, text) == row['instruction']
    found = [(q.label, *o) for q in qs for o in t.asked(q, t.gold(RECORDS[task][0]).get(q.label, []))]
    assert sorted(t.parse(json.loads(row['output']))) == sorted(found)
    answer = '{"sale": [{"buyer": "Ines"}]}' if task == 'EEA' else row['output']
    save(tmp_path/'p.json', *[r | {'output': answer} for r in rows(tmp_path/'test.json')])
    assert evaluate(['--path1', str(tmp_path/'p.json'), '--task', task]) == 0
    assert '100' in capsys.readouterr().out


def test_themes(tmp_path):
    themes = {'Person': [['person_born in_place'], ['born in']],
              'Works': [['work_author_person'], ['author']]}
    schema = save(tmp_path/'s.json', themes)
    save(tmp_path/'d.json', {'text': 'Ines of Odda', 'cate': 'Person', 'relation': []},
         {'text': 'Ebb by Ines', 'cate': 'Works', 'relation': []})
    args = ['--task', 'RE', '--src_path', str(tmp_path/'d.json'), '--schema_path', str(schema),
            '--tgt_path', str(tmp_path/'o.json')]
    assert convert(args) == 0 and len(rows(tmp_path/'o.json')) == 2
    assert convert([*args, '--theme', 'Works']) == 0
    row, = rows(tmp_path/'o.json')
    assert json.loads(row['instruction'])['schema'] == ['author']
    assert convert([*args, '--theme', 'Food']) == 1


@pytest.mark.parametrize('task', [t for t in TASKS if t != 'KG'])
def test_a_schema_from_the_records(task, root, tmp_path):
    src, out = root/'data'/task/'sample.json', tmp_path/'o.json'
    args = ['--task', task, '--src_path', str(src), '--schema_path', 'auto', '--tgt_path', str(out)]
    assert convert(args) == 0
    asked = {q.label for r in rows(out) for q in read_instruction(r['instruction'], TASKS[task])[1]}
    assert asked == set(infer_schema(read_records(src, task), task).labels)
