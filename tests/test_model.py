"Loading: what is found, what is refused and with which words, quantisation and adapters."
import json, shutil

import pytest
import torch

from iepile_nb import model as M
from iepile_nb.lib.io import UserError
from iepile_nb.base import check_family, find_model, load_base, pick_dtype, quantization
from iepile_nb.lora import (adapter_folders, add_lora, answer_loss, find_adapter, load_model,
                            packs_exactly)
from iepile_nb.lib.contract import contract_template, make_contract
from iepile_nb.lib.presets import PRESETS, choose_template
from iepile_nb.lib.memory import PeakMemory, plan, plan_memory, shape_of
from iepile_nb.lib.publish import merged
from iepile_nb.lib.merge_check import compare_merged
from iepile_nb.prompt import Encoded, collate, encode_row
from iepile_nb.lib.templates import TEMPLATES, Token
from iepile_nb.windows import pack


@pytest.fixture(scope='module')
def adapter(llama_dir, tmp_path_factory):
    "An adapter that changes what the model says."
    folder = tmp_path_factory.mktemp('adapter')/'a'
    lora = add_lora(load_base(llama_dir)[0], r=2)
    torch.manual_seed(1)
    for n, p in lora.named_parameters():
        if 'lora_B' in n: torch.nn.init.normal_(p, std=.3)
    lora.save_pretrained(folder)
    return folder


def logits(model): 
    with torch.no_grad(): return model(torch.tensor([[0, 70, 80, 90]])).logits[0, -1]


# Finding

def test_a_folder_is_found(llama_dir): assert find_model(llama_dir) == str(llama_dir)

def test_an_adapter_as_base_names_its_base(adapter, llama_dir):
    with pytest.raises(UserError) as e: load_model(adapter)
    assert f'use --model_name_or_path {llama_dir} --checkpoint_dir {adapter}' in str(e.value)

@pytest.mark.parametrize('name', ['./nope', '/no/such/model', 'a/b/c', '~/nope'])
def test_a_wrong_path(name):
    with pytest.raises(UserError, match='no such folder; check the path'): load_model(name)

def test_a_folder_without_a_model(tmp_path):
    with pytest.raises(UserError, match='no config.json there'): load_model(tmp_path)

def test_a_name_that_the_hub_does_not_give():
    with pytest.raises(UserError, match='set HF_ENDPOINT to a mirror'): load_model('no-such-owner/no-such-model')

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
    config.update(model_type='strange', auto_map={'AutoConfig': 'c.Config', 'AutoModelForCausalLM': 'c.Model'})
    (tmp_path/'m/config.json').write_text(json.dumps(config))
    (tmp_path/'m/c.py').write_text(f'open({str(tmp_path/"ran")!r}, "w")')
    with pytest.raises(UserError, match='--trust_remote_code'): load_model(tmp_path/'m')
    assert not (tmp_path/'ran').exists()


# Formats

def test_dtypes(monkeypatch, caplog):
    for can in ([torch.float32], [torch.float16, torch.float32], [torch.bfloat16, torch.float16, torch.float32]):
        monkeypatch.setattr(M, 'fast_dtypes', lambda: can)
        pick_dtype.cache_clear()
        caplog.clear()
        assert pick_dtype() == can[0] and pick_dtype('fp32') == torch.float32
        assert pick_dtype('bf16') == pick_dtype('bf16') == can[0]
        assert len(caplog.records) == (torch.bfloat16 not in can)
    pick_dtype.cache_clear()

def test_a_gpu_is_left_alone_if_asked(monkeypatch, llama_dir):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(M, 'pick_dtype', lambda asked: torch.float32)
    monkeypatch.delenv('LOCAL_RANK', raising=False)
    assert M.device_map() == 'auto' and M.device_map(cpu=True) == {'': 'cpu'}
    assert load_base(llama_dir, dtype=None, cpu=True)[0].device.type == 'cpu'

def test_bits(llama_dir):
    with pytest.raises(UserError, match='there are 16, 8 and 4'): load_model(llama_dir, bits=5)

@pytest.mark.parametrize('bits', [4, 8])
def test_quantised(llama_dir, bits):
    full, small = (load_model(llama_dir, bits=b)[0] for b in (16, bits))
    assert small.is_quantized and small.get_memory_footprint() < full.get_memory_footprint()
    assert torch.nn.functional.cosine_similarity(logits(full), logits(small), 0) > .9
    q = quantization(4, torch.float32)
    assert (q.bnb_4bit_quant_type, q.bnb_4bit_use_double_quant) == ('nf4', True)

def test_padding(llama_dir, tmp_path):
    shutil.copytree(llama_dir, tmp_path/'m')
    config = json.loads((tmp_path/'m/tokenizer_config.json').read_text())
    config.pop('pad_token')
    (tmp_path/'m/tokenizer_config.json').write_text(json.dumps(config))
    tokenizer = load_base(tmp_path/'m')[1]
    assert tokenizer.pad_token == tokenizer.eos_token and tokenizer.padding_side == 'left'


# Adapters

@pytest.mark.parametrize('bits', [16, 4])
def test_all_linear_layers_but_the_head(llama_dir, bits):
    lora = add_lora(load_base(llama_dir, bits)[0], r=2)
    trained = {n.split('.lora_')[0].rpartition('.')[2] for n, p in lora.named_parameters() if p.requires_grad}
    assert trained == {'q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'}
    assert lora.peft_config['default'].lora_alpha == 4

def test_named_layers(llama_dir):
    lora = add_lora(load_base(llama_dir)[0], targets=['q_proj', 'mlp.up_proj'])
    trained = {n.split('.lora_')[0].rpartition('.')[2] for n, p in lora.named_parameters() if p.requires_grad}
    assert trained == {'q_proj', 'up_proj'}
    with pytest.raises(UserError, match="no layer 'c_attn'; it has down_proj"): add_lora(load_base(llama_dir)[0], targets=['c_attn'])

def test_what_is_trained_is_float32(llama_dir, tmp_path):
    model, tokenizer = load_base(llama_dir)
    half = lambda m: m.to(torch.bfloat16)
    lora = add_lora(half(model), r=2, also=['embed_tokens', 'lm_head'])
    assert {p.dtype for p in lora.parameters() if p.requires_grad} == {torch.float32}
    assert {p.dtype for p in lora.parameters() if not p.requires_grad} == {torch.bfloat16} and lora.dtype == torch.bfloat16
    assert packs_exactly(lora.get_base_model()) and logits(lora).isfinite().all()
    answer_loss(lora.get_base_model(), collate([encode_row(tokenizer, TEMPLATES['alpaca'], 'Q', 'A')], 2), net=lora).backward()
    assert all(p.grad.dtype == torch.float32 for p in lora.parameters() if p.requires_grad and p.grad is not None)
    lora.save_pretrained(tmp_path/'a')
    again = M.load_adapters(half(load_base(llama_dir)[0]), [str(tmp_path/'a')], trainable=True)
    assert {p.dtype for p in again.parameters() if p.requires_grad} == {torch.float32} and logits(again).isfinite().all()
    plain = M.load_adapters(half(load_base(llama_dir)[0]), [str(tmp_path/'a')])
    assert {p.dtype for n, p in plain.named_parameters() if 'lora' not in n} == {torch.bfloat16} and logits(plain).isfinite().all()

def test_adapter_counts(llama_dir, adapter):
    base, lora = load_model(llama_dir)[0], load_model(llama_dir, adapter)[0]
    assert not torch.allclose(logits(base), logits(lora), atol=1e-3)
    assert not any(p.requires_grad for p in lora.parameters())
    assert any(p.requires_grad for p in load_model(llama_dir, adapter, trainable=True)[0].parameters())

def test_several_adapters_add_up(llama_dir, adapter):
    one, two = (load_model(llama_dir, c)[0] for c in (adapter, f'{adapter}, {adapter}'))
    assert len(two.peft_config) == 1
    change = lambda m: logits(m) - logits(load_model(llama_dir)[0])
    assert not torch.allclose(change(one), change(two), atol=1e-3)
    merged = load_model(llama_dir, adapter)[0].merge_and_unload()
    again = M.PeftModel.from_pretrained(merged, adapter)
    assert torch.allclose(logits(two), logits(again), atol=1e-5)
    with pytest.raises(UserError, match='use --bits 16'): load_model(llama_dir, f'{adapter},{adapter}', bits=4)

def test_an_adapter_of_another_shape_is_refused(llama_dir, adapter, tmp_path):
    config = M.AutoModelForCausalLM.from_pretrained(llama_dir).config
    config.hidden_size, config.head_dim = 32, 8
    M.AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path/'other')
    shutil.copy(llama_dir/'tokenizer.json', tmp_path/'other')
    shutil.copy(llama_dir/'tokenizer_config.json', tmp_path/'other')
    with pytest.raises(UserError, match=f'does not fit .*other; it is for {llama_dir}'): load_model(tmp_path/'other', adapter)

def test_another_base_of_the_same_shape_is_said(llama_dir, adapter, tmp_path, caplog):
    shutil.copytree(llama_dir, tmp_path/'namesake')
    load_model(tmp_path/'namesake', adapter)
    assert 'was trained on' in caplog.text

def test_no_adapter_there(llama_dir, tmp_path):
    with pytest.raises(UserError, match='not an adapter folder'): load_model(llama_dir, tmp_path)

def test_an_adapter_on_the_hub(llama_dir, adapter, monkeypatch):
    import huggingface_hub
    monkeypatch.setattr(huggingface_hub, 'snapshot_download', lambda name, allow_patterns: str(adapter))
    assert adapter_folders('some/adapter, ' + str(adapter)) == [str(adapter)] * 2
    load_model(llama_dir, 'some/adapter')

def test_an_adapter_that_the_hub_does_not_give():
    with pytest.raises(UserError, match='no such adapter folder, and the hub'): find_adapter('no-such-owner/no-such-adapter')
    with pytest.raises(UserError, match='not an adapter folder'): find_adapter('/no/such/adapter')


# Prompts that were agreed on

@pytest.fixture(scope='module')
def llama(llama_dir): return load_base(llama_dir)

@pytest.fixture
def agreed(llama, adapter, tmp_path):
    "The adapter with a contract: llama2, 700 tokens."
    shutil.copytree(adapter, tmp_path/'agreed')
    (tmp_path/'agreed'/M.CONTRACT).write_text(json.dumps(make_contract(*llama, TEMPLATES['llama2'], cutoff_len=700, bits=16, dtype='float32')))
    return str(tmp_path/'agreed')

def test_the_template_comes_from_the_adapter(llama, agreed):
    assert choose_template(*llama, adapter=agreed) == TEMPLATES['llama2'] == choose_template(*llama, 'llama2', f'other, {agreed}')

def test_another_template_is_refused(llama, agreed, caplog):
    with pytest.raises(UserError, match='the template was llama2, now alpaca.*--force'): choose_template(*llama, 'alpaca', agreed)
    assert choose_template(*llama, 'alpaca', agreed, force=True) == TEMPLATES['alpaca']
    assert 'used all the same (--force): the template was llama2, now alpaca' in caplog.text

def test_another_base_is_refused(llama, agreed, llama_dir, tmp_path):
    model, tokenizer = load_base(llama_dir)
    with torch.no_grad(): model.get_input_embeddings().weight.mul_(1.5)
    with pytest.raises(UserError, match='the base was .*llama, now .*llama, whose weights are others'): choose_template(model, tokenizer, adapter=agreed)
    for dtype in (torch.bfloat16, torch.float16): assert choose_template(load_base(llama_dir)[0].to(dtype), tokenizer, adapter=agreed)
    shutil.copytree(llama_dir, tmp_path/'renamed')
    assert choose_template(*load_base(tmp_path/'renamed', bits=4), adapter=agreed)

def test_other_special_tokens_are_refused(llama, agreed):
    from copy import deepcopy
    tokenizer = deepcopy(llama[1])
    tokenizer.eos_token = '<pad>'
    with pytest.raises(UserError, match='the special tokens were .*</s>.*now .*<pad>'): choose_template(llama[0], tokenizer, adapter=agreed)

def test_other_lengths_are_said(llama, agreed, caplog):
    choose_template(*llama, adapter=agreed, cutoff_len=700, bits=None, dtype='bfloat16')
    assert caplog.messages == ['dtype is bfloat16, but was float32 in training']

def test_without_a_contract(llama, adapter, tmp_path):
    with pytest.raises(UserError, match='does not say which prompt'): choose_template(*llama, adapter=str(adapter))
    assert choose_template(*llama, 'llama2', str(adapter)) == TEMPLATES['llama2']
    assert choose_template(*llama, adapter=str(adapter), name='oneke') == TEMPLATES['llama2_zh']
    shutil.copytree(adapter, tmp_path/'llama2-13b-iepile-lora')
    assert choose_template(*llama, adapter=str(tmp_path/'llama2-13b-iepile-lora')) == TEMPLATES['llama2']
    assert choose_template(*llama) == TEMPLATES['alpaca'] # no adapter, no chat template

def with_contract(folder, base, adapter, under='', **more):
    "A copy of an adapter, with a contract."
    shutil.copytree(adapter, folder)
    (folder/M.CONTRACT).write_text(json.dumps(make_contract(*base, TEMPLATES['llama2'], bits=16, under=M.underneath(base[0], under), **more)))
    return str(folder)

def test_adapters_underneath_are_asked_for(llama, adapter, agreed, llama_dir, tmp_path, caplog):
    top = with_contract(tmp_path/'top', llama, adapter, agreed)
    with pytest.raises(UserError, match=f'the base held {agreed}, now it does not .--checkpoint_dir {agreed},{top}.*--force'): choose_template(*llama, adapter=top)
    assert choose_template(*llama, adapter=f'{agreed}, {top}') == TEMPLATES['llama2'] == choose_template(*llama, adapter=agreed)
    shutil.copytree(agreed, tmp_path/'renamed')
    assert choose_template(*llama, adapter=f'{tmp_path}/renamed,{top}')
    assert choose_template(*llama, adapter=top, force=True) and 'the base held' in caplog.text

def test_a_merged_base_holds_its_adapters(llama, adapter, agreed, llama_dir, tmp_path):
    line = ['merge', '--model_name_or_path', str(llama_dir), '--checkpoint_dir', agreed, '--output_dir', str(tmp_path/'whole')]
    assert M.main(line) == 0
    whole = load_base(tmp_path/'whole')
    on_whole, on_agreed = with_contract(tmp_path/'x', whole, adapter), with_contract(tmp_path/'y', llama, adapter, agreed)
    for a in (on_whole, on_agreed):
        assert choose_template(*whole, adapter=a) and choose_template(*llama, adapter=f'{agreed},{a}')
        with pytest.raises(UserError, match='the base held'): choose_template(*llama, adapter=a)
    assert M.main([*line[:-1], str(tmp_path/'z'), '--checkpoint_dir', on_agreed]) == 1

def test_a_contract_on_the_hub(llama, adapter, agreed, monkeypatch, tmp_path, capsys, llama_dir):
    import huggingface_hub
    asked = []
    def cached(name, file, revision=None, **soft):
        asked.append((name, revision))
        if name == 'some/gone': raise OSError('no such repository')
        return f'{agreed}/{file}' if name == 'some/adapter' else None
    monkeypatch.setattr(M, 'cached_file', cached)
    monkeypatch.setattr(huggingface_hub, 'snapshot_download', lambda name, allow_patterns: agreed)
    assert M.read_contract('some/adapter')['template'] == 'llama2' == M.read_contract('x, some/adapter')['template']
    assert M.read_contract('some/base') is None is M.read_contract('some/gone') and M.read_contract('./no/adapter') is None
    assert choose_template(*llama, adapter='some/adapter') == TEMPLATES['llama2']
    with pytest.raises(UserError, match='now alpaca'): choose_template(*llama, 'alpaca', 'some/adapter')
    base, tokenizer = load_base(llama_dir)
    base.name_or_path, base.config._commit_hash = 'some/adapter', 'abc' # as a base that was trained whole
    assert choose_template(base, tokenizer) == TEMPLATES['llama2'] and asked[-1] == ('some/adapter', 'abc')
    assert M.main(['merge', '--model_name_or_path', str(llama_dir), '--checkpoint_dir', 'some/adapter', '--output_dir', str(tmp_path/'m')]) == 0
    assert M.read_contract(tmp_path/'m')['template'] == 'llama2' and M.read_contract(tmp_path/'m')['under'][0]['adapter'] == 'some/adapter'

def test_merging_takes_bits_from_the_contract_and_writes_one(llama, llama_dir, adapter, tmp_path, capsys):
    line = ['merge', '--model_name_or_path', str(llama_dir), '--checkpoint_dir', str(adapter)]
    assert M.main([*line, '--output_dir', str(tmp_path/'a')]) == 0 and M.read_contract(tmp_path/'a') is None # nobody knows
    assert M.main([*line, '--output_dir', str(tmp_path/'b'), '--template', 'llama2']) == 0 and M.read_contract(tmp_path/'b')['template'] == 'llama2'
    four = with_contract(tmp_path/'four', llama, adapter)
    c = json.loads((tmp_path/'four'/M.CONTRACT).read_text())
    (tmp_path/'four'/M.CONTRACT).write_text(json.dumps({**c, 'bits': 4}))
    assert M.main([*line[:-1], four, '--output_dir', str(tmp_path/'c')]) == 0 and 'on weights of 4 bits' in capsys.readouterr().out

@pytest.mark.parametrize('name', list(TEMPLATES))
def test_a_contract_gives_its_template_back(llama, name):
    c = json.loads(json.dumps(make_contract(*llama, TEMPLATES[name])))
    assert contract_template(c) == TEMPLATES[name] and [isinstance(p, Token) for p in contract_template(c).pieces] == [isinstance(p, Token) for p in TEMPLATES[name].pieces]

@pytest.mark.parametrize('name', PRESETS)
def test_presets(name):
    import argparse
    assert {'model_name_or_path', 'template', 'bits', 'lora_r', 'lora_alpha', 'cutoff_len'} <= PRESETS[name].keys()
    assert PRESETS[name]['template'] in (*TEMPLATES, 'auto')
    from iepile_nb.lib.options import settings
    o = settings(preset=name, cutoff_len=99)
    assert o.cutoff_len == 99 and o.lora_r == PRESETS[name]['lora_r'] and o.model_name_or_path == PRESETS[name]['model_name_or_path']


# Less work, the same loss

def test_logits_at_answers_give_the_same_loss(llama):
    model, tokenizer = llama
    rows = [encode_row(tokenizer, TEMPLATES['alpaca'], 'Q' * n, 'A' * (n + 1)) for n in (1, 5, 30, 2)]
    def own(rows):
        b, n = collate(rows, 2), max(len(r.input_ids) for r in rows)
        labels = torch.tensor([[-100] * (n - len(r.labels)) + r.labels for r in rows])
        return model(**{k: b[k] for k in ('input_ids', 'attention_mask', 'position_ids')}, labels=labels).loss
    with torch.no_grad():
        ours = [answer_loss(model, make(rows, 2)) for make in (collate, pack)]
        whole, alone = own(rows), [own([r]) * sum(l != -100 for l in r.labels) for r in rows]
    n = sum(l != -100 for r in rows for l in r.labels)
    for loss in (*ours, sum(alone) / n): assert torch.allclose(loss, whole, atol=2e-5)

def test_answers_of_a_model_on_several_devices(llama):
    "The last layer lies on one device, the batch on another (here one without numbers)."
    model, tokenizer = llama
    batch, seen = collate([encode_row(tokenizer, TEMPLATES['alpaca'], 'Q', 'A')], 2), {}
    class Elsewhere(torch.Tensor):
        @classmethod
        def __torch_function__(cls, f, types, args=(), kwargs=None):
            if f is torch.Tensor.to: seen[args[0].shape] = args[1]
            return super().__torch_function__(f, types, args, kwargs or {})
    batch = {k: v.as_subclass(Elsewhere) if k in ('places', 'labels') else v for k, v in batch.items()}
    answer_loss(model, batch)
    assert list(seen.values()) == [torch.device('cpu')] * len(seen) and batch['labels'].shape in seen

def test_gradients_are_the_same(llama):
    model, tokenizer = llama
    rows = [encode_row(tokenizer, TEMPLATES['alpaca'], 'Q' * n, 'A' * (n + 1)) for n in (1, 5, 30)]
    grads = []
    for make in (collate, pack):
        model.zero_grad()
        answer_loss(model, make(rows, 2)).backward()
        grads.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
    assert torch.allclose(*grads, atol=1e-5) and grads[0].abs().max() > .01
    model.zero_grad()

def test_family_is_checked(llama, caplog):
    for name in ('llama', 'vicuna', None, 'llama3', 'custom'): assert check_family(name, llama[0]) == 'llama'
    assert not caplog.text
    check_family('chatglm', llama[0])
    assert '--model_name chatglm, but this model is of the family llama' in caplog.text

@pytest.mark.parametrize('p', [.1, .5])
def test_lean_dropout_computes_the_same(p):
    x, w = torch.randn(3, 50, 16, dtype=torch.double, requires_grad=True), torch.randn(4, 16, dtype=torch.double, requires_grad=True)
    torch.manual_seed(3)
    kept = M._kept(x, p)
    wanted = torch.nn.functional.linear(x * kept / (1 - p), w)
    torch.manual_seed(3)
    got = M._DropLinear.apply(x, w, p)
    up = torch.randn_like(got)
    assert torch.allclose(got, wanted) and abs((~M._kept(torch.empty(999, 101), p)).double().mean() - p) < .01
    for a, b in zip(torch.autograd.grad(got, (x, w), up), torch.autograd.grad(wanted, (x, w), up)): assert torch.allclose(a, b)

def test_lean_dropout_is_only_on_in_training(llama_dir, adapter):
    model = load_model(llama_dir, adapter, trainable=True)[0]
    plain = load_model(llama_dir, adapter)[0]
    names = lambda m: {n for n, _ in m.named_parameters()}
    assert names(model) == names(plain) and model.state_dict().keys() == plain.state_dict().keys()
    assert torch.allclose(logits(model.eval()), logits(plain), atol=1e-6)
    model.train()
    assert not torch.allclose(logits(model), logits(model), atol=1e-6) # other inputs are dropped each time
    assert torch.allclose(logits(model.merge_and_unload().eval()), logits(plain), atol=1e-4)


# Plans, merging, the command

def test_a_plan_is_what_a_step_takes(llama_dir):
    shape, real = shape_of(llama_dir, torch.float32), add_lora(load_base(llama_dir)[0]).train()
    rows = [Encoded([5] * 200, [-100] * 170 + [5] * 30)] * 6
    with PeakMemory(real.parameters()) as seen: answer_loss(real.get_base_model(), collate(rows, 0), net=real).backward()
    planned = plan_memory(shape, 16, 6, 200, 180)
    assert .8 < (planned['activations'] + planned['gradients'] + planned['logits']) / seen.peak < 1.25
    assert planned['weights'] == sum(p.nbytes for p in load_base(llama_dir)[0].parameters())
    small = plan_memory(shape, 4, 6, 200, 180)['weights'], sum(p.nbytes for p in load_base(llama_dir, 4)[0].parameters())
    assert small[0] == pytest.approx(small[1], rel=.1)

def test_a_plan_gives_advice(llama_dir):
    shape = shape_of(llama_dir, torch.float32)
    fits, tight = plan(shape, [(200, 30)] * 9, rows=8, memory=1e12, speed=1e9), plan(shape, [(200, 30)] * 9, rows=8, memory=1e6)
    assert not fits.advice and fits.seconds > 0 and 'it fits' in str(fits)
    assert 'it does not fit' in str(tight) and tight.advice[0].startswith('with --gradient_checkpointing') and '--bits 4' in tight.advice[2]

def rows_file(path):
    from iepile_nb.lib.io import write_jsonl
    q = lambda c: json.dumps({'instruction': 'i', 'schema': ['a'], 'input': c})
    write_jsonl(path, [{'task': 'NER', 'instruction': q(c * 5), 'output': json.dumps({'a': [c]})} for c in 'xyz'])
    return path

def test_plan_command(llama_dir, tmp_path, capsys):
    rows = rows_file(tmp_path/'train.json')
    line = ['plan', '--model_name_or_path', str(llama_dir), '--train_file', str(rows), '--lora_r', '4', '--template', 'alpaca', '--memory', '4', '--dry_run']
    assert M.main(line) == 0
    out = capsys.readouterr().out
    for part in ('3 rows of', 'activations', 'it fits', 'time: about', 'three steps on the longest rows'): assert part in out, out

@pytest.mark.parametrize('bits', [16, 4])
def test_merge_command(llama_dir, adapter, tmp_path, capsys, bits):
    base, tokenizer = load_base(llama_dir, bits)
    shutil.copytree(adapter, tmp_path/'a')
    (tmp_path/'a'/M.CONTRACT).write_text(json.dumps(make_contract(base, tokenizer, TEMPLATES['alpaca'], bits=bits)))
    line = ['merge', '--model_name_or_path', str(llama_dir), '--checkpoint_dir', str(tmp_path/'a'), '--output_dir', str(tmp_path/'m')]
    assert M.main([*line, '--check_file', str(rows_file(tmp_path/'rows.json')), '--limit', '2']) == 0
    out = capsys.readouterr().out
    assert '2 rows asked' in out and 'f1' in out and (bits == 16) == ('on weights of' not in out)
    model, tokenizer = load_model(tmp_path/'m')
    assert not getattr(model, 'is_quantized', False) and choose_template(model, tokenizer) == TEMPLATES['alpaca']
    assert torch.allclose(logits(model), logits(load_model(llama_dir, tmp_path/'a', bits)[0]), atol=.1 if bits == 4 else 1e-4) # kernels of 4 bits round, too
    assert M.main(line) == 1 and 'is not empty' in capsys.readouterr().err

def test_what_merging_needs_is_looked_at_first(llama_dir, adapter, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(M, 'merged', lambda *a, **kw: pytest.fail('merged'))
    (tmp_path/'records.json').write_text('{"text": "x", "entity": []}\n')
    line = ['merge', '--model_name_or_path', str(llama_dir), '--checkpoint_dir', str(adapter), '--output_dir']
    for out, check, said in (('m', 'nope.json', 'nope.json: no such file'), ('m', 'records.json', 'look like records'), ('.', 'nope.json', 'is not empty')):
        assert M.main([*line, str(tmp_path/out), '--check_file', str(tmp_path/check)]) == 1 and said in capsys.readouterr().err
    with pytest.raises(UserError, match='nothing to compare'): compare_merged([{'text': 'x'}], load_base(llama_dir), load_base(llama_dir), TEMPLATES['alpaca'])

def test_other_parts_of_the_command(adapter, tmp_path, capsys):
    assert M.main(['presets']) == 0 and 'oneke' in capsys.readouterr().out
    assert M.main(['push', str(tmp_path), 'me/mine']) == 1 and 'neither an adapter nor a model' in capsys.readouterr().err
    assert M.main(['push', str(adapter), 'mine']) == 1 and 'OWNER/NAME' in capsys.readouterr().err
    with pytest.raises(SystemExit) as e: M.main(['presets', '--stray'])
    assert e.value.code == 2
