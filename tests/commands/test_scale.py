"The commands on many files: the same as on one, with any number of tasks and every engine."
import json
import signal
import subprocess
import sys
import time
from importlib.util import find_spec

import pytest
from helpers.data_files import save
from helpers.shards import read_shards, some_records, write_shards
from helpers.slurm import play_slurm

from iepile_nb.cli.convert import main as convert_main
from iepile_nb.cli.data import main as data_main
from iepile_nb.cli.eval import main as eval_main
from iepile_nb.lib.io import read_jsonl, write_jsonl

pytestmark = pytest.mark.skipif(not find_spec('datatrove'), reason='datatrove is not installed (extra scale)')


@pytest.fixture
def folder(tmp_path):
    "A dataset in seven shards, the same in one file, and its schema."
    write_shards(tmp_path/'set', some_records(40), 7)
    write_jsonl(tmp_path/'one.json', some_records(40))
    save(tmp_path/'schema.json', ['person', 'city', 'firm'], ['person', 'city', 'firm'], {})
    return tmp_path


def converting(folder, src, tgt, *more):
    return ['--src_path', f'{folder/src}', '--tgt_path', f'{folder/tgt}',
            '--schema_path', f'{folder}/schema.json', '--language', 'en', '--source', 'set',
            '--split_num', '2', '--random_sort', *more]


def rows_of(path): return [r for _, r in read_jsonl(path)]


def test_rows_are_the_same_for_any_number_of_tasks(folder):
    assert convert_main(converting(folder, 'one.json', 'rows.json')) == 0
    for tasks in '1', '2', '7':
        more = '--engine', 'local', '--tasks', tasks, '--workers', '2'
        assert convert_main(converting(folder, 'set', tasks, *more)) == 0
        assert read_shards(folder/tasks) == rows_of(folder/'rows.json')
        manifest = json.loads((folder/tasks/'manifest.json').read_text())
        assert (manifest['records'], manifest['rows']) == (40, len(rows_of(folder/'rows.json')))


def test_a_schema_that_the_records_use_is_that_of_all_shards(folder):
    more = '--schema_path', 'auto', '--engine', 'local'
    assert convert_main(converting(folder, 'set', 'rows', *more)) == 0
    assert convert_main(converting(folder, 'one.json', 'one', '--schema_path', 'auto')) == 0
    assert read_shards(folder/'rows') == rows_of(folder/'one')


def test_slurm_gets_jobs_that_do_the_same(folder, monkeypatch):
    play_slurm(folder/'bin', monkeypatch)
    save(folder/'cluster.yaml', 'slurm: {partition: cpu, time: "00:10:00", requeue_signals: null}')
    more = '--engine', 'slurm', '--tasks', '3', '--cluster', f'{folder}/cluster.yaml'
    assert convert_main(converting(folder, 'set', 'rows', *more)) == 0
    assert convert_main(converting(folder, 'one.json', 'one')) == 0
    assert read_shards(folder/'rows') == rows_of(folder/'one')
    first = (folder/'bin/1.job').read_text()
    assert '#SBATCH --partition=cpu' in first and '#SBATCH --array=0-2' in first
    assert json.loads((folder/'rows/manifest.json').read_text())['shards'] == 7


@pytest.mark.skipif(not find_spec('ray'), reason='ray is not installed (pip install ray)')
def test_ray_does_the_same(folder):
    more = '--engine', 'ray', '--tasks', '2', '--workers', '2'
    assert convert_main(converting(folder, 'set', 'rows', *more)) == 0
    assert convert_main(converting(folder, 'one.json', 'one')) == 0
    assert read_shards(folder/'rows') == rows_of(folder/'one')


def test_a_command_that_is_killed_is_begun_again_where_it_was(folder):
    write_shards(folder/'many', some_records(20_000), 60)
    line = [sys.executable, '-m', 'iepile_nb.cli.convert',
            *converting(folder, 'many', 'rows', '--engine', 'local')]
    p = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    receipts = folder/'rows/_logs/receipts'
    while p.poll() is None and not (receipts.is_dir() and any(receipts.iterdir())): time.sleep(.005)
    p.send_signal(signal.SIGKILL)
    p.wait()
    assert not (folder/'rows/manifest.json').exists()
    done = subprocess.run(line, capture_output=True, text=True)
    assert done.returncode == 0 and 'were done before' in done.stderr
    write_jsonl(folder/'all.json', some_records(20_000))
    assert convert_main(converting(folder, 'all.json', 'one')) == 0
    assert read_shards(folder/'rows') == rows_of(folder/'one')


def test_scores_counts_and_leaks_of_shards_are_those_of_one_file(folder, capsys):
    def told(main, *argv):
        assert main(list(argv)) == 0
        return capsys.readouterr().out
    engine = '--engine', 'local', '--tasks', '2'
    convert_main(converting(folder, 'one.json', 'test.json', '--split', 'test'))
    said = '{"person": ["Ines"], "city": ["Odda", "x"]}'
    rows = [{**r, 'output': said} for r in rows_of(folder/'test.json')]
    write_shards(folder/'answers', rows, 7)
    write_jsonl(folder/'answers.json', rows)
    told(eval_main, f'{folder}/answers', '--sort_by', 'label', *engine)
    told(eval_main, f'{folder}/answers.json', '--sort_by', 'label', '--output', f'{folder}/scores.json')
    assert (folder/'answers.scores.json').read_text() == (folder/'scores.json').read_text()
    for what in (['stats', '--schema_path', f'{folder}/schema.json'], ['stats', '--schema_path', 'auto']):
        many = told(data_main, *what, '--src_path', f'{folder}/set', *engine)
        assert many == told(data_main, *what, '--src_path', f'{folder}/one.json')
    found = told(data_main, 'leak', '--src_path', f'{folder}/set', f'{folder}/answers/../set/00*', *engine)
    assert '40 ' in found


def test_a_record_that_is_repeated_in_another_shard_goes(folder, capsys):
    again = [*some_records(40), *some_records(5), {'text': 'Ines met Odda on day 0.', 'entity': []}]
    write_shards(folder/'more', again, 5)
    write_jsonl(folder/'more.json', again)
    argv = ['clean', '--src_path', f'{folder}/more', '--tgt_path', f'{folder}/good', '--engine', 'local']
    assert data_main([*argv, '--tasks', '3']) == 0
    assert data_main(['clean', '--src_path', f'{folder}/more.json', '--tgt_path', f'{folder}/good.json']) == 0
    assert read_shards(folder/'good') == rows_of(folder/'good.json')
    manifest = json.loads((folder/'good/manifest.json').read_text())
    assert sum(len(f['dropped']) for f in manifest['files']) == 5
    assert manifest['files'][-1]['problems'] == {'duplicate': 5, 'conflict': 1}


@pytest.mark.parametrize('more, wrong', [
    (['--tasks', '2'], '--tasks has no effect without --engine'),
    (['--engine', 'local', '--limit', '3'], 'leave it out with --engine'),
    (['--engine', 'slurm'], '--engine slurm needs --cluster'),
    (['--engine', 'local', '--tgt_path', 'SET/rows'], 'name a folder beside it')])
def test_what_does_not_go_together_is_said(folder, capsys, more, wrong):
    more = [a.replace('SET', f'{folder}/set') for a in more]
    assert convert_main(converting(folder, 'set', 'rows', *more)) == 1
    assert wrong in capsys.readouterr().err
