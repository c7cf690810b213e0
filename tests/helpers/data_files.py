"Small files of records in every format, and ways to spoil them."
import json

from hypothesis import strategies as st
from iepile_nb.lib.io import read_jsonl
from iepile_nb.questions import instruction
from iepile_nb.records import numbered_records
from iepile_nb.tasks import TASKS


def save(path, *values):
    "One JSON value a line; the path."
    lines = [v if isinstance(v, str) else json.dumps(v, ensure_ascii=False) for v in values]
    path.write_text('\n'.join(lines), encoding='utf-8')
    return path


def rows(path): return [r for _, r in read_jsonl(path)]


def entity(text, label): return {'entity': text, 'entity_type': label}


INES = {'text': 'Ines Okafor left Odda.', 'entity': [entity('Ines Okafor', 'PER'), entity('Odda', 'LOC')]}
LEFT = [{'head': 'Ines Okafor', 'head_type': 'PER', 'relation': 'left', 'tail': 'Odda', 'tail_type': 'LOC'}]
MOVE = [{'event_type': 'Move', 'event_trigger': 'left',
         'arguments': [{'role': 'Who', 'argument': 'Ines Okafor'}, {'role': 'From', 'argument': 'Odda'}]}]
ASKED = [*map(TASKS['NER'].question, ['LOC', 'PER'])]
ROW = {'task': 'NER', 'source': 's', 'instruction': instruction(TASKS['NER'], 'en', ASKED, INES['text']),
       'output': '{"LOC": ["Odda"], "PER": ["Ines Okafor"]}'}
DOCCANO = {'id': 3, 'text': INES['text'],
           'entities': [{'id': 1, 'label': 'PER', 'start_offset': 0, 'end_offset': 11},
                        {'id': 2, 'label': 'LOC', 'start_offset': 17, 'end_offset': 21}],
           'relations': [{'id': 9, 'from_id': 1, 'to_id': 2, 'type': 'left'}]}
MARKS = [{'id': 'a', 'type': 'labels', 'value': {'start': 0, 'end': 11, 'labels': ['PER']}},
         {'id': 'b', 'type': 'labels', 'value': {'start': 17, 'end': 21, 'labels': ['LOC']}}]
LABEL_STUDIO = {'data': {'text': INES['text']},
                'annotations': [{'was_cancelled': True, 'result': []}, {'result': MARKS}]}
INSTRUCTIE = {'input': INES['text'], 'cate': 'Person', 'kg': [['Ines Okafor', 'left', 'Odda']],
              'entity': INES['entity']}
ANN = ['T1\tPER 0 11\tInes Okafor', 'T2\tLOC 17 21\tOdda', 'T3\tMove 12 16\tleft', 'R1\tleft Arg1:T1 Arg2:T2',
       'E1\tMove:T3 Who:T1 From2:T2', 'A1\tNegated E1', '#1\tAnnotatorNotes T1\tsure?']
FILES = { # one good record in each format, as the lines of a file
    'records': [json.dumps(INES)], 'doccano': [json.dumps(DOCCANO)],
    'labelstudio': [json.dumps(LABEL_STUDIO)],
    'conll': ['Ines NNP B-PER', 'Okafor NNP I-PER', 'left VBD O', 'Odda NNP S-LOC', '. . O', ''],
    'instructie': [json.dumps(INSTRUCTIE)], 'iepile': [json.dumps(ROW)]}
TASK_OF = {'instructie': 'RE'} # of what is in the file; the others are read as NER


def read(path, form, task=None):
    "Records, and the messages about what was refused."
    bad, task = [], TASKS[task or TASK_OF.get(form, 'NER')]
    got = list(numbered_records(path, task, form=form, bad=lambda e, raw=None: bad.append(str(e))))
    return [r for _, r in got], bad


ODD = [None, 3, -1, 1.5, '', 'x', [], {}, [None], [[]], [{}], True, {'text': 3}, [[0, 1]], [['a', 'b', 'c']],
       [[-3, 2, 'a']], [[3, 0, 'a']], [{'id': 1}]]
ODD_CHARACTERS = ['"', '{', ']', ',', '0', '-', '\t', ' ', ':', '\\', '\x00', '\u2028', '😀',
                  'null', '99', '-1', '1e9']


@st.composite
def spoiled_inside(draw, value):
    "A JSON value with one value somewhere inside dropped, doubled or replaced."
    if isinstance(value, (dict, list)) and value and draw(st.integers(0, 4)):
        key = draw(st.sampled_from(list(value) if isinstance(value, dict) else range(len(value))))
        rest = value.copy()
        if not draw(st.integers(0, 5)): del rest[key]
        elif isinstance(rest, list) and not draw(st.integers(0, 5)): rest.append(rest[key])
        else: rest[key] = draw(spoiled_inside(value[key]))
        return rest
    return draw(st.sampled_from(ODD))


@st.composite
def broken(draw, forms=()):
    "(format, the lines of one record as bytes, one of them spoiled)."
    form = draw(st.sampled_from(forms or [*FILES, 'brat']))
    body = [l for l in (ANN if form == 'brat' else FILES[form]) if l]
    i = draw(st.integers(0, len(body) - 1))
    how = draw(st.sampled_from(['cut', 'insert', 'replace', 'delete', 'bytes', 'json']))
    line, at, odd = body[i], draw(st.integers(0, len(body[i]))), draw(st.sampled_from(ODD_CHARACTERS))
    if how == 'json' and line[0] == '{': line = json.dumps(draw(spoiled_inside(json.loads(line))))
    elif how == 'cut': line = line[:at]
    elif how == 'insert': line = line[:at] + odd + line[at:]
    elif how == 'replace': line = line[:at] + odd + line[at + 1:]
    else: line = line[:at] + line[at + 1:]
    raw = [l.encode('utf-8', 'surrogatepass') for l in [*body[:i], line, *body[i + 1:]]]
    if how == 'bytes': raw[i] = raw[i][:at] + b'\xff' + raw[i][at:]
    return form, raw


def with_name(form, name):
    "The lines of the good record of a format, about somebody else."
    return [l.replace('Ines', name).encode() for l in FILES[form]]


def spoiled_file(folder, form, raw):
    "A file or folder of three records of which the one in the middle is spoiled."
    if form == 'brat':
        for name in 'abc':
            (folder/f'{name}.txt').write_text(INES['text'])
            save(folder/f'{name}.ann', *ANN)
        (folder/'b.ann').write_bytes(b'\n'.join(raw))
        return folder
    blank = [b''] * (form == 'conll')
    lines = [*with_name(form, 'Anna'), *blank, *raw, *blank, *with_name(form, 'Olga')]
    (folder/'f').write_bytes(b'\n'.join(lines) + b'\n')
    return folder/'f'
