"The page of a large prediction file in a real browser."
from pathlib import Path

import pytest

from helpers.browser import CHROMIUM, FLAGS
from helpers.reports import EVIL, hostile
from iepile_nb.evaluate import evaluate
from iepile_nb.report import report


@pytest.mark.long
@pytest.mark.skipif(not CHROMIUM, reason='no Chromium on this machine')
def test_the_browser_of_20_000_texts(tmp_path):
    sync = pytest.importorskip('playwright.sync_api', reason='playwright is not installed')
    path, seen = report(evaluate(hostile(6700)), tmp_path/'r.html'), []
    with sync.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={'width': 400, 'height': 800})
        page.on('request', lambda r: seen.append(r.url))
        page.on('console', lambda m: seen.append(m.text))
        page.on('pageerror', lambda e: seen.append(str(e)))
        page.on('dialog', lambda d: seen.append('dialog'))
        page.goto(Path(path).as_uri())
        page.wait_for_selector('body[data-ready]')
        count = lambda: page.inner_text('#count')
        assert count() == '1 of 20,100' and page.locator('#list li').count() == 100
        assert page.evaluate('document.documentElement.scrollWidth') <= 400
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
