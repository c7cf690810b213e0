"Files that appear whole or not at all, errors that name file and line, seeds that do not depend on order."
import gzip
import os
import re
import threading

import pytest
from iepile_nb.lib.io import (UserError, atomic_write, check_apart, read_jsonl, record_rng,
                              repo_root, write_jsonl)


def test_atomic_write_keeps_the_usual_permissions(tmp_path):
    with atomic_write(tmp_path/'a') as f: f.write(b'x')
    (tmp_path/'b').write_bytes(b'x')
    assert os.stat(tmp_path/'a').st_mode == os.stat(tmp_path/'b').st_mode


def test_seeds_name_the_record_not_its_place():
    assert record_rng(1, 'a', 'b').random() == record_rng(1, 'a', 'b').random()
    assert len({record_rng(1, *k).random() for k in (('a', 'b'), ('ab',), ('b', 'a'), ('a', 'b', ''))}) == 4


@pytest.mark.parametrize('content, says', [
    (gzip.compress(b'{"text": "a"}'), 'gunzip'), ('{"text": "a"}'.encode('utf-16'), 'iconv -f utf-16'),
    (b'PAR1....', '--from hf'),
    (b'PK\x03\x04', 'unpack'), (b'{\n  "text": "a"\n}\n', 'jq -c'),
    (b'[{"text": "a"}, ', 'broken JSON array')])
def test_other_kinds_of_files_are_named_once(tmp_path, content, says):
    (tmp_path/'x.json').write_bytes(content)
    seen = []
    with pytest.raises(UserError, match=re.escape(says)): list(read_jsonl(tmp_path/'x.json', seen.append))
    assert not seen


def test_one_bad_item_of_an_array_does_not_cost_the_rest(tmp_path):
    (tmp_path/'x.json').write_bytes(b'[{"n": 1}, 2, {"n": 3}]')
    bad = []
    assert [n for n, _ in read_jsonl(tmp_path/'x.json', bad.append)] == [1, 3]
    assert 'item 2 of the array is a JSON int' in str(bad[0])
    with pytest.raises(UserError, match='item 2'): list(read_jsonl(tmp_path/'x.json'))


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(UserError, match='is a folder; name a file'): list(read_jsonl(tmp_path))


def test_a_link_stays_and_a_pipe_is_written_to(tmp_path):
    real, link, pipe, got = tmp_path/'real.json', tmp_path/'link.json', tmp_path/'pipe', []
    real.write_text('old')
    link.symlink_to(real)
    write_jsonl(link, [{'a': 1}])
    assert link.is_symlink() and real.read_text() == '{"a":1}\n'
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    write_jsonl(pipe, [{'a': 1}])
    reader.join(10)
    assert got == [b'{"a":1}\n'] and pipe.is_fifo()
    with pytest.raises(UserError, match='a pipe or a device'): list(read_jsonl(pipe))


def test_a_target_is_no_source(tmp_path):
    (tmp_path/'a').write_text('x')
    (tmp_path/'link').symlink_to(tmp_path/'a')
    for tgt in (tmp_path/'a', tmp_path/'link', tmp_path/'.'/'a'):
        with pytest.raises(UserError, match='name another file'):
            check_apart(tgt, tmp_path/'none', tmp_path/'a')
    check_apart(tmp_path/'b', tmp_path/'a')


@pytest.mark.parametrize('folder', ['.', 'nbs', 'nbs/lib', 'tests/unit'])
def test_the_root_is_found_from_every_folder(root, folder, monkeypatch):
    monkeypatch.chdir(root/folder)
    assert repo_root() == repo_root(root/folder) == root


def test_the_root_is_that_of_the_checkout_one_stands_in(root, tmp_path, monkeypatch):
    "In Colab the first cell clones the repository and goes there; elsewhere the installed checkout serves."
    (tmp_path/'clone/data').mkdir(parents=True)
    (tmp_path/'clone/settings.ini').write_text('')
    monkeypatch.chdir(tmp_path/'clone/data')
    assert repo_root() == tmp_path/'clone'
    assert repo_root(tmp_path) == root
