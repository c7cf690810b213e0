"Pre-training: losses, gradients of several processes, batches, copying, growing, a run that is resumed."
import json
import random
import subprocess
import sys
from itertools import islice

import pytest
import torch
from helpers.corpora import embedded_tokenizer
from torch.nn import functional as F

from iepile_nb.lib.copying import copy_batch, set_copying
from iepile_nb.lib.last_layer import backward, losses_of, plain_loss, row_batches
from iepile_nb.lib.marks import Probe, encode_example
from iepile_nb.lib.pretraining import PretrainingRun, pretrain
from iepile_nb.lib.training_rows import training_rows
from iepile_nb.tiny import grow, new_model


@pytest.fixture(scope='module')
def tokenizer(): return embedded_tokenizer()


# ---- losses and gradients

def some_rows(tokenizer, n=6):
    return [encode_example(r, tokenizer, marks=True) for r in islice(training_rows(8), n)]


def gradients(model, probe):
    return torch.cat([p.grad.flatten() for p in (*model.parameters(), *probe.parameters())])


def test_the_short_way_through_the_last_layer_gives_the_same_loss(tokenizer):
    torch.manual_seed(0)
    model, (row, longer, *_) = new_model(tokenizer, layers=2), some_rows(tokenizer)
    logits = model(torch.tensor([row.ids])).logits[0, -row.answer - 1:-1]
    whole = F.cross_entropy(logits, torch.tensor(row.ids[-row.answer:]), reduction='sum')
    padded = plain_loss(model, [row, longer]) - plain_loss(model, [longer])
    assert torch.allclose(plain_loss(model, [row]), whole, rtol=1e-4)
    assert torch.allclose(padded, whole, rtol=1e-3)


def test_parts_of_a_batch_give_the_gradients_of_the_whole(tokenizer):
    torch.manual_seed(0)
    model, probe, batch = new_model(tokenizer, layers=2), Probe(192), some_rows(tokenizer)
    loss = backward(model, batch, size=4, probe=probe, weight=.5)
    grads = gradients(model, probe)
    model.zero_grad(), probe.zero_grad()
    answers, side = losses_of(model, batch, probe=probe)
    n = sum(r.answer for r in batch)
    ((answers + .5 * side) / n).backward()
    assert abs(loss - answers.item() / n) < 1e-4
    assert torch.allclose(grads, gradients(model, probe), atol=1e-4)


TOGETHER = """
import sys, torch
from itertools import islice
from torch import distributed
from transformers import AutoTokenizer
from iepile_nb.lib.last_layer import backward
from iepile_nb.lib.marks import Probe, encode_example
from iepile_nb.lib.patterns import ASSETS
from iepile_nb.lib.training_rows import training_rows
from iepile_nb.tiny import new_model
folder, rank, world = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
if world > 1: distributed.init_process_group('gloo', f'file://{folder}/meet', rank=rank, world_size=world)
torch.manual_seed(0)
tokenizer = AutoTokenizer.from_pretrained(str(ASSETS/'model'))
model, probe = new_model(tokenizer, layers=2), Probe(192)
rows = [encode_example(r, tokenizer, marks=True) for r in islice(training_rows(8), 6)]
loss = backward(model, rows[rank::world], probe=probe)
grads = torch.cat([p.grad.flatten() for p in (*model.parameters(), *probe.parameters())])
torch.save([loss, grads], f'{folder}/{world}.{rank}')
"""


def test_two_processes_give_the_gradients_of_one(tmp_path):
    def start(rank, world):
        return subprocess.Popen([sys.executable, '-c', TOGETHER, str(tmp_path), str(rank), str(world)])
    assert [p.wait() for p in [start(0, 1), start(0, 2), start(1, 2)]] == [0, 0, 0]
    (loss, grads), *others = (torch.load(tmp_path/name, weights_only=True) for name in ('1.0', '2.0', '2.1'))
    for other_loss, other in others:
        assert abs(loss - other_loss) < 1e-4 and torch.allclose(grads, other, atol=1e-4)


def test_processes_take_different_rows_and_batches_of_like_length(tokenizer):
    one, two = (list(islice(row_batches(tokenizer, 0, 8, rank=rank, world=2), 33)) for rank in (0, 1))
    assert [place for _, place in one] == [place for _, place in two] and one[32][1] == 512
    lengths = [[sum(len(r.ids) for r in batch) for batch, _ in part[:32]] for part in (one, two)]
    assert sum(abs(a - b) for a, b in zip(*lengths)) < .2 * sum(lengths[0])
    rows = {str(r.ids) for part in (one, two) for batch, _ in part for r in batch}
    assert len(rows) > .99 * 2 * 33 * 4


# ---- copying and growing

def test_the_set_copying_copies(tokenizer):
    torch.manual_seed(0)
    model, batch = new_model(tokenizer), copy_batch(random.Random(0), tokenizer)
    with torch.no_grad():
        before = plain_loss(model, batch)
        set_copying(model)
        assert plain_loss(model, batch) < .6 * before


def test_a_grown_model_gives_the_same_answers(tokenizer):
    torch.manual_seed(0)
    model, batch = new_model(tokenizer, layers=2), some_rows(tokenizer)
    big = grow(model, 4)
    assert big.config.num_hidden_layers == 4
    assert torch.allclose(plain_loss(big, batch), plain_loss(model, batch))
    assert all(p.requires_grad for p in big.parameters())


# ---- a run

def make_run(folder, tokenizer, minutes):
    folder.mkdir(exist_ok=True)
    model = new_model(tokenizer, layers=2)
    set_copying(model)
    return PretrainingRun(folder, tokenizer, model, minutes)


def test_training_can_be_resumed(tmp_path, tokenizer):
    first = make_run(tmp_path/'t', tokenizer, .03)
    pretrain(first)
    first.note(loss=0.)
    second = make_run(tmp_path/'t', tokenizer, .2)
    second.load()
    assert (second.step, second.tokens, second.spent) == (first.step, first.tokens, first.spent)
    pretrain(second)
    assert second.step > first.step and (tmp_path/'t'/'model'/'model.safetensors').exists()


def test_a_resumed_run_forgets_what_came_after_its_checkpoint(tmp_path, tokenizer):
    run = make_run(tmp_path/'t', tokenizer, .01)
    pretrain(run)
    run.note(loss=1.)
    run.step += 1
    run.note(loss=2.)
    again = make_run(tmp_path/'t', tokenizer, .02)
    again.load()
    lines = [json.loads(l) for l in (tmp_path/'t'/'log.jsonl').read_text().splitlines()]
    assert lines and all(l['step'] <= again.step for l in lines)
