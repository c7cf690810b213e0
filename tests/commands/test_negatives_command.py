"The command iepile_negatives: what it writes, what it refuses."
import json

import pytest

from iepile_nb.cli.negatives import main
from iepile_nb.convert import convert
from iepile_nb.negatives import names, read_negatives
from iepile_nb.records import read_records, read_schema
from iepile_nb.tasks import TASKS


@pytest.fixture
def run(root, tmp_path):
    "The command on a committed schema; its dictionary goes to `k.json`."
    def run(*args, task='RE'):
        files = ['--schema_path', root/'data'/task/'schema.json', '--tgt_path', tmp_path/'k.json']
        return main([*map(str, files), '--task', task, *map(str, args)])
    return run


@pytest.mark.parametrize('task', TASKS)
@pytest.mark.parametrize('method', ['ngram', 'records', 'all'])
def test_a_dictionary_for_every_task(task, method, run, root, tmp_path):
    src = ['--src_path', root/'data'/task/'sample.json'] * (method != 'ngram')
    assert run('--method', method, *src, task=task) == 0
    schema = read_schema(root/'data'/task/'schema.json', task)
    assert set(read_negatives(tmp_path/'k.json', task, '')) == set(names(task, schema))


def with_swapped_labels(row, swap):
    "The row with an answer that gives some relations another label."
    found = {}
    for o in json.loads(row['label']):
        pair = {'subject': o['head'], 'object': o['tail']}
        found.setdefault(swap.get(o['relation'], o['relation']), []).append(pair)
    return row | {'output': json.dumps(found, ensure_ascii=False)}


def test_a_dictionary_from_predictions(run, root, tmp_path):
    schema = read_schema(root/'data/RE/schema.json', 'RE')
    rows = convert(read_records(root/'data/RE/sample.json', 'RE'), schema, 'RE', 'zh', 'test', -1)
    lines = [json.dumps(with_swapped_labels(r, {'导演': '主演', '作者': '创始人'})) for r in rows]
    (tmp_path/'p.json').write_text('\n'.join(lines), encoding='utf-8')
    assert run('--method', 'mistakes', '--predictions', tmp_path/'p.json') == 0
    assert read_negatives(tmp_path/'k.json', 'RE', '')['导演'] == ['主演']


@pytest.mark.parametrize('args, message', [
    (['--method', 'records'], 'needs annotated records'),
    (['--method', 'mistakes'], 'needs a prediction file'),
    (['--method', 'records', '--src_path', 'no_such.json'], 'no such file'),
    (['--method', 'mistakes', '--predictions', 'no_such.json'], 'no such file'),
    (['--src_path', 'x'], '--method ngram does not use --src_path; --method records and all do'),
    (['--predictions', 'x'], '--method mistakes and all do'),
    (['--method', 'mistakes', '--predictions', 'x', '--encoder', 'y'],
     '--method mistakes does not use --encoder')])
def test_the_command_says_what_is_missing(args, message, run, tmp_path, capsys):
    assert run(*args) == 1
    assert message in capsys.readouterr().err and not (tmp_path/'k.json').exists()


def test_bad_arguments_end_with_exit_code_two(run):
    for args in (['--method', 'magic'], ['--n', '3'], ['--limit', '-1'], ['--limit', '0']):
        with pytest.raises(SystemExit) as e: run(*args)
        assert e.value.code == 2


def test_records_of_another_format_bring_their_labels(tmp_path, capsys):
    (tmp_path/'f').write_text('Ines B-person\nleft O\nOdda B-place\n\nOdda B-plain\n')
    args = ['--schema_path', 'auto', '--tgt_path', str(tmp_path/'k.json')]
    assert main([*args, '--from', 'conll', '--src_path', str(tmp_path/'f'), '--method', 'all']) == 0
    assert json.loads((tmp_path/'k.json').read_text()).keys() == {'person', 'place', 'plain'}
    assert main(args) == 1 and 'give --src_path' in capsys.readouterr().err


def test_the_schema_is_not_written_over(tmp_path, capsys):
    schema = tmp_path/'s.json'
    schema.write_text('["city", "country"]')
    assert main(['--schema_path', str(schema), '--tgt_path', str(schema)]) == 1
    assert 's.json: ' in capsys.readouterr().err and schema.read_text() == '["city", "country"]'
