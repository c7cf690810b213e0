"An adapter is laid on a model with all of its weights or not at all, and one line says why not."
import json, shutil

import pytest
import torch
from helpers.models import lively_adapter, logits
from helpers.pickles import Runs
from peft import IA3Config, LoHaConfig, PrefixTuningConfig, PromptTuningConfig, get_peft_model
from safetensors.torch import load_file, save_file

from iepile_nb.base import load_base
from iepile_nb.lib.adapters import put_adapter
from iepile_nb.lib.io import UserError
from iepile_nb.lora import load_adapters, load_model


@pytest.fixture(scope='module')
def good(llama_dir, tmp_path_factory):
    return lively_adapter(llama_dir, tmp_path_factory.mktemp('adapters')/'good')


@pytest.fixture
def changed(good, tmp_path):
    "A function that changes names of weights, weights and configuration of a copy of the good adapter."
    def make(name=None, weights=None, **config):
        folder = shutil.copytree(good, tmp_path/'changed')
        file = folder/'adapter_model.safetensors'
        held, own = load_file(file), json.loads((folder/'adapter_config.json').read_text())
        if name: held = {name(k): w for k, w in held.items()}
        if weights: weights(held)
        save_file(held, file, {'format': 'pt'})
        (folder/'adapter_config.json').write_text(json.dumps({**own, **config}))
        return folder
    return make


def refused(base, folder):
    "The one line of the error."
    with pytest.raises(UserError) as e: load_model(base, folder)
    assert '\n' not in str(e.value) and len(str(e.value)) < 500
    return str(e.value)


# Names

@pytest.mark.parametrize('name', [
    lambda k: k.removeprefix('base_model.model.'),
    lambda k: k.replace('.weight', '.default.weight'),
    lambda k: k.replace('.weight', '.my_task.weight'),
    lambda k: 'module.' + k,
    lambda k: 'base_model.model.' + k,
    lambda k: k.replace('model.layers', '_orig_mod.model.layers').removeprefix('base_model.model.'),
], ids=['bare', 'default', 'named', 'module', 'twice', 'compiled'])
def test_other_beginnings_of_names_mean_nothing(llama_dir, good, changed, name):
    same = logits(load_model(llama_dir, changed(name))[0])
    assert torch.equal(same, logits(load_model(llama_dir, good)[0]))


def test_names_that_fit_no_layer(llama_dir, changed):
    said = refused(llama_dir, changed(lambda k: k.replace('layers', 'h')))
    assert 'none of its 28 weights has a place there (base_model.model.model.h.0.' in said
    assert 'it is for' not in said # this very base


def test_weights_that_lack(llama_dir, changed):
    def drop(w): del w['base_model.model.model.layers.1.mlp.up_proj.lora_B.weight']
    assert '1 weights are missing in its file (base_model.model.model.layers.1.mlp.up_proj.lora_B' in refused(
        llama_dir, changed(weights=drop))


def test_weights_of_layers_that_are_not_there(llama_dir, changed):
    def deeper(w):
        for k in [k for k in w if 'layers.1' in k]: w[k.replace('layers.1', 'layers.2')] = w[k].clone()
    assert '14 of its 42 weights have no place there (' in refused(llama_dir, changed(weights=deeper))


def test_fewer_layers_than_the_configuration_names(llama_dir, changed):
    targets = ['q_proj', 'k_proj', 'v_proj', 'o_proj']
    assert '12 of its 28 weights have no place' in refused(llama_dir, changed(target_modules=targets))


def test_layers_that_the_model_lacks(llama_dir, changed):
    assert 'does not fit' in refused(llama_dir, changed(target_modules=['c_attn']))


def test_another_rank_than_configured(llama_dir, changed):
    assert '28 of its weights have another size (' in refused(llama_dir, changed(r=5))


# A larger vocabulary

def test_tokens_that_were_added_in_training(llama_dir, changed):
    def larger(w): w['base_model.model.model.embed_tokens.weight'] = torch.zeros(705, 64)
    said = refused(llama_dir, changed(weights=larger, modules_to_save=['embed_tokens']))
    assert 'its table of tokens has 705 rows, that of the model 701: tokens were added' in said


def test_a_layer_that_was_trained_whole_is_missing(llama_dir, changed):
    said = refused(llama_dir, changed(modules_to_save=['lm_head']))
    assert 'its file lacks base_model.model.lm_head.weight' in said


# Files

@pytest.mark.parametrize('content, says', [
    (None, 'no adapter_model.safetensors there'),
    (b'', 'the file is empty'),
    (b'version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n', 'only a pointer of Git LFS'),
    (b'\x08\0\0\0\0\0\0\0{"a": 1', 'cannot be loaded'),
])
def test_a_file_of_weights_that_is_none(llama_dir, changed, content, says):
    folder = changed()
    file = folder/'adapter_model.safetensors'
    if content is None: file.unlink()
    else: file.write_bytes(content)
    assert says in refused(llama_dir, folder)


def test_a_file_that_was_cut(llama_dir, changed):
    file = changed()/'adapter_model.safetensors'
    file.write_bytes(file.read_bytes()[:-100])
    assert 'cannot be loaded' in refused(llama_dir, file.parent)


@pytest.mark.parametrize('config, says', [
    ('{"peft_type": "LORA", ', 'cannot be read'), ('[]', 'holds no JSON object'), ('', 'the file is empty'),
    ('{"r": 8}', 'no key "peft_type"'), ('{"peft_type": "LORA", "r": "8"}', 'does not fit'),
    ('{"peft_type": "LORA", "r": 0, "target_modules": ["q_proj"]}', 'does not fit'),
    ('{"peft_type": "QUANTUM"}', 'are not known to peft'),
])
def test_a_configuration_that_is_none(llama_dir, changed, config, says):
    folder = changed()
    (folder/'adapter_config.json').write_text(config)
    assert says in refused(llama_dir, folder)


# Older files

def test_weights_in_a_pickle_of_numbers(llama_dir, good, changed):
    folder = changed()
    file = folder/'adapter_model.safetensors'
    torch.save(load_file(file), folder/'adapter_model.bin')
    file.unlink()
    assert torch.equal(logits(load_model(llama_dir, folder)[0]), logits(load_model(llama_dir, good)[0]))


def test_a_pickle_that_runs_code_is_not_opened(llama_dir, changed, tmp_path):
    folder = changed()
    (folder/'adapter_model.safetensors').unlink()
    torch.save({'a': Runs(tmp_path/'ran')}, folder/'adapter_model.bin')
    said = refused(llama_dir, folder)
    assert 'a pickle that holds more than numbers' in said and 'weights_only' not in said
    assert not (tmp_path/'ran').exists()


def test_something_else_in_a_pickle(llama_dir, changed):
    folder = changed()
    (folder/'adapter_model.safetensors').unlink()
    torch.save([1, 2], folder/'adapter_model.bin')
    assert 'holds something else than weights' in refused(llama_dir, folder)


# Other kinds

@pytest.mark.parametrize('config', [PrefixTuningConfig, PromptTuningConfig])
def test_vectors_before_the_prompt_are_not_supported(llama_dir, tmp_path, config):
    vectors = config(task_type='CAUSAL_LM', num_virtual_tokens=3)
    get_peft_model(load_base(llama_dir)[0], vectors).save_pretrained(tmp_path/'a')
    assert 'is not supported, because it cannot be merged' in refused(llama_dir, tmp_path/'a')


@pytest.mark.parametrize('config', [
    IA3Config(target_modules=['down_proj'], feedforward_modules=['down_proj'], init_ia3_weights=False),
    LoHaConfig(target_modules=['q_proj'], init_weights=False)], ids=['ia3', 'loha'])
def test_other_kinds_that_change_layers_are_loaded(llama_dir, tmp_path, config):
    made = get_peft_model(load_base(llama_dir)[0], config).eval()
    made.save_pretrained(tmp_path/'a')
    again, _ = load_model(llama_dir, tmp_path/'a')
    assert torch.allclose(logits(made), logits(again), atol=1e-5)
    assert torch.allclose(logits(made), logits(again.merge_and_unload()), atol=1e-3)


# Afterwards

def test_a_model_is_as_before_when_an_adapter_did_not_fit(llama_dir, good, changed):
    base, _ = load_base(llama_dir)
    before, bad = logits(base), changed(lambda k: k.replace('layers', 'h'))
    with pytest.raises(UserError): put_adapter(base, bad)
    assert torch.equal(logits(base), before) and not any('lora' in n for n, _ in base.named_modules())
    model = put_adapter(base, good, 'good')
    with_it = logits(model)
    with pytest.raises(UserError): put_adapter(model, bad, 'bad')
    with pytest.raises(UserError, match="an adapter 'good' on this"): put_adapter(model, good, 'good')
    assert list(model.peft_config) == ['good'] and torch.equal(logits(model), with_it)


def test_training_goes_on_in_what_was_loaded(llama_dir, good):
    model = load_adapters(load_base(llama_dir)[0], [str(good)], trainable=True, dropout=.25)
    assert any(p.requires_grad for p in model.parameters())
    assert model.peft_config['default'].lora_dropout == .25
    assert not model.peft_config['default'].inference_mode
