"JupyterLab on a copy of the lessons, and a notebook that is run in it by a browser."
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from conftest import ROOT
from helpers.browser import CHROMIUM, FLAGS


@pytest.fixture(scope='module')
def home(tmp_path_factory):
    "The folder that JupyterLab shows: a copy of the lessons and their data."
    home = tmp_path_factory.mktemp('lab')
    for part in ('nbs', 'data'): shutil.copytree(ROOT/part, home/part)
    shutil.copy(ROOT/'settings.ini', home)
    return home


@pytest.fixture(scope='module')
def lab(home):
    "The address of JupyterLab."
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


def run_all(lab, page, path):
    "Open a notebook and run all its cells; no cell shows an error."
    page.goto(f'{lab}/lab/tree/{path}?reset')
    page.wait_for_selector('.jp-Notebook .jp-CodeCell', timeout=90_000)
    idle_kernel = '.jp-Notebook-ExecutionIndicator[data-status="idle"]' # a narrow page hides it in a menu
    page.wait_for_selector(idle_kernel, state='attached', timeout=90_000)
    started = page.locator('.jp-CodeCell .jp-InputPrompt').filter(has_text=re.compile(r'\[(\*|\d+)\]'))
    for _ in range(8): # a kernel that has only just been started may not listen yet
        page.locator('.jp-CodeCell').first.click()
        page.get_by_role('menuitem', name='Run', exact=True).click()
        page.get_by_role('menuitem', name='Run All Cells', exact=True).click()
        time.sleep(3)
        if started.count(): break
    assert started.count(), 'nothing was run'
    deadline, idle = time.monotonic() + 180, 0
    while idle < 3 and time.monotonic() < deadline:
        time.sleep(1)
        idle = idle + 1 if page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').count() else 0
    assert idle == 3, 'the notebook did not finish'
    assert page.locator('[data-mime-type="application/vnd.jupyter.error"]').count() == 0
