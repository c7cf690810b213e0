"What tests of models share: an adapter that changes answers, a contract for it, logits to compare."
import json, shutil

import torch

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
