"`pip install iepile_nb` alone, without JupyterLab and plots: what works, what is said."
import json
import os
import subprocess
import sys

import pytest
from conftest import ROOT

from iepile_nb.lib.extras import EXTRAS

MISSING = (f'import sys; sys.modules.update(dict.fromkeys({[*EXTRAS, "IPython", "jupyterlab"]})); '
           'import importlib, pkgutil, iepile_nb\n')


def run(code, cwd, ok=True):
    "Run lines of Python where the optional packages are missing; returns what was written."
    env = {**os.environ, 'PYTHONPATH': str(ROOT)}
    cmd = [sys.executable, '-c', MISSING + code]
    r = subprocess.run(cmd, cwd=cwd, capture_output=True, text=True, env=env)
    assert (r.returncode == 0) == ok, r.stdout + r.stderr
    return r.stdout + r.stderr


def test_every_module_can_be_imported(tmp_path):
    run('for m in pkgutil.walk_packages(iepile_nb.__path__, "iepile_nb."):\n'
        '    importlib.import_module(m.name)', tmp_path)


def test_the_demo_writes_its_page(tmp_path):
    "All commands of a training are at work in it; the page says in place of its pictures what they need."
    main = 'from iepile_nb.cli.demo import main; sys.exit(main(sys.argv_))'
    args = ['--data', str(ROOT/'data/demo/en/NER'), '--task', 'NER', '--language', 'en', '--limit', '4',
            '--epochs', '1', '--out', 'out']
    run(f'sys.argv_ = {args}\n{main}', tmp_path)
    page = (tmp_path/'out/report.html').read_text(encoding='utf-8')
    assert 'iepile_nb[plots]' in page and json.loads((tmp_path/'out/results.json').read_text())['losses']


ASKS = [('from iepile_nb.data import plot_corpus; plot_corpus()', 'plots'),
        ('from iepile_nb.data import leak; leak({})', 'data'),
        ('from iepile_nb.report import Browser; Browser.widget(None)', 'lab')]

@pytest.mark.parametrize('line,name', ASKS, ids=[name for _, name in ASKS])
def test_what_needs_an_extra_names_the_line_that_installs_it(line, name, tmp_path):
    assert f"pip install 'iepile_nb[{name}]'" in run(line, tmp_path, ok=False)
