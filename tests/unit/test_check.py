"What checking finds in a record, and how it mends it."
from helpers.data_files import entity
from iepile_nb.lib.check import Report, mended_record
from iepile_nb.questions import Schema
from iepile_nb.tasks import TASKS


def problems(record, task, schema=None):
    "The mended record, and what was found in it."
    report = Report('f')
    mended = mended_record(record, TASKS[task], schema, 1, report)
    return mended, [(p.kind, p.key, p.fix) for p in report.problems]


def test_entities_are_mended():
    given = [(' Ines', 'city'), ('new york', 'city'), ('Odda', 'city'), ('Ines', 'verb'), ('', 'city'),
             ('Odda', 'city')]
    record = {'text': 'Ines saw New  York.', 'entity': [entity(*e) for e in given]}
    mended, found = problems(record, 'NER', Schema(['city']))
    assert [e['entity'] for e in mended['entity']] == ['Ines', 'New  York', 'Odda']
    assert record['entity'][0]['entity'] == ' Ines' # what was given stays as it is
    assert found == [('blanks', 'entity[0].entity', 'repaired'), ('spelling', 'entity[1].entity', 'repaired'),
                     ('absent', 'entity[2].entity', 'nothing'), ('label', 'entity[3]', 'dropped'),
                     ('empty', 'entity[4].entity', 'dropped'), ('repeated', 'entity[5]', 'dropped')]


def test_events_are_mended():
    arguments = [('buyer', 'Ines'), ('colour', 'it'), ('price', 'NAN')]
    event = {'event_type': 'sale', 'event_trigger': 'bought ',
             'arguments': [{'role': r, 'argument': a} for r, a in arguments]}
    record = {'text': 'Ines bought it', 'event': [event, event | {'event_type': 'war'}]}
    mended, found = problems(record, 'EE', Schema(['sale'], {'sale': ['buyer', 'price']}))
    kept, = mended['event']
    assert [a['role'] for a in kept['arguments']] == ['buyer', 'price'] and kept['event_trigger'] == 'bought'
    assert ('part', 'event[0]', 'dropped') in found and ('label', 'event[1]', 'dropped') in found


def test_an_attribute_that_the_schema_does_not_have_goes():
    item = dict(head='Ines', head_type='person', relation='age', tail='it')
    schema = Schema(['person'], {'person': ['job']})
    assert problems({'text': 'Ines bought it', 'relation': [item]}, 'KG', schema)[0]['relation'] == []
