"The page of a run in a real browser."
from pathlib import Path

import pytest

from helpers.browser import CHROMIUM, FLAGS
from helpers.reports import EVIL, results
from iepile_nb.report import demo_report


@pytest.mark.skipif(not CHROMIUM, reason='no Chromium on this machine')
def test_report_in_a_browser(tmp_path):
    sync = pytest.importorskip('playwright.sync_api', reason='playwright is not installed')
    path = demo_report(results(EVIL), tmp_path/'r.html')
    with sync.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        seen, background = [], {}
        for scheme in ('light', 'dark'):
            page = browser.new_page(viewport={'width': 400, 'height': 800}, color_scheme=scheme)
            page.on('request', lambda r: seen.append(r.url))
            page.on('console', lambda m: seen.append(m.text))
            page.on('dialog', lambda d: seen.append('dialog'))
            page.goto(Path(path).as_uri())
            background[scheme] = page.evaluate('getComputedStyle(document.body).backgroundColor')
            assert page.evaluate('document.documentElement.scrollWidth') <= 400
            assert page.locator('mark').count() > 8
            assert page.locator('svg').first.bounding_box()['width'] > 300
        browser.close()
    assert seen == [Path(path).as_uri()] * 2 and background['light'] != background['dark']
