"A plan of memory and time, and what a step really takes."
import pytest
import torch

from iepile_nb.base import load_base
from iepile_nb.lib.memory import PeakMemory, plan, plan_memory, shape_of
from iepile_nb.lora import add_lora, answer_loss
from iepile_nb.prompt import Encoded, collate


def test_a_plan_is_what_a_step_takes(llama_dir):
    shape, real = shape_of(llama_dir, torch.float32), add_lora(load_base(llama_dir)[0]).train()
    batch = collate([Encoded([5] * 200, [-100] * 170 + [5] * 30)] * 6, 0)
    with PeakMemory(real.parameters()) as seen: answer_loss(real.get_base_model(), batch, net=real).backward()
    planned = plan_memory(shape, 16, 6, 200, 180)
    assert .8 < (planned['activations'] + planned['gradients'] + planned['logits']) / seen.peak < 1.25


@pytest.mark.parametrize('bits,rel', [(16, 0), (4, .1)])
def test_planned_weights_are_those_of_the_model(llama_dir, bits, rel):
    planned = plan_memory(shape_of(llama_dir, torch.float32), bits, 6, 200, 180)['weights']
    real = sum(p.nbytes for p in load_base(llama_dir, bits)[0].parameters())
    assert planned == pytest.approx(real, rel=rel)


def test_a_plan_gives_advice(llama_dir):
    shape, sizes = shape_of(llama_dir, torch.float32), [(200, 30)] * 9
    fits, tight = plan(shape, sizes, rows=8, memory=1e12, speed=1e9), plan(shape, sizes, rows=8, memory=1e6)
    assert not fits.advice and fits.seconds > 0 and 'it fits' in str(fits)
    assert 'it does not fit' in str(tight) and tight.advice[0].startswith('with --gradient_checkpointing')
    assert '--bits 4' in tight.advice[2]
