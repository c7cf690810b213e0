"Rows as token ids: made once, kept on the disk, the same as if each were made alone."
import json
import os
import random
import subprocess
import sys
import threading
import time
from itertools import islice

import pytest
from conftest import ROOT
from helpers.training import LONG, interrupted, losses, run, same_losses, train_file # fixtures among them

from iepile_nb.lib import token_rows
from iepile_nb.lib.io import UserError, write_jsonl
from iepile_nb.lib.token_rows import (TrainRows, encode_batch, make_once, rows_in_memory, rows_of_file,
                                      token_batches, tokens_in_memory, tokens_on_disk, usable)
from iepile_nb.lib.training_rows import training_rows
from iepile_nb.prompt import encode_row, get_template, row_query
from iepile_nb.train import BatchOrder, hold_out, read_train_rows

SHORT = dict(cutoff_len=170, max_source_length=150, max_target_length=60)


@pytest.fixture(scope='module')
def rows(): return [*islice(training_rows(), 700), {'instruction': 'q', 'output': ' '}]


@pytest.fixture(scope='module')
def tiny():
    from iepile_nb.base import load_tokenizer
    tokenizer = load_tokenizer('tiny')
    return tokenizer, get_template('auto', tokenizer)


def alone(rows, tokenizer, template, lengths):
    "Each row made alone; those of which nothing is learned are left out."
    for r in rows:
        try: e = encode_row(tokenizer, template, row_query(r), r['output'], **lengths)
        except UserError: continue
        if r['output'].strip() and set(e.labels) != {-100}: yield e


def plain_order(lengths, batch, seed, epoch):
    "The order of the rows with lists alone."
    draw, n, pool = random.Random(f'{seed} {epoch}'), len(lengths), 50 * batch
    order = draw.sample(range(n), n)
    order = [i for p in range(0, n, pool) for i in sorted(order[p:p + pool], key=lambda i: -lengths[i])]
    batches = [order[i:i + batch] + [n] * max(0, i + batch - n) for i in range(0, n, batch)]
    draw.shuffle(batches)
    return [i for b in batches for i in b]


@pytest.mark.parametrize('lengths', [{}, SHORT], ids=['whole', 'shortened'])
def test_batches_are_those_of_rows_in_lists(rows, tiny, lengths, tmp_path):
    write_jsonl(tmp_path/'train.json', rows)
    def read(): return read_train_rows(tmp_path/'train.json')
    found = rows_of_file(tmp_path/'train.json', read, None, tmp_path/'c')
    kept, held = hold_out(len(found), 40, seed=7)
    for part in (kept, held):
        tokens = usable(tokens_on_disk(found.select(part), *tiny, tmp_path/'c', 3, **lengths))
        plain = [*alone([rows[i] for i in part], *tiny, lengths)]
        assert [*tokens] == plain and tokens[3:5][1] == plain[4]
        order = BatchOrder(tokens.column('length'), 16, seed=5)
        order.set_epoch(2)
        assert [*order] == plain_order([len(e.input_ids) for e in plain], 16, 5, 2)
    assert len([*(tmp_path/'c').iterdir()]) == 2 # both parts from the same files


def test_several_threads_keep_the_order(rows, tiny):
    one, many = (tokens_in_memory(rows, *tiny, workers=n) for n in (1, 4))
    assert one.table.data.equals(many.table.data) and len(many) == len(rows)
    assert 'TOKENIZERS_PARALLELISM' not in os.environ


def test_control_tokens_in_a_text_stay_text(tiny):
    row = {'instruction': 'a </s> b <s>', 'output': '</s>'}
    assert encode_batch([row] * 2, *tiny) == [encode_row(*tiny, row['instruction'], row['output'])] * 2


def test_one_makes_and_the_others_wait(tmp_path):
    made = []
    def make(aside):
        made.append(1)
        time.sleep(.5)
        (aside/'a').write_text('whole')
    threads = [threading.Thread(target=make_once, args=(tmp_path/'c/x', make)) for _ in range(3)]
    for t in threads: t.start()
    for t in threads: t.join()
    assert made == [1] and [p.name for p in (tmp_path/'c').iterdir()] == ['x']


KILLED = '''
import sys, time
from pathlib import Path
from iepile_nb.lib.token_rows import make_once
def make(aside):
    (aside/'half').write_text('half')
    print('made', flush=True)
    time.sleep(60)
make_once(Path(sys.argv[1]), make)
'''

def test_a_killed_process_leaves_nothing_in_the_way(tmp_path):
    cmd = [sys.executable, '-c', KILLED, str(tmp_path/'c/x')]
    with subprocess.Popen(cmd, stdout=subprocess.PIPE, env={**os.environ, 'PYTHONPATH': str(ROOT)}) as p:
        p.stdout.readline()
        p.kill()
    assert len([*(tmp_path/'c').glob('.x.*.part')]) == 1 and not (tmp_path/'c/x').exists()
    make_once(tmp_path/'c/x', lambda aside: (aside/'a').write_text('whole'))
    assert [p.name for p in (tmp_path/'c').iterdir()] == ['x'] and (tmp_path/'c/x/a').exists()


def test_what_fails_leaves_nothing(tmp_path):
    def make(aside): raise UserError('bad row')
    with pytest.raises(UserError, match='bad row'): make_once(tmp_path/'c/x', make)
    assert not (tmp_path/'c').exists()


def test_what_the_token_ids_are_kept_by(rows, tiny, tmp_path):
    "The rows and how they are made to ids, not the file that the rows stand in."
    tokenizer, template = tiny
    def kept(rows, template=template, **lengths):
        tokens_on_disk(rows_in_memory(rows), tokenizer, template, tmp_path/'c', **lengths)
        return {p.name for p in (tmp_path/'c').iterdir()}
    first = kept(rows[:9])
    assert kept([{'source': 'x', **r, 'task': 'y'} for r in rows[:9]]) == first # other keys
    second = kept(rows[:9], cutoff_len=200)
    third = kept(rows[:9], get_template('alpaca', tokenizer))
    assert len(first) == 1 and len(second) == 2 and len(third) == 3 and len(kept(rows[8::-1])) == 4


def test_a_damaged_file_is_named(rows, tiny, tmp_path):
    tokens_on_disk(rows_in_memory(rows[:9]), *tiny, tmp_path/'c')
    [file] = (tmp_path/'c').rglob('tokens.arrow')
    for content in (file.read_bytes()[:100], b'', b'x' * 99):
        file.write_bytes(content)
        with pytest.raises(UserError, match='tokens.arrow: cannot be read .*; remove .*, it is made again'):
            tokens_on_disk(rows_in_memory(rows[:9]), *tiny, tmp_path/'c')


def test_rows_are_read_again_only_where_they_are_asked_for(rows):
    read = []
    def reader():
        for r in rows:
            read.append(r)
            yield r
    found = TrainRows(reader, rows_in_memory(rows).index).select(range(5, 50))
    assert found.at([10, 0, 3]) == [rows[15], rows[5], rows[8]] and len(read) == 16
    assert found.at([]) == [] and sum(found.kinds().values()) == len(found) == 45


def no_more(*args, **kw): raise AssertionError('tokenised again')


def test_a_run_that_goes_on_finds_its_token_ids(run, monkeypatch):
    interrupted(run)
    tokens = run.out/'.tokens'
    assert {p.name.partition('-')[0] for p in tokens.iterdir()} == {'rows', 'tokens'}
    with monkeypatch.context() as m:
        m.setattr(token_rows, 'token_batches', no_more)
        resumed = run(**LONG)
    assert not tokens.exists()
    straight = run(**LONG, overwrite=True)
    assert same_losses(losses(resumed), losses(straight)) and run(**LONG) == straight and not tokens.exists()


def test_several_runs_share_a_cache(run, tmp_path, monkeypatch):
    how = dict(cache_path=str(tmp_path/'cache'), do_eval=True)
    run(**how)
    monkeypatch.setattr(token_rows, 'token_batches', no_more)
    run(**how, output_dir=str(tmp_path/'two'), learning_rate=1e-3, seed=5)
    assert not (tmp_path/'two/.tokens').exists() and len([*(tmp_path/'cache').iterdir()]) == 2


def test_other_rows_under_the_same_name_are_other_rows(run, train_file):
    interrupted(run)
    first, *others = train_file.read_text().splitlines()
    first = json.dumps({**json.loads(first), 'output': '{"a": ["other"]}'})
    train_file.write_text('\n'.join([first, *others]))
    with pytest.raises(UserError, match='the training rows have changed'): run(**LONG)
