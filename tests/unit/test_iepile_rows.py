"IEPile's own rows are gathered back to records."
import json

import pytest
from helpers.data_files import ROW, read, save
from iepile_nb.cli.convert import main as convert_command
from iepile_nb.convert import convert
from iepile_nb.lib.iepile_rows import gather_large, iepile_schemas
from iepile_nb.questions import SENTENCES, instruction
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


def row(text, label, found=(), source='s', language='en'):
    ner = TASKS['NER']
    asks = instruction(ner, language, [ner.question(label)], text)
    return ROW | {'source': source, 'instruction': asks, 'output': json.dumps({label: list(found)})}


def test_rows_far_apart_become_one_record_in_any_number_of_scratch_files():
    asked = [('a', 'x'), ('b', 'x'), ('a', 'y'), ('c', 'x'), ('d', 'x'), ('a', 'z'), ('b', 'x')]
    rows = [(n, row(*a)) for n, a in enumerate(asked, 1)]
    want = [(1, 'a'), (2, 'b'), (4, 'c'), (5, 'd'), (7, 'b')]
    for n in (1, 2, 5):
        assert [(k, r['text']) for k, r in gather_large(rows, TASKS['NER'], 'f', buckets=n)] == want


def test_one_text_of_two_sources_or_languages_is_two_records(tmp_path):
    rows = [row('t', 'x', ['t'], 'a'), row('t', 'y', [], 'b'), row('t', 'z', [], 'a', 'zh'),
            row('t', 'w', [], 'a')]
    save(tmp_path/'rows.json', *rows)
    records, bad = read(tmp_path/'rows.json', 'iepile')
    assert [(r['source'], r['language'], len(r['entity'])) for r in records] == [
        ('a', 'en', 1), ('b', 'en', 0), ('a', 'zh', 0)] and not bad
    found = iepile_schemas(tmp_path/'rows.json', TASKS['NER'])
    labels = {('a', 'en'): ['x', 'w'], ('b', 'en'): ['y'], ('a', 'zh'): ['z']}
    assert {k: s.labels for k, s in found.items()} == labels


@pytest.mark.parametrize('workers', ['1', '2'])
def test_each_source_is_asked_its_own_labels_in_its_own_language(tmp_path, workers):
    rows = row('t', 'x', ['t'], 'a'), row('u', 'y', ['u'], 'b', 'zh'), row('v', 'w', [], 'a')
    save(tmp_path/'rows.json', *rows)
    args = ['--src_path', str(tmp_path/'rows.json'), '--from', 'iepile', '--schema_path', 'auto',
            '--task', 'NER', '--tgt_path', str(tmp_path/'out.json'), '--workers', workers]
    assert convert_command(args) == 0
    made = [json.loads(l) for l in (tmp_path/'out.json').read_text(encoding='utf-8').splitlines()]
    asked = [(r['source'], sorted(json.loads(r['instruction'])['schema'])) for r in made]
    assert asked == [('a', ['w', 'x']), ('b', ['y']), ('a', ['w', 'x'])]
    for i, language in enumerate(('en', 'zh')): assert SENTENCES['NER'][language] in made[i]['instruction']


def test_a_record_is_asked_the_labels_of_its_theme(tmp_path, capsys):
    relation = [{'head': 'Ines', 'relation': 'born in', 'tail': 'Odda'}]
    save(tmp_path/'train_en.json', {'text': 'Ines of Odda', 'cate': 'Person', 'relation': relation},
         {'text': 'The fair of Odda', 'cate': 'Event', 'relation': []})
    (tmp_path/'schema_en.json').write_text(json.dumps({'Person': [['p_born in_c'], ['born in']],
                                                       'Event': [['e_held in_c'], ['held in']]}))
    def run(src):
        args = ['--src_path', str(src), '--from', 'instructie',
                '--schema_path', str(tmp_path/'schema_en.json'),
                '--task', 'RE', '--tgt_path', str(tmp_path/'out/rows.json')]
        return convert_command(args)
    for src in (tmp_path, tmp_path/'train_en.json'):
        assert run(src) == 0
        made = [json.loads(l) for l in (tmp_path/'out/rows.json').read_text(encoding='utf-8').splitlines()]
        assert [json.loads(r['instruction'])['schema'] for r in made] == [['born in'], ['held in']]
    save(tmp_path/'other.json', {'text': 'Odda', 'cate': 'Sport', 'relation': []})
    assert run(tmp_path/'other.json') == 1 and "'cate' is 'Sport'" in capsys.readouterr().err
