"IEPile's own rows are gathered back to records."
import json

from helpers.data_files import ROW, read, save
from iepile_nb.convert import convert
from iepile_nb.lib.iepile_rows import gather
from iepile_nb.questions import instruction
from iepile_nb.records import read_records, read_schema
from iepile_nb.tasks import TASKS


def test_records_to_rows_and_back(root, tmp_path):
    "For every task; texts that occur twice stay two records."
    for name, task in TASKS.items():
        schema = read_schema(root/'data'/name/'schema.json', task)
        records = list(read_records(root/'data'/name/'sample.json', task))
        records = records + records[:1]
        other = {'task': 'RE' if name != 'RE' else 'NER'}
        save(tmp_path/'rows.json', *convert(records, schema, task, source='s'), other)
        back, bad = read(tmp_path/'rows.json', 'iepile', name)
        if name == 'EEA': records = [r for r in records if r['event']]
        assert not bad and gold(back, task, schema) == gold(records, task, schema), name


def gold(records, task, schema):
    "What records say, in an order that does not depend on them."
    norm = lambda o: (o[0], sorted(o[1])) if task.metrics != ('',) else o
    def items(record):
        found = task.gold(record, schema)
        return sorted((l, sorted(repr(norm(o)) for o in things)) for l, things in found.items())
    return sorted((r['text'], items(r)) for r in records)


def test_rows_far_apart_when_streaming(caplog):
    ner = TASKS['NER']
    asked = [('a', 'x'), ('b', 'x'), ('a', 'y'), ('c', 'x'), ('d', 'x'), ('a', 'z')]
    def row(text, label):
        asks = instruction(ner, 'en', [ner.question(label)], text)
        return ROW | {'instruction': asks, 'output': json.dumps({label: []})}
    rows = [(n, row(*a)) for n, a in enumerate(asked, 1)]
    got = [(n, r['text']) for n, r in gather(rows, ner, 'f', window=1)]
    assert got == [(2, 'b'), (1, 'a'), (4, 'c'), (5, 'd'), (6, 'a')]
    assert '1 rows came more than 1 rows after' in caplog.text
    assert [r['text'] for _, r in gather(rows, ner, 'f')] == ['b', 'c', 'd', 'a']
