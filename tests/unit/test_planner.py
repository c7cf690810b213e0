"A plan of memory and time: what a step really takes, other cards, and LLaMA2-13B by hand."
import pytest
import torch

from iepile_nb.base import load_base
from iepile_nb.cli.model import main
from iepile_nb.lib.gpus import CARDS, SHAPES, Card, find_card
from iepile_nb.lib.io import UserError
from iepile_nb.lib.memory import PeakMemory, memory_savers, plan, plan_memory, plan_seconds, shape_of
from iepile_nb.lib.options import settings
from iepile_nb.lib.presets import PRESETS
from iepile_nb.lora import add_lora, answer_loss
from iepile_nb.prompt import Encoded, collate

BIG, SMALL = Card('big', 1e12, 1e9), Card('small', 2**30 + 1e6)


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
    fits, tight = plan(shape, sizes, BIG), plan(shape, sizes, SMALL)
    assert not fits.advice and fits.seconds > 0 and 'it fits' in str(fits)
    assert 'it does not fit' in str(tight) and tight.advice[0].startswith('with --gradient_checkpointing')
    assert '--bits 4' in tight.advice[2] and tight.seconds is None


@pytest.mark.parametrize('full', [False, True])
@pytest.mark.parametrize('gpus', [1, 4])
def test_what_is_advised_is_accepted(full, gpus, tmp_path):
    "Every change is tried as an option of the same training."
    now = dict(checkpointing=False, rows=8, gpus=gpus, fsdp=False, bits=16)
    options = {'finetuning_type': 'full' if full else 'lora', 'nproc': gpus, 'output_dir': tmp_path}
    names = {'checkpointing': 'activation_checkpointing', 'rows': 'per_device_train_batch_size'}
    said = []
    for change, option in memory_savers(full, now):
        settings(**options, **{names.get(k, k): v for k, v in change.items() if v})
        said.append(option.split()[0])
    assert ('--bits' in said) != full and ('--fsdp' in said) == (gpus > 1)


def test_all_weights_do_not_fit(llama_dir):
    tight = plan(shape_of(llama_dir, torch.float32, None), [(200, 30)], SMALL, rows=1, checkpointing=True)
    assert tight.advice == ['with an adapter, so without --finetuning_type full: much less']


def test_cards():
    assert find_card('RTX3090') is CARDS['rtx3090'] and not find_card('t4').bf16
    assert find_card('a6000:48:155') == Card('a6000', 48 * 2**30, 155e12)
    assert not find_card('V100:32:112').bf16
    for text in ('gtx', 'a:b:c', 'a:48', 'a:0:5', ''):
        with pytest.raises(UserError, match='there are h100, .*NAME:GB:TFLOPS'): find_card(text)


# LLaMA2-13B by hand: hidden size 5120, inner size 13824, 40 layers, 32000 tokens; rows of 700 tokens, 2 in a
# batch, 300 of each learned; an adapter of rank 64; 16-bit numbers
HIDDEN, INNER, LAYERS, WORDS, R, TOKENS = 5120, 13824, 40, 32000, 64, 2 * 700
LINEAR = LAYERS * (4 * HIDDEN**2 + 3 * HIDDEN * INNER)
REST = 2 * WORDS * HIDDEN + (2 * LAYERS + 1) * HIDDEN # two tables of tokens, norms
ADAPTER = LAYERS * R * (4 * 2 * HIDDEN + 3 * (HIDDEN + INNER))


@pytest.fixture(scope='module')
def llama13(): return shape_of('meta-llama/Llama-2-13b-chat-hf', torch.bfloat16, r=R)


def planned(model, **how):
    return plan_memory(model, rows=2, length=700, answers=600, checkpointing=True, **how)


def test_llama2_13b_by_hand(llama13):
    assert LINEAR + REST == 13_015_864_320 # as its makers count
    one, four = planned(llama13, bits=16), planned(llama13, bits=16, gpus=4)
    assert one['weights'] == 2 * (LINEAR + REST) and 4 * ADAPTER == one['trained weights'] == one['gradients']
    assert one['optimizer'] == 8 * ADAPTER and one['logits'] == 4 * 600 * WORDS
    inputs = LAYERS * TOKENS * HIDDEN * 2 # kept of each layer; one layer is computed again:
    wide = 2 * TOKENS * (14 * HIDDEN + 6 * INNER) # its norms, queries, products, about so many numbers
    assert inputs < one['activations'] < inputs + 1.5 * wide
    assert four == {**one, 'gradients sent': 4 * ADAPTER}


def test_llama2_13b_on_four_rtx_3090(llama13):
    "In 16 bits only in pieces; in 4 bits on each card."
    need = {bits: sum(planned(llama13, bits=bits, gpus=4).values()) / 1e9 for bits in (16, 4)}
    pieces = planned(llama13, bits=16, gpus=4, fsdp=True)
    four_bits = .516 * LINEAR + 2 * REST
    assert planned(llama13, bits=4)['weights'] == pytest.approx(four_bits)
    assert need[4] == pytest.approx(need[16] - (2 * LINEAR - .516 * LINEAR) / 1e9)
    assert pieces['weights'] == (LINEAR + REST) / 2 and pieces['optimizer'] == 2 * ADAPTER
    two_layers = 2 * 2 * ((LINEAR + ADAPTER) / LAYERS + 2 * HIDDEN) # put together in 16 bits
    assert pieces['gathered layers'] == pytest.approx(two_layers + 4 * WORDS * HIDDEN + 2 * HIDDEN, rel=1e-6)
    free = CARDS['rtx3090'].free / 1e9
    assert 24 < free < 25 < need[16] and need[4] < 14 and sum(pieces.values()) / 1e9 < 11


def test_the_time_of_llama2_13b(llama13):
    "A million tokens on four cards at 71 TFLOP/s, of which 40% are reached; the forward pass is done twice."
    work = 1e6 / 4 * (6 * (LINEAR + REST) + 8 * ADAPTER)
    assert plan_seconds(llama13, 250_000, 71e12, True) == pytest.approx(work / (.4 * 71e12))


def plan_of(line, capsys):
    assert main(['plan', *line.split()]) == 0
    return capsys.readouterr().out


def test_the_command_for_cards_that_are_elsewhere(capsys):
    line = '--preset llama2-13b-iepile --gpu rtx3090 '
    out = plan_of(line + '--bits 4', capsys)
    assert 'rtx3090: 4 bits, checkpointing on' in out and 'it fits' in out and 'time' not in out
    out = plan_of(line + '--nproc 4', capsys)
    assert '4 x rtx3090: bfloat16, checkpointing on' in out and 'it does not fit' in out
    assert 'with --fsdp: ' in out and '--bits' not in out # it fits in pieces, so nothing more is advised
    assert 'it fits' in plan_of(line + '--nproc 4 --fsdp', capsys)
    assert 'float16, checkpointing off' in plan_of(
        '--preset oneke --gpu t4 --gradient_checkpointing False', capsys)
    out = plan_of('--preset oneke --gpu a100-80 --finetuning_type full', capsys)
    assert 'it does not fit' in out and '--bits' not in out and 'without --finetuning_type full' in out


def test_a_plan_and_three_steps_are_of_one_machine(capsys):
    assert main('plan --model_name_or_path tiny --gpu t4 --dry_run'.split()) == 1
    assert '--dry_run trains here' in capsys.readouterr().err


def test_shapes_have_the_weights_that_names_promise():
    sizes = {'13b': 13e9, '14b': 14.2e9, '8b': 8.1e9, '4b': 4e9, 'oneke': 13.3e9,
             '135m': .135e9, '270m': .268e9}
    for name in SHAPES:
        n = shape_of(name, torch.bfloat16, None).num_parameters()
        assert n == pytest.approx(next(v for k, v in sizes.items() if k in name), rel=.07), name
    assert any(p['model_name_or_path'].lower() in SHAPES for p in PRESETS.values())
