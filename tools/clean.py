"Take progress bars and other packages' warnings out of stored outputs; run by `make export`."
import json
import re

from dress import notebooks

BAR = re.compile(r'\d%\|.*\||\d(it/s|s/it)\b')
WARNING = re.compile(r'\w*Warning\b|findfont|Failed to load')
WIDGET = 'application/vnd.jupyter.widget-view+json' # of no use without the kernel that made it
PLACE = re.compile(r'(?<![\w.])/(tmp|root|home|Users|content)/') # a path of one machine


def texts(output):
    "The strings of an output that are read; pictures are none."
    data = output.get('data', {'text': output.get('text', '')})
    read = {k: t for k, t in data.items() if not k.startswith('image/') and isinstance(t, (str, list))}
    return {kind: ''.join(t) for kind, t in read.items()}


def clean_cell(cell):
    "Drop displayed progress bars, and lines that are bars or warnings; `cell` is changed in place."
    kept = []
    for o in cell.get('outputs', []):
        if 'text/html' in o.get('data', {}): o['data'].pop(WIDGET, None) # the picture stays
        if o['output_type'] == 'stream':
            lines = texts(o)['text'].replace('\r\n', '\n').splitlines(keepends=True)
            wiped = lambda l: l.endswith('\r') and not l.strip() # what a bar leaves on a terminal
            o['text'] = [l for l in lines if not (wiped(l) or BAR.search(l) or WARNING.search(l))]
            if o['text']: kept.append(o)
        elif not BAR.search(texts(o).get('text/plain', '')): kept.append(o)
    if 'outputs' in cell: cell['outputs'] = kept


def cleaned(path):
    "The text of a notebook's file as it should be."
    nb = json.loads(path.read_text(encoding='utf-8'))
    nb['metadata'].pop('widgets', None)
    for cell in nb['cells']: clean_cell(cell)
    return json.dumps(nb, ensure_ascii=False, indent=1) + '\n'


if __name__ == '__main__':
    for path in notebooks(): path.write_text(cleaned(path), encoding='utf-8')
