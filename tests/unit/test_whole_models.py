"A base is run on the weights in its files or not at all; what is stored in few bits stays as it is stored."
import json, shutil

import pytest
import torch
from helpers.models import eight_bit_floats, logits
from helpers.pickles import Runs
from safetensors.torch import load_file, save_file

from iepile_nb.base import load_base
from iepile_nb.lib.io import UserError


@pytest.fixture
def model_of(llama_dir, tmp_path):
    "A function that changes weights and configuration of a copy of the small Llama, and returns its folder."
    def make(change, **config):
        folder = shutil.copytree(llama_dir, tmp_path/'model')
        file = folder/'model.safetensors'
        weights, own = load_file(file), json.loads((folder/'config.json').read_text())
        save_file(change(weights) or weights, file, {'format': 'pt'})
        (folder/'config.json').write_text(json.dumps({**own, **config}))
        return folder
    return make


def packed(suffix):
    "A change that replaces the weights of the layers of the first block by packed ones."
    def change(weights):
        for k in [k for k in weights if k.startswith('model.layers.0') and '_proj' in k]:
            weights[k.removesuffix('weight') + suffix] = weights.pop(k).to(torch.int8)
    return change


def refused(folder, **how):
    "The one line of the error."
    with pytest.raises(UserError) as e: load_base(folder, **how)
    assert '\n' not in str(e.value) and len(str(e.value)) < 500
    return str(e.value)


@pytest.mark.parametrize('method', ['gptq', 'awq', 'compressed-tensors', 'aqlm'])
def test_a_format_without_its_package_is_refused(model_of, method, capfd):
    own = {'quant_method': method, 'bits': 4, 'group_size': 32, 'zero_point': True, 'in_group_size': 8}
    folder = model_of(packed('qweight'), quantization_config=own)
    said = refused(folder)
    assert f'stored in the format {method}, which cannot be run here' in said
    assert 'take the model as it was' in said
    assert 'leave --bits out' in refused(folder, bits=4)
    assert 'LOAD REPORT' not in capfd.readouterr().err


def test_a_format_that_nobody_knows(model_of):
    folder = model_of(packed('qweight'), quantization_config={'quant_method': 'homemade'})
    assert 'format homemade, which cannot be run here (transformers does not know it)' in refused(folder)


def test_packed_weights_that_the_configuration_hides(model_of, capfd):
    said = refused(model_of(packed('qweight')))
    assert '7 weights are missing (model.layers.0.mlp.down_proj.weight), 7 have no place' in said
    assert 'packed in a format that config.json does not name' in said
    assert 'LOAD REPORT' not in capfd.readouterr().err


def test_fewer_layers_than_configured(model_of):
    assert '9 weights are missing (model.layers.2.' in refused(model_of(lambda w: None, num_hidden_layers=3))


def test_more_layers_than_configured(model_of):
    said = refused(model_of(lambda w: None, num_hidden_layers=1))
    assert '9 have no place in the model (model.layers.1.' in said


def test_layers_of_another_size(model_of):
    said = refused(model_of(lambda w: None, intermediate_size=96))
    assert '6 have another shape than config.json says (model.layers.0.mlp.down_proj.weight' in said
    assert ': [64, 128], not [64, 96])' in said


def test_a_last_layer_of_its_own_is_needed(model_of):
    def without(weights): del weights['lm_head.weight']
    assert '1 weights are missing (lm_head.weight)' in refused(model_of(without))


def test_a_last_layer_that_is_tied_is_not_missed(model_of):
    def without(weights): del weights['lm_head.weight']
    assert logits(load_base(model_of(without, tie_word_embeddings=True))[0]).isfinite().all()


def test_numbers_that_can_be_computed_are_passed_over(model_of):
    def older(weights): weights['model.layers.0.self_attn.rotary_emb.inv_freq'] = torch.ones(8)
    assert logits(load_base(model_of(older))[0]).isfinite().all()


def test_eight_bit_floats_are_run_as_they_are_stored(llama_dir, tmp_path):
    "Without a GPU transformers computes with them in 16 bits or more."
    small, _ = load_base(eight_bit_floats(llama_dir, tmp_path/'small'))
    near = torch.nn.functional.cosine_similarity(logits(load_base(llama_dir)[0]), logits(small).float(), 0)
    assert near > .95


@pytest.mark.parametrize('bits', [4, 8])
def test_a_base_saved_in_few_bits_loads_without_saying_so(llama_dir, tmp_path, bits):
    before, tokenizer = load_base(llama_dir, bits)
    before.save_pretrained(tmp_path/'small')
    tokenizer.save_pretrained(tmp_path/'small')
    for given in (16, bits):
        again, _ = load_base(tmp_path/'small', given)
        assert again.is_quantized and torch.allclose(logits(before), logits(again), atol=1e-4)
    assert f'stored in {bits} bits of bitsandbytes and stays so' in refused(tmp_path/'small', bits=12 - bits)


def test_a_pointer_of_git_lfs_is_no_file_of_weights(model_of):
    folder = model_of(lambda w: None)
    pointer = 'version https://git-lfs.github.com/spec/v1\noid sha256:77af\nsize 1406\n'
    (folder/'model.safetensors').write_text(pointer)
    assert 'only a pointer of Git LFS' in refused(folder)


def test_a_pickle_that_runs_code_is_not_opened(model_of, tmp_path):
    folder = model_of(lambda w: None)
    (folder/'model.safetensors').unlink()
    torch.save({'model.norm.weight': Runs(tmp_path/'ran')}, folder/'pytorch_model.bin')
    said = refused(folder)
    assert 'a pickle that holds more than numbers' in said and 'weights_only' not in said
    assert not (tmp_path/'ran').exists()
