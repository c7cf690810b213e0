"What tasks ask, how an answer leads back to the labels asked, and how odd answers are reported."
import pytest
from iepile_nb.questions import NAN, AskAll, Question, Schema, items_of
from iepile_nb.tasks import TASKS, get_task, read_instruction

PARTS = {'closure': ['owner', 'place'], 'opening': [], 'sale': ['buyer']}


@pytest.mark.parametrize('task', TASKS.values(), ids=str)
def test_a_text_of_which_nothing_is_known_is_asked_everything(task):
    if task.name == 'SPO': schema = task.schema(['book_author_person'], [], {})
    else: schema = task.schema(list(PARTS), list(PARTS), PARTS)
    questions = task.every_question(schema)
    if task.name in ('EEA', 'KG'): assert [q.label for q in questions] == ['closure', 'sale']
    else: assert [q.label for q in questions] == schema.labels
    for q in questions: assert list(q.parts) == list(schema.parts.get(q.label, []) if q.parts else [])


def test_event_arguments_are_asked_of_given_events_only():
    schema = Schema(list(PARTS), PARTS)
    assert TASKS['EEA'].questions({'text': '', 'event': []}, {}, schema, AskAll()) == []
    assert [q.triggers for q in TASKS['EEA'].every_question(schema)] == [None, None]


def test_answers_lead_back_to_the_labels_that_were_asked():
    spo = TASKS['SPO']
    q = Question('film_star_person', ('film', 'star', 'person'))
    answer = {'star': [{'subject': 'Salt', 'object': 'Ines'}],
              'author': [{'subject': 'Salt', 'object': 'Tove'}]}
    assert items_of(spo, [q], answer) == [('film_star_person', 'Salt', 'Ines'), ('author', 'Salt', 'Tove')]


@pytest.mark.parametrize('task, answer, items, says', [
    ('NER', {'city': 'Porto'}, [], ['city: a list is expected']),
    ('NER', {'city': ['Porto', 3]}, [('city', 'Porto')], ['city: only strings are expected in the list']),
    ('RE', {'author': [['Salt', 'Tove']]}, [], ['author: an object with subject and object is expected']),
    ('EE', {'closure': [7]}, [], ['closure: an object is expected']),
    ('EE', {'closure': {}}, [], ['closure: a list is expected']),
    ('EE', {'closure': [{'trigger': 1, 'arguments': [1]}]}, [('closure', '', ())],
     ['closure: the trigger should be a string', 'closure: an object of roles is expected']),
    ('EE', {'closure': [{'trigger': NAN, 'arguments': {'place': [1, NAN]}}]}, [('closure', '', ())],
     ['closure, place: a string is expected']),
    ('EEA', {'closure': [{'arguments': {'place': 'Odda'}}, {'place': ['Odda', 'Bergen']}]},
     [('closure', '', (('place', 'Odda'),)), ('closure', '', (('place', 'Odda'), ('place', 'Bergen')))], []),
    ('KG', {'city': []}, [], ['city: an object of entities is expected']),
    ('KG', {'city': {'Porto': 'Douro'}}, [], ['city, Porto: an object of roles is expected'])])
def test_what_has_a_wrong_shape_is_told_and_the_rest_counts(task, answer, items, says):
    problems = []
    assert (list(TASKS[task].parse(answer, problems.append)), problems) == (items, says)


def test_only_events_are_scored_in_two_ways():
    assert {t: TASKS[t].metrics for t in TASKS if TASKS[t].metrics != ('',)} == dict.fromkeys(
        ('EE', 'EEA'), ('event', 'argument'))


def test_a_schema_survives_json():
    about = {'closure': 'the end', ('closure', 'owner'): 'whose'}
    schema = Schema(['closure'], {'closure': ['owner']}, about)
    assert Schema.from_json(schema.to_json()) == schema


@pytest.mark.parametrize('bad', [None, 3, 'no JSON', '[]', '{}', '{"schema": [], "input": 3}', '[' * 100_000])
def test_what_is_no_instruction_is_refused(bad):
    with pytest.raises(ValueError, match='instruction'): read_instruction(bad, get_task('NER'))
