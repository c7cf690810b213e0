"""The lessons where nothing is installed but torch and a kernel: their own first cell installs the wheel.

A stand-in for Colab: an environment that holds what the package needs, but not the package, and a module
`google.colab`; papermill runs a lesson in an empty folder. No index is asked, so nothing can be replaced."""
import json
import os
import shutil
import subprocess
import sys
import venv
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from conftest import ROOT
from packaging.requirements import Requirement

pytestmark = pytest.mark.long
STAND_IN = {'__init__': '', 'userdata': 'def get(name): return "secret"', 'drive': 'def mount(place): pass'}


def needed(*names):
    "The installed distributions that some need, themselves among them."
    todo, found = [Requirement(n) for n in names], {}
    while todo:
        r = todo.pop()
        if r.marker and not any(r.marker.evaluate({'extra': e}) for e in ('', *r.extras)): continue
        try: d = distribution(r.name)
        except PackageNotFoundError: continue
        seen = found.setdefault(r.name.lower(), (d, set()))[1]
        if seen and r.extras <= seen: continue
        seen |= {'', *r.extras}
        for told in d.requires or ():
            more = Requirement(told)
            if not more.marker or any(more.marker.evaluate({'extra': e}) for e in seen):
                more.marker = None
                todo.append(more)
    return [d for d, _ in found.values()]


def requirements():
    "What the package and the extras that a lesson installs are said to need."
    from configparser import ConfigParser
    ini = ConfigParser(delimiters=['='])
    ini.read(ROOT/'settings.ini', encoding='utf-8')
    return [r for k in ('', 'data_', 'plots_') for r in ini['DEFAULT'][f'{k}requirements'].split()]


@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    copy, to = tmp_path_factory.mktemp('tree'), tmp_path_factory.mktemp('wheel')
    for part in ('iepile_nb', 'data'):
        shutil.copytree(ROOT/part, copy/part, ignore=shutil.ignore_patterns('__pycache__'))
    for part in ('settings.ini', 'pyproject.toml', 'setup.py', 'README.md'): shutil.copy(ROOT/part, copy)
    build = [sys.executable, '-m', 'pip', 'wheel', '-q', '--no-deps', '--no-build-isolation', '-w', to, copy]
    subprocess.run(build, check=True)
    return next(to.glob('*.whl'))


@pytest.fixture
def machine(tmp_path):
    "Variables of an environment in which papermill finds a kernel called colab, without the package."
    home = tmp_path/'machine'
    venv.create(home, with_pip=True)
    site = next(home.glob('lib/python*/site-packages'))
    for d in needed('ipykernel', *requirements()):
        for top in {f.parts[0] for f in d.files or () if f.parts[0] not in ('..', '__pycache__')}:
            there = d.locate_file(top)
            if there.exists() and not (site/top).exists(): (site/top).symlink_to(there)
    colab = site/'google/colab'
    if (site/'google').is_symlink(): # protobuf lives there too
        real = (site/'google').resolve()
        (site/'google').unlink()
        colab.parent.mkdir()
        for p in real.iterdir(): (colab.parent/p.name).symlink_to(p)
    colab.mkdir(parents=True)
    for name, text in STAND_IN.items(): (colab/f'{name}.py').write_text(text)
    spec = tmp_path/'share/kernels/colab'
    spec.mkdir(parents=True)
    argv = [str(home/'bin/python'), '-m', 'ipykernel_launcher', '-f', '{connection_file}']
    (spec/'kernel.json').write_text(json.dumps({'argv': argv, 'display_name': 'colab', 'language': 'python'}))
    env = {k: v for k, v in os.environ.items() if k not in ('PYTHONPATH', 'HF_TOKEN')}
    return {**env, 'JUPYTER_PATH': str(tmp_path/'share'), 'PIP_NO_INDEX': '1'}


def run_lesson(name, machine, folder, **parameters):
    "Run a lesson by papermill in a folder; returns the process and the notebook that it wrote."
    folder.mkdir(exist_ok=True)
    given = [x for k, v in parameters.items() for x in ('-p', k, str(v))]
    cmd = [sys.executable, '-m', 'papermill', ROOT/f'nbs/{name}.ipynb', folder/'out.ipynb', '-k', 'colab',
           '--cwd', folder, '--no-progress-bar', *given]
    r = subprocess.run(cmd, cwd=folder, env=machine, capture_output=True, text=True, timeout=1500)
    return r, json.loads((folder/'out.ipynb').read_text(encoding='utf-8'))


@pytest.mark.parametrize('name,more', [('01_questions', {}), ('21_course', {'PRESET': 'tiny'})])
def test_a_lesson_runs_from_nothing(name, more, machine, wheel, tmp_path):
    r, nb = run_lesson(name, machine, tmp_path/'empty', IEPILE_SOURCE=wheel, **more)
    assert r.returncode == 0, r.stderr[-3000:]
    assert not [o for c in nb['cells'] for o in c.get('outputs', ()) if o['output_type'] == 'error']
    assert (tmp_path/'empty/data/NER/sample.json').exists()
    site = next((tmp_path/'machine').glob('lib/python*/site-packages'))
    assert (site/'torch').is_symlink() and not (site/'iepile_nb').is_symlink() # torch was not touched


def test_a_wrong_source_stops_in_the_first_cell(machine, tmp_path):
    r, nb = run_lesson('01_questions', machine, tmp_path/'empty', IEPILE_SOURCE='git+file:///nowhere')
    assert r.returncode and 'cannot install from git+file:///nowhere; set IEPILE_SOURCE' in r.stderr
    ran = [c for c in nb['cells'] if c['cell_type'] == 'code' and c.get('execution_count')]
    assert len(ran) < 6 # the papermill note, the form, its parameters, the failure
