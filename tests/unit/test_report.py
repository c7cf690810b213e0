"The pages of a run and of a prediction file: complete, escaped, readable without a network."
import json
import re

from helpers.reports import EVIL, hostile, results
from iepile_nb.convert import convert
from iepile_nb.evaluate import evaluate
from iepile_nb.lib.browser import Browser, browser_data, script_json
from iepile_nb.lib.io import write_jsonl
from iepile_nb.lib.page import example_html, html_report, pick_examples, show_relations
from iepile_nb.questions import Schema
from iepile_nb.report import demo_report, f1_rows, f1_table, report
from iepile_nb.tasks import TASKS


def test_report_stands_alone_and_escapes(tmp_path):
    page = demo_report(results(EVIL), tmp_path/'deep'/'r.html').read_text(encoding='utf-8')
    assert '<script' not in page and page.count('&lt;script&gt;') > 20
    assert not re.search(r'(?:src|href)="(?!#)|@import|url\((?!#)', page)
    assert page.count('<svg') == 2 and 'prefers-color-scheme' in page and 'currentColor' in page
    for said in ('奥斯陆', 'not in the text: 巴黎', '1 right, 1 wrong, 1 missed', 'cannot be read'):
        assert said in page


def test_results_survive_json(tmp_path):
    res = results()
    again = json.loads(json.dumps(res, ensure_ascii=False))
    write = lambda name, r: demo_report(r, tmp_path/f'{name}.html').read_text(encoding='utf-8')
    pages = [write(i, r) for i, r in enumerate((res, again))]
    assert pages[0] == pages[1]
    assert demo_report({'scores': res['scores']}, tmp_path/'s.html').exists()


def test_tables_and_examples():
    res = results()
    assert [r[1] for r in f1_rows(res['scores'])] == ['NER', 'EE event', 'EE argument'] * 2
    assert '| en       | EE argument | 1     | 0.0       | 100.0    | +100.0 |' in f1_table(res['scores'])
    tags = lambda *item: show_relations(TASKS['RE'], [item]).count('<')
    assert tags('r', EVIL, 'b') == tags('r', 'a', 'b')
    assert 'lang="zh"' in example_html(res['examples'][-1])
    records = [{'text': f'{i}', 'entity': [{'entity': f'{i}', 'entity_type': 'a'}]} for i in range(10)]
    result = evaluate([{**r, 'output': '{}'} for r in convert(records, Schema(['a']), split='test')])
    assert [e['text'] for e in pick_examples(result, result, 'zh', 4)] == ['0', '2', '5', '7']
    assert len(pick_examples(result, result, 'zh', 99)) == 10
    assert '<h1>a&lt;b</h1>' in html_report('a<b', [('h', '')])


def test_the_report_of_a_file_escapes_and_stands_alone(tmp_path):
    result = evaluate(hostile(4), sort_by='task')
    html = report(result, tmp_path/'deep'/'r.html', f'T{EVIL}').read_text(encoding='utf-8')
    assert html.count('<script') == 2 and html.count('</script') == 2 and '<img' not in html
    data = json.loads(re.search(r'id="data">(.*?)</script>', html, re.S)[1])
    assert len(data['rows']) == 12 and any(EVIL in l for l in data['labels'])
    assert data['rows'][0][3] == result.texts[0].rows[0].text
    assert not re.search(r'(?:src|href)="(?!#)|@import|url\((?!#)', html.split('<script')[0])
    assert 'prefers-color-scheme' in html
    assert '95% interval' in html and 'invalid answer' in html and '安妮' in html


def test_browser_data_has_what_the_page_needs():
    result = evaluate(hostile(4))
    data, errors = browser_data(result, result.errors()), result.errors()
    assert sum(len(r[6]) for r in data['rows']) == len(errors)
    assert data['tasks'] == ['NER', 'RE', 'EE'] and data['events'] == [0, 0, 1]
    item = next(r for r in data['rows'] if r[0] == 1)[4][0]
    parts = data['parts']
    assert [parts[item[1]], item[2], parts[item[3]], item[4]] == ['subject', '安妮', 'object', '奥斯陆']
    assert json.loads(script_json({'a': '</script>\u2028\ud800'})) == {'a': '</script>\u2028?'}


def test_the_widget_browser_picks_and_falls_back(monkeypatch):
    b = Browser(evaluate(hostile(4)))
    assert b.pick() == list(range(12)) and b.pick(search='安妮 2') == [6, 7, 8]
    assert 0 < len(b.pick('invalid answer')) < 12
    bundle = b._repr_mimebundle_()
    assert '<script' not in bundle['text/html'] and 'class="side"' in bundle['text/html']
    w = b.widget()
    w.children[0].children[0].value = 'invalid answer'
    assert f"1 of {len(b.pick('invalid answer'))}" in w.children[2].value
    w.children[1].children[0].value = 'nowhere'
    assert 'nothing fits' in w.children[2].value
    monkeypatch.setattr(Browser, 'widget', lambda self: (_ for _ in ()).throw(ImportError))
    assert set(b._repr_mimebundle_()) == {'text/html', 'text/plain'}


def test_the_demo_shows_all_its_answers(tmp_path):
    write_jsonl(tmp_path/'after'/'zh_NER.json', hostile(2))
    page = demo_report({'scores': results()['scores']}, tmp_path/'r.html').read_text(encoding='utf-8')
    for part in ('训练后的全部回答', '训练后的得分', '95% 区间', '各标签的 F1', 'class="heat"'): assert part in page
    assert page.count('<script') == 2 and '<html lang="zh">' in page
