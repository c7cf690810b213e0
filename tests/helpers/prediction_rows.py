"Prediction rows of small records, and strategies for annotations and for answers that a model may write."
import json

from hypothesis import strategies as st

from iepile_nb.convert import convert
from iepile_nb.evaluate import evaluate
from iepile_nb.questions import encode, output, Schema
from iepile_nb.tasks import read_instruction, TASKS

EVENTS = Schema(['e', 'f'], {'e': ['who', 'where', 'when'], 'f': ['what']})


TRIPLES = {'A_r_B': ['A', 'r', 'B'], 'A_r_C': ['A', 'r', 'C'], 'C_s_A': ['C', 's', 'A']}
SCHEMAS = {'NER': Schema(['a', 'b', 'c']), 'EET': Schema(['e', 'f']), 'EE': EVENTS, 'EEA': EVENTS,
           'RE': Schema(['r', 's', 't']), 'SPO': Schema(list(TRIPLES), TRIPLES),
           'KG': Schema(['p', 'q'], {'p': ['x', 'y', 'z'], 'q': ['z', 'w']})}


def answered(task, records, schema=None, answers=None, split_num=None, language='en'):
    "Prediction rows: the right answers, or the given ones."
    t, rows, schema = TASKS[task], [], schema or SCHEMAS[task]
    for record in records:
        gold = t.gold(record, schema)
        for row in convert([record], schema, task, language, 'test', split_num, source='src'):
            qs = read_instruction(row['instruction'], t)[1]
            rows.append({**row, 'output': output(t, qs, gold, record['text'])})
    return rows if answers is None else [{**r, 'output': a} for r, a in zip(rows, answers, strict=True)]


def one(task, annotations, answer, **kw):
    "The total of one record whose rows all get this answer."
    record = {'text': '公司 X 裁员 at Y by Z', TASKS[task].key: annotations}
    rows = answered(task, [record], split_num=-1)
    answer = answer if isinstance(answer, str) else encode(answer)
    return evaluate([{**r, 'output': answer} for r in rows], **kw)['total']


def entity(string, label='a', **more): return {'entity': string, 'entity_type': label, **more}


def event(kind='e', trigger='裁员', **args):
    arguments = [{'role': r, 'argument': a} for r, a in args.items()]
    return {'event_type': kind, 'event_trigger': trigger, 'arguments': arguments}


def some(**fields):
    "Up to six annotations with these fields."
    return st.lists(st.fixed_dictionaries(fields), max_size=6)


def typed_relation(head, tail, label):
    "A relation of SPO; label: (head type, relation, tail type)."
    return {'head': head, 'tail': tail, **dict(zip(('head_type', 'relation', 'tail_type'), label))}


def nested(x): return st.lists(x, max_size=3) | st.dictionaries(KEYS, x, max_size=4)


def cut_fence(x): return '```json\n' + json.dumps(x)[:-1]


VALUES = st.sampled_from(['X', 'Y', 'Z', '公司', 'NAN', '', 'a b', '"', '\\n', '\u2028'])
ROLES = st.sampled_from(['who', 'where', 'when', 'what', 'odd'])
ARGUMENTS = st.lists(st.fixed_dictionaries({'role': ROLES, 'argument': VALUES}), max_size=4)
EVENT = st.fixed_dictionaries({'event_type': st.sampled_from(['e', 'f', 'odd']), 'event_trigger': VALUES,
                               'arguments': ARGUMENTS})
SOME_EVENTS = st.lists(EVENT, max_size=4)
TYPED = st.builds(typed_relation, VALUES, VALUES, st.sampled_from([*TRIPLES.values(), ['Z', 'r', 'Z']]))
ANNOTATIONS = {
    'NER': some(entity=VALUES, entity_type=st.sampled_from(['a', 'b', 'c', 'odd'])),
    'RE': some(head=VALUES, relation=st.sampled_from(['r', 's', 't', 'odd']), tail=VALUES),
    'SPO': st.lists(TYPED, max_size=6), 'EE': SOME_EVENTS, 'EEA': SOME_EVENTS, 'EET': SOME_EVENTS,
    'KG': st.lists(st.fixed_dictionaries(
        {'head': VALUES, 'relation': st.sampled_from(['x', 'y', 'z', 'w', 'odd']), 'tail': VALUES},
        optional={'head_type': st.sampled_from(['p', 'q', 'odd'])}), max_size=6)}

KEYS = st.text(max_size=2) | st.sampled_from(
    ['a', 'e', 'r', 'p', 'trigger', 'arguments', 'subject', 'head', 'object', 'who', 'x'])
LEAVES = (st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
          | st.sampled_from(['X', 'NAN', '']))
junk = st.recursive(LEAVES, nested, max_leaves=12)
bad_answer = st.none() | st.text(max_size=20) | junk | junk.map(json.dumps) | junk.map(cut_fence)
