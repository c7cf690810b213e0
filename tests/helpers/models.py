"What tests of models share: an adapter that changes answers, a contract for it, logits to compare."
import json, shutil

import torch
from safetensors.torch import load_file, save_file

from iepile_nb.base import load_base
from iepile_nb.lora import add_lora
from iepile_nb.lib.contract import CONTRACT, make_contract, merged_adapters
from iepile_nb.lib.templates import TEMPLATES


def lively_adapter(base, folder):
    "Save an adapter that changes what the base says."
    lora = add_lora(load_base(base)[0], r=2)
    torch.manual_seed(1)
    for n, p in lora.named_parameters():
        if 'lora_B' in n: torch.nn.init.normal_(p, std=.3)
    lora.save_pretrained(folder)
    return folder


def with_contract(folder, base, adapter, under='', template='llama2', **more):
    "A copy of an adapter, with a contract; `base` is a model with its tokenizer."
    shutil.copytree(adapter, folder)
    more = {'bits': 16, 'under': merged_adapters(base[0], under), **more}
    contract = make_contract(*base, TEMPLATES[template], **more)
    (folder/CONTRACT).write_text(json.dumps(contract))
    return str(folder)


def logits(model):
    "What a model says after four tokens."
    with torch.no_grad(): return model(torch.tensor([[0, 70, 80, 90]])).logits[0, -1]


def four_bits(base, folder):
    "Save a base in the 4 bits of bitsandbytes."
    for part in load_base(base, 4): part.save_pretrained(folder)
    return folder


def eight_bit_floats(base, folder):
    "Save a base in floats of 8 bits, with a scale for each block of 128 by 128."
    shutil.copytree(base, folder)
    config, weights = json.loads((folder/'config.json').read_text()), load_file(folder/'model.safetensors')
    for k in [k for k in weights if '_proj.weight' in k]:
        scale = weights[k].abs().max() / 448
        weights[k] = (weights[k] / scale).to(torch.float8_e4m3fn)
        weights[f'{k}_scale_inv'] = scale.repeat(*(-(-n // 128) for n in weights[k].shape))
    how = {'quant_method': 'fp8', 'weight_block_size': [128, 128], 'activation_scheme': 'dynamic'}
    (folder/'config.json').write_text(json.dumps({**config, 'quantization_config': how}))
    save_file(weights, folder/'model.safetensors', {'format': 'pt'})
    return folder
