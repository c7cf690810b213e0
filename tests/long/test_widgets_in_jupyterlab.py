"The widgets as people use them: in JupyterLab, in a real browser, on a wide and a narrow page."
import json

import nbformat
import pytest
from helpers.browser import CHROMIUM
from helpers.jupyterlab import home, lab, page, run_all # noqa: F401, fixtures

pytestmark = [pytest.mark.long, pytest.mark.skipif(not CHROMIUM, reason='no Chromium on this machine')]

ASK = '''from iepile_nb.infer import Extractor
from iepile_nb.lib.asking import ask_the_model
ask_the_model(Extractor(), 'Ines Okafor was born in Lagos.', 'person, city')'''
PLAYGROUND = '''from iepile_nb.base import load_tokenizer
from iepile_nb.lib.playground import playground
from iepile_nb.prompt import get_template
tokenizer = load_tokenizer('tiny')
template = get_template('auto', tokenizer)
playground(tokenizer, template, '[Rosa](person) left [Odda](city).', 'person, city, date')'''
STEPPER = '''from iepile_nb.base import load_tokenizer
from iepile_nb.lib.stepper import GrammarStepper
from iepile_nb.questions import NER, Question
GrammarStepper(load_tokenizer('tiny'), NER(), [Question('person'), Question('city')], 'Rosa left Odda')'''
EXPLORER = '''from iepile_nb.lib.widgets import NegativesExplorer
from iepile_nb.lookalikes import similarity
from iepile_nb.negatives import HardNegatives
labels = ['birth place', 'birth date', 'place of death', 'spouse', 'employer', 'founder', 'film director']
NegativesExplorer(labels, similarity(labels), HardNegatives.build(labels), 'saved.json')'''


def write_notebook(home, name, code):
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nb.metadata['kernelspec'] = {'name': 'python3', 'display_name': 'python3', 'language': 'python'}
    nbformat.write(nb, home/f'{name}.ipynb')


def fill(page, name, value):
    box = page.locator('.jp-OutputArea-output').get_by_label(name, exact=True)
    box.fill(value)
    box.press('Tab')


def ask(page): fill(page, 'labels', 'city')
def move(page): fill(page, 'labels', 'person, city, date, company, river')
def click(page): page.get_by_role('button', name='spouse', exact=True).click()


def step(page):
    page.locator('.widget-select select').select_option(index=0)
    page.get_by_role('button', name='take', exact=True).click()


USES = {'ask': (ASK, ask), 'playground': (PLAYGROUND, move), 'stepper': (STEPPER, step),
        'explorer': (EXPLORER, click)}


def cut_off(page):
    "What reaches beyond the output of the cell, by its name and text."
    return page.evaluate('''() => {
        const area = document.querySelector('.jp-OutputArea-output')
        const right = area.getBoundingClientRect().right
        return [...area.querySelectorAll('*')].filter(e => e.getBoundingClientRect().right > right + 1 &&
            !e.closest('[style*="overflow-x"]'))
            .map(e => e.className + ' ' + e.textContent.slice(0, 40)) }''')


@pytest.mark.parametrize('name', USES)
def test_a_widget_is_used(name, home, lab, page):
    "Its output changes, and nothing is cut off at 1280 or at 800 pixels."
    code, use = USES[name]
    write_notebook(home, name, code)
    for width in (1280, 800):
        page.set_viewport_size({'width': width, 'height': 900})
        run_all(lab, page, f'{name}.ipynb')
        view = page.locator('.jp-OutputArea-output .widget-html-content')
        before = view.inner_html()
        use(page)
        content = '.jp-OutputArea-output .widget-html-content'
        page.wait_for_function(f'before => document.querySelector("{content}")'
                               '.innerHTML != before', arg=before, timeout=30_000)
        assert cut_off(page) == []


def test_the_dictionary_is_saved_where_the_notebook_stands(home, lab, page):
    "A label is clicked, the dictionary is saved, and the file holds it."
    write_notebook(home, 'saving', EXPLORER)
    run_all(lab, page, 'saving.ipynb')
    page.get_by_role('button', name='save', exact=True).click()
    page.get_by_text('saved in saved.json').wait_for(timeout=30_000)
    assert len(json.loads((home/'saved.json').read_text())) == 7
