"Widgets: what the pictures show, that it is escaped, and that controls change it."
import json

import clean
import pytest

from iepile_nb.lib.asking import answer_html, ask_html, ask_the_model
from iepile_nb.lib.extraction import Extraction
from iepile_nb.lib.io import UserError
from iepile_nb.lib.playground import marked_record, playground, playground_html, playground_rows
from iepile_nb.lib.stepper import GrammarStepper, allowed_tokens, stepper_html, written_by
from iepile_nb.lib.widgets import Interactive, NegativesExplorer, explorer_html, heat_map, typed_labels
from iepile_nb.lookalikes import similarity
from iepile_nb.prompt import get_template
from iepile_nb.questions import Question
from iepile_nb.tasks import get_task

EVIL = '<img src=x onerror=alert(1)>'
LABELS = ['birth place', 'birth date', 'place of death', 'spouse']
MARKED = '[Rosa Quiroga](person) left [Haugesund](city).'
TEXT = 'Rosa Quiroga left Haugesund'


@pytest.fixture(scope='module')
def ex():
    from iepile_nb.infer import Extractor
    return Extractor()


def controls(widget):
    "Controls of a widget by what they are called, or by their kind."
    found = {}
    for x in (x for box in widget.children for x in box.children):
        found[getattr(x, 'description', '') or type(x).__name__] = x
    return found


def test_labels_as_they_are_typed():
    assert typed_labels(' person,city,， person、日期 ') == ['person', 'city', '日期']
    assert typed_labels('closure: owner, place\naward') == {'closure': ['owner', 'place'], 'award': []}
    assert typed_labels(' ') == []


def test_a_picture_follows_its_controls_and_tells_mistakes():
    def draw(n):
        if n > 2: raise UserError('<too many>')
        return f'n={n}'
    w = Interactive(draw, n=('IntSlider', {'value': 1, 'max': 5}))
    assert w.html() == 'n=1'
    made = controls(w.widget())
    made['n'].value = 2
    assert made['HTML'].value == 'n=2'
    made['n'].value = 3
    assert made['HTML'].value == '<p>&lt;too many&gt;</p>'


def test_a_widget_brings_its_picture_with_it_and_does_without_the_package(monkeypatch):
    w = Interactive(lambda n: f'n={n}', n=('IntSlider', {'value': 1}))
    assert {'text/html', 'application/vnd.jupyter.widget-view+json'} <= set(w._repr_mimebundle_())
    monkeypatch.setattr('iepile_nb.lib.extras.find_spec', lambda name: None)
    assert w._repr_mimebundle_() == {'text/html': 'n=1', 'text/plain': 'Interactive'}


def test_a_stored_output_keeps_the_picture_alone():
    data = {'text/html': '<p>n=1</p>', clean.WIDGET: {'model_id': '1'}}
    cell = {'outputs': [{'output_type': 'execute_result', 'data': data}]}
    clean.clean_cell(cell)
    assert cell['outputs'][0]['data'] == {'text/html': '<p>n=1</p>'}


def test_the_heat_map_escapes_labels_and_marks_pairs():
    labels = [*LABELS, EVIL]
    svg = heat_map(labels, similarity(labels), {'spouse': ['birth date'], EVIL: ['spouse']}, 'spouse')
    assert '<img' not in svg and svg.count('<circle') == 2 and svg.count('stroke="#d53"') == 1
    assert svg.count('<rect') == len(labels) ** 2 + 1
    html = explorer_html(labels, similarity(labels), {'spouse': [EVIL, 'elsewhere']}, 'spouse')
    assert '<img' not in html and '<td>elsewhere</td><td>–</td>' in html


def test_the_dictionary_is_edited_and_saved(tmp_path):
    given = {'spouse': ['birth date'], 'birth place': []}
    explorer = NegativesExplorer(LABELS, similarity(LABELS), given, tmp_path/'hard.json')
    made = controls(explorer.widget())
    assert 'a text with: birth place' in made['HTML'].value
    made['ToggleButtons'].value = 'spouse'
    assert made['TagsInput'].value == ['birth date'] and '<td>birth date</td>' in made['HTML'].value
    made['TagsInput'].value = ['birth place', 'place of death']
    assert '<td>place of death</td>' in made['HTML'].value and '<td>birth date</td>' not in made['HTML'].value
    made['save'].click()
    assert json.loads((tmp_path/'hard.json').read_text()) == {'spouse': ['birth place', 'place of death'],
                                                              'birth place': []}
    assert given['spouse'] == ['birth date'], 'the dictionary that was given changed'
    made['file'].value = str(tmp_path)
    made['save'].click()
    assert 'not saved' in made['Label'].value


def test_marks_become_a_record():
    found = marked_record('[Rosa](person) saw [ Oslo ](city) [sic] (twice).')
    assert found['text'] == 'Rosa saw  Oslo  [sic] (twice).'
    pairs = [(e['entity'], e['entity_type']) for e in found['entity']]
    assert pairs == [('Rosa', 'person'), ('Oslo', 'city')]


def test_rows_follow_the_knobs():
    asked = lambda **kw: [json.loads(r['instruction'])['schema']
                          for r in playground_rows(MARKED, 'person, city, date', **kw)]
    assert asked(split_num=2) == [['city', 'date'], ['person']]
    assert asked(share=0.) == [['city', 'person']]
    with pytest.raises(UserError, match='no labels'): playground_rows(MARKED, ' , ')


def test_the_playground_shows_rows_and_tokens(ex):
    template = get_template('auto', ex.tokenizer)
    html = playground_html(ex.tokenizer, template, MARKED + EVIL, ['person', EVIL], split_num=1)
    assert '<img' not in html and html.count('<details') == 3
    made = controls(playground(ex.tokenizer, template, MARKED, 'person, city').widget())
    assert made['HTML'].value.count('<details') == 1
    made['split num'].value = 1
    assert made['HTML'].value.count('<details') == 2
    made['labels'].value = ''
    assert 'no labels' in made['HTML'].value
    assert playground_rows('Nothing here.', 'person', share=0.) == []
    assert 'no rows' in playground_html(ex.tokenizer, template, 'Nothing here.', 'person', share=0.)


def test_the_stepper_allows_what_the_grammar_allows(ex):
    task, questions = get_task('NER'), [Question('person'), Question(EVIL)]
    writer = written_by(ex.tokenizer, task, questions, TEXT)
    first = allowed_tokens(writer)
    assert stepper_html(writer).count('<code') == len(writer.tokens) + len(first)
    assert stepper_html(writer, most=1).count('<code') == len(writer.tokens) + 1
    stepper = GrammarStepper(ex.tokenizer, task, questions, TEXT)
    made = controls(stepper.widget())
    before, options = made['HTML'].value, made['next'].options
    assert [t for _, t in options] == first and made['back'].disabled
    made['next'].value = options[-1][1]
    made['take'].click()
    assert made['HTML'].value != before and stepper.chosen == [options[-1][1]]
    made['back'].click()
    assert made['HTML'].value == before and stepper.chosen == []
    for _ in range(60):
        if stepper.writer.done: break
        made['next'].value = made['next'].options[-1][1]
        made['take'].click()
    assert made['take'].disabled and 'the answer is complete' in made['HTML'].value
    assert '<img' not in made['HTML'].value and set(json.loads(stepper.writer.text)) == {'person', EVIL}
    made['text'].value = 'Another sentence'
    assert stepper.chosen == [] and not made['take'].disabled


def test_the_answer_is_highlighted_and_escaped():
    found = Extraction(get_task('NER'), f'Rosa left {EVIL}')
    found.add(json.dumps({'person': ['Rosa', 'Nobody'], EVIL: [EVIL]}), {'Rosa': .5})
    html = answer_html(found)
    assert '<img' not in html and '<mark' in html
    assert '<td>Rosa</td><td>50%</td><td>yes</td>' in html and '<td>Nobody</td><td>–</td><td>no</td>' in html


def test_asking_by_controls(ex):
    made = controls(ask_the_model(ex, 'Ines Okafor was born in Lagos.', 'person, city').widget())
    answer = made['HTML'].value
    assert '<mark' in answer and 'Lagos' in answer
    made['confidence'].value = 1.
    assert made['HTML'].value != answer
    made['confidence'].value = 0.
    made['labels'].value = 'city'
    assert 'person' not in made['HTML'].value
    made['labels'].value = ''
    assert 'no labels' in made['HTML'].value


def test_a_mode_is_for_one_question_only(ex):
    before = ex.constrain
    free = ask_html(ex, 'Ines Okafor was born in Lagos.', 'person, city', mode='free')
    assert '<pre' in free and ex.constrain == before
    events = ask_html(ex, 'Halden shut its mill in Odda.', 'closure: owner, place', 'EE')
    assert 'closure' in events
