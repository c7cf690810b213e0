"A file is split by its texts, its schema is written, and near-identical texts are compared in time."
import json
import time

import pytest
from helpers.data_files import entity, rows, save

from iepile_nb.cli.convert import main as convert
from iepile_nb.cli.data import main as data
from iepile_nb.data import leak
from iepile_nb.lib.splits import texts_to_test
from iepile_nb.records import infer_schema, read_records, read_schema
from iepile_nb.tasks import TASKS


def records(n):
    label = lambda i: 'rare' if i % 10 == 0 else 'number'
    return [{'text': f'{i} is in Brig.', 'entity': [entity(str(i), label(i))]} for i in range(n)]


def test_split_by_text(tmp_path):
    some = records(100)
    path = save(tmp_path/'all.json', *some, *some[:30])
    assert data(['split', '--src_path', str(path), '--tgt_path', str(tmp_path/'parts')]) == 0
    train, test = (rows(tmp_path/f'parts/{name}.json') for name in ('train', 'test'))
    assert len(train) + len(test) == 130 and not {r['text'] for r in train} & {r['text'] for r in test}
    texts = {r['text'] for r in test}
    assert len(texts) == 20
    assert sum(r['entity'][0]['entity_type'] == 'rare' for r in some if r['text'] in texts) == 2
    again = texts_to_test(reversed(some), TASKS['NER'], .2)
    assert len(again) == 20 and again == texts_to_test(some, TASKS['NER'], .2)
    assert data(['split', '--src_path', str(path)]) == 1
    two = save(tmp_path/'two.json', *some[1:3])
    assert data(['split', '--src_path', str(two), '--tgt_path', str(tmp_path/'none')]) == 1
    assert not (tmp_path/'none').exists()


@pytest.mark.parametrize('task', ['NER', 'RE', 'EE', 'EET', 'EEA'])
def test_written_schema(task, root, tmp_path):
    source, target = root/'data'/task/'sample.json', tmp_path/'schema.json'
    assert data(['schema', '--task', task, '--src_path', str(source), '--tgt_path', str(target)]) == 0
    want, got = infer_schema(read_records(source, task), task), read_schema(target, task)
    assert got.labels == want.labels
    assert all(got.parts.get(l) == want.parts.get(l) for l in got.labels)


def test_schemas_of_a_test_file(tmp_path, caplog, capsys):
    path, out = save(tmp_path/'t.json', *records(3)), str(tmp_path/'o.json')
    convert(['--src_path', str(path), '--split', 'test', '--schema_path', 'auto', '--tgt_path', out])
    assert 'ask only what is annotated in this file' in caplog.text + capsys.readouterr().err
    assert convert(['--src_path', str(path), '--schema_path', 'none.json', '--tgt_path', out]) == 1
    assert 'or auto, which takes the labels' in capsys.readouterr().err


def test_clean_with_a_schema(tmp_path):
    path, out = save(tmp_path/'t.json', *records(12)), tmp_path/'o.json'
    schema = save(tmp_path/'s.json', json.dumps(['rare']))
    assert data(['clean', '--src_path', str(path), '--schema_path', str(schema), '--tgt_path', str(out)]) == 0
    assert sum(len(r['entity']) for r in rows(out)) == 2


def test_leak_of_texts_from_one_template():
    text = 'On the {}th day the same long sentence about the harbour and the mill was printed once more'
    part = lambda first: enumerate(({'text': text.format(i)} for i in range(first, first + 700)), 1)
    start = time.process_time()
    found = leak({'train': part(0), 'test': part(500)})
    assert time.process_time() - start < 15
    assert len(found) == 700 and sum(r['equal'] == 'yes' for r in found) == 200
