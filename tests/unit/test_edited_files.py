"Files that somebody edited, and values that no file should have: named, never believed, never a traceback."
import json

import pytest

from iepile_nb.evaluate import evaluate
from iepile_nb.lib.checkpoints import SEAL, flaw, seal
from iepile_nb.lib.io import UserError, read_jsonl, write_jsonl
from iepile_nb.lib.journal import is_entry
from iepile_nb.lib.parallel import ConvertOptions
from iepile_nb.lib.recipe import ingredient, mix, read_recipe


def test_lines_of_a_journal_have_their_kinds():
    assert is_entry({'row': 3, 'answer': ['{}', 4, 0, False, {}]}) and is_entry({'again': 3})
    for row in ('x', None, -1, 2.5, 10**30): assert not is_entry({'row': row, 'answer': ['{}']})
    for answer in ('abc', [], [7], [None, 1], ['{}'] * 7, None):
        assert not is_entry({'row': 1, 'answer': answer})
    assert not is_entry({'row': 3, 'answer': ['{}']}, 3)
    assert not is_entry({'row': 1}) and not is_entry({'again': 'x'}) and not is_entry({})


@pytest.mark.parametrize('value', ['source: 2001-99-99', 'limit: ' + '9' * 6000, 'limit: 9' + '0' * 30])
def test_values_that_a_recipe_cannot_have(value, tmp_path):
    (tmp_path/'r.yaml').write_text(f'datasets:\n- src_path: a.json\n  {value}\n')
    with pytest.raises(UserError, match=r'r\.yaml'): read_recipe(tmp_path/'r.yaml')


@pytest.mark.parametrize('weight', [1e300, 1001, -1, float('nan')])
def test_weights_that_are_too_large(weight):
    with pytest.raises(UserError, match='from 0 to 1000'): ingredient({'src_path': 'a', 'weight': weight}, 1)


def test_a_checkpoint_whose_list_was_shortened(tmp_path):
    folder = tmp_path/'checkpoint-3'
    folder.mkdir()
    (folder/'optimizer.pt').write_bytes(b'x')
    seal(folder, {'options': {}}, 3)
    assert flaw(folder) is None
    told = json.loads((folder/SEAL).read_text())
    (folder/SEAL).write_text(json.dumps({**told, 'files': {}}))
    assert flaw(folder) == 'optimizer.pt is not in the list of its files'


def test_checkpoints_that_call_each_other_the_best_so_far(tmp_path):
    for n, best in (1, 2), (2, 1), (3, 2):
        folder = tmp_path/f'checkpoint-{n}'
        folder.mkdir()
        write_jsonl(folder/'trainer_state.json', [{'best_model_checkpoint': f'x/checkpoint-{best}'}])
        seal(folder, {'options': {}}, n)
    assert flaw(tmp_path/'checkpoint-1') == (
        'checkpoint-2, the best one so far, belongs to it, and there is no such earlier one')
    assert flaw(tmp_path/'checkpoint-2').startswith('checkpoint-1, the best one so far, belongs to it')


def test_a_recipe_that_is_refused_leaves_no_folder(tmp_path):
    write_jsonl(tmp_path/'schema.json', [['person'], [], {}])
    (tmp_path/'a.json').write_text('{"text": "Ann", "entity": 7}\n')
    entry = {'src_path': str(tmp_path/'a.json'), 'schema_path': str(tmp_path/'schema.json'), 'task': 'NER'}
    with pytest.raises(UserError, match='dataset 1'): mix({'datasets': [entry]}, tmp_path/'new/rows')
    assert sorted(p.name for p in tmp_path.iterdir()) == ['a.json', 'schema.json']


def test_a_row_that_is_deep(tmp_path):
    deep = []
    for _ in range(400): deep = [deep]
    write_jsonl(tmp_path/'d.json', [{'x': deep}])
    assert [row for _, row in read_jsonl(tmp_path/'d.json')] == [{'x': deep}]


def test_texts_that_stand_in_the_sentence_alone_are_two():
    def row(text, found):
        asked = json.dumps({'instruction': f'Who is in "{text}"?', 'schema': ['person'], 'input': ''})
        label = json.dumps([{'entity': f, 'entity_type': 'person'} for f in found])
        return {'task': 'NER', 'instruction': asked, 'label': label, 'output': '{"person": ["Ann"]}'}
    assert evaluate([row('Ann is here.', ['Ann']), row('Nobody likes it.', [])])['total']['n'] == 2


def test_too_many_workers():
    with pytest.raises(UserError, match='from 1 to 1000'): ConvertOptions(src_path='a', workers=100_000)
