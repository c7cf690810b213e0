"iepile_predict: a file, one text, parity; what is refused, and what is said before a model is loaded."
import json
import os
import subprocess
import sys
import time

import pytest
from conftest import PARROT
from helpers.original_flags import ORIGINAL
from helpers.predicting import arguments, parrot_rows, some_rows

from iepile_nb.cli.eval import main as score
from iepile_nb.cli.predict import _parser, main, read_labels
from iepile_nb.lib.io import UserError, read_jsonl, write_jsonl


def answers(path): return [r['output'] for _, r in read_jsonl(path)]


@pytest.fixture
def no_model(monkeypatch):
    "Loading a model fails the test."
    from iepile_nb import base, lora
    def load(*a, **kw): pytest.fail('a model was loaded')
    for module in (base, lora): monkeypatch.setattr(module, 'load_base', load)


# A file

def parrot(model, infile, outfile):
    return ['--model_name_or_path', str(model), '--template', 'alpaca', '--constrain', 'free',
            '--input_file', str(infile), '--output_file', str(outfile)]


def test_limit_and_order(parrot_dir, tmp_path, capsys):
    args = parrot(parrot_dir, parrot_rows(tmp_path), tmp_path/'o')
    assert main([*args, '--limit', '3', '--batch_size', '2']) == 0
    assert answers(tmp_path/'o') == list(PARROT.values())[:3]
    assert '3 rows answered' in capsys.readouterr().out


def test_an_array_with_a_byte_order_mark_is_read(parrot_dir, tmp_path):
    rows = json.dumps([{'instruction': q} for q in PARROT], ensure_ascii=False)
    (tmp_path/'in.json').write_text('\ufeff' + rows, encoding='utf-8')
    assert main(parrot(parrot_dir, tmp_path/'in.json', tmp_path/'o')) == 0
    assert answers(tmp_path/'o') == list(PARROT.values())


BAD = {'missing': None, 'empty': '', 'not UTF-8': b'{"instruction": "\xff"}',
       'broken on line 3': '{"instruction": "a"}\n{"instruction": "b"}\n{"instruction\n'}

@pytest.mark.parametrize('name', BAD)
def test_bad_input_is_one_line_and_nothing_is_written(name, llama_dir, tmp_path, capsys):
    f, content = tmp_path/'in.json', BAD[name]
    if content is not None: f.write_bytes(content if isinstance(content, bytes) else content.encode())
    args = ['--model_name_or_path', str(llama_dir), '--input_file', str(f)]
    assert main([*args, '--output_file', str(tmp_path/'o.json')]) == 1
    err = capsys.readouterr().err.strip()
    assert 'in.json' in err and (':3:' in err or 'line 3' not in name)
    assert sum(l.startswith('error') for l in err.splitlines()) == 1
    assert [p.name for p in tmp_path.iterdir()] in ([], ['in.json'])


def test_the_family_is_checked(tmp_path, capsys):
    write_jsonl(tmp_path/'in.json', some_rows(1))
    assert main(arguments(tmp_path, '--model_name', 'mistral', '--max_new_tokens', '3')) == 0
    assert '--model_name mistral, but this model is of the family llama' in capsys.readouterr().err


def test_records_are_no_rows(tmp_path, no_model, capsys):
    write_jsonl(tmp_path/'in.json', [{'text': 'x', 'entity': []}] * 3)
    for argv in (arguments(tmp_path), ['--input_file', str(tmp_path/'in.json'), '--parity', '2']):
        assert main(argv) == 1
        err = capsys.readouterr().err.splitlines()
        assert len(err) == 1 and 'look like records' in err[0] and 'iepile_convert --split test' in err[0]
    assert os.listdir(tmp_path) == ['in.json']


def test_rows_that_ask_nothing_do_not_count(tmp_path, capsys):
    row, = some_rows(1)
    write_jsonl(tmp_path/'in.json', [{'text': 'x'}, row, {'text': 'y'}])
    assert main(arguments(tmp_path)) == 0
    out, err = capsys.readouterr()
    assert 'out.json: 1 of 3 rows answered' in out and err.count('empty answer') == 1
    assert 'row 1 gets an empty answer, as do 1 more of 3 rows' in err
    assert main(['--input_file', str(tmp_path/'in.json'), '--parity', '3', '--max_new_tokens', '3']) == 0
    out, err = capsys.readouterr()
    assert 'of 1 answers differ' in out and "2 of 3 rows have no 'instruction'" in err
    filled = {'instruction': 'i', 'schema': ['label'] * 2000, 'input': 'x'}
    write_jsonl(tmp_path/'in.json', [{'instruction': json.dumps(filled)}])
    assert main(arguments(tmp_path)) == 1 and 'in.json: no row can be asked' in capsys.readouterr().err
    assert main(['--input_file', str(tmp_path/'in.json'), '--parity', '1']) == 1
    assert 'nothing to compare' in capsys.readouterr().err


def test_training_rows_can_be_scored(tmp_path, capsys):
    rows = [{**r, 'label': None, 'output': '{"person": []}'} for r in some_rows(3)]
    write_jsonl(tmp_path/'in.json', rows)
    assert main(arguments(tmp_path)) == 0
    assert "3 rows have an 'output' but no 'label'" in capsys.readouterr().err
    assert {r['label'] for _, r in read_jsonl(tmp_path/'out.json')} == {'{"person": []}'}
    assert score([str(tmp_path/'out.json'), '--draws', '0']) == 0


def test_a_place_for_the_answers_is_there_before_the_model(tmp_path, no_model, capsys):
    write_jsonl(tmp_path/'in.json', some_rows(1))
    for out, said in ((tmp_path, 'is a folder'), (tmp_path/'in.json'/'o.json', 'in.json')):
        assert main(['--input_file', str(tmp_path/'in.json'), '--output_file', str(out)]) == 1
        err = capsys.readouterr().err
        assert err.startswith('error: ') and said in err


# One text

def test_one_text(capsys):
    assert main(['--text', 'Ines Okafor moved to Lagos.', '--labels', 'person, city']) == 0
    assert list(json.loads(capsys.readouterr().out)) == ['person', 'city']
    assert main(['--text', 'x', '--labels', 'closure: owner, place', '--task', 'EE', '--language', 'zh']) == 0
    assert list(json.loads(capsys.readouterr().out)) == ['closure']


def test_labels_that_the_task_lacks_are_said_before_the_model(no_model, capsys):
    assert main(['--text', 'x', '--labels', 'person', '--task', 'KG']) == 1
    assert 'no labels for KG' in capsys.readouterr().err


def test_confidence_of_one_text(capsys):
    asked = ['--text', 'Ines Okafor moved to Lagos.', '--labels', 'person, city']
    assert main([*asked, '--confidence', '--batch_size', '1']) == 0
    answer, sure = map(json.loads, capsys.readouterr().out.splitlines())
    assert set(sure) == {s for v in answer.values() for s in v}


@pytest.mark.parametrize('wrong, said', [
    (['--language', 'fr'], "invalid choice: 'fr'"), (['--parity', '2'], 'without --input_file'),
    (['--output_file', 'o'], 'without --input_file')])
def test_one_text_is_asked_in_zh_or_en_and_without_files(wrong, said, capsys):
    with pytest.raises(SystemExit) as e: main(['--text', 'Karl met Ines.', '--labels', 'person', *wrong])
    assert e.value.code == 2 and said in capsys.readouterr().err


def test_labels_with_chinese_marks():
    assert read_labels('人物，地点、 city') == ['人物', '地点', 'city']
    assert read_labels('a：x，y；b：z') == {'a': ['x', 'y'], 'b': ['z']}
    assert read_labels('person; city') == ['person', 'city']


# Parity

def test_parity_is_reported(tmp_path, capsys):
    write_jsonl(tmp_path/'in.json', some_rows(5))
    assert main(['--input_file', str(tmp_path/'in.json'), '--parity', '3']) == 0
    out = capsys.readouterr().out
    assert 'batch_size 1: 0.0% of 3 answers differ' in out and 'free: ' in out
    assert os.listdir(tmp_path) == ['in.json']


# Options

@pytest.mark.parametrize('argv', [['--text', 'x'], ['--input_file', 'x'], []])
def test_options_that_are_not_enough(argv):
    with pytest.raises(SystemExit) as e: main(argv)
    assert e.value.code == 2


def test_every_flag_of_the_original_is_known():
    known = set(_parser()._option_string_actions)
    assert [f for f in ORIGINAL if f'--{f}' not in known] == []


UNKNOWN = ['--no_such_flag', '1'], ['--modell', 'tiny'], ['--bits', '5'], ['--bf16', 'perhaps']

@pytest.mark.parametrize('extra', UNKNOWN)
def test_unknown_flags_are_refused(extra):
    with pytest.raises(SystemExit) as e: main(['--input_file', 'x', '--output_file', 'y', *extra])
    assert e.value.code == 2


COUNTS = '--limit', '--batch_size', '--max_new_tokens', '--cutoff_len', '--parity'

@pytest.mark.parametrize('option', COUNTS)
def test_counts_are_above_zero(option, capsys):
    for n, said in (('0', 'less than 1'), ('-1', 'less than 1'), ('x', 'no whole number')):
        with pytest.raises(SystemExit) as e: main(['--input_file', 'x', '--output_file', 'y', option, n])
        assert e.value.code == 2 and said in capsys.readouterr().err


def test_a_preset_with_an_equals_sign(monkeypatch, capsys):
    "Only what was given is compared with what the model was trained with."
    from iepile_nb.lib import presets
    asked = {}
    def stop(*a, **kw):
        asked.update(kw)
        raise UserError('enough')
    monkeypatch.setattr(presets, 'choose_template', stop)
    longer = ['--preset', 'tiny', '--cutoff_len=300']
    for argv, given in ((['--preset=tiny'], {}), (longer, {'cutoff_len': 300})):
        asked.clear()
        assert main(['--text', 'x', '--labels', 'a', *argv]) == 1 and asked == given
    assert main(['--text', 'x', '--labels', 'a', '--preset=nope']) == 1
    assert "no preset 'nope'" in capsys.readouterr().err


# A process

def run(*argv):
    cmd = [sys.executable, '-m', 'iepile_nb.cli.predict', *argv]
    return subprocess.run(cmd, capture_output=True, text=True)


def test_help_is_quick():
    "Since torch is not imported for it."
    start = time.time()
    r = run('--help')
    assert time.time() - start < 5
    assert r.returncode == 0 and 'example: iepile_predict' in ' '.join(r.stdout.split())


def test_a_wrong_path_is_one_line(tmp_path):
    r = run('--input_file', 'nope.json', '--output_file', str(tmp_path/'o'))
    assert r.returncode == 1
    assert r.stderr.strip().splitlines() == ['error: nope.json: no such file; check the path']
