"Files and answers that look right and are not: said, never taken as they are."
import json
import shutil

import pytest
import torch
from helpers.prediction_rows import answered, entity
from safetensors.torch import load_file, save_file

from iepile_nb.cli.common import blank_argument
from iepile_nb.cli.predict import main as predict_main
from iepile_nb.cli.train import check_gold
from iepile_nb.base import load_base, tiny_path
from iepile_nb.evaluate import evaluate, why
from iepile_nb.lib.adapters import read_weights
from iepile_nb.lib.answers import parse_answer
from iepile_nb.lib.characters import visible
from iepile_nb.lib.engine import pick_tokens
from iepile_nb.lib.formats import chosen_form, reader_of
from iepile_nb.lib.io import UserError, decoded, write_jsonl
from iepile_nb.records import read_records
from iepile_nb.tasks import TASKS

TEXT = 'Odile Marsh moved to Brackenford in 1998.'


def row(gold, output, asked=('person', 'city')):
    "A row of NER whose gold is an answer object."
    told = {'instruction': 'Name the entities.', 'schema': list(asked), 'input': TEXT}
    as_text = lambda x: x if isinstance(x, str) else json.dumps(x)
    return {'task': 'NER', 'instruction': json.dumps(told), 'label': json.dumps(gold),
            'output': as_text(output)}


def test_a_gold_answer_with_a_label_that_nobody_asked():
    gold = {'person': ['Odile Marsh'], 'town': ['Brackenford']}
    rows = [row(gold, {'person': ['Odile Marsh'], 'city': []})]
    assert '1 annotation under a label that was never asked: town' in '\n'.join(evaluate(rows).notes)
    assert 'never asked' in str(why(rows)) and 'Nothing is wrong' not in str(why(rows))


def test_a_text_with_nothing_annotated_is_not_to_blame():
    rows = [row({'person': ['Odile Marsh'], 'city': []}, {'person': ['Odile Marsh'], 'city': []}),
            {**row({'person': [], 'city': []}, {'person': [], 'city': []}), 'id': 'another'}]
    assert 'Nothing is wrong' in str(why(rows))


def test_roles_beside_the_arguments_and_names_that_stand_twice_are_told():
    event = {'event_type': 'move', 'trigger': True, 'arguments': ['who']}
    told = {'instruction': 'Name the events.', 'schema': [event], 'input': TEXT}
    gold = {'move': [{'trigger': 'moved', 'arguments': {'who': 'Odile Marsh'}}]}
    answer = {'move': [{'trigger': 'moved', 'who': 'Odile Marsh'}]}
    rows = [{'task': 'EE', 'instruction': json.dumps(told), 'label': json.dumps(gold),
             'output': json.dumps(answer)}]
    assert "'who' stands beside the arguments" in '\n'.join(evaluate(rows).notes)
    twice = [row({'person': ['Odile Marsh']}, '{"person": ["Odile"], "person": ["Odile Marsh"], "city": []}')]
    assert 'person: stands twice in one object' in '\n'.join(evaluate(twice).notes)
    assert 'a name that stands twice' in str(why(twice)) and 'passed over' not in str(why(twice))


def test_what_why_says_of_other_shapes_is_true():
    gold = {'person': ['Odile Marsh'], 'city': ['Brackenford']}
    left = str(why([row(gold, {'person': ['Odile Marsh']})]))
    assert "leaves out: 1 of 2" in left and "'city'" in left
    no_lists = str(why([row(gold, {'person': 'Odile Marsh', 'city': 'Brackenford'})]))
    assert 'a list is expected' in no_lists and 'name nothing' not in no_lists
    as_list = evaluate([{**row(gold, ''), 'output': [gold]}])
    assert as_list['total']['f1'] == 100


@pytest.mark.parametrize('answer', [
    'analysisPerhaps {"person": ["Od"]}?assistantfinal{"person": ["Odile Marsh"]}',
    r'\boxed{{"person": ["Odile Marsh"]}}', '{{"person": ["Odile Marsh"]}}'])
def test_wrappings_of_answers(answer):
    assert parse_answer(answer, ['person'])[0] == {'person': ['Odile Marsh']}


def marks(tmp_path, text, start, end):
    write_jsonl(tmp_path/'m.jsonl', [{'text': text, 'label': [[start, end, 'person']]}])
    return [r['entity'][0]['entity'] for r in read_records(tmp_path/'m.jsonl', TASKS['NER'], form='doccano')]


def test_marks_that_tell_nothing_are_placed_where_they_cut_nothing(tmp_path):
    assert marks(tmp_path, 'It rained.\r\nAll day.\r\nOrla sang.', 20, 24) == ['Orla']
    assert marks(tmp_path, '👩‍👩‍👧 Orla sang.', 2, 6) == ['Orla']
    assert marks(tmp_path, 'Orla sang.', 0, 5) == ['Orla'] # a blank that was marked, too
    assert marks(tmp_path, '奥拉唱歌。', 0, 2) == ['奥拉']


def table(tmp_path, text, name='t.csv'):
    (tmp_path/name).write_text(text, encoding='utf-8')
    return list(read_records(tmp_path/name, TASKS['NER'], form='auto'))


def test_a_quote_that_is_not_closed(tmp_path):
    for line in 'Orla "sang,Orla', '"Orla sang,Orla':
        good = 'text,person\nOrla left.,Orla\n' + line + '\n' + 'Orla came.,Orla\n' * 3
        if line[0] == '"':
            with pytest.raises(UserError, match=r't\.csv:3: a quote opens in this row'): table(tmp_path, good)
            more = good + '"Orla went.",Orla\n'
            with pytest.raises(UserError, match='a quote opens'): table(tmp_path, more)
        else: assert len(table(tmp_path, good.replace('"', ''))) == 5
    assert table(tmp_path, 'text,person\n"Orla\nleft, at last.",Orla\n')[0]['text'] == 'Orla\nleft, at last.'


def test_tables_that_hold_marks_or_no_text(tmp_path, caplog):
    for cell in '"[{""start"": 0, ""end"": 4}]"', '"[[0, 4, ""person""]]"':
        with pytest.raises(UserError, match="column 'label' holds JSON"):
            table(tmp_path, f'text,label\nOrla,{cell}\n')
    table(tmp_path, 'text,person\nOrla left.,Orla\n,Orla\n', 'u.csv')
    assert 'left out: 1 row with mentions and without a text' in caplog.text


def test_the_encoding_that_is_named():
    for text, code in ('Renée Lefèvre arriva à Nîmes.', 'cp1252'), ('雷内到了。', 'gb18030'):
        with pytest.raises(UserError, match=code): decoded(text.encode(code))


def test_the_ending_of_a_column_file_says_what_it_is(tmp_path):
    (tmp_path/'a.conll').write_text('Orla\tB-PER\nleft\n\n')
    assert chosen_form(tmp_path/'a.conll') == 'conll'
    with pytest.raises(UserError, match="there is only 'left'"):
        list(reader_of('conll')(tmp_path/'a.conll', TASKS['NER']))


def test_weights_that_are_no_numbers(tmp_path):
    save_file({'a.lora_A.weight': torch.tensor([[1., float('nan')]])}, tmp_path/'adapter_model.safetensors')
    with pytest.raises(UserError, match='1 of its 1 weights hold what is no number'): read_weights(tmp_path)
    with pytest.raises(UserError, match='no number'): pick_tokens(torch.tensor([[1., float('nan')]]), [])


def test_a_base_whose_configuration_promises_few_bits(tmp_path):
    shutil.copytree(tiny_path(), tmp_path/'b', ignore=shutil.ignore_patterns('*.safetensors'))
    weights = {k: w.bfloat16() for k, w in load_file(tiny_path()/'model.safetensors').items()}
    save_file(weights, tmp_path/'b/model.safetensors', {'format': 'pt'})
    config = json.loads((tmp_path/'b/config.json').read_text())
    config['quantization_config'] = {'quant_method': 'bitsandbytes', 'load_in_4bit': True}
    (tmp_path/'b/config.json').write_text(json.dumps(config))
    with pytest.raises(UserError, match='stored in few bits, and its files hold all'): load_base(tmp_path/'b')


def test_answers_are_not_trained_on_and_not_written_over_questions(tmp_path, capsys):
    rows = answered('NER', [{'text': TEXT, 'entity': [entity('Odile Marsh')]}])
    write_jsonl(tmp_path/'gold.json', rows)
    check_gold(str(tmp_path/'gold.json'))
    write_jsonl(tmp_path/'p.json', [{**rows[0], 'output': '{"person": ["Brackenford"]}'}])
    path = str(tmp_path/'p.json')
    with pytest.raises(UserError, match=r"p\.json:1: 'output' is not what 'label' says"): check_gold(path)
    assert predict_main(['--input_file', path, '--output_file', path]) == 1
    assert 'p.json' in capsys.readouterr().err and 'Brackenford' in (tmp_path/'p.json').read_text()


def test_paths_that_are_empty_and_letters_that_steer_a_terminal():
    assert '--checkpoint_dir is empty' in blank_argument(['--text', 'x', '--checkpoint_dir', ''])
    assert '--tgt_path is empty' in blank_argument(['--tgt_path='])
    assert blank_argument(['--columns', '', '--text', 'a=b']) == ''
    assert visible('a\x1b[31mb\tc\n') == 'a\\x1b[31mb\tc\n'


@pytest.mark.parametrize('gap, said', [('', True), ('\n', False)])
def test_a_conll_file_without_an_empty_line(gap, said, tmp_path, caplog):
    path = tmp_path/'a.conll'
    path.write_text(('Odile B-person\nMarsh I-person\nslept O\n' + gap) * 200)
    records = list(read_records(path, 'NER'))
    assert len(records) == (1 if said else 200)
    assert ('all 600 lines are one text' in caplog.text) == said
