"""Inference: against the original's loop, constrained against free; constrained answers cannot be malformed.

    python benchmarks/infer.py     # speed and scores of 20 records for each language and task; 10,000 odd rows
    python benchmarks/infer.py --quick
    python benchmarks/infer.py --shape 7b --bits 4  # on a GPU: random weights of a real shape, infer-<gpu>.json

`free_ratio`: rows/s of free decoding against a loop of `generate` over single rows, as the original has it, in
turn on the same rows, by the clock: nothing else should run. `equal_share`: answers that are the same; those of
the loop are cut where their JSON is balanced, since ours stop there.
`span_ratio`: rows/s of `span` against `free`. `invalid`, `invented`, `endless`: among random schemas and texts,
answered by a model with random weights, so that the grammar alone is responsible.
"""
import json
import random
import statistics
import time
from copy import deepcopy
from pathlib import Path

import torch
from common import arguments, write
from iepile_nb.course import read_job, test_rows
from iepile_nb.evaluate import evaluate
from iepile_nb.decode import ObjectEnd, end_ids
from iepile_nb.infer import as_questions
from iepile_nb.lib.answering import answer_rows
from iepile_nb.lib.decoder import Decoder
from iepile_nb.lib.requests import Request, make_requests
from iepile_nb.base import quantization, tiny_path
from iepile_nb.lora import load_model
from iepile_nb.prompt import get_template
from iepile_nb.questions import NAN, encode
from iepile_nb.tasks import TASKS
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig

ROOT = Path(__file__).parent.parent
SHAPES = {'1b': dict(hidden_size=2048, intermediate_size=5632, num_hidden_layers=22, num_attention_heads=32,
                     num_key_value_heads=4),
          '7b': dict(hidden_size=4096, intermediate_size=11008, num_hidden_layers=32, num_attention_heads=32)}


def demo_rows(limit):
    "Test rows of the demo: two languages, three tasks."
    return [r for l in ('en', 'zh') for t in ('NER', 'RE', 'EE')
            for r in test_rows(read_job(ROOT/f'data/demo/{l}/{t}', t, l, limit))]


def balanced(text):
    "A text up to the end of its first JSON object."
    end = ObjectEnd()
    return next((text[:i + 1] for i, c in enumerate(text) if end.feed(c)), text).strip()


def their_loop(requests, model, tokenizer, ends, max_new_tokens):
    "One row at a time, as the original's inference.py."
    def one(p):
        ids = torch.tensor([p], device=model.device)
        out = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=max_new_tokens,
                             do_sample=False, eos_token_id=ends, pad_token_id=tokenizer.pad_token_id)
        return tokenizer.decode(out[0, len(p):], skip_special_tokens=True)
    with torch.inference_mode(): return [one(r.prompt) for r, in requests]


def timed(work):
    if torch.cuda.is_available(): torch.cuda.synchronize()
    start = time.monotonic()
    result = work()
    if torch.cuda.is_available(): torch.cuda.synchronize()
    return result, time.monotonic() - start


def speed(rows, model, tokenizer, runs, max_new_tokens=256):
    "Free against the loop, span against free, in turn; the answers of the last run."
    template = get_template('auto', tokenizer)
    ends, requests = end_ids(model, tokenizer, template), make_requests(rows, tokenizer, template, 1024)
    free_ratios, span_ratios, last = [], [], {}
    def ours(mode): return answer_rows(Decoder(model, tokenizer, ends, mode, max_new_tokens), requests)
    their_loop(requests[:2], model, tokenizer, ends, 8) # once for what happens only once
    answer_rows(Decoder(model, tokenizer, ends, 'span', 8), requests[:2])
    for _ in range(runs):
        theirs, t0 = timed(lambda: their_loop(requests, model, tokenizer, ends, max_new_tokens))
        for mode in ('free', 'span', 'schema'): last[mode] = timed(lambda: ours(mode))
        free_ratios.append(t0 / last['free'][1])
        span_ratios.append(last['free'][1] / last['span'][1])
    same = sum(balanced(t) == balanced(a.text) for t, a in zip(theirs, last['free'][0]))
    out = [('free_ratio', statistics.median(free_ratios), 'rows/s of free per rows/s of the loop'),
           ('equal_share', same / len(rows), 'of answers'),
           ('span_ratio', statistics.median(span_ratios), 'rows/s of span per rows/s of free'),
           ('loop_rows_per_s', len(rows) / t0, 'rows/s')]
    for mode, (answers, seconds) in last.items():
        forced = sum(a.forced for a in answers) / sum(a.tokens for a in answers)
        out += [(f'{mode}_rows_per_s', len(rows) / seconds, 'rows/s'),
                (f'{mode}_forced', 100 * forced, '% of tokens')]
    return out, {m: a for m, (a, _) in last.items()}


def scores(rows, answers):
    "F1 of each mode by language and task."
    out = []
    for cell in sorted({(r['source'], r['task']) for r in rows}):
        for mode, found in answers.items():
            answered = [{**r, 'output': a.text} for r, a in zip(rows, found)
                        if (r['source'], r['task']) == cell]
            total = evaluate(answered)['total']
            out += [(f'{k}.{mode}.{cell[1]}.{cell[0]}', v, 'F1')
                    for k, v in total.items() if k.endswith('f1')]
    return out


# Rows that nobody would want

PIECES = ['"', '\\', '\n', '\t', '\x00', '\x1f', '\x7f', '<|end|>', '</s>', ']', '}', '[{', '": "', 'NAN',
          '😀', '伊内斯', '\u2028', 'é', ' ', 'Porto', 'a', 'Halden Foods', '。', '🏳️‍🌈', '\ud83d']


def odd(rng, n): return ''.join(rng.choice(PIECES) for _ in range(n))


def odd_row(rng):
    "Task, questions and text of a random row."
    task = rng.choice(list(TASKS.values()))
    name = lambda: odd(rng, rng.choice([1, 2, 3, 8, 200 if rng.random() < .02 else 4])).replace('\ud83d', 'x')
    count = 300 if rng.random() < .002 else rng.choice([1, 1, 2, 4, 6])
    labels = list(dict.fromkeys(name() for _ in range(count)))
    parts = {l: list(dict.fromkeys(name() for _ in range(rng.randint(0, 5)))) for l in labels}
    if task.name == 'SPO': labels = [f'{a}_{l}_{a}' for a, l in zip('abcdefgh' * 40, labels)]
    schema = task.schema(labels, labels, parts)
    questions = as_questions(task, schema) if schema.labels else []
    length = rng.choice([0, 1, 3, 20, 60, 20_000 if rng.random() < .005 else 30])
    return task, questions, odd(rng, length)


def adversarial(n, model, tokenizer, seed=0):
    "Answers to odd rows that are not valid, hold what is not in the text, or had no end."
    rng, bad = random.Random(seed), {'invalid': 0, 'invented': 0, 'endless': 0}
    decoder, done = Decoder(model, tokenizer, [tokenizer.eos_token_id], 'span', 24), 0
    while done < n:
        rows = [r for r in (odd_row(rng) for _ in range(256)) if r[1]][:n - done]
        prompts = [tokenizer.encode(odd(rng, 3).replace('\ud83d', 'x')) or [5] for _ in rows]
        requests = [Request(p, '', t, tuple(q), text) for p, (t, q, text) in zip(prompts, rows)]
        for (task, questions, text), a in zip(rows, decoder.answer_all(requests)):
            judge(bad, task, questions, text, a.text)
        done += len(rows)
    return [(k, v, f'of {n:,} answers') for k, v in bad.items()]


def judge(bad, task, questions, text, answer):
    "Count what is wrong with an answer."
    problems = []
    try: obj = json.loads(answer)
    except ValueError:
        bad['endless' if answer.count('"') % 2 or not answer.endswith('}') else 'invalid'] += 1
        return
    items = list(task.parse(obj, problems.append))
    keys = list(dict.fromkeys(task.answer_key(q) for q in questions))
    bad['invalid'] += bool(problems) or list(obj) != keys or encode(obj) != answer
    bad['invented'] += any(s not in text and s != NAN for i in items for _, s in task.mentions(i))


def babbler(base):
    "The shape of a model with large random weights."
    config = deepcopy(base.config)
    config.initializer_range, config.max_position_embeddings = .3, 100_000
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config).eval()


def on_gpu(shape, bits, rows):
    "Speed and memory of a real shape with random weights."
    import tempfile
    tokenizer = AutoTokenizer.from_pretrained(tiny_path())
    config = LlamaConfig(vocab_size=32_000, max_position_embeddings=4096, eos_token_id=tokenizer.eos_token_id,
                         pad_token_id=tokenizer.pad_token_id, **SHAPES[shape])
    with torch.device('cuda'): model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).eval()
    if bits == 4:
        with tempfile.TemporaryDirectory() as folder:
            model.save_pretrained(folder)
            del model
            bits = quantization(4, torch.bfloat16)
            model = AutoModelForCausalLM.from_pretrained(folder, quantization_config=bits, device_map={'': 0})
    speed(rows[:8], model, tokenizer, 1, 8) # once for what happens only once
    torch.cuda.reset_peak_memory_stats()
    out, _ = speed(rows, model, tokenizer, 1, 64)
    out += [('peak_memory', torch.cuda.max_memory_allocated() / 2**30, 'GiB')]
    return [(f'{shape}_{bits}bit.{n}', v, u) for n, v, u in out]


def main():
    p = arguments(__doc__)
    p.add_argument('--shape', choices=SHAPES,
                   help='random weights of this shape on a GPU, instead of the embedded model')
    p.add_argument('--bits', type=int, default=16, choices=[16, 4])
    o = p.parse_args()
    rows = demo_rows(4 if o.quick else 20)
    if o.shape:
        name = torch.cuda.get_device_name().replace(' ', '-')
        return write(f'infer-{name}-{o.shape}-{o.bits}', on_gpu(o.shape, o.bits, rows[:128]))
    model, tokenizer = load_model('tiny', dtype='fp32')
    out, answers = speed(rows, model, tokenizer, 1 if o.quick else 3)
    out += adversarial(1000 if o.quick else 10_000, babbler(model), tokenizer)
    write('infer', out + scores(rows, answers))


if __name__ == '__main__': main()
