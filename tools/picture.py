"The picture of an extraction on the first page: the text with the spans that the stored answer names."
import ast
import json
from html import escape

from dress import ROOT

COLOURS = ('#2b6cb0', '#dbeafe'), ('#2f7d4f', '#dcf2e3'), ('#b45309', '#fdebd0')
SIZE, WIDE, LEFT = 17, 10.2, 16 # of a letter, its width, the margin


def first_answer():
    "The sentence of the first page and what the model said of it, from the notebook as it is stored."
    cells = json.loads((ROOT/'nbs/index.ipynb').read_text(encoding='utf-8'))['cells']
    cell = next(c for c in cells if c['cell_type'] == 'code' and 'Extractor()' in ''.join(c['source']))
    text = next(l for l in cell['source'] if l.startswith('text,')).split("'")[1]
    return text, ast.literal_eval(''.join(cell['outputs'][0]['data']['text/plain']))


def spans(text, answer):
    "(start, value, label, colours) by place."
    found = [(text.index(v), v, l, COLOURS[i % 3]) for i, (l, vs) in enumerate(answer.items()) for v in vs]
    return sorted(found)


def picture():
    "An SVG file's text."
    text, answer = first_answer()
    x = lambda i: LEFT + WIDE * i
    marks, letters = [], []
    for start, value, label, (ink, area) in spans(text, answer):
        width, middle = WIDE * len(value), x(start) + WIDE * len(value) / 2
        box = f'x="{x(start) - 3:.1f}" y="16" width="{width + 6:.1f}" height="28" rx="5"'
        below = f'x="{middle:.1f}" y="64" text-anchor="middle" font-size="14"'
        marks.append(f'<rect {box} fill="{area}"/><text {below} fill="{ink}">{label}</text>')
    for i, word in ((text.index(w, n), w) for n, w in words(text)):
        letters.append(f'<text x="{x(i):.1f}" y="36" font-size="{SIZE}" textLength="{WIDE * len(word):.1f}" '
                       f'lengthAdjust="spacingAndGlyphs" fill="#1f2933">{escape(word)}</text>')
    told = '; '.join(f'{label}: {", ".join(values)}' for label, values in answer.items())
    size = f'{x(len(text)) + LEFT:.0f} 78'
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" role="img" '
            f'font-family="ui-monospace, Menlo, Consolas, monospace"><title>{escape(told)}</title>'
            f'<rect width="100%" height="100%" fill="#ffffff"/>{"".join(marks + letters)}</svg>\n')


def words(text):
    "(where to look from, word) of each."
    at = 0
    for word in text.split(' '):
        yield at, word
        at += len(word) + 1


if __name__ == '__main__':
    (ROOT/'nbs/images').mkdir(exist_ok=True)
    (ROOT/'nbs/images/extraction.svg').write_text(picture(), encoding='utf-8')
