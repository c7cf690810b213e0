"iepile_data: what it says, keeps, writes beside it and refuses."
import json
import os
import re
import shlex
import subprocess
import sys

import pytest
from helpers.data_files import INES, entity, rows, save
from iepile_nb.cli.data import main

GOOD, OTHER = json.dumps(INES), json.dumps(INES | {'entity': []})
LINES = [GOOD, '{"text": ', GOOD, '{"text": "x"}', OTHER, '\x01']


def run(root, folder, line):
    "Run a command line as people do; what it prints."
    program, *args = shlex.split(line)
    cmd = [sys.executable, '-m', 'iepile_nb.cli.' + program.removeprefix('iepile_'), *args]
    env = {**os.environ, 'PYTHONPATH': str(root)}
    r = subprocess.run(cmd, cwd=folder, capture_output=True, text=True, timeout=120, env=env)
    assert r.returncode == 0, r.stdout + r.stderr
    return r.stdout


def test_the_example_of_help_runs(root, tmp_path):
    (tmp_path/'data').symlink_to(root/'data')
    text = ' '.join(run(root, tmp_path, 'iepile_data --help').split())
    assert '0 problems' in run(root, tmp_path, re.search('example: (iepile_data .*)', text)[1])


@pytest.fixture
def broken_file(tmp_path):
    "A file with every kind of trouble, the last line not UTF-8."
    (tmp_path/'d.json').write_bytes('\n'.join(LINES).encode() + b'\n{"text": "\xff"}\n')
    return ['--task', 'NER', '--src_path', str(tmp_path/'d.json')]


def test_check_lists_every_problem_and_writes_nothing(broken_file, tmp_path, capsys):
    assert main(['check', *broken_file]) == 1
    out, err = capsys.readouterr()
    for problem in ('d.json:2: unreadable: broken JSON', "d.json:4: unreadable: no key 'entity'",
                    'd.json:3: duplicate', 'd.json:5: conflict'):
        assert problem in out
    assert 'd.json: 6 problems; --fix mends or drops' in err
    assert list(tmp_path.iterdir()) == [tmp_path/'d.json']


def test_check_writes_what_can_be_used_and_what_was_dropped(broken_file, tmp_path, capsys):
    assert main(['check', *broken_file, '--fix']) == 0
    out = capsys.readouterr().out
    assert 'd.json:5: conflict' in out and 'd.json:3: duplicate' not in out # only what is left to a person
    assert [r['text'] for r in rows(tmp_path/'d.fixed.json')] == [INES['text']] * 2
    dropped = rows(tmp_path/'d.fixed.dropped.jsonl')
    assert [d['line'] for d in dropped] == [2, 3, 4, 6, 7]
    assert [dropped[i]['raw'] for i in (0, 1, 4)] == ['{"text": ', INES, '{"text": "\\xff"}']
    again = ['check', '--task', 'NER', '--src_path', str(tmp_path/'d.fixed.json'), '--schema_path', 'auto']
    assert main(again) == 1 # the conflict is still there


@pytest.mark.parametrize('what', [['check', '--fix'], ['clean']])
def test_where_no_record_is_left_nothing_is_written(what, tmp_path, capsys):
    (tmp_path/'d.json').write_text('{"text": \n{"text": 7, "entity": []}\n')
    line = [*what, '--src_path', str(tmp_path/'d.json'), '--tgt_path', str(tmp_path/'new/good.json')]
    assert main(line) == 1
    assert 'no record is left' in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.rglob('*.json*')) == ['d.json', 'good.dropped.jsonl']


def test_check_of_no_file_or_two(broken_file, tmp_path):
    assert main(['check', *broken_file[:-1], str(tmp_path/'none.json')]) == 1
    assert main(['check', *broken_file, broken_file[-1]]) == 1


def test_a_file_without_records(tmp_path, capsys):
    for form, text in (('conll', ''), ('conll', '-DOCSTART- O\n'), ('records', '\n\n')):
        for what in ('check', 'clean'):
            assert main([what, '--from', form, '--src_path', str(save(tmp_path/'f', text))]) == 1
            assert 'no records in it' in capsys.readouterr().err and [*tmp_path.iterdir()] == [tmp_path/'f']


def test_stats_with_a_picture(tmp_path, capsys):
    src, picture = save(tmp_path/'d.json', INES), tmp_path/'p.png'
    assert main(['stats', '--src_path', str(src), '--schema_path', 'auto', '--tgt_path', str(picture)]) == 0
    assert picture.stat().st_size > 5000 and 'rows with an answer' in capsys.readouterr().out


def test_leak(tmp_path, capsys):
    files = [str(save(tmp_path/f'{name}.json', INES)) for name in ('train', 'test')]
    assert main(['leak', '--src_path', *files]) == 0
    assert 'shared texts: 1' in capsys.readouterr().out


def test_clean(tmp_path):
    texts = ['12 % 13 % - 4 a', 'Hi', 'It is what it is.', '他住在北京。', 'Ines left Odda.', 'Ines left Odda.', '']
    last = {'text': 'Odda', 'entity': [entity('Odda', 'LOC')]} # short, but with a label
    src = save(tmp_path/'d.json', *[{'text': t, 'entity': []} for t in texts], last)
    assert main(['clean', '--src_path', str(src)]) == 0
    assert [r['text'] for r in rows(tmp_path/'d.clean.json')] == ['他住在北京。', 'Ines left Odda.', 'Odda']
    assert [d['line'] for d in rows(tmp_path/'d.clean.dropped.jsonl')] == [1, 2, 3, 6, 7]


def fixed(folder, task, text, schema='auto', form='records'):
    "What `check --fix` keeps of a file, and what it writes beside it."
    for f in folder.glob('out*'): f.unlink()
    src, out = save(folder/'in.json', text), folder/'out.json'
    assert main(['check', '--fix', '--task', task, '--from', form, '--src_path', str(src),
                 '--tgt_path', str(out), '--schema_path', str(schema)]) == 0
    side = folder/'out.dropped.jsonl'
    return rows(out), rows(side) if side.exists() else []


def test_a_blank_argument_costs_no_event(tmp_path):
    arguments = [{'role': 'who', 'argument': 'ACME'}, {'role': 'when', 'argument': ' '}]
    event = {'event_type': 'layoff', 'event_trigger': 'fired', 'arguments': arguments}
    (kept,), dropped = fixed(tmp_path, 'EE', json.dumps({'text': 'ACME fired ten.', 'event': [event]}))
    assert kept['event'][0]['event_trigger'] == 'fired' and not dropped
    assert kept['event'][0]['arguments'][0] == arguments[0]


def test_a_spelling_is_mended_to_whole_words_only(tmp_path, capsys):
    entities = [entity(e, 'x') for e in ('US', 'porto', 'abc')]
    record = {'text': 'Ines left by bus. PORTO 用ＡＢＣ的人', 'entity': entities}
    (kept,), _ = fixed(tmp_path, 'NER', json.dumps(record))
    assert [o['entity'] for o in kept['entity']] == ['US', 'PORTO', 'ＡＢＣ']
    out = capsys.readouterr().out
    assert 'absent' in out and "the text has 'PORTO'" in out


def test_a_dropped_annotation_stands_beside(tmp_path):
    good, none = entity('Ines', 'person'), entity('Ines', 'ghost')
    schema = save(tmp_path/'schema.json', '["person"]\n[]\n{}\n')
    record = {'text': 'Ines left.', 'entity': [good, none]}
    (kept,), (dropped,) = fixed(tmp_path, 'NER', json.dumps(record), schema)
    assert kept['entity'] == [good] and dropped['raw'] == none and 'ghost' in dropped['problem']


def test_a_dropped_item_of_an_array_stands_beside(tmp_path):
    array = json.dumps([{'text': 'Ines left.', 'entity': [entity('Ines', 'person')]}, 'stray'], indent=1)
    for text in (array, '\ufeff' + array):
        kept, dropped = fixed(tmp_path, 'NER', text)
        assert len(kept) == 1 and [d['raw'] for d in dropped] == ['"stray"']
    kept, dropped = fixed(tmp_path, 'NER', '[ O\nInes B-person\n\nleft X-y\n', form='conll') # no array
    assert len(kept) == 1 and dropped


@pytest.mark.parametrize('what, more, says', [
    ('check', ['--tgt_path', 'x'], 'without --fix'),
    ('check', ['--fix', '--tgt_path', 'd.json'], 'another file'),
    ('clean', ['--threshold', '.5'], 'does not use --threshold'),
    ('recipe', ['--limit', '1'], 'recipe does not use --limit'),
    ('stats', ['--tgt_path', 'p.html'], 'no picture'), ('recipe', [], 'recipe needs --tgt_path')])
def test_options_that_a_part_does_not_use(tmp_path, monkeypatch, capsys, what, more, says):
    monkeypatch.chdir(tmp_path)
    save(tmp_path/'d.json', INES)
    assert main([what, '--src_path', 'd.json', *more]) == 1
    assert says in capsys.readouterr().err


def test_leak_wants_different_files_and_sensible_numbers(tmp_path, capsys):
    path = str(save(tmp_path/'d.json', INES))
    assert main(['leak', '--src_path', path, path]) == 1 and 'different' in capsys.readouterr().err
    for wrong in (['--limit', '-1'], ['--threshold', '2']):
        with pytest.raises(SystemExit): main(['leak', '--src_path', path, *wrong])
