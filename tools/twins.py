"""Chinese twins of notebooks: the code and the outputs are those of the original, the text is a translation.

A twin's text cell bears the id of the cell that it translates; run by `make export`."""
import json
import re

from dress import COLAB, ROOT, repo

TWINS = [ROOT/'nbs/zh'/name for name in ('index.ipynb', '21_course.ipynb')]
MISSING = '（未译）'
LINK = re.compile(r'\n*\[(Open in Colab|在 Colab 中打开)\]\(.*\)$')


def original(path): return path.parent.parent/path.name


def plain(source):
    "Code without the directives of nbdev: a twin exports nothing."
    return [l for l in source if not re.match(r'#\| (export|default_exp)', l)]


def twin_cell(cell, translated):
    "A cell of a twin."
    if cell['cell_type'] == 'code': return {**cell, 'source': plain(cell['source'])}
    return translated.get(cell['id']) or {**cell, 'source': [MISSING + '\n\n', *cell['source']]}


def twin(path):
    "The text of a twin's file as it should be."
    try: own = json.loads(path.read_text(encoding='utf-8'))['cells']
    except FileNotFoundError: own = []
    texts = [c for c in own if c['cell_type'] == 'markdown']
    translated = {c['id']: c for c in texts if MISSING not in ''.join(c['source'])}
    nb = json.loads(original(path).read_text(encoding='utf-8'))
    nb['cells'] = [c for c in (twin_cell(c, translated) for c in nb['cells']) if ''.join(c['source'])]
    if path.name != 'index.ipynb':
        address = f'{COLAB}/github/{repo()}/blob/main/{path.relative_to(ROOT)}'
        title = LINK.sub('', ''.join(nb['cells'][0]['source']))
        nb['cells'][0]['source'] = f'{title}\n\n[在 Colab 中打开]({address})'.splitlines(keepends=True)
    return json.dumps(nb, ensure_ascii=False, indent=1) + '\n'


if __name__ == '__main__':
    for path in TWINS:
        path.parent.mkdir(exist_ok=True)
        path.write_text(twin(path), encoding='utf-8')
