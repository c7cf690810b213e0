"""Order-insensitive facts about converted rows, in the form of `golden/*.json`.

A compatible converter must reproduce them whatever its order. They can be computed from this package's rows
and from the original's files alike."""
import json


def _tuples(answer):
    "The canonical tuples of one answer, by its shape."
    for label, value in answer.items():
        if isinstance(value, dict):
            for head, attributes in value.items():
                for a, vs in attributes.items():
                    for v in vs if isinstance(vs, list) else [vs]: yield [label, head, a, v]
            continue
        for o in value:
            if isinstance(o, str): yield [label, o]
            elif 'trigger' in o: yield [label, o['trigger'], _pairs(o['arguments'])]
            elif {'head', 'tail'} <= o.keys(): yield [label, o['head'], o['tail']]
            elif {'subject', 'object'} <= o.keys(): yield [label, o['subject'], o['object']]
            else: yield [label, None, _pairs(o)]


def _pairs(roles):
    return sorted([r, v] for r, vs in roles.items() for v in (vs if isinstance(vs, list) else [vs]))


def _label(item):
    if isinstance(item, str): return item
    if 'predicate' in item: return f"{item['subject_type']}_{item['predicate']}_{item['object_type']}"
    return item.get('event_type') or item['entity_type']


def facts(rows) -> dict:
    "{text: n_rows, batch sizes, labels and roles asked, answers; for test rows id and label}"
    res = {}
    for r in rows:
        d = json.loads(r['instruction'])
        f = res.setdefault(d['input'], dict(n_rows=0, sizes=[], labels=[], roles={}, answers=[]))
        f['n_rows'] += 1
        f['sizes'].append(len(d['schema']))
        f['labels'] += map(_label, d['schema'])
        for item in d['schema']:
            parts = item.get('arguments', item.get('attributes')) if isinstance(item, dict) else None
            if parts is not None: f['roles'][_label(item)] = sorted(f['roles'].get(_label(item), []) + parts)
        if 'output' in r: f['answers'] += _tuples(json.loads(r['output']))
        for k in ('id', 'label'):
            if k in r: f[k] = r[k] if k == 'id' else json.loads(r[k])
    for f in res.values():
        for k in ('sizes', 'labels'): f[k].sort()
        f['answers'].sort(key=json.dumps)
    return res
