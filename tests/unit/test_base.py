"A base model: what is found, what is refused and with which words, number formats, 4 and 8 bits."
import json, shutil

import pytest
import torch
from helpers.models import logits

from iepile_nb import base
from iepile_nb.base import check_family, device_map, find_model, load_base, pick_dtype, quantization
from iepile_nb.lib.io import UserError
from iepile_nb.lora import load_model


# Finding

def test_a_folder_is_found(llama_dir): assert find_model(llama_dir) == str(llama_dir)


@pytest.mark.parametrize('name', ['./nope', '/no/such/model', 'a/b/c', '~/nope'])
def test_a_wrong_path(name):
    with pytest.raises(UserError, match='no such folder; check the path'): load_model(name)


def test_a_folder_without_a_model(tmp_path):
    with pytest.raises(UserError, match='no config.json there'): load_model(tmp_path)


def test_a_name_that_the_hub_does_not_give():
    with pytest.raises(UserError, match='set HF_ENDPOINT to a mirror'):
        load_model('no-such-owner/no-such-model')


def test_a_folder_without_weights(llama_dir, tmp_path):
    for f in ('config.json', 'tokenizer.json', 'tokenizer_config.json'): shutil.copy(llama_dir/f, tmp_path)
    with pytest.raises(UserError, match='cannot be loaded'): load_model(tmp_path)


def test_broken_weights(llama_dir, tmp_path):
    shutil.copytree(llama_dir, tmp_path/'m')
    (tmp_path/'m/model.safetensors').write_bytes(b'\0' * 100)
    with pytest.raises(UserError, match='cannot be loaded'): load_model(tmp_path/'m')


def test_own_code_is_not_run_unasked(llama_dir, tmp_path):
    shutil.copytree(llama_dir, tmp_path/'m')
    config = json.loads((tmp_path/'m/config.json').read_text())
    own = {'AutoConfig': 'c.Config', 'AutoModelForCausalLM': 'c.Model'}
    config.update(model_type='strange', auto_map=own)
    (tmp_path/'m/config.json').write_text(json.dumps(config))
    (tmp_path/'m/c.py').write_text(f'open({str(tmp_path/"ran")!r}, "w")')
    with pytest.raises(UserError, match='--trust_remote_code'): load_model(tmp_path/'m')
    assert not (tmp_path/'ran').exists()


# Formats

def test_dtypes(monkeypatch, caplog):
    fp32, fp16, bf16 = torch.float32, torch.float16, torch.bfloat16
    for can in ([fp32], [fp16, fp32], [bf16, fp16, fp32]):
        monkeypatch.setattr(base, 'fast_dtypes', lambda: can)
        pick_dtype.cache_clear()
        caplog.clear()
        assert pick_dtype() == can[0] and pick_dtype('fp32') == fp32
        assert pick_dtype('bf16') == pick_dtype('bf16') == can[0]
        assert len(caplog.records) == (bf16 not in can)
    pick_dtype.cache_clear()


def test_a_gpu_is_left_alone_if_asked(monkeypatch, llama_dir):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(base, 'pick_dtype', lambda asked: torch.float32)
    monkeypatch.delenv('LOCAL_RANK', raising=False)
    assert device_map() == 'auto' and device_map(cpu=True) == {'': 'cpu'}
    assert load_base(llama_dir, dtype=None, cpu=True)[0].device.type == 'cpu'


def test_other_bits_are_refused(llama_dir):
    with pytest.raises(UserError, match='there are 16, 8 and 4'): load_model(llama_dir, bits=5)


@pytest.mark.parametrize('bits', [4, 8])
def test_quantised(llama_dir, bits):
    full, small = (load_model(llama_dir, bits=b)[0] for b in (16, bits))
    assert small.is_quantized and small.get_memory_footprint() < full.get_memory_footprint()
    assert torch.nn.functional.cosine_similarity(logits(full), logits(small), 0) > .9
    q = quantization(4, torch.float32)
    assert (q.bnb_4bit_quant_type, q.bnb_4bit_use_double_quant) == ('nf4', True)


def test_padding_where_the_tokenizer_names_none(llama_dir, tmp_path):
    shutil.copytree(llama_dir, tmp_path/'m')
    config = json.loads((tmp_path/'m/tokenizer_config.json').read_text())
    config.pop('pad_token')
    (tmp_path/'m/tokenizer_config.json').write_text(json.dumps(config))
    tokenizer = load_base(tmp_path/'m')[1]
    assert tokenizer.pad_token == tokenizer.eos_token and tokenizer.padding_side == 'left'


# Families

def test_family_is_checked(llama_dir, caplog):
    model, _ = load_base(llama_dir)
    for name in ('llama', 'vicuna', None, 'llama3', 'custom'): assert check_family(name, model) == 'llama'
    assert not caplog.text
    check_family('chatglm', model)
    assert '--model_name chatglm, but this model is of the family llama' in caplog.text
