"""How fast training is: beside the original's recipe, and beside trl with packing; and whether it learns the
same.

    python benchmarks/train.py           # about half an hour on 2 cores
    python benchmarks/train.py --quick

The embedded model on its processor, rows of the demo, LoRA of rank 16 on all linear layers, 8 rows a step
on every side. `vs_original_ratio`: answer tokens per second against the original's recipe: rows grouped by
length, padded to a multiple of 4, gradient checkpointing on, logits for every token in full precision.
`vs_trl_ratio`: against trl's SFTTrainer with packing; left out where trl is not installed (`pip install
trl`). `memory_ratio`: the most that tensors take over the loaded model in a step on the longest rows,
without checkpointing on either side. `loss_gap`: between the losses after the same steps, ours and those of
unpacked rows with the model's own loss.
"""
import tempfile
import time

import torch
from common import ROOT, arguments, in_turn, write
from peft import LoraConfig, get_peft_model
from torch.utils.data import DataLoader
from transformers import DataCollatorForSeq2Seq, Trainer, set_seed
from transformers.utils import logging as hf_logging

from iepile_nb.lib.io import record_rng
from iepile_nb.questions import LANGUAGES
from iepile_nb.course import DEMO_TASKS, read_job, train_rows
from iepile_nb.base import load_base
from iepile_nb.lora import add_lora, answer_loss
from iepile_nb.lib.memory import PeakMemory
from iepile_nb.prompt import get_template
from iepile_nb.windows import pack
from iepile_nb.train import BatchOrder, encode_rows, make_trainer
from iepile_nb.lib.options import settings, training_arguments

SEED, BATCH, RATE = 20262, 8, 1e-3


def demo_rows(n):
    "Rows of all tasks and languages of the demo, mixed."
    jobs = [read_job(ROOT/'data/demo'/l/t, t, l) for l in LANGUAGES for t in DEMO_TASKS]
    rows = [r for j in jobs for r in train_rows(j)]
    record_rng(SEED, 'rows').shuffle(rows)
    return rows[:n]


def model_for(dropout=.05):
    set_seed(SEED)
    return add_lora(load_base('tiny', dtype='fp32')[0], r=16, alpha=32, dropout=dropout).train()


def usual_model(dropout=.05):
    "The same adapter as peft makes it."
    set_seed(SEED)
    config = LoraConfig(task_type='CAUSAL_LM', r=16, lora_alpha=32, lora_dropout=dropout,
                        target_modules='all-linear')
    return get_peft_model(load_base('tiny', dtype='fp32')[0], config).train()


def args_for(folder, **kw):
    "The same settings on every side."
    return training_arguments(settings(
        output_dir=str(folder), seed=SEED, learning_rate=RATE, per_device_train_batch_size=BATCH,
        use_cpu=True, num_train_epochs=1, save_strategy='no', disable_tqdm=True, logging_steps=1,
        activation_checkpointing=False,
        **kw))


def ours(encoded, tokenizer, folder, dropout=.05, **kw):
    return make_trainer(model_for(dropout), tokenizer, args_for(folder, **kw), encoded, [])


def as_dicts(encoded):
    return [{'input_ids': r.input_ids, 'labels': r.labels, 'attention_mask': [1] * len(r.input_ids)}
            for r in encoded]


def originals(encoded, tokenizer, folder):
    "The original's recipe."
    model = usual_model()
    model.enable_input_require_grads()
    args = args_for(folder, optim='adamw_torch')
    args.train_sampling_strategy = 'group_by_length'
    args.gradient_checkpointing = args.activation_checkpointing = True
    return Trainer(model=model, args=args, train_dataset=as_dicts(encoded), processing_class=tokenizer,
                   data_collator=DataCollatorForSeq2Seq(tokenizer, pad_to_multiple_of=4))


def trls(encoded, tokenizer, folder, model=None, rows=BATCH, use_cpu=True, bf16=False):
    "trl with packing; sequences of the longest row's length, as many a step as hold eight rows (or as told)."
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer
    longest, total = max(len(r.input_ids) for r in encoded), sum(len(r.input_ids) for r in encoded)
    size = max(1, round(rows * total / len(encoded) / longest))
    args = SFTConfig(
        output_dir=str(folder), per_device_train_batch_size=size, num_train_epochs=1, learning_rate=RATE,
        seed=SEED, save_strategy='no', use_cpu=use_cpu, packing=True, completion_only_loss=True,
        max_length=longest, bf16=bf16, disable_tqdm=True,
        report_to='none', gradient_checkpointing=False, logging_steps=1)
    def as_row(r): return {'input_ids': r.input_ids, 'completion_mask': [int(l != -100) for l in r.labels]}
    data = Dataset.from_list([as_row(r) for r in encoded])
    return SFTTrainer(model=model or usual_model(), args=args, train_dataset=data, processing_class=tokenizer)


class Unpacked(Trainer):
    "Our order of rows, the model's own loss of padded rows."
    order = None

    def get_train_dataloader(self):
        loader = DataLoader(self.train_dataset, BATCH, sampler=self.order, collate_fn=self.data_collator)
        return self.accelerator.prepare(loader)


def unpacked(encoded, tokenizer, folder, **kw):
    run = Unpacked(model=usual_model(0.), args=args_for(folder, **kw), train_dataset=as_dicts(encoded),
                   processing_class=tokenizer, data_collator=DataCollatorForSeq2Seq(tokenizer))
    run.order = BatchOrder([len(r.input_ids) for r in encoded], BATCH, SEED)
    return run


def seconds(make, encoded, tokenizer):
    "CPU seconds of the training loop."
    with tempfile.TemporaryDirectory() as tmp:
        run = make(encoded, tokenizer, tmp)
        start = time.process_time()
        run.train()
        return time.process_time() - start


def losses(make, encoded, tokenizer, **kw):
    with tempfile.TemporaryDirectory() as tmp:
        run = make(encoded, tokenizer, tmp, neftune_noise_alpha=0, **kw) # without chance
        run.train()
        return [e['loss'] for e in run.state.log_history if 'loss' in e]


def peak(model, step):
    "The most that tensors take in two steps, over the model."
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], fused=False)
    with PeakMemory(model.parameters()) as seen:
        for _ in range(2):
            step(model)
            optimizer.step()
            optimizer.zero_grad()
    return seen.peak


def memory_ratio(encoded, tokenizer):
    rows = sorted(encoded, key=lambda r: -len(r.input_ids))[:BATCH]
    padded = DataCollatorForSeq2Seq(tokenizer, pad_to_multiple_of=4)(as_dicts(rows))
    def ours(m): return answer_loss(m.get_base_model(), pack(rows, tokenizer.pad_token_id), net=m)
    mine = peak(model_for(), lambda m: ours(m).backward())
    return mine / peak(usual_model(), lambda m: m(**padded).loss.backward())


def has_trl():
    try: import trl
    except ImportError as e:
        print(f'rows of trl are left out ({e}); pip install trl')
        return False
    return True


def main():
    o = arguments(__doc__).parse_args()
    hf_logging.set_verbosity_error()
    tokenizer = load_base('tiny')[1]
    encoded = encode_rows(demo_rows(96 if o.quick else 800), tokenizer, get_template('auto', tokenizer))
    answers, runs = sum(l != -100 for r in encoded for l in r.labels), 3
    side = lambda make: lambda: seconds(make, encoded, tokenizer)
    side(ours)() # warm up
    ratio, mine, theirs = in_turn(side(ours), side(originals), runs)
    rows = [('vs_original_ratio', ratio, 'x'), ('answer_tokens_per_cpu_second', answers / mine, 'tokens/s'),
            ('answer_tokens_per_cpu_second_original', answers / theirs, 'tokens/s'),
            ('memory_ratio', memory_ratio(encoded, tokenizer), 'x')]
    if has_trl():
        ratio, _, theirs = in_turn(side(ours), side(trls), runs)
        rows += [('vs_trl_ratio', ratio, 'x'),
                 ('answer_tokens_per_cpu_second_trl', answers / theirs, 'tokens/s')]
    steps = encoded[:BATCH * (5 if o.quick else 40)]
    a, b = losses(ours, steps, tokenizer, dropout=0.), losses(unpacked, steps, tokenizer)
    gap = max(abs(x - y) for x, y in zip(a, b))
    rows += [('loss_gap', abs(a[-1] - b[-1]), 'nats'), ('loss_gap_most', gap, 'nats')]
    write('train', rows)


if __name__ == '__main__': main()
