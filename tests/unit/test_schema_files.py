"Schema files in every shape that people write."
import json

import pytest
from helpers.data_files import save
from helpers.described import DESCRIBED, RECORDS
from iepile_nb.convert import convert
from iepile_nb.lib.io import UserError
from iepile_nb.records import read_schema
from iepile_nb.tasks import TASKS


def test_described_forms_are_those_of_oneke(tmp_path):
    def asked(task):
        schema = read_schema(save(tmp_path/'s.json', DESCRIBED[task]), task)
        return json.loads(next(convert(RECORDS[task], schema, task, 'en'))['instruction'])['schema']
    assert asked('NER') == {'city': 'Towns. (Odda)', 'person': 'People by name.'}
    examples = save(tmp_path/'s.json', {'city': {'examples': 'Odda'}})
    assert read_schema(examples, 'NER').about == {'city': '(Odda)'}
    assert asked('EE')['sale'] == {'sale': 'Something is sold.', 'trigger': True,
                                   'arguments': {'buyer': 'Who pays.', 'price': ''}}
    assert asked('KG') == [{'entity_type': 'person', 'attributes': {'born in': 'A place.', 'works as': ''}}]


def test_described_labels_are_not_split():
    schema = TASKS['NER'].schema([f'l{i}' for i in range(20)], [], {})._replace(about={'l1': 'first'})
    assert len(list(convert(RECORDS['NER'], schema, 'NER', 'en'))) == 1


@pytest.mark.parametrize('task, schema, says', [
    ('NER', {'labels': ['person', 'city']}, "'labels' has a list"),
    ('RE', {'news': ['works for']}, "'news' has a list"),
    ('NER', ['person', ' '], 'no name is empty'), ('EE', {'attack': ['who', '']}, 'no name is empty')])
def test_a_schema_that_would_lose_labels_is_refused(tmp_path, task, schema, says):
    (tmp_path/'s.json').write_text(json.dumps(schema))
    with pytest.raises(UserError, match=says): read_schema(tmp_path/'s.json', task)
