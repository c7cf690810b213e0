"Rows that share their start in a batch: loss and gradients are those of padded rows."
import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, Gemma3TextConfig, MistralConfig, Qwen2Config

from iepile_nb.lib import shared_starts
from iepile_nb.lib.shared_starts import attend_by_rows, share_starts, tree_of
from iepile_nb.lora import add_lora, answer_loss, load_model
from iepile_nb.prompt import Encoded, collate
from iepile_nb.train import batcher

SIZES = dict(vocab_size=60, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, head_dim=8, pad_token_id=0)


def small(kind, **more):
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(kind(**{**SIZES, **more}), dtype=torch.float32).train()


def made_up(n, seed=0):
    "Rows of which some begin alike, one is another's beginning, and two are the same."
    rng = random.Random(seed)
    starts = [[rng.randrange(1, 60) for _ in range(rng.randint(0, 12))] for _ in range(3)]
    def row():
        ids = rng.choice(starts) + [rng.randrange(1, 60) for _ in range(rng.randint(2, 9))]
        k = rng.randint(1, len(ids) - 1)
        return Encoded(ids, [-100] * k + ids[k:])
    rows = [row() for _ in range(n)]
    ids = rows[0].input_ids
    return [*rows, rows[0], Encoded(ids[:-1], [-100] + ids[1:-1])]


def gradients(model, batch):
    model.zero_grad()
    loss = answer_loss(model, batch)
    loss.backward()
    return loss.item(), [p.grad.clone() for p in model.parameters() if p.grad is not None]


WINDOW = dict(sliding_window=6) # shorter than most rows
GEMMA = dict(num_hidden_layers=3, layer_types=['sliding_attention', 'full_attention', 'sliding_attention'])
QWEN = dict(use_sliding_window=True, max_window_layers=1)


@pytest.mark.parametrize('kind,more', [
    (Qwen2Config, {}), (MistralConfig, {}), (Gemma3TextConfig, {}), (MistralConfig, WINDOW),
    (Gemma3TextConfig, WINDOW | GEMMA), (Qwen2Config, WINDOW | QWEN)])
def test_loss_and_gradients_are_the_same(kind, more):
    model, rows = small(kind, **more), made_up(9)
    (loss, grads) = gradients(model, collate(rows, 0))
    assert attend_by_rows(model, 40)
    shared, same = gradients(model, share_starts(rows))
    assert shared == pytest.approx(loss, rel=1e-4)
    for a, b in zip(grads, same): torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-5)
    assert gradients(model, collate(rows, 0))[0] == pytest.approx(loss, rel=1e-4) # padded rows go as before


@pytest.mark.parametrize('kind,more', [(MistralConfig, {}), (Gemma3TextConfig, GEMMA), (Qwen2Config, QWEN)])
def test_a_window_that_is_not_kept_is_noticed(kind, more, monkeypatch):
    monkeypatch.setattr(shared_starts, '_within', lambda n, window, device: None)
    near = small(kind, sliding_window=16, **more)
    assert not attend_by_rows(near, 17) and attend_by_rows(near, 16)


def test_models_that_cannot():
    eager = small(Qwen2Config)
    eager.set_attn_implementation('eager')
    assert not attend_by_rows(eager, 10) and eager.config._attn_implementation == 'eager'


def test_training_uses_it_and_answers_as_before():
    model, tokenizer = load_model('tiny', dtype='fp32')
    lora = add_lora(model, r=2)
    ids = torch.tensor([tokenizer.encode('Ines lives in')])
    with torch.no_grad(): before = lora(ids).logits
    make = batcher(model, tokenizer.pad_token_id, None, 100)
    two = [Encoded([5, 6, 7], [-100, 6, 7]), Encoded([5, 6, 8], [-100, 6, 8])]
    assert make(two)['input_ids'].shape == (1, 4)
    assert make([Encoded([0], [-100])])['labels'].numel() == 0 # an empty place
    lora.eval()
    with torch.no_grad(): torch.testing.assert_close(lora(ids).logits, before)
    assert batcher(model, tokenizer.pad_token_id, False, 100)(two)['input_ids'].shape == (2, 3)


@settings(max_examples=60)
@given(st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=8), min_size=1, max_size=8))
def test_every_row_is_there_and_no_start_twice(some):
    ids, positions, paths = tree_of([Encoded(row, [-100] * len(row)) for row in some])
    assert sorted(some) == [[ids[p] for p in path] for path, _ in paths]
    assert all([positions[p] for p in path] == [*range(len(path))] for path, _ in paths)
    assert len(ids) == len({tuple(row[:k + 1]) for row in some for k in range(len(row))})
