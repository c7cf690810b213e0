"The frame: story and library in step, one place for each fact, a wheel that works by itself."
import ast
import json
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from configparser import ConfigParser

try: import tomllib
except ImportError: import tomli as tomllib # Python 3.10

import pytest
from dress import dressed
from readme import readme

PARTS = 'nbs', 'iepile_nb', 'settings.ini', 'pyproject.toml', 'setup.py', 'README.md'


@pytest.fixture(scope='module')
def copy(root, tmp_path_factory):
    "The tree, so that checks that write leave the real one alone."
    to = tmp_path_factory.mktemp('copy')
    for p in PARTS:
        if (root/p).is_dir(): shutil.copytree(root/p, to/p, ignore=shutil.ignore_patterns('__pycache__', '.ipynb_checkpoints'))
        else: shutil.copy(root/p, to/p)
    return to


def config(root):
    ini = ConfigParser(delimiters=['='])
    ini.read(root/'settings.ini', encoding='utf-8')
    return ini['DEFAULT']


def lessons(root): return sorted((root/'nbs').glob('[0-9]*.ipynb'))


def cells(path): return json.loads(path.read_text(encoding='utf-8'))['cells']


def test_export_and_clean_change_nothing(root, copy):
    for cmd in ('nbdev_export', 'nbdev_clean'): subprocess.run([cmd], cwd=copy, check=True, capture_output=True)
    for f in sorted([*(copy/'nbs').glob('*.ipynb'), *(copy/'iepile_nb').glob('*.py')]):
        assert f.read_bytes() == (root/f.relative_to(copy)).read_bytes(), f'{f.name}: run `make export` and commit'
    assert {f.name for f in (copy/'iepile_nb').glob('*.py')} == {f.name for f in (root/'iepile_nb').glob('*.py')}


def test_readme_is_the_index(root): assert (root/'README.md').read_text(encoding='utf-8') == readme()


def test_every_lesson_opens_on_colab(root):
    for path in lessons(root): assert path.read_text(encoding='utf-8') == dressed(path), f'{path.name}: run `make export`'


def test_lessons_open_alike(root):
    for path in lessons(root):
        first, second = cells(path)[:2]
        assert re.match(r'# [^\n]+\n\n> [^\n]+', ''.join(first['source'])), path.name
        assert ''.join(second['source']).startswith('#| default_exp'), path.name
        assert not any(o['output_type'] == 'error' for c in cells(path) for o in c.get('outputs', [])), path.name


def test_settings_and_pyproject_agree(root):
    cfg, toml = config(root), tomllib.loads((root/'pyproject.toml').read_text(encoding='utf-8'))
    assert toml['project']['name'] == cfg['lib_name'] and toml['project']['urls']['Repository'] == f"https://github.com/{cfg['user']}/{cfg['repo']}"
    for k, v in toml['tool']['nbdev'].items(): assert cfg[k] == (' '.join(v) if isinstance(v, list) else str(v)) or cfg[k] == str(v).title()


def test_light_modules_stay_light(root):
    code = 'import sys, iepile_nb.convert, iepile_nb.evaluate; assert not {"torch", "transformers", "matplotlib", "datasets"} & sys.modules.keys()'
    subprocess.run([sys.executable, '-c', code], cwd=root, check=True)


def test_imports_follow_the_reading_order(root):
    "A module imports only from lessons before its own; a command may import a later one inside its body."
    order = {''.join(cells(p)[1]['source']).split()[-1]: i for i, p in enumerate(lessons(root))}
    for name, i in order.items():
        tree = ast.parse((root/f'iepile_nb/{name}.py').read_text(encoding='utf-8'))
        used = [n.module.split('.')[-1] for n in tree.body if isinstance(n, ast.ImportFrom) and (n.module or '').startswith('iepile_nb.')]
        assert all(order[u] < i for u in used), (name, used)


def test_no_traces(root):
    "No machine paths, and nothing that runs text as code."
    for f in [*(root/'iepile_nb').glob('*.py'), *lessons(root), *(root/'tests').glob('*.py'), root/'README.md']:
        text = f.read_text(encoding='utf-8')
        assert not re.search(r'/(root|home|work|tmp)/[a-z]', text) or f.name == 'test_frame.py', f.name
        if f.parent.name == 'iepile_nb': assert not re.search(r'(?<![.\w])(eval|exec)\(|pickle\.load', text), f.name


def test_the_wheel_works_by_itself(copy, tmp_path):
    "Built, unpacked and imported from an empty folder: modules, commands and the embedded model are in it."
    subprocess.run([sys.executable, '-m', 'pip', 'wheel', '-q', '--no-deps', '--no-build-isolation', '-w', tmp_path, copy], check=True, capture_output=True)
    wheel, = tmp_path.glob('*.whl')
    with zipfile.ZipFile(wheel) as z:
        z.extractall(tmp_path/'site')
        entry = next(z.read(n).decode() for n in z.namelist() if n.endswith('entry_points.txt'))
    assert 'iepile_convert' in entry and 'iepile_demo' in entry
    code = f'import sys; sys.path.insert(0, {str(tmp_path/"site")!r}); from iepile_nb.convert import main; main(["--help"])'
    r = subprocess.run([sys.executable, '-c', code], cwd=tmp_path, capture_output=True, text=True)
    assert r.returncode == 0 and 'example: iepile_convert' in r.stdout
    assert list((tmp_path/'site/iepile_nb/assets/tiny').rglob('model.safetensors'))
