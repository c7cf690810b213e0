"Story and library in step, one place for each fact, a wheel that works by itself."
import shutil
import subprocess
import sys
import zipfile
from configparser import ConfigParser

try: import tomllib
except ImportError: import tomli as tomllib # Python 3.10

import pytest
from readme import readme

PARTS = 'nbs', 'iepile_nb', 'settings.ini', 'pyproject.toml', 'setup.py', 'README.md'


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


def test_readme_is_the_index(root): assert (root/'README.md').read_text(encoding='utf-8') == readme()


def test_settings_and_pyproject_agree(root):
    cfg, toml = config(root), tomllib.loads((root/'pyproject.toml').read_text(encoding='utf-8'))
    assert toml['project']['name'] == cfg['lib_name']
    assert toml['project']['urls']['Repository'] == f"https://github.com/{cfg['user']}/{cfg['repo']}"
    for k, v in toml['tool']['nbdev'].items():
        assert cfg[k] in (' '.join(v) if isinstance(v, list) else str(v), str(v).title())


def test_the_wheel_works_by_itself(copy, tmp_path):
    "Built, unpacked and imported from an empty folder: modules, commands and the embedded model are in it."
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
