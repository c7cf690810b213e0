"A page about more texts than a browser can hold."
from helpers.prediction_rows import answered, entity

from iepile_nb.evaluate import evaluate
from iepile_nb.lib import browser
from iepile_nb.report import report


def test_a_page_of_many_texts_holds_a_sample_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(browser.page_sample, '__defaults__', (20,))
    records = [{'text': f'Text{i}x is here', 'entity': [entity(f'Text{i}x')]} for i in range(90)]
    result = evaluate(answered('NER', records, answers=['{"a": []}'] * 90, split_num=-1))
    page = report(result, tmp_path/'page.html', draws=0).read_text()
    assert '18 of 90 texts' in page and page.count('x is here') == 18
    assert 'Text0x' in page and 'Text5x' in page and 'Text4x' not in page
    monkeypatch.setattr(browser.page_sample, '__defaults__', (90,))
    assert 'of 90 texts' not in report(result, tmp_path/'page.html', draws=0).read_text()
