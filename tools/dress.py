"Give every notebook its first cells: a lesson's link to Colab, what to install there, the working folder."
import hashlib
import json
from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).parent.parent
COLAB = 'https://colab.research.google.com'
START = '''#| hide
import os
from iepile_nb.lib.io import repo_root
os.chdir(repo_root())'''
INSTALL = '''#| hide
import os, sys
if 'google.colab' in sys.modules and not os.path.exists('settings.ini'):
    if not os.path.exists('{name}'):
        !git clone -q --depth 1 https://github.com/{repo}
    %cd -q {name}
    %pip install -q '.[data,plots]'
from iepile_nb.lib.io import repo_root
os.chdir(repo_root())'''


def repo():
    "The repository's address stands once, in settings.ini."
    ini = ConfigParser(delimiters=['='])
    ini.read(ROOT/'settings.ini', encoding='utf-8')
    return f"{ini['DEFAULT']['user']}/{ini['DEFAULT']['repo']}"


def is_lesson(path):
    return path.parent.name == 'nbs' and path.name not in ('index.ipynb', 'glossary.ipynb')


def notebooks():
    "All notebooks in reading order: the lessons, then what they rest on, then the commands."
    return [p for folder in ('', 'lib', 'cli') for p in sorted((ROOT/'nbs'/folder).glob('*.ipynb'))]


def dress(nb, path):
    "The notebook with its first cells and metadata, once; `nb` is changed in place."
    own = hashlib.sha256(path.name.encode()).hexdigest()[:8]
    start = INSTALL.format(repo=repo(), name=repo().partition('/')[2]) if is_lesson(path) else START
    cells = [c for c in nb['cells'] if c.get('id') != own and ''.join(c['source']) != start]
    at = 1 + any('#| default_exp' in ''.join(c['source']) for c in cells[:2]) # after title and module
    cells.insert(at, {'cell_type': 'code', 'execution_count': None, 'id': own, 'metadata': {}, 'outputs': [],
                      'source': start.splitlines(keepends=True)})
    if is_lesson(path):
        title = ''.join(cells[0]['source']).partition('\n\n[')[0]
        # no badge, which would need a network
        link = f'[Open in Colab]({COLAB}/github/{repo()}/blob/main/nbs/{path.name})'
        cells[0]['source'] = f'{title}\n\n{link}'.splitlines(keepends=True)
        nb['metadata'].update(accelerator='GPU', colab={'gpuType': 'T4', 'provenance': []})
    nb['cells'] = cells
    return nb


def dressed(path):
    "The text of a notebook's file as it should be."
    nb = dress(json.loads(path.read_text(encoding='utf-8')), path)
    return json.dumps(nb, ensure_ascii=False, indent=1) + '\n'


if __name__ == '__main__':
    for path in notebooks(): path.write_text(dressed(path), encoding='utf-8')
