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
FORM = '''IEPILE_SOURCE = '{source}' #@param {{type: 'string'}}'''
INSTALL = '''#| hide
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from subprocess import run
if not find_spec('iepile_nb'): # as in Colab; its torch stays as it is
    wheel = Path(IEPILE_SOURCE) # or an address
    wanted = 'iepile_nb[data,plots] @ ' + (wheel.absolute().as_uri() if wheel.is_file() else IEPILE_SOURCE)
    Path('keep.txt').write_text('torch==' + version('torch') if find_spec('torch') else '')
    if run([sys.executable, '-m', 'pip', 'install', '-q', '-c', 'keep.txt', wanted]).returncode:
        raise RuntimeError(f'cannot install from {IEPILE_SOURCE}; set IEPILE_SOURCE to a wheel or an address')
from iepile_nb.lib.io import open_lesson
open_lesson()'''
REPORT = '''
from iepile_nb.lib.machine import machine_report
machine_report()'''
MORE = {'21_course.ipynb': '''
#@markdown Which base is trained; `tiny` is part of the package and needs no GPU.
PRESET = 'tiny' #@param ['tiny', 'smollm2-135m', 'gemma3-270m', 'colab-t4', 'colab-a100', 'llama2-13b-iepile', 'oneke']
#@markdown Keep results on Google Drive, so that a training that was cut off goes on?
DRIVE = False #@param {type: 'boolean'}'''}
ON_GPU = '00', '10', '11', '12', '13', '14', '15', '21', '22', 'A2'
TRAINS = '11', '12', '22' # in lesson 21 the report is that of the chosen base
SCALES = '23'


def settings():
    "What settings.ini says."
    ini = ConfigParser(delimiters=['='])
    ini.read(ROOT/'settings.ini', encoding='utf-8')
    return ini['DEFAULT']


def repo():
    "The repository's address stands once, in settings.ini."
    return f"{settings()['user']}/{settings()['repo']}"


def is_lesson(path):
    return path.parent.name == 'nbs' and path.name not in ('index.ipynb', 'glossary.ipynb')


def notebooks():
    "All notebooks in reading order: the lessons, then what they rest on, then the commands."
    return [p for folder in ('', 'lib', 'cli') for p in sorted((ROOT/'nbs'/folder).glob('*.ipynb'))]


def first_cells(path):
    "(id, source, tags) of the cells that a notebook begins with, after its title and the name of its module."
    own = lambda part='': hashlib.sha256((path.name + part).encode()).hexdigest()[:8]
    if not is_lesson(path): return [(own(), START, [])]
    form = FORM.format(source='git+' + settings()['git_url'])
    form = form + MORE[path.name] if path.name in MORE else '#| hide\n' + form
    install = INSTALL.replace('[data,plots]', '[scale]') if path.name.startswith(SCALES) else INSTALL
    return [(own('form'), form, ['parameters']), (own(), install + REPORT * path.name.startswith(TRAINS), [])]


def dress(nb, path):
    "The notebook with its first cells and metadata, once; `nb` is changed in place."
    first = first_cells(path)
    old = {c.get('id'): c for c in nb['cells']}
    cells = [c for c in nb['cells'] if c.get('id') not in [i for i, _, _ in first]]
    at = 1 + any('#| default_exp' in ''.join(c['source']) for c in cells[:2]) # after title and module
    cells[at:at] = [{'cell_type': 'code', 'execution_count': None, 'id': i,
                     'metadata': {'tags': tags} if tags else {}, 'outputs': old.get(i, {}).get('outputs', []),
                     'source': source.splitlines(keepends=True)} for i, source, tags in first]
    if is_lesson(path):
        title = ''.join(cells[0]['source']).partition('\n\n[')[0]
        # no badge, which would need a network
        link = f'[Open in Colab]({COLAB}/github/{repo()}/blob/main/nbs/{path.name})'
        cells[0]['source'] = f'{title}\n\n{link}'.splitlines(keepends=True)
        gpu = {'accelerator': 'GPU', 'colab': {'gpuType': 'T4', 'provenance': []}}
        ours = gpu if path.name.startswith(ON_GPU) else {'colab': {'provenance': []}}
        nb['metadata'] = {**ours, **{k: v for k, v in nb['metadata'].items() if k not in gpu}}
    nb['cells'] = cells
    return nb


def dressed(path):
    "The text of a notebook's file as it should be."
    nb = dress(json.loads(path.read_text(encoding='utf-8')), path)
    return json.dumps(nb, ensure_ascii=False, indent=1) + '\n'


if __name__ == '__main__':
    for path in notebooks(): path.write_text(dressed(path), encoding='utf-8')
