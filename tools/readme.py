"README.md from nbs/index.ipynb; run by `make export`."
import re
from pathlib import Path

import nbformat
from nbconvert import MarkdownExporter

ROOT = Path(__file__).parent.parent
HEAD = '<!-- made from nbs/index.ipynb by `make export`; edit that -->\n\n'


def readme() -> str:
    "The text of README.md: hidden cells left out, links to notebooks made to work from the top folder."
    nb = nbformat.read(ROOT/'nbs/index.ipynb', 4)
    nb.cells = [c for c in nb.cells if not c.source.startswith(('#| hide', '#| default_exp'))]
    nb.metadata.language_info = {'name': 'python'}
    text, _ = MarkdownExporter().from_notebook_node(nb)
    text = re.sub(r'\n{3,}', '\n\n', text.replace('](./', '](nbs/').replace('](../', ']('))
    return HEAD + text.strip() + '\n'


if __name__ == '__main__': (ROOT/'README.md').write_text(readme(), encoding='utf-8')
