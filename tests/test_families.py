"One small random model of each architecture, from training to an answer."
import json

import pytest
import torch
import transformers as tf
from conftest import PARROT

from iepile_nb.lib.io import UserError, write_jsonl
from iepile_nb.infer import generate
from iepile_nb.base import seq2seq_answers
from iepile_nb.lora import add_lora, load_model, packs_exactly
from iepile_nb.lib.presets import choose_template
from iepile_nb.prompt import encode_prompt
from iepile_nb.lib.templates import TEMPLATES
from iepile_nb.train import train

SIZES = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=8,
             max_position_embeddings=512, bos_token_id=0, eos_token_id=1, pad_token_id=2)
CONFIGS = {
    'llama': lambda v: tf.LlamaConfig(vocab_size=v, **SIZES), 'mistral': lambda v: tf.MistralConfig(vocab_size=v, sliding_window=64, **SIZES),
    'qwen2': lambda v: tf.Qwen2Config(vocab_size=v, **{k: s for k, s in SIZES.items() if k != 'head_dim'}),
    'qwen3': lambda v: tf.Qwen3Config(vocab_size=v, **SIZES), 'gemma': lambda v: tf.GemmaConfig(vocab_size=v, **SIZES),
    'gemma2': lambda v: tf.Gemma2Config(vocab_size=v, final_logit_softcapping=5., sliding_window=64, **SIZES),
    'glm': lambda v: tf.GlmConfig(vocab_size=v, **SIZES),
    'falcon': lambda v: tf.FalconConfig(vocab_size=v, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, bos_token_id=0, eos_token_id=1),
    'falcon-alibi': lambda v: tf.FalconConfig(vocab_size=v, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, alibi=True, bos_token_id=0, eos_token_id=1),
    't5': lambda v: tf.T5Config(vocab_size=v, d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4, dropout_rate=0., decoder_start_token_id=2, eos_token_id=1, pad_token_id=2),
    'gpt2': lambda v: tf.GPT2Config(vocab_size=v, n_embd=32, n_layer=2, n_head=4, bos_token_id=0, eos_token_id=1, resid_pdrop=0., embd_pdrop=0., attn_pdrop=0.),
}
APART = {'llama', 'mistral', 'qwen2', 'qwen3', 'gemma', 'gemma2', 'glm', 'gpt2'} # rows that are packed into one sequence stay apart


def make(name, tokenizer, folder):
    torch.manual_seed(0)
    config = CONFIGS[name](len(tokenizer))
    kind = tf.AutoModelForSeq2SeqLM if config.is_encoder_decoder else tf.AutoModelForCausalLM
    model = kind.from_config(config)
    for p in model.parameters(): p.data *= 5 if p.dim() > 1 else 1 # lively
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def end_to_end(name, tokenizer, tmp_path):
    folder, rows = make(name, tokenizer, tmp_path/'base'), [{'instruction': q, 'output': a} for q, a in list(PARROT.items())[:2]]
    write_jsonl(tmp_path/'train.json', rows * 4)
    options = dict(model_name_or_path=folder, train_file=tmp_path/'train.json', output_dir=str(tmp_path/'out'), template='alpaca', disable_tqdm=True,
                   per_device_train_batch_size=4, learning_rate=2e-2, max_steps=40, lora_r=8, lora_dropout=0., logging_steps=10, save_strategy='no', eval_f1=2, valid_file=tmp_path/'train.json')
    log = train(**options)['log']
    losses = [e['loss'] for e in log if 'loss' in e]
    assert losses[-1] < .9 * losses[0], (name, losses)
    model, tokenizer = load_model(folder, str(tmp_path/'out'))
    assert packs_exactly(model) == (name in APART)
    if name not in APART:
        with pytest.raises(UserError, match='would let packed rows see each other'): train(**options, packing=True, overwrite=True)
    template = choose_template(model, tokenizer, adapter=str(tmp_path/'out'))
    prompts = [encode_prompt(tokenizer, template, q) for q in PARROT][:2]
    answers = (seq2seq_answers if model.config.is_encoder_decoder else generate)(model, tokenizer, prompts, 12)
    assert len(answers) == 2
    targets = {n.split('.lora_')[0] for n, _ in model.named_parameters() if '.lora_' in n}
    head = model.get_output_embeddings()
    assert targets and not any(model.get_submodule(t) is head for t in targets)
    return losses


def test_llama(tokenizer, tmp_path): end_to_end('llama', tokenizer, tmp_path)


def test_t5(tokenizer, tmp_path): end_to_end('t5', tokenizer, tmp_path)


def test_empty_places_for_t5(tokenizer, tmp_path):
    "Five rows in steps of four, one at a time: the last three batches of the second step hold nothing."
    folder = make('t5', tokenizer, tmp_path/'base')
    write_jsonl(tmp_path/'train.json', [{'instruction': q, 'output': a} for q, a in PARROT.items()])
    r = train(model_name_or_path=folder, train_file=tmp_path/'train.json', output_dir=str(tmp_path/'out'), template='alpaca', disable_tqdm=True, save_strategy='no',
              per_device_train_batch_size=1, gradient_accumulation_steps=4, num_train_epochs=2, logging_steps=1)
    assert len(PARROT) == 5 and [e['step'] for e in r['log'] if 'loss' in e] == [1, 2, 3, 4]


def test_a_state_space_model_is_not_packed(tokenizer, tmp_path):
    "It has no attention, and carries on from one row to the next."
    model = tf.MambaForCausalLM(tf.MambaConfig(vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2))
    assert not packs_exactly(model)
    with pytest.raises(UserError, match='incompatible with Mamba.*--lora_target_modules'): add_lora(model)


@pytest.mark.long
@pytest.mark.parametrize('name', [n for n in CONFIGS if n not in ('llama', 't5')])
def test_family(name, tokenizer, tmp_path): end_to_end(name, tokenizer, tmp_path)
