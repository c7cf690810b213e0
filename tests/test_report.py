"Spans, colours and the page: right places, nothing unescaped, readable in a browser."
import json, os, re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from iepile_nb.convert import convert
from iepile_nb.lib.io import write_jsonl
from iepile_nb.evaluate import evaluate
from iepile_nb.cli.eval import main
from iepile_nb.report import demo_report, f1_rows, f1_table, report
from iepile_nb.lib.page import example_html, html_report, pick_examples, show_relations
from iepile_nb.lib.browser import Browser, browser_data, script_json
from iepile_nb.lib.published import compare_published, load_zero_shot, published, zero_shot
from iepile_nb.questions import Schema, output
from iepile_nb.tasks import TASKS, read_instruction
from iepile_nb.lib.spans import Span, find_spans, highlight

CHROMIUM = '/usr/bin/chromium'
EVIL = '<script>alert("x")</script>&\'"'


class Marks(HTMLParser):
    "The text of highlighted HTML, and for each character the names of the spans around it."
    def __init__(self, html):
        super().__init__()
        self.text, self.around, self.open, self.tag = '', [], [], 0
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == 'mark': self.open.append(attrs['title'])
        if tag == 'span': self.tag += 1
        assert tag in ('div', 'mark', 'span')

    def handle_endtag(self, tag):
        if tag == 'mark': self.open.pop()
        if tag == 'span': self.tag -= 1

    def handle_data(self, data):
        if self.tag: return
        self.text += data
        self.around += [sorted(set(self.open))] * len(data)


def spans_of(text, cuts):
    return [Span(f'L{i}{EVIL}', min(a, b), max(a, b), text[min(a, b):max(a, b)]) for i, (a, b) in enumerate(cuts) if a != b]


@settings(max_examples=200)
@given(text=st.text(st.sampled_from('ab 中😀é<&>"\n'), min_size=1, max_size=25), data=st.data())
def test_highlight_covers_exactly_the_spans(text, data):
    place = st.integers(0, len(text))
    spans = spans_of(text, data.draw(st.lists(st.tuples(place, place), max_size=6)))
    marks = Marks(highlight(text, spans))
    assert marks.text == text
    assert marks.around == [sorted(s.label for s in spans if s.start <= i < s.end) for i in range(len(text))]


@given(before=st.text(max_size=6), found=st.text(min_size=1, max_size=4), after=st.text(max_size=6))
def test_spans_are_code_points(before, found, after):
    text = before + found + after
    span, = find_spans(TASKS['NER'], {'x': [found]}, text)
    assert text[span.start:span.end] == span.text == found


def test_spans_of_every_task():
    text = '😀公司 X 于 Odda 裁员, BUS 和 US'
    event = {'e': [{'trigger': '裁员', 'arguments': {'who': ['X', '公司'], 'where': 'NAN', 'when': 'never'}}]}
    cases = {'NER': ({'c': ['公司', 'Mars']}, [('公司', '')]), 'RE': ({'r': [{'subject': 'X', 'object': 'Odda'}]}, [('X', 'subject'), ('Odda', 'object')]),
             'SPO': ({'r': [{'head': 'US', 'tail': 'X'}]}, [('X', 'object'), ('US', 'subject')]),
             'EE': (event, [('公司', 'who'), ('X', 'who'), ('裁员', 'trigger')]), 'EET': ({'e': ['裁员']}, [('裁员', 'trigger')]),
             'EEA': ({'e': [{'where': 'Odda'}]}, [('Odda', 'where')]), 'KG': ({'c': {'公司': {'place': 'Odda'}}}, [('公司', ''), ('Odda', 'place')])}
    for name, (answer, expected) in cases.items():
        spans = find_spans(TASKS[name], answer, text)
        assert [(s.text, s.part) for s in spans] == expected, name
        assert all(text[s.start:s.end] == s.text for s in spans)
    assert text[find_spans(TASKS['NER'], {'c': ['US']}, text)[0].start - 1] == ' ' # the word, not the end of BUS


def test_the_first_span_of_a_label_names_it():
    html = highlight('a b', [Span('e', 0, 1, 'a', 'who'), Span('e', 2, 3, 'b', 'where')])
    assert re.findall(r'left:.35em">(.*?)<', html) == ['e · who', 'where']
    with_labels = [re.findall(r'hsl\((\S+)', highlight('a', [Span(l, 0, 1, 'a')], ['d', 'e']))[0] for l in 'de']
    assert len(set(with_labels)) == 2


# a whole report -------------------------------------------------------------------------------------------------

def results(evil=''):
    "A run with English and Chinese, NER and EE; texts, labels and answers may be hostile."
    res = {'title': f'Run{evil}', 'about': f'About{evil}', 'scores': [], 'examples': [], 'losses': [{'step': i, 'loss': 3 / i} for i in range(1, 30)],
           'settings': {f'model{evil}': f'm{evil}'}, 'seconds': {'train': 1.5}, 'environment': {'python': '3', 'gpu': None}}
    kind = f'城市{evil}'
    for language, text in (('en', f'Ann went to Oslo {evil}'), ('zh', f'安妮去了奥斯陆和罗马{evil}')):
        names = [n for n in ('Oslo', '奥斯陆', '罗马') if n in text]
        record = {'text': text, 'entity': [{'entity': n, 'entity_type': kind} for n in names],
                  'event': [{'event_type': f'trip{evil}', 'event_trigger': 'went', 'arguments': [{'role': f'to{evil}', 'argument': names[0]}]}]}
        for task, schema in (('NER', Schema([kind, 'river'])), ('EE', Schema([f'trip{evil}'], {f'trip{evil}': [f'to{evil}', 'by']}))):
            rows = list(convert([record], schema, task, language, 'test', split_num=1))
            right = [output(TASKS[task], read_instruction(r['instruction'])[1], TASKS[task].gold(record), text) for r in rows]
            before = evaluate([{**r, 'output': f'none {evil}'} for r in rows])
            after = evaluate([{**r, 'output': o.replace('罗马', f'巴黎{EVIL[:8]}')} for r, o in zip(rows, right)])
            res['scores'].append({'language': language, 'task': task, 'before': before['total'], 'after': after['total']})
            res['examples'] += pick_examples(before, after, language)
    return res


def test_report_stands_alone_and_escapes(tmp_path):
    page = demo_report(results(EVIL), tmp_path/'deep'/'r.html').read_text(encoding='utf-8')
    assert '<script' not in page and page.count('&lt;script&gt;') > 20
    assert not re.search(r'(?:src|href)="(?!#)|@import|url\((?!#)', page)
    assert page.count('<svg') == 2 and 'prefers-color-scheme' in page and 'currentColor' in page
    assert '奥斯陆' in page and 'not in the text: 巴黎' in page and '1 right, 1 wrong, 1 missed' in page and 'cannot be read' in page


def test_results_survive_json(tmp_path):
    res = results()
    again = json.loads(json.dumps(res, ensure_ascii=False))
    pages = [demo_report(r, tmp_path/f'{i}.html').read_text(encoding='utf-8') for i, r in enumerate((res, again))]
    assert pages[0] == pages[1]
    assert demo_report({'scores': res['scores']}, tmp_path/'s.html').exists()


def test_tables_and_examples():
    res = results()
    assert [r[1] for r in f1_rows(res['scores'])] == ['NER', 'EE event', 'EE argument'] * 2
    assert '| en       | EE argument | 1     | 0.0       | 100.0    | +100.0 |' in f1_table(res['scores'])
    assert show_relations(TASKS['RE'], [('r', EVIL, 'b')]).count('<') == show_relations(TASKS['RE'], [('r', 'a', 'b')]).count('<')
    assert 'lang="zh"' in example_html(res['examples'][-1])
    rows = [{**r, 'output': '{}'} for i in range(10) for r in convert([{'text': f'{i}', 'entity': [{'entity': f'{i}', 'entity_type': 'a'}]}],
                                                                      Schema(['a']), split='test')]
    result = evaluate(rows)
    assert [e['text'] for e in pick_examples(result, result, 'zh', 4)] == ['0', '2', '5', '7'] and len(pick_examples(result, result, 'zh', 99)) == 10
    assert '<h1>a&lt;b</h1>' in html_report('a<b', [('h', '')])


# the report of a prediction file --------------------------------------------------------------------------------

def hostile(n=1):
    "Prediction rows whose texts, labels and answers try to be HTML."
    boom, rows = f'{EVIL}<img src=x onerror=alert(1)></script>', []
    for i in range(n):
        record = {'text': f'{boom} 安妮 {i} 去了奥斯陆', 'entity': [{'entity': '安妮', 'entity_type': f'人{boom}'}],
                  'relation': [{'head': '安妮', 'relation': f'到{boom}', 'tail': '奥斯陆'}],
                  'event': [{'event_type': f'行{boom}', 'event_trigger': '去', 'arguments': [{'role': f'谁{boom}', 'argument': '安妮'}]}]}
        for task, schema in (('NER', Schema([f'人{boom}', 'b'])), ('RE', Schema([f'到{boom}'])), ('EE', Schema([f'行{boom}'], {f'行{boom}': [f'谁{boom}', 'r']}))):
            for row in convert([record], schema, task, 'zh', 'test', source=f's{boom}'):
                t = TASKS[task]
                right = output(t, read_instruction(row['instruction'], t)[1], t.gold(record), record['text'])
                rows.append({**row, 'output': [right, right.replace('安妮', f'Bo{EVIL[:8]}'), f'none {boom}'][(i + len(task)) % 3]})
    return rows


def test_the_report_of_a_file_escapes_and_stands_alone(tmp_path):
    result = evaluate(hostile(4), sort_by='task')
    html = report(result, tmp_path/'deep'/'r.html', f'T{EVIL}').read_text(encoding='utf-8')
    assert html.count('<script') == 2 and html.count('</script') == 2 and '<img' not in html
    data = json.loads(re.search(r'id="data">(.*?)</script>', html, re.S)[1])
    assert len(data['rows']) == 12 and data['rows'][0][3] == result.texts[0].rows[0].text and any(EVIL in l for l in data['labels'])
    assert not re.search(r'(?:src|href)="(?!#)|@import|url\((?!#)', html.split('<script')[0]) and 'prefers-color-scheme' in html
    assert '95% interval' in html and 'invalid answer' in html and '安妮' in html


def test_browser_data_has_what_the_page_needs():
    result = evaluate(hostile(4))
    data, errors = browser_data(result, result.errors()), result.errors()
    assert sum(len(r[6]) for r in data['rows']) == len(errors) and data['tasks'] == ['NER', 'RE', 'EE'] and data['events'] == [0, 0, 1]
    item = next(r for r in data['rows'] if r[0] == 1)[4][0]
    assert [data['parts'][item[1]], item[2], data['parts'][item[3]], item[4]] == ['subject', '安妮', 'object', '奥斯陆']
    assert json.loads(script_json({'a': '</script>\u2028\ud800'})) == {'a': '</script>\u2028?'}


def test_the_widget_browser_picks_and_falls_back(monkeypatch):
    b = Browser(evaluate(hostile(4)))
    assert b.pick() == list(range(12)) and 0 < len(b.pick('invalid answer')) < 12 and b.pick(search='安妮 2') == [6, 7, 8]
    bundle = b._repr_mimebundle_()
    assert '<script' not in bundle['text/html'] and 'class="side"' in bundle['text/html']
    w = b.widget()
    w.children[0].children[0].value = 'invalid answer'
    assert f"1 of {len(b.pick('invalid answer'))}" in w.children[2].value
    w.children[1].children[0].value = 'nowhere'
    assert 'nothing fits' in w.children[2].value
    monkeypatch.setattr(Browser, 'widget', lambda self: (_ for _ in ()).throw(ImportError))
    assert set(b._repr_mimebundle_()) == {'text/html', 'text/plain'}


def test_the_command_writes_a_report(tmp_path, capsys):
    write_jsonl(tmp_path/'p.json', hostile())
    assert main([str(tmp_path/'p.json'), '--report', str(tmp_path/'r.html')]) == 0 and 'r.html: open it' in capsys.readouterr().out
    assert (tmp_path/'r.html').stat().st_size > 10_000
    assert main([str(tmp_path/'p.json'), '--task', 'NER', '--rules', 'original', '--report', str(tmp_path/'o.html')]) == 1
    assert 'leave out --rules original' in capsys.readouterr().err and not (tmp_path/'o.html').exists()


def test_the_demo_shows_all_its_answers(tmp_path):
    write_jsonl(tmp_path/'after'/'zh_NER.json', hostile(2))
    page = demo_report({'scores': results()['scores']}, tmp_path/'r.html').read_text(encoding='utf-8')
    assert 'Every answer after training' in page and 'Errors after training' in page and page.count('<script') == 2


# beside the paper -----------------------------------------------------------------------------------------------

def test_the_published_scores_are_those_of_the_facts(shared):
    facts, ours = json.loads((shared/'spec/paper_results.json').read_text(encoding='utf-8')), published()
    keys = 'table', 'task', 'dataset', 'language', 'model', 'metric', 'value'
    assert len(ours) == len(facts) == 658 and [[r[k] for k in keys] for r in ours] == [[r[k] for k in keys] for r in facts]
    assert all(r['source'] and r['setting'] in ('supervised', 'zero-shot') for r in ours)


def test_compare_puts_like_beside_like():
    rows = hostile(3)
    c = compare_published(evaluate([{**r, 'source': {'NER': 'Boson', 'RE': 'IPRE', 'EE': 'FewFC'}[r['task']]} for r in rows]))
    per = {(r['dataset'], r['score']) for r in c}
    assert per == {('Boson', 'NER entity F1'), ('IPRE', 'RE triple F1'), ('FewFC', 'EE trigger F1'), ('FewFC', 'EE argument F1')}
    assert sum(r['system'] == 'yours' for r in c) == 4 and [r['F1'] for r in c if r['dataset'] == 'Boson'] == sorted(
        (r['F1'] for r in c if r['dataset'] == 'Boson'), reverse=True)
    assert any('Best of five' in n for n in c.notes) and not any('Offsets' in n for n in c.notes) and 'Best of five' in c._repr_markdown_()
    assert {r['system'] for r in c if r['dataset'] == 'IPRE'} >= {'OneKE', 'yours'}
    phee = compare_published({'PHEE': evaluate([r for r in rows if r['task'] == 'EE'])})
    assert any('Offsets' in n for n in phee.notes) and {r['score'] for r in phee} == {'EE trigger F1', 'EE argument F1'}
    assert compare_published(evaluate(rows)) == [] and str(compare_published(evaluate(rows))) == '(none)'


def test_the_report_stands_beside_the_paper(tmp_path):
    page = report(evaluate([{**r, 'source': 'Boson'} for r in hostile() if r['task'] == 'NER']), tmp_path/'r.html').read_text(encoding='utf-8')
    assert 'Beside published scores' in page and '<b>yours</b>' in page and 'YAYI-UIE' in page


def test_zero_shot_sets_are_loaded_where_they_are(shared, tmp_path):
    found = {name: (task, schema, records) for name, task, schema, records in load_zero_shot(shared/'data')}
    assert set(found) == {'CrossNER_AI', 'CrossNER_literature', 'CrossNER_science', 'FewFC', 'CrudeOilNews'}
    assert len(found['CrossNER_AI'][2]) == 431 and found['FewFC'][0].name == 'EE' and len(found['CrossNER_AI'][1].labels) == 14
    assert len(zero_shot()) == 17


@pytest.mark.long
@pytest.mark.skipif(not os.path.exists(CHROMIUM), reason=f'no {CHROMIUM}: the page is not looked at in a browser')
def test_the_browser_of_20_000_texts(tmp_path):
    sync = pytest.importorskip('playwright.sync_api', reason='playwright is not installed')
    path, seen = report(evaluate(hostile(6700)), tmp_path/'r.html'), []
    with sync.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=['--no-sandbox', '--disable-gpu'])
        page = browser.new_page(viewport={'width': 400, 'height': 800})
        page.on('request', lambda r: seen.append(r.url))
        page.on('console', lambda m: seen.append(m.text))
        page.on('pageerror', lambda e: seen.append(str(e)))
        page.on('dialog', lambda d: seen.append('dialog'))
        page.goto(Path(path).as_uri())
        page.wait_for_selector('body[data-ready]')
        count = lambda: page.inner_text('#count')
        assert count() == '1 of 20,100' and page.locator('#list li').count() == 100 and page.evaluate('document.documentElement.scrollWidth') <= 400
        page.click('#next'); page.keyboard.press('ArrowRight')
        assert count() == '3 of 20,100'
        page.click('#prev')
        assert count() == '2 of 20,100'
        page.fill('#q', '安妮 6699')
        assert count() == '1 of 3' and EVIL in page.inner_text('#detail')
        page.fill('#q', ''); page.locator('[data-kind]').first.click()
        assert count().startswith('1 of') and page.inner_text('.errors .kind') != ''
        page.select_option('#kind', ''); page.select_option('#label', index=1)
        assert count().startswith('1 of')
        page.fill('#q', 'nowhere')
        assert count() == 'nothing fits'
        browser.close()
    assert seen == [Path(path).as_uri()]


@pytest.mark.skipif(not os.path.exists(CHROMIUM), reason=f'no {CHROMIUM}: the page is not looked at in a browser')
def test_report_in_a_browser(tmp_path):
    sync = pytest.importorskip('playwright.sync_api', reason='playwright is not installed')
    path = demo_report(results(EVIL), tmp_path/'r.html')
    with sync.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=['--no-sandbox', '--disable-gpu'])
        seen, background = [], {}
        for scheme in ('light', 'dark'):
            page = browser.new_page(viewport={'width': 400, 'height': 800}, color_scheme=scheme)
            page.on('request', lambda r: seen.append(r.url))
            page.on('console', lambda m: seen.append(m.text))
            page.on('dialog', lambda d: seen.append('dialog'))
            page.goto(Path(path).as_uri())
            background[scheme] = page.evaluate('getComputedStyle(document.body).backgroundColor')
            assert page.evaluate('document.documentElement.scrollWidth') <= 400
            assert page.locator('mark').count() > 8 and page.locator('svg').first.bounding_box()['width'] > 300
        browser.close()
    assert seen == [Path(path).as_uri()] * 2 and background['light'] != background['dark']
