"iepile_eval: what it prints, writes and refuses."
import json
import os
import subprocess
import sys

import pytest

from iepile_nb import certainty
from iepile_nb.cli.eval import _parser, main
from iepile_nb.evaluate import evaluate
from iepile_nb.lib.io import write_jsonl
from iepile_nb.questions import Schema
from helpers.prediction_rows import answered, entity


def test_tasks_and_metrics_that_there_are_not(tmp_path, capsys):
    write_jsonl(tmp_path/'o.json', answered('RE', [{'text': 'X', 'relation': []}]))
    with pytest.raises(SystemExit) as e: main([str(tmp_path/'o.json'), '--task', 'MRC'])
    assert e.value.code == 2
    assert main([str(tmp_path/'o.json'), '--task', 're']) == 0 and main([str(tmp_path/'o.json')]) == 0
    assert main([str(tmp_path/'o.json'), '--metrics_list', 'f1,rouge']) == 1
    assert "error: no metric 'f1,rouge'" in capsys.readouterr().err


def test_command(tmp_path, capsys, caplog):
    rows = answered('NER', [{'text': t, 'entity': [entity(t)]} for t in ('X', '公司')])
    path = tmp_path/'results'/'out.json'
    write_jsonl(path, rows)
    path.write_bytes(path.read_bytes() + b'{"broken": \n')
    old = ['--language', 'zh', '--NAN', 'NAN', '--prefix', 'x']
    assert main(['--path1', str(path), '--task', 'NER', '--sort_by', 'source', *old]) == 0
    out = capsys.readouterr().out
    assert '| total | 2 | 0      | 100.00 | 100.00 | 100.00 |' in out and 'out.json:3: broken JSON' in out
    assert [r.getMessage().split()[0] for r in caplog.records] == ['--language', '--NAN', '--prefix']
    scores = json.loads((path.parent/'output_msg'/'out.json').read_text(encoding='utf-8'))
    perfect = {'n': 2, 'errors': 0, 'precision': 100, 'recall': 100, 'f1': 100}
    assert scores['total'] == scores['src'] == perfect
    assert scores['intervals']['f1'] == [100, 100] and scores['macro'] == {'labels': 1, 'macro_f1': 100}
    assert scores['rules'].startswith('Default rules') and len(scores['notes']) == 1
    assert main([str(path), '--rules', 'original', '--output', str(tmp_path/'o.json')]) == 0
    assert list(json.loads((tmp_path/'o.json').read_text(encoding='utf-8'))) == ['total']
    assert main([str(path), '--limit', '1', '--output', str(tmp_path/'o.json')]) == 0
    assert json.loads((tmp_path/'o.json').read_text(encoding='utf-8'))['total']['n'] == 1
    assert main([str(path), '--against', str(path), '--draws', '0', '--report', str(tmp_path/'r.html')]) == 0
    out = capsys.readouterr().out
    assert '| +0.00 ' in out
    assert ' to +0.00' not in out
    assert '95% interval<' not in (tmp_path/'r.html').read_text(encoding='utf-8')
    assert main([str(path), '--against', str(path), '--draws', '50']) == 0
    assert '+0.00 to +0.00 | 1.0000 |' in capsys.readouterr().out
    assert main([str(path), '--why']) == 0
    assert 'lines that cannot be scored: 1 of 3' in capsys.readouterr().out


def test_the_example_of_the_help_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_jsonl('outputs/NER/answers.json', answered('NER', [{'text': 'X', 'entity': []}]))
    example = _parser().epilog.removeprefix('example: iepile_eval ').split()
    assert main(example) == 0 and (tmp_path/'outputs/NER/output_msg/answers.json').exists()


def test_draws_reach_every_interval(tmp_path, monkeypatch):
    asked, real = [], certainty.resampled
    def counted(x, draws, rng):
        asked.append(draws)
        return real(x, draws, rng)
    monkeypatch.setattr(certainty, 'resampled', counted)
    write_jsonl(tmp_path/'p.json', answered('NER', [{'text': 'X', 'entity': [entity('X')]}]))
    line = [str(tmp_path/'p.json'), '--report', str(tmp_path/'r.html'), '--against', str(tmp_path/'p.json')]
    assert main(line) == 0 and asked == [1000, 1000, 10_000]
    assert main([*line, '--draws', '77']) == 0 and asked[3:] == [77] * 3
    assert main([*line, '--draws', '0']) == 0 and len(asked) == 6


def test_errors_and_report_agree_with_the_score(tmp_path, capsys):
    gold = [entity('Ines Okafor')]
    answers = ['{"a": ["ines okafor", "INES OKAFOR"]}']
    record = {'text': 'Ines Okafor', 'entity': gold}
    write_jsonl(tmp_path/'p.json', answered('NER', [record], answers=answers))
    page = tmp_path/'r.html'
    how = ['--matching', 'normalised', '--match_mode']
    line = [str(tmp_path/'p.json'), '--errors', '--report', str(page), *how]
    assert main([*line, 'set']) == 0
    assert 'No errors.' in capsys.readouterr().out
    assert 'no errors' in page.read_text(encoding='utf-8')
    assert main([*line, 'normal']) == 0
    assert '| repeated | 1 |' in capsys.readouterr().out
    assert '>repeated</button>' in page.read_text(encoding='utf-8')


def test_bad_arguments_and_odd_fields(tmp_path, capsys):
    rows = answered('NER', [{'text': t, 'entity': [entity(t)]} for t in 'XY'])
    write_jsonl(tmp_path/'p.json', rows + [{**rows[0], 'task': ['NER']}, {**rows[1], 'task': {'a': 1}}])
    for flags in (['--limit', '-1'], ['--limit', '0'], ['--limit', 'x'], ['--draws', '-1']):
        with pytest.raises(SystemExit) as e: main([str(tmp_path/'p.json'), *flags])
        assert e.value.code == 2 and 'argument --' in capsys.readouterr().err
    for rules, n in (('default', 'n'), ('original', '总样本数')):
        result = evaluate(tmp_path/'p.json', rules=rules)
        assert result['total'][n] == 2
        assert result.notes[0].startswith('2 lines were skipped')
        assert "no task '['NER']'" in result.notes[0]
    odd = [{**r, 'source': ['s'], 'id': {'i': r['label']}} for r in rows]
    assert evaluate(odd, rules='original')['total']['总样本数'] == 2


def test_what_does_not_go_together_gets_one_line(tmp_path, capsys):
    path, page = tmp_path/'p.json', tmp_path/'r.html'
    write_jsonl(path, answered('NER', [{'text': 'X', 'entity': [entity('X')]}]))
    before = path.read_bytes()
    for flags, told in ((['--why', '--report', page], '--why finds causes'),
                        (['--why', '--output', tmp_path/'o.json'], '--why finds causes'),
                        (['--rules', 'original', '--errors'], 'errors and reports follow the default rules'),
                        (['--rules', 'original', '--sort_by', 'label'], 'the original knows no label'),
                        (['--output', tmp_path/'.'/'p.json'], 'name another file'),
                        (['--report', path], 'name another file')):
        assert main([str(path), *map(str, flags)]) == 1
        out, err = capsys.readouterr()
        assert not out and told in err and err.count('\n') == 1 and path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ['p.json']


def test_scores_are_shown_where_they_cannot_be_saved(tmp_path, capsys):
    write_jsonl(tmp_path/'p.json', answered('NER', [{'text': 'X', 'entity': [entity('X')]}]))
    (tmp_path/'output_msg').write_text('no folder')
    assert main([str(tmp_path/'p.json')]) == 1
    out, err = capsys.readouterr()
    assert '100.00' in out
    assert 'Default rules' in out
    assert 'the scores are not saved' in err
    assert '--output names another place' in err
    assert main([str(tmp_path/'p.json'), '--output', str(tmp_path/'o.json')]) == 0
    assert (tmp_path/'o.json').exists()


def test_bad_files_get_one_line(tmp_path, capsys):
    cases = {'empty.json': b'', 'bytes.json': '{"text": "中"}'.encode('gb18030'),
             'test.json': b'{"instruction": "{}"}'}
    for name, content in cases.items():
        (tmp_path/name).write_bytes(content)
        assert main([str(tmp_path/name)]) == 1
        assert capsys.readouterr().err.count('\n') == 1
    assert main([str(tmp_path/'none.json')]) == 1 and 'no such file' in capsys.readouterr().err
    assert not list(tmp_path.glob('output_msg/*'))
    with pytest.raises(SystemExit) as e: main([])
    assert e.value.code == 2


def test_no_group_takes_the_place_of_another_score(tmp_path):
    names = ['total', 'notes', 'macro', 'label total', 'a']
    records = [{'text': 'X', 'entity': [entity('X', l)]} for l in names]
    others = '{"notes": ["X"], "macro": ["X"], "label total": ["X"], "a": ["X"]}'
    rows = answered('NER', records, Schema(names), ['{"total": []}', *[others] * 4], split_num=-1)
    result = evaluate(rows, sort_by='label')
    assert set(result) == {'total', 'label label total', 'label notes', 'label macro', 'label total', 'a'}
    assert result['total'] == evaluate(rows)['total']
    assert result['label label total']['f1'] == 0 < result['label total']['f1']
    write_jsonl(tmp_path/'p.json', [{**r, 'source': s} for r, s in zip(rows, ['rules', 'intervals'] * 3)])
    assert main([str(tmp_path/'p.json'), '--sort_by', 'source', '--output', str(tmp_path/'o.json')]) == 0
    saved = json.loads((tmp_path/'o.json').read_text())
    assert list(saved)[:3] == ['total', 'source intervals', 'source rules']
    assert saved['rules'].startswith('Default')
    assert 'n' not in saved['intervals']


def run_evaluation(path, *options, encoding='utf-8', **kw):
    "iepile_eval in a process of its own."
    env = {**os.environ, 'PYTHONIOENCODING': encoding}
    return subprocess.Popen([sys.executable, '-m', 'iepile_nb.cli.eval', str(path), '--draws', '0', *options],
                            env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kw)


def test_scores_are_saved_whatever_the_terminal_can_show(tmp_path):
    rows = answered('NER', [{'text': '公司', 'entity': [entity('公司')]}], answers=['公司'])
    write_jsonl(tmp_path/'o.json', rows)
    for part in ([], ['--errors', '--report', str(tmp_path/'r.html')], ['--why']):
        p = run_evaluation(tmp_path/'o.json', *part, encoding='ascii')
        out, err = p.communicate(timeout=60)
        assert p.returncode == 0 and not err and b'\\u516c\\u53f8' in out
    assert (tmp_path/'output_msg'/'o.json').exists() and (tmp_path/'r.html').exists()


def test_scores_are_saved_where_nobody_listens(tmp_path):
    write_jsonl(tmp_path/'o.json', answered('NER', [{'text': 'X', 'entity': [entity('X')]}]))
    p = run_evaluation(tmp_path/'o.json', '--errors')
    p.stdout.close()
    err = p.stderr.read()
    assert p.wait(60) == 0 and not err and (tmp_path/'output_msg'/'o.json').exists()
