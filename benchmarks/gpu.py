"""All that a GPU is wanted for, in one command: training and prediction at the shape of Llama-2-7B, real
models on real data, and the paper's claims. Sections come in order of worth; each writes its results at once.

    python benchmarks/gpu.py --budget 540 --data FOLDER   # at most nine minutes
    python benchmarks/gpu.py --smoke                      # tiny shapes on a processor, some minutes

`train.*`: rows of IEPile's length (400 tokens, 60 of them answer), LoRA of rank 16 on all linear layers, ours
(rows share what they begin with) and the original's recipe (rows padded to a multiple of 4, things computed
twice, logits for every token), in bf16 and on a base in nf4; and trl's SFTTrainer with packing, by its own
count of tokens, where it is installed (`pip install trl`). Tokens are those of the rows, however they are
batched. MFU counts 4 N operations a token, as the base is frozen, against the speed of a large product of
matrices on the same card. `predict.*`: rows/s by the original's loop, free and span. `real.*` and `claims.*`: see real.py and claims.py.
"""
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from common import ROOT, arguments, write
from infer import SHAPES, demo_rows, speed
from train import has_trl, trls
from transformers import (AutoModelForCausalLM, AutoTokenizer, DataCollatorForSeq2Seq, LlamaConfig,
                          TrainerCallback)

from iepile_nb.base import quantization, tiny_path
from iepile_nb.lib.io import record_rng
from iepile_nb.lib.shared_starts import attend_by_rows, share_starts
from iepile_nb.lora import add_lora, answer_loss
from iepile_nb.prompt import Encoded

SMOKE = dict(hidden_size=128, intermediate_size=256, num_hidden_layers=4, num_attention_heads=4)
PROMPT, START, ANSWER = 340, 130, 60 # tokens of a row's prompt, of what all begin with, of its answer


def sync():
    if torch.cuda.is_available(): torch.cuda.synchronize()


def peak_speed(device, dtype, n):
    "Operations a second of a large product of matrices."
    a, b = (torch.randn(n, n, device=device, dtype=dtype) for _ in range(2))
    for _ in range(3): a @ b
    sync()
    start = time.monotonic()
    for _ in range(20): a @ b
    sync()
    return 20 * 2 * n**3 / (time.monotonic() - start)


def random_model(shape, bits, device):
    "A model of a shape with random weights, in 16 or 4 bits."
    tokenizer = AutoTokenizer.from_pretrained(tiny_path())
    config = LlamaConfig(vocab_size=32_000, max_position_embeddings=4096, eos_token_id=tokenizer.eos_token_id,
                         pad_token_id=tokenizer.pad_token_id, **shape)
    torch.manual_seed(0)
    with torch.device(device): model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    if bits == 16: return model, tokenizer
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        del model
        return AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.bfloat16, device_map={'': device},
            quantization_config=quantization(4, torch.bfloat16)), tokenizer


def made_up_rows(n):
    "Rows of IEPile's length that begin alike."
    rng = record_rng(42, 'gpu')
    draw = lambda k: [rng.randrange(3, 2000) for _ in range(k)]
    start = draw(START)
    def row(size): return Encoded(start + draw(size) + (a := draw(ANSWER)), [-100] * (START + size) + a)
    return [row(rng.randint(100, 2 * (PROMPT - START) - 100)) for _ in range(n)]


def originals_loss(model, rows, pad):
    "The original's recipe: padded rows, logits for every token, in full precision."
    dicts = [{'input_ids': r.input_ids, 'labels': r.labels, 'attention_mask': [1] * len(r.labels)} for r in rows]
    tokenizer = AutoTokenizer.from_pretrained(tiny_path())
    batch = DataCollatorForSeq2Seq(tokenizer, pad_to_multiple_of=4)(dicts)
    batch = {k: v.to(model.device) for k, v in batch.items()}
    return model(**batch, use_cache=False).loss


def our_loss(model, rows, pad):
    batch = {k: v.to(model.device) for k, v in share_starts(rows).items()}
    return answer_loss(model.get_base_model(), batch, net=model)


def tokens_per_second(model, loss_of, rows, size, steps, pad):
    "Tokens of the rows that a training takes in a second, and the peak memory in GiB."
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4)
    cuda = torch.cuda.is_available()
    def step(i):
        some = rows[i * size:(i + 1) * size]
        with torch.autocast('cuda' if cuda else 'cpu', torch.bfloat16): loss = loss_of(model, some, pad)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return sum(len(r.input_ids) for r in some)
    for i in range(2): step(i) # once for what happens only once
    if cuda: torch.cuda.reset_peak_memory_stats()
    sync()
    start = time.monotonic()
    n = sum(step(i) for i in range(2, 2 + steps))
    sync()
    memory = torch.cuda.max_memory_allocated() / 2**30 if cuda else 0.
    return n / (time.monotonic() - start), memory


class Clock(TrainerCallback):
    "(when, tokens so far by the trainer's own count) after each step."
    def __init__(self): self.seen = []

    def on_log(self, args, state, control, logs=None, **kw):
        if 'num_tokens' in logs: self.seen.append((time.monotonic(), logs['num_tokens']))


def trls_speed(model, rows, size, tokenizer):
    "The same of trl's trainer."
    cuda, clock = torch.cuda.is_available(), Clock()
    with tempfile.TemporaryDirectory() as folder:
        run = trls(rows, tokenizer, folder, model, size, use_cpu=not cuda, bf16=cuda)
        run.add_callback(clock)
        if cuda: torch.cuda.reset_peak_memory_stats()
        run.train()
    (start, before), *_, (end, after) = clock.seen
    memory = torch.cuda.max_memory_allocated() / 2**30 if cuda else 0.
    return (after - before) / (end - start), memory


def training(o, bits):
    "Tokens/s and memory of the recipes."
    shape, device = (SMOKE, 'cpu') if o.smoke else (SHAPES['7b'], 'cuda:0')
    size, steps, name = (4, 2, 'smoke') if o.smoke else (16, 6, '7b')
    peak = peak_speed(device, torch.bfloat16, 1024 if o.smoke else 8192)
    base, tokenizer = random_model(shape, bits, device)
    weights = sum(p.numel() for n, p in base.named_parameters() if 'embed' not in n and 'lm_head' not in n)
    if bits == 4: weights *= 2 # two in a byte
    rows = made_up_rows(size * (steps + 2))
    model = add_lora(base, r=16, dropout=0.).train()
    exact = attend_by_rows(base, max(len(r.input_ids) for r in rows))
    speed_of = lambda loss: tokens_per_second(model, loss, rows, size, steps, tokenizer.pad_token_id)
    found = {'ours': speed_of(our_loss)}
    base.set_attn_implementation('sdpa')
    if has_trl(): found['trl'] = trls_speed(model, rows, size, tokenizer)
    model.enable_input_require_grads()
    model.activation_checkpointing_enable({'use_reentrant': False})
    found['original'] = speed_of(originals_loss)
    key = f'train.{name}.{bits}bit'
    out = [(f'{key}.peak', peak / 1e12, 'TFLOP/s of a product of matrices')]
    for who, (rate, memory) in found.items():
        out += [(f'{key}.{who}.tokens_per_s', rate, 'tokens/s'),
                (f'{key}.{who}.mfu', 100 * 4 * weights * rate / peak, '% of the peak'),
                (f'{key}.{who}.memory', memory, 'GiB')]
    out += [(f'{key}.vs_{who}_ratio', found['ours'][0] / rate, 'tokens/s of ours per one of theirs')
            for who, (rate, _) in found.items() if who != 'ours']
    return out + [(f'{key}.exact', float(exact), '1 = rows that share a start stay apart')]


def prediction(o, bits):
    "Rows/s of the loop, free and span."
    shape, device, name = (SMOKE, 'cpu', 'smoke') if o.smoke else (SHAPES['7b'], 'cuda:0', '7b')
    rows = demo_rows(1 if o.smoke else 4)[:128]
    model, tokenizer = random_model(shape, bits, device)
    out, _ = speed(rows[:4] if o.smoke else rows, model.eval(), tokenizer, 1, 16 if o.smoke else 64)
    return [(f'predict.{name}.{bits}bit.{n}', v, u) for n, v, u in out]


def script(o, name, *more):
    "The rows of another benchmark, run by itself."
    path = ROOT/f'benchmarks/results/{name}.json'
    before = path.read_bytes() if path.is_file() else None
    subprocess.run([sys.executable, ROOT/'benchmarks'/more[0], *more[1:]], timeout=o.left(), check=True)
    found = json.loads(path.read_text())['rows']
    if before is not None: path.write_bytes(before)
    return [tuple(r[k] for k in ('name', 'value', 'unit', 'low', 'high') if k in r) for r in found]


def real(o, model, sets):
    return script(o, 'real-gpu', 'real.py', '--name', 'real-gpu', '--model', model, '--data', str(o.data),
                  '--datasets', sets, '--records', '0,25,50,100,200', '--test', '200', '--dev', '60',
                  '--work', str(ROOT/'outputs/real-gpu'/model))


def sections(o):
    "Name and work of each section, in order of worth."
    english = 'CrossNER_AI,CrossNER_science,CrossNER_literature,bc5cdr,SciERC_pairs,semval-RE,PHEE'
    bits = (16,) if o.smoke else (16, 4)
    for b in bits: yield f'train-{b}', lambda b=b: training(o, b)
    for b in bits: yield f'predict-{b}', lambda b=b: prediction(o, b)
    if o.data and not o.smoke:
        yield 'smollm2', lambda: real(o, 'smollm2-135m', english)
        yield 'gemma3', lambda: real(o, 'gemma3-270m', english + ',FewFC')
    if not o.smoke: yield 'claims', lambda: script(o, 'claims', 'claims.py', '--quick')


def main():
    p = arguments(__doc__)
    p.add_argument('--smoke', action='store_true', help='tiny shapes on a processor')
    p.add_argument('--budget', type=float, default=540, help='seconds (%(default)s)')
    p.add_argument('--data', type=Path, help='a folder of datasets, for real.py')
    o = p.parse_args()
    if not (o.smoke or torch.cuda.is_available()): p.error('there is no GPU here; --smoke does without one')
    start, rows = time.monotonic(), []
    o.left = lambda: max(1., o.budget - (time.monotonic() - start))
    card = 'smoke' if o.smoke else torch.cuda.get_device_name().replace(' ', '-')
    for name, work in sections(o):
        if o.left() <= 20: break
        try: rows += work()
        except Exception as e: # one section that fails must not cost the others
            print(f'{name}: {type(e).__name__}: {e}', file=sys.stderr)
            continue
        write(f'gpu-{card}', rows)
        if torch.cuda.is_available(): torch.cuda.empty_cache()


if __name__ == '__main__': main()
