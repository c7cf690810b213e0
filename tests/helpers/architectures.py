"Small random models of each architecture, and the whole way with one: train, load, ask."
import pytest
import torch
import transformers as tf
from conftest import PARROT

from iepile_nb.base import seq2seq_answers
from iepile_nb.infer import generate
from iepile_nb.lib.baichuan import BaichuanConfig
from iepile_nb.lib.io import UserError, write_jsonl
from iepile_nb.lib.presets import choose_template
from iepile_nb.lib.validation import score_answers
from iepile_nb.lora import load_model, packs_exactly
from iepile_nb.prompt import encode_prompt
from iepile_nb.train import train

TOKENS = dict(bos_token_id=0, eos_token_id=1, pad_token_id=2)
SIZES = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=512, **TOKENS)
HEADS = dict(SIZES, head_dim=8)
FALCON = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, bos_token_id=0, eos_token_id=1)
BAICHUAN = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, **TOKENS)
CONFIGS = {
    'llama': lambda v: tf.LlamaConfig(vocab_size=v, **HEADS),
    'mistral': lambda v: tf.MistralConfig(vocab_size=v, sliding_window=64, **HEADS),
    'qwen2': lambda v: tf.Qwen2Config(vocab_size=v, **SIZES),
    'qwen3': lambda v: tf.Qwen3Config(vocab_size=v, **HEADS),
    'gemma': lambda v: tf.GemmaConfig(vocab_size=v, **HEADS),
    'gemma2': lambda v: tf.Gemma2Config(vocab_size=v, final_logit_softcapping=5., sliding_window=64, **HEADS),
    'glm': lambda v: tf.GlmConfig(vocab_size=v, **HEADS),
    'falcon': lambda v: tf.FalconConfig(vocab_size=v, **FALCON),
    'falcon-alibi': lambda v: tf.FalconConfig(vocab_size=v, alibi=True, **FALCON),
    't5': lambda v: tf.T5Config(vocab_size=v, d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4,
                                dropout_rate=0., decoder_start_token_id=2, eos_token_id=1, pad_token_id=2),
    'baichuan-7b': lambda v: BaichuanConfig(vocab_size=v, **BAICHUAN, max_position_embeddings=512),
    'baichuan-13b': lambda v: BaichuanConfig(vocab_size=v, **BAICHUAN),
    'gpt2': lambda v: tf.GPT2Config(vocab_size=v, n_embd=32, n_layer=2, n_head=4, bos_token_id=0,
                                    eos_token_id=1, resid_pdrop=0., embd_pdrop=0., attn_pdrop=0.),
}
# rows that are packed into one sequence stay apart
APART = {'llama', 'mistral', 'qwen2', 'qwen3', 'gemma', 'gemma2', 'glm', 'gpt2', 'baichuan-7b',
         'baichuan-13b'}


def save_random(name, tokenizer, folder):
    "Save a lively random model of an architecture, with the tokenizer."
    torch.manual_seed(0)
    config = CONFIGS[name](len(tokenizer))
    kind = tf.AutoModelForSeq2SeqLM if config.is_encoder_decoder else tf.AutoModelForCausalLM
    model = kind.from_config(config)
    for p in model.parameters(): p.data *= 5 if p.dim() > 1 else 1
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def train_and_ask(name, tokenizer, tmp_path):
    "Train an adapter, load it, ask two questions; the loss falls, packing is refused where it must be."
    folder = save_random(name, tokenizer, tmp_path/'base')
    data, out = tmp_path/'train.json', str(tmp_path/'out')
    write_jsonl(data, [{'instruction': q, 'output': a} for q, a in list(PARROT.items())[:2]] * 4)
    options = dict(model_name_or_path=folder, train_file=data, valid_file=data, output_dir=out,
                   template='alpaca', per_device_train_batch_size=4, learning_rate=2e-2, max_steps=40,
                   lora_r=8, lora_dropout=0., logging_steps=10, save_strategy='no', eval_f1=2,
                   scorer=score_answers, disable_tqdm=True)
    losses = [e['loss'] for e in train(**options)['log'] if 'loss' in e]
    assert losses[-1] < .9 * losses[0], (name, losses)
    model, tokenizer = load_model(folder, out)
    assert packs_exactly(model) == (name in APART)
    if name not in APART:
        with pytest.raises(UserError, match='would let packed rows see each other'):
            train(**options, packing=True, overwrite=True)
    template = choose_template(model, tokenizer, adapter=out)
    prompts = [encode_prompt(tokenizer, template, q) for q in PARROT][:2]
    answers = seq2seq_answers if model.config.is_encoder_decoder else generate
    assert len(answers(model, tokenizer, prompts, 12)) == 2
    targets = {n.split('.lora_')[0] for n, _ in model.named_parameters() if '.lora_' in n}
    head = model.get_output_embeddings()
    assert targets and not any(model.get_submodule(t) is head for t in targets)
