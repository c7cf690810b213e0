"The engine that decodes many rows: alone or together, of whatever family, they are those of the greedy loop."
import pytest
import torch
from conftest import PARROT, random_llama
from helpers.predicting import prompts
from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig, GPT2Config, GPT2LMHeadModel

from iepile_nb.decode import FreeWriter, end_ids, greedy, greedy_cached
from iepile_nb.infer import generate, predict
from iepile_nb.lib.engine import BatchRow, CachedBatch, decode, reads_flat
from iepile_nb.lib.templates import TEMPLATES
from iepile_nb.lora import load_model
from iepile_nb.prompt import encode_prompt


@pytest.fixture(scope='module')
def parrot(parrot_dir): return load_model(parrot_dir)


@pytest.fixture(scope='module')
def llama(llama_dir): return load_model(llama_dir)


# Where an answer ends

def test_answers_stop_at_the_object(parrot):
    model, tokenizer = parrot
    assert generate(model, tokenizer, prompts(tokenizer, PARROT)) == list(PARROT.values())


def test_answers_stop_at_an_end_token(parrot):
    model, tokenizer = parrot
    bracket = tokenizer.convert_tokens_to_ids(']')
    first = prompts(tokenizer, list(PARROT)[:1])
    cut, = generate(model, tokenizer, first, ends=[bracket, tokenizer.eos_token_id])
    assert cut + '}' == list(PARROT.values())[0]


def test_end_tokens(llama):
    model, tokenizer = llama
    assert end_ids(model, tokenizer, TEMPLATES['alpaca']) == [1]
    assert end_ids(model, tokenizer, TEMPLATES['qwen']) == [1, 4]


def test_answers_stop_at_the_limit(parrot):
    model, tokenizer = parrot
    short, = generate(model, tokenizer, prompts(tokenizer, list(PARROT)[:1]), max_new_tokens=3)
    assert short and list(PARROT.values())[0].startswith(short) and len(short) < 12


# The same answers as the greedy loop's

def test_with_a_cache_or_without(llama, parrot):
    for model, tokenizer in (llama, parrot):
        for prompt in prompts(tokenizer, list(PARROT)[:3]):
            assert greedy_cached(model, prompt, [1], 20) == greedy(model, prompt, [1], 20)


def test_batches_do_not_change_answers(llama, parrot):
    for model, tokenizer in (llama, parrot):
        ids = prompts(tokenizer, [*PARROT, 'w' * 70, 'Q', '甲乙 丙' * 9, *PARROT])
        one = generate(model, tokenizer, ids, max_new_tokens=30, batch_size=1)
        for size in (2, 5, 16):
            assert generate(model, tokenizer, ids, max_new_tokens=30, batch_size=size) == one
        assert len(set(one)) >= 5


def test_greedy_means_greedy(llama):
    "Settings that come with a model do not change what it answers."
    model, tokenizer = llama
    ids = prompts(tokenizer, PARROT)
    plain = generate(model, tokenizer, ids, max_new_tokens=20)
    loop = greedy(model, ids[0], [], 20)
    assert tokenizer.decode(loop, skip_special_tokens=True).strip().startswith(plain[0])
    old = model.generation_config
    model.generation_config = GenerationConfig(
        do_sample=True, temperature=3., top_k=5, repetition_penalty=1.8, no_repeat_ngram_size=2,
        min_new_tokens=30, num_beams=1, eos_token_id=1, pad_token_id=2, bos_token_id=0)
    try: assert generate(model, tokenizer, ids, max_new_tokens=20) == plain
    finally: model.generation_config = old


def test_nothing_to_do(llama): assert generate(*llama, []) == [] and list(predict([], *llama)) == []


FAMILIES = {
    'qwen2': {}, 'gpt2': {'n_embd': 64, 'n_layer': 2, 'n_head': 4}, 'bloom': {'n_layer': 2, 'n_head': 4},
    'falcon': {'alibi': True, 'num_kv_heads': 4}, 'mistral': {'sliding_window': 9}, 'gpt_neox': {},
    'gemma3_text': {'sliding_window': 9, 'layer_types': ['sliding_attention', 'full_attention'],
                    'head_dim': 16},
    'qwen3': {'head_dim': 16}}
FLAT = 'qwen2', 'gpt2', 'mistral', 'gpt_neox', 'gemma3_text', 'qwen3' # whose rows are read as one sequence
SIZES = {'hidden_size': 64, 'intermediate_size': 96, 'num_hidden_layers': 2, 'num_attention_heads': 4,
         'num_key_value_heads': 2, 'initializer_range': .2, 'bos_token_id': 0, 'eos_token_id': 1,
         'pad_token_id': 2}

@pytest.mark.parametrize('family', FAMILIES)
def test_our_loop_says_what_generate_says(family, tokenizer):
    "Models of other families, with sliding windows or without slots too."
    torch.manual_seed(1)
    config = AutoConfig.for_model(family, **{'vocab_size': len(tokenizer), **SIZES, **FAMILIES[family]})
    model = AutoModelForCausalLM.from_config(config).eval()
    asked = [encode_prompt(tokenizer, TEMPLATES['alpaca'], q) for q in ('甲乙丙' * 9, 'Q', 'who?', '甲乙丙' * 3)]
    def theirs(p):
        ids = torch.tensor([p])
        out = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False)
        return out[0, len(p):].tolist()
    writers = [FreeWriter(tokenizer, [1], 12) for _ in asked]
    decode(model, asked, writers, 3)
    for t, w in zip(map(theirs, asked), writers):
        assert t[:len(w.tokens)] == w.tokens and (len(w.tokens) == 12 or w.done)
    assert reads_flat(model) is (family in FLAT)


@pytest.mark.parametrize('attention', ['sdpa', 'eager'])
def test_rows_in_sequence_or_in_a_rectangle(attention, tokenizer):
    "Rows of several new tokens, of one and of none: the scores are the same, and so is what is remembered."
    torch.manual_seed(0)
    model = random_llama(tokenizer).eval()
    model.set_attn_implementation(attention)
    assert reads_flat(model) is (attention == 'sdpa')
    def scores(flat):
        batch = CachedBatch(model, 3, flat)
        batch.enter([BatchRow([5, 6, 7]), BatchRow([8]), BatchRow([9, 10])], [0, 1, 2])
        batch.read([[11, 12, 13, 14], [], [15]], wanted=[2])
        batch.keep([0, 2])
        return batch.read([[16], [17, 18]])
    sequence, rectangle = scores(reads_flat(model)), scores(False)
    torch.testing.assert_close(sequence, rectangle, atol=1e-4, rtol=1e-4)
    model.set_attn_implementation('eager') # changed behind the engine's back
    assert not reads_flat(model)
    torch.testing.assert_close(scores(None), rectangle, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize('kind', ['gpt2', 'llama'])
def test_places_of_a_batch_that_are_empty(kind, tokenizer):
    "So few rows may wait for a beginning to be read that a place in the batch stays empty for some steps."
    torch.manual_seed(0)
    model = random_llama(tokenizer) if kind == 'llama' else GPT2LMHeadModel(GPT2Config(
        vocab_size=len(tokenizer), n_embd=64, n_layer=2, n_head=4, n_positions=128, initializer_range=.2,
        bos_token_id=0, eos_token_id=1))
    model.eval()
    texts = [*(f'{c} is' for c in 'abcdefghijklmno'), 'a is not']
    asked, starts = [tokenizer.encode(t) for t in texts], [t[0] for t in texts]
    def answers(size):
        writers = [FreeWriter(tokenizer, [], 12) for _ in asked]
        decode(model, asked, writers, size, starts)
        return [w.tokens for w in writers]
    assert answers(16) == answers(1)
