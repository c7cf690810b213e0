"The fast writer gives the bytes of the rows that the lesson defines, for all tasks and options."
from collections import Counter

import orjson
from helpers.made_up import described, smaller, task_schema_record
from hypothesis import given, settings, strategies as st
from iepile_nb.convert import RowOptions, convert, row_maker
from iepile_nb.lib.fast_rows import convert_lines, line_maker
from iepile_nb.negatives import HardNegatives, names
from iepile_nb.questions import Schema
from iepile_nb.tasks import TASKS


def same(records, schema, task, **options):
    "Are rows and lines the same? Gives the rows."
    rows = list(convert(records, schema, task, **options))
    assert list(convert_lines(records, schema, task, **options)) == [orjson.dumps(r) for r in rows]
    return rows


OPTIONS = st.fixed_dictionaries(dict(
    language=st.sampled_from(['zh', 'en']), split=st.sampled_from(['train', 'train', 'test']),
    split_num=st.none() | st.integers(-1, 7).filter(bool), neg_schema=st.sampled_from([1, 1, -1, .5, 0]),
    random_sort=st.booleans(), source=st.sampled_from(['', 'made "up"', '来源']), eea_triggers=st.booleans(),
    seed=st.integers(0, 3)))
KINDS = st.sampled_from(['own', 'own', 'described', 'smaller'])


@settings(max_examples=500)
@given(task_schema_record(), OPTIONS, KINDS, st.sampled_from([False, False, True]), st.data())
def test_lines_are_the_rows(case, options, kind, hard, data):
    task, schema, record = case
    if kind == 'described': schema = data.draw(described(schema))
    if kind == 'smaller': schema = data.draw(smaller(task, schema))
    negatives = HardNegatives.build(names(task, schema)) if hard else None
    more = {'text': record['text'] + ' more', task.key: record[task.key][:1]}
    same([record, more, record], schema, task, negatives=negatives, **options)


@given(task_schema_record(), st.booleans())
def test_test_rows_of_texts_that_nobody_annotated(case, triggers):
    task, schema, record = case
    rows = same([{'text': record['text']}], schema, task, split='test', eea_triggers=triggers)
    assert all('label' not in r for r in rows)


@settings(max_examples=200)
@given(task_schema_record(), st.sampled_from(['train', 'test']), st.data())
def test_both_count_the_labels_that_the_schema_lacks(case, split, data):
    task, schema, record = case
    schema, counts = data.draw(smaller(task, schema)), [Counter(), Counter()]
    for make, strange in zip((row_maker, line_maker), counts):
        make(schema, task, split=split, strange=strange)(record)
    lacking = task.gold(record, schema).keys() - set(schema.labels)
    assert counts[0] == counts[1] == ({min(lacking): 1} if lacking else {})


def test_the_way_for_a_single_line():
    "Odd labels, repeats, what is not in the text, empty, or not in the schema."
    labels = ['100%', '%s "a"', 'b\\', '%%d']
    keys = dict(NER=('entity', 'entity_type'), RE=('tail', 'relation'), EET=('event_trigger', 'event_type'))
    for name, (value, label) in keys.items():
        task = TASKS[name]
        schema = task.schema(labels, labels, {l: [] for l in labels})
        records = [{'text': 'a" %s z\n', task.key: [{'head': 'z', value: v, label: l} for l in own
                                                   for v in ('z', 'no%s', 'a"', '', 'z')]}
                   for own in ([], labels[:1], labels[1:], ['unknown', *labels])]
        for shuffled in (False, True):
            rows = same(records, schema, task, split_num=-1, random_sort=shuffled)
            assert len(rows) == len({r['output'] for r in rows}) == 4
        assert line_maker(schema, task, split_num=-1).__name__ == 'in_one_line'


def test_roles_of_a_record_are_asked_though_the_schema_has_none():
    sale = {'event_type': 'sale', 'event_trigger': 'x', 'arguments': [{'role': 'buyer', 'argument': 'x'}]}
    row, = same([{'text': 'x', 'event': [sale]}], Schema(['sale'], {'sale': []}), 'EE')
    assert 'buyer' in row['output']


def test_options_are_refused_alike():
    "Both ways check their options before the first record."
    schema = TASKS['NER'].schema(['a'], [], {})
    wrong_ones = {'split_num': 0}, {'split_num': -2}, {'neg_schema': 2}, {'language': 'fr'}, {'split': 'dev'}
    for wrong in wrong_ones:
        problems = []
        for make in (RowOptions, row_maker, line_maker):
            try: make(schema, **wrong)
            except ValueError as e: problems.append(str(e))
        assert len(problems) == 3 and len(set(problems)) == 1
