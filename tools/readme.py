"README.md from nbs/index.ipynb, README_CN.md from its Chinese twin; run by `make export`."
import posixpath
import re
from pathlib import Path

import nbformat
from nbconvert import MarkdownExporter
from traitlets.config import Config

ROOT = Path(__file__).parent.parent
HEAD = '<!-- made from {} by `make export`; edit that -->\n\n'
PAGES = {'README.md': 'nbs/index.ipynb', 'README_CN.md': 'nbs/zh/index.ipynb'}
SHOWN = Config({'TagRemovePreprocessor': {'enabled': True, 'remove_input_tags': ['echo']}})
LINK = re.compile(r'(\]\(|src=")(\.[^)"]*)')


def readme(name: str = 'README.md') -> str:
    "The text of a README: hidden cells left out, links made to work from the top folder."
    path = PAGES[name]
    nb = nbformat.read(ROOT/path, 4)
    nb.cells = [c for c in nb.cells if not c.source.startswith(('#| hide', '#| default_exp'))]
    for c in nb.cells: c.metadata = {'tags': ['echo']} if c.source.startswith('#| echo: false') else {}
    nb.metadata.language_info = {'name': 'python'}
    text, _ = MarkdownExporter(config=SHOWN).from_notebook_node(nb)
    top = lambda m: m[1] + posixpath.normpath(posixpath.join(posixpath.dirname(path), m[2]))
    return HEAD.format(path) + re.sub(r'\n{3,}', '\n\n', LINK.sub(top, text)).strip() + '\n'


if __name__ == '__main__':
    for name in PAGES: (ROOT/name).write_text(readme(name), encoding='utf-8')
