"The site of all shelves, built without a network and read in a real browser without a server."
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest
from conftest import ROOT
from helpers.browser import CHROMIUM, FLAGS

pytestmark = pytest.mark.long


@pytest.fixture(scope='module')
def site():
    "The folder of the built site; a warning of Sphinx about a page or a link fails the build."
    cmd = [sys.executable, ROOT/'tools/docs.py']
    r = subprocess.run(cmd, cwd=ROOT, capture_output=True, text=True)
    assert r.returncode == 0, r.stderr
    about = 'xref', 'toc', 'image'
    assert not [l for l in r.stderr.splitlines() if 'WARNING' in l and any(a in l for a in about)]
    return ROOT/'build/docs/html'


@pytest.fixture(scope='module')
def page():
    if not CHROMIUM: pytest.skip('no Chromium on this machine')
    sync = pytest.importorskip('playwright.sync_api', reason='playwright is not installed')
    with sync.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={'width': 1280, 'height': 900})
        page.asked, page.problems = [], []
        page.on('request', lambda r: page.asked.append(r.url))
        page.on('requestfailed', lambda r: page.problems.append(f'missing: {r.url}'))
        page.on('pageerror', lambda e: page.problems.append(str(e)))
        yield page
        browser.close()


def test_every_notebook_and_module_has_a_page(site):
    for path in (ROOT/'nbs').rglob('*.ipynb'):
        if 'checkpoint' in path.stem: continue
        assert (site/path.relative_to(ROOT/'nbs')).with_suffix('.html').exists()
    pages = {p.stem for p in (site/'api').glob('*.html')}
    assert {'iepile_nb.grammar', 'iepile_nb.lib.engine', 'iepile_nb.cli.train'} <= pages


PAGES = ['index', '02_tasks', '04_dataset', '13_decode', '20_report', '21_course', 'lib/engine', 'cli/train',
         'zh/index', 'api/iepile_nb.convert', 'CONTRIBUTING']

@pytest.mark.parametrize('name', PAGES)
def test_a_page_opens_from_the_disk_and_asks_for_nothing_else(name, site, page):
    page.asked.clear(), page.problems.clear()
    page.goto((site/f'{name}.html').as_uri())
    assert page.locator('h1').count() >= 1 and page.locator('.sidebar-tree a').count() > 80
    assert all(url.startswith(('file:', 'data:')) for url in page.asked), page.asked
    assert not page.problems
    text = page.inner_text('article')
    hidden = [] if name == '21_course' else ['IEPILE_SOURCE']
    assert not [x for x in ('#| export', 'os.chdir', *hidden) if x in text]
    for scheme in ('light', 'dark'): page.emulate_media(color_scheme=scheme)
    assert page.evaluate('document.documentElement.scrollWidth') <= 1280


def test_outputs_plots_and_formulas_are_seen(site, page):
    page.goto((site/'04_dataset.html').as_uri())
    assert page.locator('article img, article svg').count()
    assert page.locator('article .cell_output').count() > 5
    page.goto((site/'index.html').as_uri())
    assert page.locator('th', has_text='English: before').count() == 1 # a table that a cell shows
    page.goto((site/'13_decode.html').as_uri())
    assert page.locator('math').first.bounding_box()['width'] > 3
    page.goto((site/'api/iepile_nb.convert.html').as_uri())
    text = page.inner_text('article')
    assert 'convert.convert(' in text and 'parameters' in text.lower() and 'pure negatives' in text


def test_the_search_finds_a_function(site, page):
    page.goto((site/'index.html').as_uri())
    page.fill('input[name=q]', 'HardNegatives')
    page.keyboard.press('Enter')
    page.wait_for_selector('#search-results li a', timeout=20_000)
    assert any('negatives' in a.get_attribute('href') for a in page.locator('#search-results li a').all())


def test_links_between_pages_lead_to_pages(site, page):
    "Every link on the first page and in two lessons that stays in the site has something at its end."
    for name in ('index', '11_lora', 'zh/index'):
        page.goto((site/f'{name}.html').as_uri())
        for a in page.locator('article a[href]').evaluate_all('l => l.map(a => a.href)'):
            if a.startswith('file:'): assert Path(unquote(urlparse(a).path)).exists(), a
