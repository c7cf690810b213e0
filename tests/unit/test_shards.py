"Datasets in many files: found, read, written, done again where something went wrong, and added up."
import json
import random

import pytest
from helpers.prediction_rows import answered, entity, event
from helpers.shards import Copies, read_shards, some_records, write_shards

from iepile_nb.evaluate import RULES, evaluate
from iepile_nb.lib.cluster import EngineOptions, ShardJob, read_cluster, run_jobs
from iepile_nb.lib.io import UserError, write_jsonl
from iepile_nb.lib.shard_scores import ScoreShard, sharded_result
from iepile_nb.lib.shards import (Shard, check_target, find_shards, open_folder, plain_copy, target_file,
                                  without_nulls)


@pytest.fixture
def notes(tmp_path):
    (tmp_path/'notes').mkdir()
    return tmp_path/'notes'


def copying(tmp_path, work, n=9):
    "A job that copies nine shards of two records."
    if not (tmp_path/'in').exists(): write_shards(tmp_path/'in', some_records(2 * n), n)
    shards = find_shards(str(tmp_path/'in'))
    return ShardJob(work, shards, f'{tmp_path}/out', f'{tmp_path}/log', {})


def finished(job, receipts): job.write_manifest(receipts)


def test_names_are_paths_below_the_folder_without_notes_and_manifests(tmp_path):
    no_shards = '_x.json', '.y/z.json', 'manifest.json', 'd.txt'
    for name in ('b.json', 'deep/a.jsonl.gz', 'deep/c.parquet', *no_shards):
        (tmp_path/name).parent.mkdir(exist_ok=True)
        (tmp_path/name).touch()
    assert [(s.name, s.target) for s in find_shards(str(tmp_path))] == [
        ('b', 'b.jsonl'), ('deep/a', 'deep/a.jsonl.gz'), ('deep/c', 'deep/c.jsonl')]
    assert [s.name for s in find_shards(f'{tmp_path}/*/*.gz')] == ['deep/a']
    assert [s.name for s in find_shards(f'{tmp_path}/b.json')] == ['b']


def test_two_shards_of_one_name_are_refused(tmp_path):
    for name in ('a.json', 'a.jsonl.gz'): (tmp_path/name).touch()
    with pytest.raises(UserError, match='same name'): find_shards(str(tmp_path))
    with pytest.raises(UserError, match='no shards'): find_shards(f'{tmp_path}/*.parquet')


def test_a_target_within_what_is_read_is_refused(tmp_path):
    (tmp_path/'in').mkdir()
    for target in (tmp_path/'in', tmp_path/'in/out'):
        with pytest.raises(UserError, match='beside'): check_target(str(tmp_path/'in'), str(target))
    check_target(str(tmp_path/'in'), str(tmp_path/'in2'))


def test_parquet_is_read_without_the_nulls_it_adds(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq
    rows = [{'text': 'a', 'event': [{'t': 'x', 'r': 'y'}]}, {'text': 'b', 'event': [{'t': 'z'}]}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path/'a.parquet')
    assert read_shards(tmp_path) == rows and without_nulls([{'a': None}]) == [{}]


def test_a_damaged_shard_names_itself(tmp_path):
    path = write_shards(tmp_path/'in', some_records(50), 3)
    for name in ('001.jsonl.gz', '002.jsonl.zst'):
        (path/name).write_bytes((path/name).read_bytes()[:-20])
        with pytest.raises(UserError, match=f'{name}.*cannot be read'):
            with plain_copy(find_shards(f'{path}/{name}')[0]): pass


def test_shards_may_lie_behind_a_url(tmp_path, notes):
    fs, _ = open_folder('memory://')
    fs.pipe_file('/set/a.jsonl', b'{"n": 1}\n')
    fs.pipe_file('/set/deep/b.jsonl', b'{"n": 2}\n')
    job = ShardJob(Copies(notes), find_shards('memory://set'), 'memory://out', 'memory://log', {})
    job()
    job.write_manifest(job.collect())
    assert fs.cat_file('/out/deep/b.jsonl') == b'{"n":2}\n'
    assert json.loads(fs.cat_file('/out/manifest.json'))['rows'] == 2


def test_tasks_share_the_shards(tmp_path, notes):
    job = copying(tmp_path, Copies(notes))
    for rank in range(4): job(None, rank, 4)
    assert sorted(job.work.done()) == [s.name for s in job.shards]
    assert read_shards(tmp_path/'out') == list(some_records(18))


def test_what_was_done_is_done_again_only_if_it_changed(tmp_path, notes):
    copying(tmp_path, Copies(notes))()
    (tmp_path/'in/000.jsonl').write_text('{"new": 1}\n') # other input
    (tmp_path/'out/004.jsonl.gz').unlink()               # lost output
    job = copying(tmp_path, Copies(notes))
    assert [s.name for s in job.open_shards()] == ['000', '004']
    job()
    assert job.work.done()[9:] == ['000', '004'] and not job.open_shards()
    job.about = {'another': 'option'}
    del job.__dict__['receipts']
    assert len(job.open_shards()) == 9


def test_a_bad_line_stops_its_own_shard_only(tmp_path, notes):
    job = copying(tmp_path, Copies(notes))
    (tmp_path/'in/003.jsonl').write_text('{"n": 1}\nbroken\n')
    job = copying(tmp_path, Copies(notes))
    job()
    with pytest.raises(UserError, match=r'003\.jsonl:2: broken JSON.*1 of 9 shards'): job.collect()
    assert len(job.work.done()) == 9 and not (tmp_path/'out/003.jsonl').exists()
    (tmp_path/'in/003.jsonl').write_text('{"n": 1}\n')
    job = copying(tmp_path, Copies(notes))
    job()
    assert job.work.done()[9:] == ['003'] and len(job.collect()) == 9


def test_a_task_that_is_killed_runs_again_alone(tmp_path, notes):
    job = copying(tmp_path, Copies(notes, '004'))
    run_jobs(EngineOptions(tasks=3, workers=2), (job, finished))
    assert (notes/'dead').exists()
    assert read_shards(tmp_path/'out') == list(some_records(18))
    done = job.work.done()
    assert set(done) == {s.name for s in job.shards} and len(done) < 11 # twice: what others were at just then
    assert json.loads((tmp_path/'out/manifest.json').read_text())['rows'] == 18


def test_a_task_that_always_dies_is_said_and_the_others_are_done(tmp_path, notes):
    job = copying(tmp_path, Copies(notes, '000', always=True))
    with pytest.raises(UserError, match='before its time'):
        run_jobs(EngineOptions(tasks=9, workers=2), (job, finished))
    assert {s.name for s in job.open_shards()} == {'000'}


def test_a_file_about_a_cluster_that_is_none(tmp_path):
    path = tmp_path/'c.yaml'
    for text in ('- a list', 'a: [', ''):
        path.write_text(text)
        with pytest.raises(UserError, match=r'c\.yaml'): read_cluster(path)


def predicted(rng):
    "Rows of NER and EE with right, wrong, odd and unreadable answers; texts occur twice, and labels by ones."
    people = [{'text': f'a{i % 9} met b{i % 7}', 'entity': [entity(f'a{i % 9}'), entity(f'b{i % 7}', 'b')]}
              for i in range(30)]
    moves = [{'text': f'{i} left', 'event': [event('e', 'left', who=str(i)), event('f', '', what='')]}
             for i in range(9)]
    rows = answered('NER', people, split_num=1) + answered('EE', moves, split_num=1)
    wrong = '{"a": ["a1", "nobody"]}', 'no idea', '{"a": ["a1"', '{"z": 3, "b": [{"x": 1}]}'
    return [r if rng.random() < .5 else {**r, 'output': rng.choice(wrong)} for r in rows]


@pytest.mark.parametrize('rules', ['default', 'original'])
@pytest.mark.parametrize('sort_by', ['', 'label', 'length', 'source'])
def test_scores_of_shards_add_up(tmp_path, rules, sort_by):
    "Shards are cut anywhere, in the middle of a text too; result, intervals and notes are those of one file."
    if (rules, sort_by) in {('original', 'label'), ('original', 'length')}: sort_by = 'task'
    rng = random.Random(sort_by)
    rows = predicted(rng)
    write_jsonl(tmp_path/'one.json', rows)
    cuts = sorted(rng.sample(range(1, len(rows)), 6))
    (tmp_path/'in').mkdir()
    for i, (a, b) in enumerate(zip([0, *cuts], [*cuts, len(rows)])):
        write_jsonl(tmp_path/f'in/{i}.jsonl', rows[a:b])
    work = ScoreShard(RULES[rules](), None, sort_by)
    job = ShardJob(work, find_shards(str(tmp_path/'in')), f'{tmp_path}/parts', f'{tmp_path}/log', {})
    job()
    result = sharded_result(job, job.collect())
    one = evaluate(tmp_path/'one.json', rules=rules, sort_by=sort_by)
    assert result == one and result.notes == one.notes and result.intervals() == one.intervals()


def test_a_packed_shard_that_is_done_takes_nothing_from_one_that_begins(tmp_path):
    one, other = (Shard(f'{tmp_path}/{x}.jsonl.gz', x, '.gz', '') for x in 'ab')
    with target_file(str(tmp_path/'out'), other) as late:
        late.parent.mkdir(parents=True)
        with target_file(str(tmp_path/'out'), one) as path: write_jsonl(path, [{'x': 1}])
        write_jsonl(late, [{'x': 2}])
    assert sorted(p.name for p in (tmp_path/'out').iterdir()) == ['a.jsonl.gz', 'b.jsonl.gz']
