"Looking through predictions in a real browser: list, keys, links, marks, languages, width."
from pathlib import Path

import pytest

from helpers.browser import CHROMIUM, FLAGS
from helpers.prediction_rows import answered, entity
from iepile_nb.evaluate import evaluate
from iepile_nb.questions import Schema
from iepile_nb.report import report

pytestmark = pytest.mark.skipif(not CHROMIUM, reason='no Chromium on this machine')


@pytest.fixture(scope='module')
def page():
    sync = pytest.importorskip('playwright.sync_api', reason='playwright is not installed')
    with sync.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={'width': 1280, 'height': 800})
        page.problems = []
        page.on('pageerror', lambda e: page.problems.append(str(e)))
        yield page
        browser.close()


def shown(page, rows, path, address=''):
    "The page about these rows."
    page.goto('about:blank')
    page.goto(Path(report(evaluate(rows), path, draws=0)).as_uri() + address)
    page.wait_for_selector('body[data-ready]')
    return page


def rows_of(n, language='en', labels=2):
    "Texts of which every other has a wrong answer."
    schema = Schema([f'l{i}' for i in range(labels)])
    records = [{'text': f'Ann {i} met Bob', 'entity': [entity('Ann', 'l0'), entity('Bob', f'l{i % labels}')]}
               for i in range(n)]
    rows = answered('NER', records, schema, split_num=-1, language=language)
    return [r if i % 2 else {**r, 'output': '{"l0": ["Ann", "met"]}'} for i, r in enumerate(rows)]


def test_the_list_follows(page, tmp_path):
    shown(page, rows_of(150), tmp_path/'r.html')
    def current():
        here, box = page.locator('#list [aria-current]'), page.locator('#list').bounding_box()
        place = here.bounding_box()
        assert here.count() == 1 and page.locator('#list button[tabindex="0"]').count() == 1
        assert box['y'] - 1 <= place['y'] and place['y'] + place['height'] <= box['y'] + box['height'] + 1
        return int(here.locator('.soft').inner_text())
    assert current() == 1
    for _ in range(40): page.click('#next')
    assert current() == 41 and page.url.endswith('#line=41')
    for _ in range(3): page.click('#prev')
    assert current() == 38
    page.locator('#list [aria-current]').focus()
    for key in ['ArrowDown'] * 3 + ['ArrowUp']: page.keyboard.press(key)
    assert current() == 40 and page.evaluate('document.activeElement.innerText').startswith('40')
    page.keyboard.press('Home')
    assert current() == 1
    page.keyboard.press('Tab')
    assert page.evaluate('document.activeElement.id') == 'more' and not page.problems


def test_a_link_leads_to_one_text(page, tmp_path):
    shown(page, rows_of(150), tmp_path/'r.html', '#line=133')
    assert 'line 133' in page.inner_text('#detail') and page.locator('#list [aria-current]').count() == 1
    page.evaluate("location.hash = '#line=7'")
    page.wait_for_function("document.querySelector('#detail').innerText.includes('line 7')")
    page.select_option('#kind', 'wrong')
    page.evaluate("location.hash = '#line=8'")
    page.wait_for_function("document.querySelector('#detail').innerText.includes('line 8')")
    assert not page.problems


def test_right_and_wrong_mentions_differ(page, tmp_path):
    rows = rows_of(2)
    rows[1]['output'] = '{"l0": ["Ann"], "l1": ["Bob"]'[:20]
    shown(page, rows, tmp_path/'r.html')
    said = page.locator('.side').nth(1)
    for mark, word, frame in (('mark:not(.wrong)', 'Ann', 'none'), ('mark.wrong', 'met', 'dashed')):
        mark = said.locator(mark)
        assert mark.inner_text() == word
        assert mark.evaluate('e => getComputedStyle(e).outlineStyle') == frame


def test_an_answer_that_cannot_be_read_is_never_all_right(page, tmp_path):
    record = {'text': 'Ann', 'entity': []}
    shown(page, answered('NER', [record], answers=['none']), tmp_path/'r.html')
    assert 'cannot be read' in page.inner_text('#detail') and 'all right' not in page.inner_text('#detail')
    page.select_option('#kind', 'unread')
    assert page.inner_text('#count') == '1 of 1'


def test_a_page_about_chinese_rows_speaks_chinese(page, tmp_path):
    shown(page, rows_of(4, 'zh'), tmp_path/'r.html')
    words = page.inner_text('body')
    for said in ('得分', '错误与标签混淆', '多余', '标注', '预测', '全部文本'): assert said in words, said
    for said in ('Scores', 'annotated', 'not found', 'all texts', 'invented'): assert said not in words, said
    assert page.get_attribute('html', 'lang') == 'zh' and page.get_attribute('#next', 'aria-label') == '下一条'


def test_all_labels_and_the_whole_width(page, tmp_path):
    shown(page, rows_of(67, labels=67), tmp_path/'r.html')
    assert page.locator('summary').inner_text() == '27 more labels'
    page.locator('summary').click()
    assert page.locator('svg g').filter(has_text='l66').first.is_visible()
    places = [page.locator(s).first.bounding_box() for s in ('.two figure', '#list', '#detail')]
    assert page.locator('.two').first.locator('figure').last.bounding_box()['x'] > 640
    assert places[0]['width'] < 600 and places[1]['x'] < places[2]['x'] and places[2]['width'] > 600
    assert 'unreadable answers' in page.inner_text('section:first-of-type') and not page.problems
