"Story and library in step, one place for each fact, a wheel that works by itself."
import json
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from configparser import ConfigParser

import clean
import pytest
from dress import dressed, notebooks

PARTS = 'nbs', 'iepile_nb', 'settings.ini', 'pyproject.toml', 'setup.py', 'README.md', 'data'


@pytest.fixture(scope='module')
def copy(root, tmp_path_factory):
    "The tree, so that checks that write leave the real one alone."
    to = tmp_path_factory.mktemp('copy')
    left_out = shutil.ignore_patterns('__pycache__', '.ipynb_checkpoints')
    for p in PARTS:
        if (root/p).is_dir(): shutil.copytree(root/p, to/p, ignore=left_out)
        else: shutil.copy(root/p, to/p)
    return to


def config(root):
    ini = ConfigParser(delimiters=['='])
    ini.read(root/'settings.ini', encoding='utf-8')
    return ini['DEFAULT']


def test_export_and_clean_change_nothing(root, copy):
    for cmd in ('nbdev_export', 'nbdev_clean'):
        subprocess.run([cmd], cwd=copy, check=True, capture_output=True)
    for f in sorted([*copy.glob('nbs/**/*.ipynb'), *copy.glob('iepile_nb/**/*.py')]):
        same = f.read_bytes() == (root/f.relative_to(copy)).read_bytes()
        assert same, f'{f.name}: run `make export` and commit'
    modules = lambda place: {str(f.relative_to(place)) for f in place.glob('iepile_nb/**/*.py')}
    assert modules(copy) == modules(root)


@pytest.mark.parametrize('path', notebooks(), ids=lambda p: p.stem)
def test_notebooks_are_dressed_and_clean(path):
    "First cells as they should be; among stored outputs no progress bar, no warning, no path of one machine."
    text = path.read_text(encoding='utf-8')
    assert text == dressed(path) and text == clean.cleaned(path), f'{path.name}: run `make export` and commit'
    for cell in json.loads(text)['cells']:
        for output in cell.get('outputs', []):
            text = ' '.join(clean.texts(output).values())
            assert not clean.PLACE.search(text), f"{path.name}, cell {cell['id']}"


def test_settings_and_pyproject_agree(root):
    cfg, toml = config(root), tomllib.loads((root/'pyproject.toml').read_text(encoding='utf-8'))
    assert toml['project']['name'] == cfg['lib_name']
    assert toml['project']['urls']['Repository'] == f"https://github.com/{cfg['user']}/{cfg['repo']}"
    for k, v in toml['tool']['nbdev'].items():
        assert cfg[k] in (' '.join(v) if isinstance(v, list) else str(v), str(v).title())


def test_lower_bounds_are_not_above_what_the_tests_run_with(root):
    "Every package that is required has a lower bound, and a pin that is not below it."
    cfg, number = config(root), lambda version: [int(n) for n in version.partition('+')[0].split('.')]
    pins = re.findall(r'^([\w-]+)==([^;\s]+)', (root/'constraints.txt').read_text(), re.M)
    pinned = {name.lower(): version for name, version in pins}
    for part in ('', 'lab_', 'data_', 'plots_', 'docs_'):
        for wanted in cfg[f'{part}requirements'].split():
            name, _, bound = wanted.partition('>=')
            assert bound and number(bound) <= number(pinned[name.lower()]), wanted


def test_a_plain_install_is_light(root):
    "JupyterLab, plots and more come with extras; who works on the project gets them all."
    cfg = config(root)
    names = lambda key: {re.match(r'[\w-]+', r)[0] for r in cfg[f'{key}requirements'].split()}
    extras = names('lab_') | names('data_') | names('plots_')
    assert extras == {'jupyterlab', 'ipywidgets', 'datasketch', 'matplotlib'}
    assert not names('') & extras and {'sentencepiece', 'protobuf'} <= names('')
    assert cfg['dev_requirements'].startswith(f"{cfg['lib_name']}[lab,data,plots,docs,scale]")


def test_extras_are_named_as_they_are_defined(root):
    from iepile_nb.lib.extras import EXTRAS
    for package, name in EXTRAS.items():
        assert package.replace('_', '-') in re.findall(r'[\w-]+', config(root)[f'{name}_requirements'])


TEN_MINUTES = re.compile(r'```python\n(.*?)```', re.S)

def test_the_wheel_works_by_itself(root, copy, tmp_path):
    "Built, unpacked, imported from an empty folder: modules, commands, records and model are in it."
    build = [sys.executable, '-m', 'pip', 'wheel', '-q', '--no-deps', '--no-build-isolation', '-w', tmp_path,
             copy]
    subprocess.run(build, check=True, capture_output=True)
    wheel, = tmp_path.glob('*.whl')
    with zipfile.ZipFile(wheel) as z:
        z.extractall(tmp_path/'site')
        entry = next(z.read(n).decode() for n in z.namelist() if n.endswith('entry_points.txt'))
    assert 'iepile_convert = iepile_nb.cli.convert:main' in entry and 'iepile_demo' in entry
    code = (f'import sys; sys.path.insert(0, {str(tmp_path/"site")!r}); '
            'from iepile_nb.cli.convert import main; main(["--help"])')
    r = subprocess.run([sys.executable, '-c', code], cwd=tmp_path, capture_output=True, text=True)
    assert r.returncode == 0 and 'example: iepile_convert' in r.stdout
    assert list((tmp_path/'site/iepile_nb/assets/tiny').rglob('model.safetensors'))
    assert (tmp_path/'site/iepile_nb/py.typed').exists()
    names = lambda folder: {str(p.relative_to(folder)) for p in folder.rglob('*.json')}
    assert names(tmp_path/'site/iepile_nb/samples') == names(root/'data')
    lines = ''.join(TEN_MINUTES.findall((root/'README.md').read_text(encoding='utf-8')))
    code = (f'import sys; sys.path.insert(0, {str(tmp_path/"site")!r})\n{lines}\n'
            'import json; print(json.dumps(dict(found)))')
    (empty := tmp_path/'empty').mkdir()
    r = subprocess.run([sys.executable, '-c', code], cwd=empty, capture_output=True, text=True)
    assert r.returncode == 0, r.stderr
    assert json.loads(r.stdout.splitlines()[-1])['person'] == ['Tamsin Birkinshaw']
    assert not list(empty.iterdir())
