"""The static site of all shelves, from the notebooks as they are stored; run by `make docs`.

Nothing is executed, and nothing is fetched: `build/docs/html/index.html` opens from the disk."""
import argparse
import json
import posixpath
import re
import shutil
from pathlib import Path

from dress import ROOT, repo
from layout import Notebook, is_hidden

BUILD = ROOT/'build/docs'
SHELVES = {'Lessons': '', '中文': 'zh', 'Machinery': 'lib', 'Commands': 'cli'}
PAGES = 'CONTRIBUTING.md', 'CHANGELOG.md'
FIRST = {'README.md': 'index.ipynb', 'README_CN.md': 'zh/index.ipynb'}
LINK = re.compile(r'\]\((?!\w+:|#)([^)#\s]+)(#[^)\s]*)?\)')


def site_link(at, target):
    "A link of a page as the site has it: notebooks and pages are in it, other files are in the repository."
    there = posixpath.normpath(posixpath.join('nbs', at, target))
    name = FIRST.get(there) or there.removeprefix('nbs/')
    inside = there.startswith('nbs/') and (ROOT/there).is_file() or there in (*PAGES, *FIRST)
    if not inside: return f'https://github.com/{repo()}/blob/main/{there}'
    return posixpath.relpath(name, at.strip('.') or '.')


def site_text(text, at):
    "Markdown with its links made to work in the site."
    return LINK.sub(lambda m: f']({site_link(at, m[1])}{m[2] or ""})', text)


def site_notebook(path, at):
    "A notebook without its hidden cells and without the directives of nbdev."
    nb = json.loads(path.read_text(encoding='utf-8'))
    nb['cells'] = [c for c in nb['cells'] if not is_hidden(''.join(c['source'])) and c['cell_type'] != 'raw']
    for c in nb['cells']:
        text = ''.join(c['source'])
        if text.startswith('#| echo: false'): c['metadata'] = {'tags': ['remove-input']}
        told = c['cell_type'] == 'markdown'
        c['source'] = site_text(text, at) if told else re.sub(r'(?m)^#\|.*\n?', '', text)
    return nb


def toctree(caption, entries):
    "A part of the menu."
    return f'```{{toctree}}\n:hidden:\n:caption: {caption}\n\n' + '\n'.join(entries) + '\n```\n'


def entry(path, at):
    "How a notebook is called in the menu: by its number and its title."
    title = '首页' if path.stem == 'index' else re.match(r'# (.+)', Notebook(path).prose[0])[1]
    number = re.match(r'(\w\d)_', path.name)
    return f"{number[1] + ' ' if number else ''}{title} <{posixpath.join(at, path.stem)}>"


def api_pages(source):
    "A page for each module; its functions are described by their docstrings and parameter comments."
    modules = sorted({f'iepile_nb.{m}' for p in (ROOT/'nbs').rglob('*.ipynb') if (m := Notebook(p).module)})
    (source/'api').mkdir()
    for m in modules:
        text = f'# {m}\n\n```{{eval-rst}}\n.. automodule:: {m}\n   :members:\n```\n'
        (source/f'api/{m}.md').write_text(text, encoding='utf-8')
    return [f'api/{m}' for m in modules]


def write_notebook(nb, path): path.write_text(json.dumps(nb, ensure_ascii=False), encoding='utf-8')


def write_source(source, only=()):
    "What Sphinx reads; `only` some notebooks, for a quick look."
    shutil.rmtree(source, ignore_errors=True)
    menu = []
    for caption, at in SHELVES.items():
        (source/at).mkdir(parents=True, exist_ok=True)
        paths = [p for p in sorted((ROOT/'nbs'/at).glob('*.ipynb')) if not only or p.stem in (*only, 'index')]
        for p in paths:
            write_notebook(site_notebook(p, at), source/at/p.name)
        paths.sort(key=lambda p: p.stem != 'index') # the first page of a shelf
        listed = [entry(p, at) for p in paths if at or p.stem != 'index']
        if listed: menu.append(toctree(caption, listed))
    if (ROOT/'nbs/images').is_dir(): shutil.copytree(ROOT/'nbs/images', source/'images')
    for name in PAGES:
        text = (ROOT/name).read_text(encoding='utf-8')
        (source/name).write_text(LINK.sub(lambda m: f']({site_link("..", m[1])})', text), encoding='utf-8')
    if not only: menu.append(toctree('Modules', api_pages(source)))
    menu.append(toctree('Project', [p.removesuffix('.md') for p in PAGES]))
    index = json.loads((source/'index.ipynb').read_text(encoding='utf-8'))
    index['cells'].append({'cell_type': 'markdown', 'id': 'menu', 'metadata': {}, 'source': '\n'.join(menu)})
    write_notebook(index, source/'index.ipynb')


def build(to=BUILD, only=()):
    "Write the source and make the site; returns Sphinx's exit status."
    from sphinx.cmd.build import build_main
    write_source(to/'source', only)
    places = ['-c', ROOT/'docs', '-d', to/'doctrees', to/'source', to/'html']
    return build_main(['-q', *map(str, places)])


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    p.add_argument('only', nargs='*', help='notebooks, such as 07_rows, for a quick look (default: all)')
    raise SystemExit(build(only=p.parse_args().only))
