"Small Baichuan 2 models: weights by a formula, and folders as they are published."
import json

import torch
from helpers.sentencepieces import save_spm

from iepile_nb.lib.baichuan import BaichuanConfig, BaichuanForCausalLM
from iepile_nb.lib.spm import spm_tokenizer

LAYERS = 'W_pack', 'down_proj', 'gate_proj', 'o_proj', 'up_proj' # which the published adapter changes
POSITIONS = {'7B': dict(max_position_embeddings=512), '13B': dict(model_max_length=512)}
SIZES = dict(hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4)


def fill(parameters, size):
    "Give named parameters values that any machine can make."
    for n, (name, p) in enumerate(sorted(parameters)):
        places = torch.arange(p.numel(), dtype=torch.float64)
        values = torch.sin(12.9898 * (places + 1) + 78.233 * (n + 1)) * size
        if name.endswith('norm.weight'): values = 1 + values / 4
        p.data = values.view(p.shape).float()


def filled(config):
    "A model of a configuration, with these values."
    model = BaichuanForCausalLM(BaichuanConfig(**config)).eval()
    fill(model.named_parameters(), .4)
    return model


def published_folder(folder, kind, seed=0):
    "A folder like the published ones: weights in .bin, tokenizer.model, program code that must not run."
    save_spm(folder, 'baichuan')
    torch.manual_seed(seed)
    sizes = dict(vocab_size=len(spm_tokenizer(folder)), **SIZES, **POSITIONS[kind])
    model = BaichuanForCausalLM(BaichuanConfig(**sizes))
    for p in model.parameters(): p.data *= 5 if p.dim() > 1 else 1
    torch.save(model.state_dict(), folder/'pytorch_model.bin')
    parts = {'AutoConfig': 'configuration_baichuan.BaichuanConfig',
             'AutoModelForCausalLM': 'modeling_baichuan.BaichuanForCausalLM'}
    config = dict(architectures=['BaichuanForCausalLM'], auto_map=parts, tokenizer_class='BaichuanTokenizer',
                  model_type='baichuan', bos_token_id=1, eos_token_id=2, pad_token_id=0, hidden_act='silu',
                  torch_dtype='float32', transformers_version='4.29.2', _from_model_config=True, **sizes)
    (folder/'config.json').write_text(json.dumps(config))
    for name in ('configuration', 'modeling', 'tokenization'):
        (folder/f'{name}_baichuan.py').write_text(f'open({str(folder/"ran")!r}, "w")')
    return folder
