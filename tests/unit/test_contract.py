"What an adapter expects: its contract, what differs from it, presets."
import json, shutil
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from helpers.models import lively_adapter, with_contract

from iepile_nb.base import load_base
from iepile_nb.lib import contract
from iepile_nb.lib.contract import contract_template, make_contract, read_contract
from iepile_nb.lib.io import UserError
from iepile_nb.lib.options import settings
from iepile_nb.lib.presets import PRESETS, choose_template
from iepile_nb.lib.publish import merged, save_merged
from iepile_nb.lib.templates import TEMPLATES, Token

LLAMA2, ALPACA = TEMPLATES['llama2'], TEMPLATES['alpaca']


@pytest.fixture(scope='module')
def adapter(llama_dir, tmp_path_factory):
    return lively_adapter(llama_dir, tmp_path_factory.mktemp('adapter')/'a')


@pytest.fixture(scope='module')
def llama(llama_dir): return load_base(llama_dir)


@pytest.fixture
def agreed(llama, adapter, tmp_path):
    "The adapter with a contract: llama2, 700 tokens."
    return with_contract(tmp_path/'agreed', llama, adapter, cutoff_len=700, dtype='float32')


def test_the_template_comes_from_the_adapter(llama, agreed):
    assert choose_template(*llama, adapter=agreed) == LLAMA2
    assert choose_template(*llama, 'llama2', f'other, {agreed}') == LLAMA2


def test_another_template_is_refused(llama, agreed, caplog):
    with pytest.raises(UserError, match='the template was llama2, now alpaca.*--force'):
        choose_template(*llama, 'alpaca', agreed)
    assert choose_template(*llama, 'alpaca', agreed, force=True) == ALPACA
    assert 'used all the same (--force): the template was llama2, now alpaca' in caplog.text


def test_another_base_is_refused(llama, agreed, llama_dir, tmp_path):
    model, tokenizer = load_base(llama_dir)
    with torch.no_grad(): model.get_input_embeddings().weight.mul_(1.5)
    with pytest.raises(UserError, match='the base was .*llama, now .*llama, whose weights are others'):
        choose_template(model, tokenizer, adapter=agreed)


def test_the_same_base_in_another_format_or_folder_is_known(llama, agreed, llama_dir, tmp_path):
    for dtype in (torch.bfloat16, torch.float16):
        assert choose_template(load_base(llama_dir)[0].to(dtype), llama[1], adapter=agreed)
    shutil.copytree(llama_dir, tmp_path/'renamed')
    assert choose_template(*load_base(tmp_path/'renamed', bits=4), adapter=agreed)


def test_other_special_tokens_are_refused(llama, agreed):
    tokenizer = deepcopy(llama[1])
    tokenizer.eos_token = '<pad>'
    with pytest.raises(UserError, match='the special tokens were .*</s>.*now .*<pad>'):
        choose_template(llama[0], tokenizer, adapter=agreed)


def test_other_lengths_are_said(llama, agreed, caplog):
    choose_template(*llama, adapter=agreed, cutoff_len=700, bits=None, dtype='bfloat16')
    assert caplog.messages == ['dtype is bfloat16, but was float32 in training']


def test_without_a_contract(llama, adapter, tmp_path):
    with pytest.raises(UserError, match='does not say which prompt'):
        choose_template(*llama, adapter=str(adapter))
    assert choose_template(*llama, 'llama2', str(adapter)) == LLAMA2
    assert choose_template(*llama, adapter=str(adapter), name='oneke') == TEMPLATES['llama2_zh']
    shutil.copytree(adapter, tmp_path/'llama2-13b-iepile-lora')
    assert choose_template(*llama, adapter=str(tmp_path/'llama2-13b-iepile-lora')) == LLAMA2
    assert choose_template(*llama) == ALPACA # no adapter, no chat template


def test_adapters_underneath_are_asked_for(llama, adapter, agreed, tmp_path, caplog):
    top = with_contract(tmp_path/'top', llama, adapter, agreed)
    said = f'the base held {agreed}, now it does not .--checkpoint_dir {agreed},{top}.*--force'
    with pytest.raises(UserError, match=said): choose_template(*llama, adapter=top)
    assert choose_template(*llama, adapter=f'{agreed}, {top}') == LLAMA2
    assert choose_template(*llama, adapter=agreed) == LLAMA2
    shutil.copytree(agreed, tmp_path/'renamed')
    assert choose_template(*llama, adapter=f'{tmp_path}/renamed,{top}')
    assert choose_template(*llama, adapter=top, force=True) and 'the base held' in caplog.text


@pytest.fixture
def hub(monkeypatch, agreed):
    "A hub with one adapter, some/adapter; what is asked of it."
    import huggingface_hub
    asked = []
    def cached(name, file, revision=None, **soft):
        asked.append((name, revision))
        if name == 'some/gone': raise OSError('no such repository')
        return f'{agreed}/{file}' if name == 'some/adapter' else None
    monkeypatch.setattr(contract, 'cached_file', cached)
    monkeypatch.setattr(huggingface_hub, 'snapshot_download', lambda name, allow_patterns: agreed)
    return asked


def test_a_contract_on_the_hub(llama, hub, llama_dir):
    for name in ('some/adapter', 'x, some/adapter'): assert read_contract(name)['template'] == 'llama2'
    for name in ('some/base', 'some/gone', './no/adapter', '', None): assert read_contract(name) is None
    assert choose_template(*llama, adapter='some/adapter') == LLAMA2
    with pytest.raises(UserError, match='now alpaca'): choose_template(*llama, 'alpaca', 'some/adapter')
    base, tokenizer = load_base(llama_dir)
    base.name_or_path, base.config._commit_hash = 'some/adapter', 'abc' # as a base that was trained whole
    assert choose_template(base, tokenizer) == LLAMA2 and hub[-1] == ('some/adapter', 'abc')


def test_an_adapter_on_the_hub_is_merged_with_its_contract(llama_dir, hub, tmp_path):
    model, tokenizer = merged(llama_dir, 'some/adapter')
    save_merged(model, tokenizer, tmp_path/'m', read_contract('some/adapter'))
    kept = read_contract(tmp_path/'m')
    assert kept['template'] == 'llama2' and kept['base_weights'] is None
    assert choose_template(*load_base(tmp_path/'m')) == LLAMA2


@pytest.mark.parametrize('name', list(TEMPLATES))
def test_a_contract_gives_its_template_back(llama, name):
    got = contract_template(json.loads(json.dumps(make_contract(*llama, TEMPLATES[name]))))
    def tokens(t): return [isinstance(p, Token) for p in t.pieces]
    assert got == TEMPLATES[name] and tokens(got) == tokens(TEMPLATES[name])


@pytest.mark.parametrize('name', PRESETS)
def test_presets(name):
    p = PRESETS[name]
    assert {'model_name_or_path', 'template', 'bits', 'lora_r', 'lora_alpha', 'cutoff_len'} <= p.keys()
    assert p['template'] in (*TEMPLATES, 'auto')
    o = settings(preset=name, cutoff_len=99)
    assert o.cutoff_len == 99 and o.lora_r == p['lora_r'] and o.model_name_or_path == p['model_name_or_path']


# Damaged

@pytest.mark.parametrize('change, says', [
    (lambda c: '{"template": ', 'cannot be read'), (lambda c: '[1]', 'holds no JSON object'),
    (lambda c: '', 'is empty'),
    (lambda c: {**c, 'pieces': 'Q: {{query}}'}, "see its key 'pieces'"),
    (lambda c: {k: v for k, v in c.items() if k != 'special_tokens'}, "see its key 'special_tokens'"),
    (lambda c: {**c, 'base_weights': 'none'}, "see its key 'base_weights'")])
def test_a_damaged_contract_is_one_line(llama, agreed, change, says):
    file = Path(agreed)/'prompt.json'
    new = change(json.loads(file.read_text()))
    file.write_text(new if isinstance(new, str) else json.dumps(new))
    with pytest.raises(UserError) as e: choose_template(*llama, adapter=agreed)
    assert says in str(e.value) and str(file) in str(e.value)
