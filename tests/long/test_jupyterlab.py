"The lessons as people meet them: in JupyterLab, in a real browser. Skipped where there is no Chromium."
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from conftest import ROOT
from helpers.browser import CHROMIUM, FLAGS

pytestmark = [pytest.mark.long, pytest.mark.skipif(not CHROMIUM, reason='no Chromium on this machine')]


@pytest.fixture(scope='module')
def lab(tmp_path_factory):
    "JupyterLab on a copy of the lessons; its address."
    home = tmp_path_factory.mktemp('lab')
    for part in ('nbs', 'data'): shutil.copytree(ROOT/part, home/part)
    shutil.copy(ROOT/'settings.ini', home)
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        port = s.getsockname()[1]
    folders = {'JUPYTER_CONFIG_DIR': str(home/'config'), 'JUPYTER_DATA_DIR': str(home/'share')}
    env = {**os.environ, 'PYTHONPATH': str(ROOT), **folders}
    cmd = [sys.executable, '-m', 'jupyterlab', '--no-browser', '--allow-root', f'--port={port}',
           '--IdentityProvider.token=', '--ip=127.0.0.1']
    p = subprocess.Popen(cmd, cwd=home, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f'http://127.0.0.1:{port}'
    for _ in range(120):
        try: urllib.request.urlopen(f'{url}/api'); break
        except OSError: time.sleep(.5)
    yield url
    p.terminate()
    p.wait(20)


@pytest.fixture(scope='module')
def page():
    from playwright.sync_api import sync_playwright
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser.new_page(viewport={'width': 1200, 'height': 900})
        browser.close()


@pytest.mark.parametrize('lesson', ['02_tasks', '06_negatives', '20_report'])
def test_a_lesson_runs_top_to_bottom(lesson, lab, page):
    "Restart and run all; the last cell gets a number, no cell shows an error."
    page.goto(f'{lab}/lab/tree/nbs/{lesson}.ipynb?reset')
    page.wait_for_selector('.jp-Notebook .jp-CodeCell', timeout=90_000)
    page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]', timeout=90_000)
    page.get_by_role('menuitem', name='Run', exact=True).click()
    page.get_by_role('menuitem', name='Run All Cells', exact=True).click()
    deadline, idle = time.monotonic() + 180, 0
    while idle < 3 and time.monotonic() < deadline:
        time.sleep(1)
        idle = idle + 1 if page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').count() else 0
    assert idle == 3, 'the lesson did not finish'
    assert page.locator('[data-mime-type="application/vnd.jupyter.error"]').count() == 0
    assert page.locator('.jp-RenderedHTMLCommon').count() > 3
