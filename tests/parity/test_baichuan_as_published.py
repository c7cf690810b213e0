"Baichuan 2 computes what its published program code computes, with and without an adapter."
import json
from pathlib import Path

import pytest
import torch
from helpers.baichuan import LAYERS, fill, filled
from peft import LoraConfig, get_peft_model

from iepile_nb.lora import linear_names, load_adapters

FACTS = json.loads((Path(__file__).parent/'baichuan.json').read_text())
KINDS = [k for k in FACTS if k != 'made_with']


def greedy(model, ids, n):
    "The next tokens, with a cache."
    out = model.generate(input_ids=ids, max_new_tokens=n, do_sample=False, eos_token_id=None, pad_token_id=0)
    return out[0, ids.shape[1]:].tolist()


@torch.no_grad()
def same(model, facts, prefix=''):
    "Are logits and greedy answers the original's?"
    ids = torch.tensor([facts['ids']])
    got, wanted = model(input_ids=ids).logits[0, -3:], torch.tensor(facts[f'{prefix}logits'])
    assert torch.allclose(got, wanted, atol=1e-4)
    assert greedy(model, ids, 30) == facts[f'{prefix}greedy']


@pytest.mark.parametrize('kind', KINDS)
def test_the_original_computes_the_same(kind):
    facts = FACTS[kind]
    model = filled(facts['config'])
    same(model, facts)
    ids = torch.arange(100)[None] * 7 % 61
    with torch.no_grad(): long = model(ids).logits[0, -1]
    assert torch.allclose(long, torch.tensor(facts['long']), atol=1e-4)
    model.set_attn_implementation('eager')
    same(model, facts)


@pytest.mark.parametrize('kind', KINDS)
def test_an_adapter_of_the_originals_form(kind, tmp_path):
    "As peft 0.4 saved it: a .bin, and names that refer to the packed layers."
    facts = FACTS[kind]
    assert set(linear_names(filled(facts['config']))) == set(LAYERS)
    config = LoraConfig(task_type='CAUSAL_LM', r=4, lora_alpha=8, target_modules=list(LAYERS))
    lora = get_peft_model(filled(facts['config']), config)
    fill([(n, p) for n, p in lora.named_parameters() if 'lora_' in n], .2)
    weights = {n.replace('.default', ''): p.data for n, p in lora.named_parameters() if 'lora_' in n}
    assert 'base_model.model.model.layers.0.self_attn.W_pack.lora_A.weight' in weights
    torch.save(weights, tmp_path/'adapter_model.bin')
    old = {'base_model_name_or_path': 'models/Baichuan2-13B-Chat', 'bias': 'none', 'fan_in_fan_out': False,
           'inference_mode': True, 'init_lora_weights': True, 'layers_pattern': None, 'lora_alpha': 8.,
           'lora_dropout': .05, 'modules_to_save': None, 'peft_type': 'LORA', 'r': 4, 'revision': None,
           'target_modules': list(LAYERS), 'task_type': 'CAUSAL_LM'}
    (tmp_path/'adapter_config.json').write_text(json.dumps(old))
    same(load_adapters(filled(facts['config']), [str(tmp_path)]), facts, 'adapted_')
