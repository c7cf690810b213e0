"A small Llama in a GGUF file, as llama.cpp's converter writes one."
import torch


def _permuted(weight, heads):
    "Rows of a query or key matrix in llama.cpp's order, which turns neighbours instead of halves."
    n, width = weight.shape
    return weight.view(heads, 2, n // heads // 2, width).swapaxes(1, 2).reshape(n, width)


NAMES = {'self_attn.q_proj': 'attn_q', 'self_attn.k_proj': 'attn_k', 'self_attn.v_proj': 'attn_v',
         'self_attn.o_proj': 'attn_output', 'mlp.gate_proj': 'ffn_gate', 'mlp.up_proj': 'ffn_up',
         'mlp.down_proj': 'ffn_down', 'input_layernorm': 'attn_norm', 'post_attention_layernorm': 'ffn_norm'}


def write_gguf(path, model, tokenizer):
    import gguf
    c, w = model.config, gguf.GGUFWriter(str(path), 'llama')
    w.add_context_length(c.max_position_embeddings)
    w.add_embedding_length(c.hidden_size)
    w.add_block_count(c.num_hidden_layers)
    w.add_feed_forward_length(c.intermediate_size)
    w.add_head_count(c.num_attention_heads)
    w.add_head_count_kv(c.num_key_value_heads)
    w.add_layer_norm_rms_eps(c.rms_norm_eps)
    w.add_rope_freq_base(10_000.)
    w.add_vocab_size(c.vocab_size)
    _vocabulary(w, tokenizer, c.vocab_size)
    for name, p in model.state_dict().items():
        w.add_tensor(_name(name), _packed(name, p.float(), c).contiguous().numpy())
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def _vocabulary(w, tokenizer, size):
    import json
    pieces = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    special = set(tokenizer.all_special_ids)
    merges = json.loads(tokenizer.backend_tokenizer.to_str())['model']['merges']
    w.add_tokenizer_model('gpt2')
    w.add_token_list(pieces + [f'[unused{i}]' for i in range(size - len(pieces))])
    w.add_token_types([3 if i in special else 1 for i in range(size)])
    w.add_token_merges([m if isinstance(m, str) else ' '.join(m) for m in merges])
    w.add_bos_token_id(tokenizer.bos_token_id or 0)
    w.add_eos_token_id(tokenizer.eos_token_id)


def _name(name):
    if not name.startswith('model.layers.'):
        return {'model.embed_tokens.weight': 'token_embd.weight', 'model.norm.weight': 'output_norm.weight',
                'lm_head.weight': 'output.weight'}[name]
    _, _, i, rest = name.split('.', 3)
    return f"blk.{i}.{NAMES[rest.removesuffix('.weight')]}.weight"


def _packed(name, p, c):
    if 'q_proj' in name: return _permuted(p, c.num_attention_heads)
    return _permuted(p, c.num_key_value_heads) if 'k_proj' in name else p


def same_answers(a, b, ids):
    with torch.no_grad(): return [m(torch.tensor([ids])).logits for m in (a, b)]
