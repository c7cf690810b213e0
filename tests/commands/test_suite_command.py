"iepile_suite, iepile_predict --nproc and iepile_eval FILE FILE: from a folder to the paper's table."
import json

import orjson
import pytest
from helpers.layout import TWELVE, write_layout
from helpers.predicting import some_rows

from iepile_nb.cli import suite
from iepile_nb.cli.eval import main as score
from iepile_nb.cli.predict import main as predict
from iepile_nb.lib.io import read_jsonl, write_jsonl
from iepile_nb.lib.row_shares import share_path


@pytest.fixture
def gold_model(monkeypatch):
    "Instead of a model: what is annotated is answered, but nothing of some folders; counts the calls."
    calls, empty = [], ('CrossNER_AI', 'fewrel_0')
    def answer(argv):
        calls.append(argv)
        o = suite.predict_options(argv)
        found = []
        for _, r in read_jsonl(o.input_file):
            label, asked = json.loads(r['label']), json.loads(r['instruction'])['schema']
            said = {} if r['source'] in empty else gold(r['task'], label, asked)
            found.append({**r, 'output': json.dumps(said)})
        write_jsonl(o.output_file, found)
    monkeypatch.setattr(suite, 'run_predict', answer)
    return calls


def gold(task, label, asked):
    "The answer that names what is annotated."
    if task == 'NER': return {l: [e['entity'] for e in label if e['entity_type'] == l] for l in asked}
    if task == 'RE':
        pair = lambda r: {'subject': r['head'], 'object': r['tail']}
        return {l: [pair(r) for r in label if r['relation'] == l] for l in asked}
    return {x['event_type']: [{'trigger': e['event_trigger'], 'arguments': {a['role']: a['argument']
                                                                            for a in e['arguments']}}
                              for e in label if e['event_type'] == x['event_type']] for x in asked}


def test_twelve_folders_become_the_papers_tables(gold_model, tmp_path, capsys):
    args = ['--data', str(write_layout(tmp_path/'corpus')), '--out', str(tmp_path/'out'), '--orders', '3']
    assert suite.main(args) == 0
    out = capsys.readouterr().out
    tables = orjson.loads((tmp_path/'out/scores.json').read_bytes())['tables']
    en, zh = tables['Zero-shot, English'], tables['Zero-shot, Chinese']
    yours = {r['system']: r for r in en}
    assert yours['yours']['NER CrossNER'] == '80.00' # the mean of five domains, one of which has nothing
    assert yours['yours']['RE FewRel'] == '0.00*' and yours['yours, best of 3']['RE FewRel'] == '100.00*'
    assert yours['yours, mean ± sd']['RE FewRel'] == '66.67 ± 47.14'
    assert yours['yours']['trigger RAMS'] == '100.00*' and yours['yours']['trigger CrudeOilNews'] == ''
    assert yours['OneKE']['NER CrossNER'] == '60.91'
    assert {r['system']: r for r in zh}['yours']['NER Boson'] == '100.00'
    assert tables['Supervised NER'][-1]['NER NCBI-Disease'] == '100.00'
    assert out.count('Best of five') == 1 and '* trigger RAMS: the mean of 1 of 12 parts.' in out
    page = (tmp_path/'out/report.html').read_text(encoding='utf-8')
    assert 'Zero-shot, English' in page and '<td>yours</td>' in page


def test_a_finished_suite_asks_nothing_again_and_refuses_other_options(gold_model, tmp_path, capsys):
    corpus = write_layout(tmp_path/'corpus', {'IE-zh/NER/boson': 'NER'})
    args = ['--data', str(corpus), '--out', str(tmp_path/'out')]
    assert suite.main(args) == 0 and suite.main([*args, '--nproc', '2']) == 0
    assert len(gold_model) == 1
    assert suite.main([*args, '--max_new_tokens', '9']) == 1 and '--overwrite' in capsys.readouterr().err
    assert suite.main([*args, '--max_new_tokens', '9', '--overwrite']) == 0 and len(gold_model) == 2


def test_what_is_no_dataset_is_said(gold_model, tmp_path, capsys):
    (tmp_path/'none').mkdir()
    assert suite.main(['--data', str(tmp_path/'none'), '--out', str(tmp_path/'out')]) == 1
    write_layout(tmp_path, {'IE-zh/NER/boson': 'NER'})
    assert suite.main(['--data', str(tmp_path/'IE-zh'), '--only', 'ncbi', '--out', str(tmp_path/'out')]) == 1
    err = capsys.readouterr().err
    assert 'no dataset here' in err and 'no such dataset' in err and 'boson' in err


def test_a_list_of_folders(gold_model, tmp_path):
    write_layout(tmp_path, {'IE-zh/NER/boson': 'NER'})
    (tmp_path/'IE-zh/NER/boson').rename(tmp_path/'mine')
    (tmp_path/'sets.yaml').write_text('datasets: [{folder: mine, task: NER, language: zh, source: Weibo}]')
    assert suite.main(['--data', str(tmp_path/'sets.yaml'), '--out', str(tmp_path/'out')]) == 0
    tables = orjson.loads((tmp_path/'out/scores.json').read_bytes())['tables']
    assert tables['Zero-shot, Chinese'][-1]['NER Weibo'] == '100.00'


def test_a_folder_that_is_called_like_its_task(tmp_path):
    write_layout(tmp_path, {'IE-zh/NER': 'NER', 'IE-en/NER': 'NER'})
    assert [(s.task, s.language, s.source) for s in suite.find_sets(tmp_path)] == [
        ('NER', 'en', 'IE-en/NER'), ('NER', 'zh', 'IE-zh/NER')]


def test_a_dry_run_says_rows_and_time(tmp_path, capsys):
    folders = dict(list(TWELVE.items())[5:8])
    args = ['--data', str(write_layout(tmp_path, folders)), '--out', str(tmp_path/'out'), '--limit', '1',
            '--dry-run']
    assert suite.main([*args, '--orders', '1', '--nproc', '2']) == 0
    out = capsys.readouterr().out
    assert '3 folders, 3 rows' in out and 'in 2 processes, on this machine' in out
    assert suite.main([*args, '--orders', '1', '--nproc', '2', '--gpu', 'slow:1:0.000001']) == 0
    assert 'hours in 2 processes, each with slow' in capsys.readouterr().out
    assert suite.main([*args[:-1], '--gpu', 'h100']) == 1
    assert '--gpu is for --dry_run' in capsys.readouterr().err
    assert not (tmp_path/'out/answers.json').exists()


def test_two_processes_answer_as_one_does_and_go_on(tmp_path):
    write_jsonl(tmp_path/'rows.json', some_rows(5))
    run = ['--input_file', str(tmp_path/'rows.json'), '--max_new_tokens', '20']
    assert predict([*run, '--output_file', str(tmp_path/'one.json')]) == 0
    assert predict([*run, '--output_file', str(tmp_path/'two.json'), '--nproc', '2']) == 0
    assert (tmp_path/'one.json').read_bytes() == (tmp_path/'two.json').read_bytes()
    assert not list(tmp_path.glob('*.journal'))


def test_another_number_of_processes_is_refused(tmp_path, capsys):
    write_jsonl(tmp_path/'rows.json', some_rows(3))
    share_path(tmp_path/'o.json', 0, 3).touch()
    files = ['--input_file', str(tmp_path/'rows.json'), '--output_file', str(tmp_path/'o.json')]
    args = [*files, '--nproc', '2']
    assert predict(args) == 1 and 'was begun with --nproc 3' in capsys.readouterr().err


def test_the_reason_of_a_process_that_fails_is_said_once(tmp_path, capfd):
    write_jsonl(tmp_path/'rows.json', some_rows(2))
    args = ['--input_file', str(tmp_path/'rows.json'), '--output_file', str(tmp_path/'o.json')]
    assert predict([*args, '--nproc', '2', '--model_name_or_path', str(tmp_path/'nowhere')]) == 1
    err = capfd.readouterr().err
    assert err.count('error: ') == 1 and 'nowhere' in err


def test_several_files_are_scored_one_by_one_and_put_into_the_papers_table(tmp_path, capsys):
    rows = [{**r, 'output': '{}'} for r in some_rows(2)]
    for name in ('ncbi', 'mine'): write_jsonl(tmp_path/f'{name}.json', [{**r, 'source': name} for r in rows])
    files = [str(tmp_path/f'{name}.json') for name in ('ncbi', 'mine')]
    assert score(files) == 0
    out = capsys.readouterr().out
    assert 'mean of 2 files' in out and 'NER NCBI-Disease' in out and 'yours' in out
    assert all((tmp_path/f'output_msg/{name}.json').is_file() for name in ('ncbi', 'mine'))
    assert score([*files, '--why']) == 1
