"Made-up schemas and records of every task, for property tests."
from hypothesis import strategies as st
from iepile_nb.questions import Schema
from iepile_nb.tasks import TASKS

WORD = st.text(st.sampled_from('abcdef甲乙丙丁戊 "\\\'{}[],:\n😀_-'), min_size=1, max_size=8).filter(str.strip)
NAME = st.text(st.sampled_from('abcdxyz甲乙丙"\\ -'), min_size=1, max_size=6).filter(str.strip)
LABELS = st.lists(NAME, min_size=1, max_size=12, unique=True)


@st.composite
def task_schema_record(draw):
    "(task, schema, record)"
    task = TASKS[draw(st.sampled_from(list(TASKS)))]
    labels, words = draw(LABELS), draw(st.lists(WORD, min_size=1, max_size=6))
    parts = {l: draw(st.lists(NAME, min_size=1, max_size=5, unique=True)) for l in labels}
    if task.name == 'SPO':
        triples = [dict(subject_type=a, predicate=b, object_type=a) for a in labels[:3] for b in labels]
        schema = task.schema(triples, [], {})
        items = typed_relation(st.sampled_from(words), st.sampled_from(list(schema.parts.values())))
    else:
        schema = task.schema(labels, labels, parts)
        items = annotation(task, st.sampled_from(labels), st.sampled_from(words), parts)
    record = {'text': ' '.join(words), task.key: draw(st.lists(items, max_size=4))}
    return task, schema, record


@st.composite
def typed_relation(draw, some, types):
    "One annotation of SPO."
    subject_type, predicate, object_type = draw(types)
    return dict(head=draw(some), head_type=subject_type, relation=predicate,
                tail_type=object_type, tail=draw(some))


@st.composite
def annotation(draw, task, labels, some, parts):
    "One annotation of any other task."
    label = draw(labels)
    if task.key == 'entity': return dict(entity=draw(some), entity_type=label)
    if task.name == 'KG':
        attribute = draw(st.sampled_from(parts[label]))
        return dict(head=draw(some), head_type=label, relation=attribute, tail=draw(some))
    if task.key == 'relation': return dict(head=draw(some), relation=label, tail=draw(some))
    roles = draw(st.lists(st.sampled_from(parts[label]), max_size=4))
    return dict(event_type=label, event_trigger=draw(st.one_of(some, st.just(''))),
                arguments=[dict(role=r, argument=draw(some)) for r in roles])


@st.composite
def described(draw, schema):
    "The schema, with what some of its labels and parts mean."
    about = {l: draw(WORD) for l in schema.labels if draw(st.booleans())}
    about |= {(l, p): draw(WORD) for l, ps in schema.parts.items() for p in ps if draw(st.booleans())}
    return schema._replace(about=about)


@st.composite
def smaller(draw, task, schema):
    "The schema without some of its labels and parts, so that records may have what it lacks."
    labels = draw(st.lists(st.sampled_from(schema.labels), min_size=1, unique=True))
    parts = {l: schema.parts[l] for l in labels if schema.parts.get(l)}
    if task.parts: parts = {l: draw(st.lists(st.sampled_from(ps), unique=True)) for l, ps in parts.items()}
    return Schema(labels, parts)
