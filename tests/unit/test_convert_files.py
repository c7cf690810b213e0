"Files converted by the command: what is read, refused, warned of, and not written over."
import json

import pytest
from helpers.converted import (RECORD, arguments, asked, convert_file, event, file_rows, many_records,
                               task_schema)
from iepile_nb.cli.convert import main
from iepile_nb.lib.io import UserError
from iepile_nb.lib.parallel import ConvertOptions
from iepile_nb.negatives import read_negatives
from iepile_nb.tasks import TASKS


# ---- what is read

@pytest.mark.parametrize('task', TASKS)
def test_annotations_are_optional_in_test(task, tmp_path, root):
    records = [{'text': 'nothing known'}]
    assert convert_file(tmp_path, records, '--split', 'test', task=task, schema=task_schema(root, task)) == 0
    assert all('label' not in r for r in file_rows(tmp_path))


@pytest.mark.parametrize('task', TASKS)
def test_training_needs_annotations(task, tmp_path, root, capsys):
    key = TASKS[task].key
    records = [{'text': 'a', key: []}, {'text': 'b', key: None}]
    assert convert_file(tmp_path, records, task=task, schema=task_schema(root, task)) == 1
    assert f"x.json:2: no key '{key}'" in capsys.readouterr().err
    assert not (tmp_path/'out/o.json').exists()


def test_a_missing_schema_is_an_error(tmp_path, capsys):
    schema, tgt = str(tmp_path/'no_such.json'), str(tmp_path/'o.json')
    assert main(['--src_path', 'x/y.json', '--schema_path', schema, '--tgt_path', tgt]) == 1
    assert 'no_such.json: no such schema file' in capsys.readouterr().err


def test_an_input_without_a_folder_and_an_output_in_a_new_one(tmp_path, monkeypatch):
    (tmp_path/'set').mkdir()
    monkeypatch.chdir(tmp_path/'set')
    (tmp_path/'set/in.json').write_text(json.dumps(RECORD))
    (tmp_path/'set/schema.json').write_text('["city", "person"]')
    tgt = 'new/folder/out.json'
    assert main(['--src_path', 'in.json', '--tgt_path', tgt, '--schema_path', 'schema.json']) == 0
    assert json.loads((tmp_path/'set'/tgt).read_text().splitlines()[0])['source'] == 'set'


def test_blank_lines_arrays_and_byte_order_marks(tmp_path):
    line = json.dumps(RECORD).encode()
    for content in (line + b'\n\n  \n' + line, b'[' + line + b',' + line + b']',
                    b'\xef\xbb\xbf' + line + b'\n' + line, line + b'\r\n' + line):
        assert convert_file(tmp_path, content) == 0
        assert len(file_rows(tmp_path)) == 2


def test_text_that_is_not_utf8(tmp_path, capsys):
    assert convert_file(tmp_path, '{"text": "中文", "entity": []}'.encode('gb18030')) == 1
    assert 'x.json:1: not UTF-8' in capsys.readouterr().err


def test_broken_json_and_empty_files(tmp_path, capsys):
    line = json.dumps(RECORD).encode()
    assert convert_file(tmp_path, line + b'\n' + line + b'\n{"text": ') == 1
    assert 'x.json:3: broken JSON' in capsys.readouterr().err
    assert convert_file(tmp_path, b'') == 1
    assert 'the file is empty' in capsys.readouterr().err
    assert convert_file(tmp_path, [{'entity': []}]) == 1
    assert "x.json:1: no key 'text'" in capsys.readouterr().err
    assert not list(tmp_path.glob('out/*')) and not list(tmp_path.glob('out/.*'))


def test_short_schema_files(tmp_path, capsys):
    assert convert_file(tmp_path, [RECORD], schema=(['city'],)) == 0
    assert convert_file(tmp_path, [RECORD], task='NER', schema=([], ['city'], {})) == 1
    assert 'no labels for task NER; it reads the list on line 1' in capsys.readouterr().err


def test_the_records_tell_how_a_joined_label_is_cut(tmp_path):
    owns = dict(head='x', head_type='ORG_CO', relation='owns', tail='y', tail_type='ORG')
    records = [{'text': 'x y', 'relation': [owns]}]
    assert convert_file(tmp_path, records, task='SPO', schema=(['ORG_CO_owns_ORG'], [], {})) == 0
    assert asked(file_rows(tmp_path))[0][0]['subject_type'] == 'ORG_CO'


# ---- hard negatives

def test_cluster_mode_without_a_dictionary_builds_one(tmp_path):
    schema = ['city', 'person', 'date'], [], {}
    assert convert_file(tmp_path, [RECORD], '--cluster_mode', schema=schema) == 0


def test_cluster_mode_for_every_task(tmp_path, root):
    for task in TASKS:
        data = root/'data'/task
        files = ['--src_path', str(data/'sample.json'), '--schema_path', str(data/'schema.json')]
        assert main([*files, '--task', task, '--tgt_path', str(tmp_path/'o.json'), '--cluster_mode']) == 0


def test_the_nested_dictionary(root):
    path = root/'data/hard_negative/hard_dict.json'
    assert read_negatives(path, 'SPO', 'SPO')['影视作品_主演_人物']
    with pytest.raises(UserError, match="no entry for task 'KG'; there is"): read_negatives(path, 'KG', 'KG')


def test_hard_negatives_that_are_of_no_use(tmp_path, caplog):
    schema = ['city', 'person'], [], {}
    with caplog.at_level('WARNING', 'iepile_nb'):
        assert convert_file(tmp_path, [RECORD], '--hard_negative_path', 'no_such.json', schema=schema) == 0
    assert '--hard_negative_path has no effect without --cluster_mode' in caplog.text
    for known, told in (('planet', 1), ('city', 0)):
        caplog.clear()
        (tmp_path/'k.json').write_text(json.dumps({known: ['person']}))
        with caplog.at_level('WARNING', 'iepile_nb'):
            args = '--cluster_mode', '--hard_negative_path', str(tmp_path/'k.json')
            assert convert_file(tmp_path, [RECORD], *args, schema=schema) == 0
        assert caplog.text.count("has none of the schema's labels") == told


# ---- what is counted and said

def test_what_is_doubtful_is_counted_and_said(tmp_path, caplog):
    kg = ([], ['area'], {'person': ['area'], 'city': ['area']})
    r = {'text': 'Porto, 41 km2', 'relation': [{'head': 'Porto', 'relation': 'area', 'tail': '41 km2'}]}
    with caplog.at_level('WARNING', 'iepile_nb'):
        assert convert_file(tmp_path, [r, r], task='KG', schema=kg) == 0
    told = "2 times: the entity type of a head cannot be told from its attribute; it is taken for 'person'"
    assert told in caplog.text
    nan, sale = event('sale', 'NAN', buyer=['x']), (['sale'], [], {'sale': ['buyer']})
    with caplog.at_level('WARNING', 'iepile_nb'):
        assert convert_file(tmp_path, [{'text': 'x', 'event': [nan]}], task='EE', schema=sale) == 0
    assert "1 times: 'NAN' is annotated" in caplog.text


STRANGE = "1 of 2 records have labels that the schema lacks, such as 'person'"

@pytest.mark.parametrize('args', [(), ('--split_num', '1'), ('--neg_schema', '.5'), ('--split', 'test'),
                                  ('--workers', '2'), ('--pure_negative_ratio', '1')])
def test_labels_that_the_schema_lacks_are_told_once(tmp_path, caplog, args):
    records = [RECORD, {'text': 'x', 'entity': RECORD['entity'][1:]}]
    with caplog.at_level('WARNING', 'iepile_nb'):
        assert convert_file(tmp_path, records, *args, schema=(['city', 'date'], [], {})) == 0
    assert caplog.text.count('schema lacks') == 1 and STRANGE in caplog.text
    caplog.clear()
    assert convert_file(tmp_path, records, *args, schema=(['city', 'person'], [], {})) == 0
    assert not caplog.text


@pytest.mark.parametrize('task', TASKS)
def test_a_schema_of_another_dataset(tmp_path, root, caplog, task):
    data = root/'data'/task
    args = ['--src_path', str(data/'sample.json'), '--task', task, '--tgt_path', str(tmp_path/'o.json'),
            '--split', 'test', '--schema_path']
    assert main([*args, str(data/'schema.json')]) == 0 and 'schema lacks' not in caplog.text
    lines = ['x_y_z'], ['y'], {'x': ['y']}
    (tmp_path/'s.json').write_text('\n'.join(map(json.dumps, lines)))
    with caplog.at_level('WARNING', 'iepile_nb'): assert main([*args, str(tmp_path/'s.json')]) == 0
    assert ('cannot be told' if task == 'KG' else 'schema lacks') in caplog.text


# ---- options

@pytest.mark.parametrize('args', [('--limit', '0'), ('--limit', '-1'), ('--limit', 'x')])
def test_limits_below_one(tmp_path, args):
    with pytest.raises(SystemExit) as e: convert_file(tmp_path, [RECORD], *args)
    assert e.value.code == 2


@pytest.mark.parametrize('ratio', ['nan', 'inf', '-1'])
def test_ratios_that_are_none(tmp_path, ratio, capsys):
    assert convert_file(tmp_path, [RECORD], f'--pure_negative_ratio={ratio}') == 1
    assert f'--pure_negative_ratio is {float(ratio)}; it must be 0 or more' in capsys.readouterr().err


def test_no_process_is_no_way_to_convert(tmp_path, capsys):
    assert convert_file(tmp_path, [RECORD], '--workers', '0') == 1
    assert '--workers is 0' in capsys.readouterr().err


@pytest.mark.parametrize('wrong, problem', [
    ({'limit': 0}, 'argument --limit: 0 is less than 1'),
    ({'limit': True}, '--limit: True is no whole number'),
    ({'neg_schema': 'much'}, "--neg_schema: 'much' is no number"),
    ({'split_num': 1.5}, '--split_num: 1.5 is no whole number'),
    ({'random_sort': 'yes'}, "--random_sort: 'yes' is no truth value")])
def test_options_of_the_wrong_kind(wrong, problem):
    with pytest.raises(UserError, match=problem): ConvertOptions(**wrong)


def test_options_are_brought_to_their_kinds(tmp_path):
    o = ConvertOptions(tmp_path, split_num='4', neg_schema=1, source=2023, limit=None)
    assert (o.src_path, o.split_num, o.neg_schema, o.source, o.limit) == (str(tmp_path), 4, 1., '2023', None)


def test_what_is_read_is_not_written_over(tmp_path, capsys):
    assert convert_file(tmp_path, [RECORD]) == 0
    src, schema = tmp_path/'in/x.json', tmp_path/'schema.json'
    before = src.read_bytes(), schema.read_bytes()
    for tgt in (src, schema):
        assert main(['--src_path', str(src), '--schema_path', str(schema), '--tgt_path', str(tgt)]) == 1
        assert f'error: {tgt}: ' in capsys.readouterr().err
    assert (src.read_bytes(), schema.read_bytes()) == before


# ---- several processes

@pytest.mark.parametrize('more', [('--random_sort',), ('--split', 'test'),
                                  ('--pure_negative_ratio', '0.1', '--split_num', '1')])
def test_several_processes_write_the_same_rows(tmp_path, more, capfd):
    src = many_records(tmp_path)
    assert main(arguments(tmp_path, src, 'one.json', *more)) == 0
    assert main(arguments(tmp_path, src, 'three.json', '--workers', '3', *more)) == 0
    assert (tmp_path/'one.json').read_bytes() == (tmp_path/'three.json').read_bytes()
    first, second = capfd.readouterr().out.splitlines()
    assert first.split('json: ')[1] == second.split('json: ')[1]
    assert {p.name for p in tmp_path.iterdir()} == {'one.json', 'three.json', 'schema.json', 'set'}


def test_several_processes_convert_an_array(tmp_path):
    src = many_records(tmp_path)
    src.write_text(json.dumps([json.loads(l) for l in src.read_text().splitlines() if l]))
    for workers in '12': assert main(arguments(tmp_path, src, f'{workers}.json', '--workers', workers)) == 0
    assert (tmp_path/'1.json').read_bytes() == (tmp_path/'2.json').read_bytes()


def test_the_first_mistake_is_told_whoever_finds_it(tmp_path, capfd):
    src = many_records(tmp_path)
    lines = src.read_text().splitlines()
    lines[1500], lines[2500] = '{"text": "no annotation"}', '{"text": '
    src.write_text('\n'.join(lines))
    for workers in '12':
        assert main(arguments(tmp_path, src, 'o.json', '--workers', workers)) == 1
        assert "big.json:1501: no key 'entity'" in capfd.readouterr().err
    assert not list(tmp_path.glob('*o.json*'))
