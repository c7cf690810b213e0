"Baichuan 2 in use: its published folder, 4 bits, a cache, packing, merging, spans; families that are gone."
import json

import pytest
import torch
from helpers.baichuan import LAYERS, POSITIONS, published_folder
from helpers.models import lively_adapter

from iepile_nb.base import SUCCESSORS, check_family, load_base
from iepile_nb.infer import Extractor, generate
from iepile_nb.lib.baichuan import BaichuanConfig, BaichuanForCausalLM, NormHead, alibi_slopes
from iepile_nb.lib.engine import takes_slots
from iepile_nb.lib.io import UserError
from iepile_nb.lib.memory import shape_of
from iepile_nb.lib.publish import merged
from iepile_nb.lora import add_lora, answer_loss, load_model, packs_exactly
from iepile_nb.prompt import Encoded, collate, encode_prompt, get_template
from iepile_nb.windows import pack

KINDS = [*POSITIONS]


@pytest.fixture(scope='module')
def folders(tmp_path_factory):
    "A published folder of each kind."
    return {k: published_folder(tmp_path_factory.mktemp(k), k) for k in KINDS}


def prompts(tokenizer, texts):
    "Prompts in the template that belongs to the model."
    return [encode_prompt(tokenizer, get_template('baichuan2', tokenizer), t) for t in texts]


@pytest.mark.parametrize('trust', [False, True])
@pytest.mark.parametrize('kind', KINDS)
def test_a_published_folder_loads_without_its_code(kind, trust, folders):
    model, tokenizer = load_model(folders[kind], dtype='fp32', trust_remote_code=trust)
    assert type(model) is BaichuanForCausalLM and tokenizer.is_fast and not (folders[kind]/'ran').exists()
    assert model.config.rotary == (kind == '7B') and isinstance(model.lm_head, NormHead)
    assert check_family('baichuan', model) == 'baichuan'
    assert tokenizer.pad_token_id == 0 and not tokenizer.add_bos_token


def test_the_first_generation_has_an_ordinary_last_layer():
    assert not BaichuanConfig(vocab_size=64000).norm_head and BaichuanConfig().norm_head


@pytest.mark.parametrize('heads', [1, 3, 8, 40])
def test_slopes(heads):
    slopes = alibi_slopes(heads)
    assert len(set(slopes)) == len(slopes) == heads and all(0 < s < 1 for s in slopes)


@pytest.mark.parametrize('kind', KINDS)
def test_many_rows_at_once(kind, folders):
    "Rows of different lengths, each at its own position, answer as each does alone with transformers' cache."
    model, tokenizer = load_base(folders[kind], dtype='fp32')
    asked = prompts(tokenizer, ['甲' * 9, 'Max lives in Lagos.', 'Q', '北京大学 ' * 7, '', 'x\ny'])
    assert takes_slots(model)
    many = generate(model, tokenizer, asked, max_new_tokens=16, batch_size=4)
    assert many == generate(model, tokenizer, asked, max_new_tokens=16, batch_size=1) and len(set(many)) > 3
    for p, answer in zip(asked, many):
        ids = torch.tensor([p])
        theirs = model.generate(ids, attention_mask=ids * 0 + 1, max_new_tokens=16, do_sample=False)[0]
        assert tokenizer.decode(theirs[len(p):], skip_special_tokens=True).strip().startswith(answer)


@pytest.mark.parametrize('kind', KINDS)
def test_packed_rows_learn_what_single_rows_learn(kind, folders):
    model, tokenizer = load_base(folders[kind], dtype='fp32')
    assert packs_exactly(model)
    model = add_lora(model, r=2, dropout=0.)
    for n, p in model.named_parameters():
        if 'lora_B' in n: torch.nn.init.normal_(p, std=.1)
    rows = [Encoded(p + [9, 8, 2], [-100] * len(p) + [9, 8, 2])
            for p in prompts(tokenizer, ['a', '北京 b' * 5, 'c'])]
    def gradients(batch, checkpointing=False):
        model.train().zero_grad()
        if checkpointing: model.gradient_checkpointing_enable()
        answer_loss(model.get_base_model(), batch, net=model).backward()
        return [p.grad.clone() for p in model.parameters() if p.requires_grad]
    alone, packed = gradients(collate(rows, 0)), gradients(pack(rows, 0))
    again = gradients(pack(rows, 0), checkpointing=True)
    assert len(alone) == 2 * 2 * len(LAYERS) and all(g.abs().max() > 0 for g in alone)
    for a, p, c in zip(alone, packed, again):
        assert torch.allclose(a, p, atol=1e-5) and torch.allclose(p, c, atol=1e-6)


@pytest.mark.parametrize('kind', KINDS)
def test_an_adapter_is_merged(kind, folders, tmp_path):
    adapter = lively_adapter(folders[kind], tmp_path/'a')
    targets = json.loads((adapter/'adapter_config.json').read_text())['target_modules']
    assert {t.rpartition('.')[2] for t in targets} == set(LAYERS)
    model, tokenizer = load_model(folders[kind], str(adapter), dtype='fp32')
    whole, _ = merged(folders[kind], str(adapter), dtype='fp32')
    for part in (whole, tokenizer): part.save_pretrained(tmp_path/'m')
    saved, own = load_base(tmp_path/'m', dtype='fp32')
    assert 'auto_map' not in json.loads((tmp_path/'m/config.json').read_text())
    ids = torch.tensor(prompts(tokenizer, ['Max lives in 北京']))
    assert ids.tolist() == prompts(own, ['Max lives in 北京']) and saved.config.rotary == (kind == '7B')
    with torch.no_grad(): a, b, plain = (m(ids).logits for m in (model, saved, load_base(folders[kind])[0]))
    assert torch.allclose(a, b, atol=1e-4) and not torch.allclose(a, plain, atol=1e-2)


def test_all_weights_can_be_trained():
    "The last layer learns directions: its gradient is at right angles to each of its rows."
    head, x = NormHead(8, 5, bias=False), torch.randn(3, 8)
    head(x).logsumexp(-1).sum().backward()
    assert (head.weight.grad * head.weight).sum(-1).abs().max() < 1e-5 < head.weight.grad.abs().max()


@pytest.mark.parametrize('kind', KINDS)
def test_four_bits(kind, folders):
    model, tokenizer = load_base(folders[kind], 4, dtype='fp32')
    assert model.is_quantized and isinstance(model.lm_head, NormHead)
    assert type(model.model.layers[0].self_attn.W_pack).__name__ == 'Linear4bit'
    full, asked = load_base(folders[kind], dtype='fp32')[0], torch.tensor(prompts(tokenizer, ['北京 b' * 5]))
    with torch.no_grad(): a, b = (m(asked).logits[0].flatten() for m in (full, model))
    assert torch.nn.functional.cosine_similarity(a, b, 0) > .8
    lora = add_lora(model, r=2)
    batch = collate([Encoded(asked[0].tolist() + [9, 2], [-100] * asked.shape[1] + [9, 2])], 0)
    answer_loss(lora.get_base_model(), batch, net=lora).backward()
    assert any(p.grad is not None and p.grad.abs().max() > 0 for p in lora.parameters())


@pytest.mark.parametrize('kind', KINDS)
def test_values_quote_the_text(kind, folders):
    extractor = Extractor(str(folders[kind]), template='baichuan2', dtype='fp32')
    for text in ('马克斯住在拉各斯，工作在北京大学。', ' Max\tlives in\n<reserved_107> 北京 🙂'):
        found = extractor.extract(text, schema=['person', 'city'], task='NER', max_new_tokens=60)
        assert set(found) == {'person', 'city'} and all(text[s.start:s.end] == s.text for s in found.spans)


def test_a_plan(folders):
    model = shape_of(folders['13B'], torch.bfloat16, 4)
    assert {p.device.type for p in model.parameters()} == {'meta'}
    adapted = [n.split('.lora_A')[0] for n, _ in model.named_parameters() if '.lora_A' in n]
    assert {n.rpartition('.')[2] for n in adapted} == set(LAYERS)


# Families that are gone

OWN_CODE = {'auto_map': {'AutoConfig': 'c.Config', 'AutoModelForCausalLM': 'c.Model'}}

@pytest.mark.parametrize('own', [{}, OWN_CODE])
@pytest.mark.parametrize('family', SUCCESSORS)
def test_an_old_family_is_refused_with_its_successor(family, own, tmp_path):
    (tmp_path/'config.json').write_text(json.dumps({'model_type': family, **own}))
    (tmp_path/'c.py').write_text(f'open({str(tmp_path/"ran")!r}, "w")')
    with pytest.raises(UserError) as e: load_model(tmp_path)
    said = str(e.value)
    assert SUCCESSORS[family][1] in said and '--trust_remote_code' in said and '\n' not in said
    assert not (tmp_path/'ran').exists()
