"What a training is told for each base: one table, presets that carry it, rates that follow from the size."
import json

import pytest

from iepile_nb.lib.io import UserError
from iepile_nb.lib.options import settings
from iepile_nb.lib.presets import PRESETS, TRAINING, model_size, training_settings


@pytest.mark.parametrize('name', PRESETS)
def test_a_preset_says_how_its_base_is_trained(name):
    o, told = settings(preset=name), training_settings('any', name=name)
    assert told.keys() >= TRAINING['published'].keys() and all(o.get(k) == v for k, v in told.items())
    assert settings(preset=name, learning_rate=.5).learning_rate == .5


def test_the_published_ones_are_those_of_the_scripts():
    p = PRESETS['oneke']
    assert (p['learning_rate'], p['lora_r'], p['lora_alpha'], p['lora_dropout']) == (5e-5, 64, 64, .05)


@pytest.mark.parametrize('base, size', [
    ('Qwen/Qwen2.5-0.5B-Instruct', 5e8), ('google/gemma-2-2b-it', 2e9),
    ('baichuan-inc/Baichuan2-13B-Chat', 13e9),
    ('HuggingFaceTB/SmolLM2-135M', 135e6), ('mistralai/Mixtral-8x7B-v0.1', 7e9), ('Qwen/Qwen3-30B-A3B', 30e9),
    ('someone/model-4bit', None), ('bloomz-560m', 560e6), ('meta-llama/Meta-Llama-3-8B-Instruct', 8e9),
    ('/no/folder/of/mine', None)])
def test_sizes_in_names(base, size): assert model_size(base) == size


def test_the_size_of_a_folder_is_that_of_its_weights(llama_dir, tmp_path):
    from transformers import AutoModelForCausalLM
    true = AutoModelForCausalLM.from_pretrained(llama_dir).num_parameters()
    assert abs(model_size(llama_dir) / true - 1) < .1
    (tmp_path/'model.safetensors').write_bytes(b'0' * 4000)
    assert model_size(tmp_path) == 2000


@pytest.mark.parametrize('base, lora, every', [
    ('my/model', 2e-4, 2e-5), ('Qwen/Qwen3-4B', 2e-4, 2e-5), ('big-70b', 1e-4, 1e-5),
    ('small-135m', 1e-3, 1e-4),
    ('Qwen/Qwen3-0.6B', 3e-4, 3e-5), ('tiny', 3e-3, 3e-4)])
def test_learning_rates(base, lora, every):
    assert training_settings(base)['learning_rate'] == lora
    told = training_settings(base, full=True)
    assert told['learning_rate'] == pytest.approx(every) and not any('lora' in k for k in told)


def test_the_table_is_not_changed_by_who_reads_it():
    training_settings('tiny')['learning_rate'] = 1
    assert training_settings('tiny')['learning_rate'] == 3e-3
    with pytest.raises(UserError, match='no preset'): training_settings('tiny', name='huge')
    json.dumps(TRAINING)
