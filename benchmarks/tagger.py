"""F1 of what one would take without a language model: an encoder that tags words, trained on the same texts.

    python benchmarks/tagger.py --encoder FOLDER --data FOLDER    # of sentence-transformers/all-MiniLM-L6-v2

The texts to learn from and to be tested on are those of real.py, and so is the score. The encoder is trained as a
whole, with a layer on top that says of each token which entity begins or goes on there; of some learning rates the
one is taken that is best on the dev texts. Rows: ENCODER.DATASET.RECORDS.f1, in percent: the mean over seeds, with
the lowest and the highest of them.
"""
import os
from pathlib import Path

import torch
from common import arguments, write
from real import Dataset
from transformers import (AutoModelForTokenClassification, AutoTokenizer, get_linear_schedule_with_warmup,
                          set_seed)

from iepile_nb.evaluate import evaluate
from iepile_nb.lib.io import record_rng
from iepile_nb.questions import output
from iepile_nb.tasks import read_instruction

TRIED = (1e-4, 3e-4, 6e-4) # learning rates
BATCH = 8


def places(record):
    "(start, end, label) of all entities in the text; of two that overlap, the longer one."
    text, taken = record['text'], []
    for e in sorted(record['entity'], key=lambda e: -len(e['entity'])):
        start = text.find(e['entity'])
        while start >= 0:
            end = start + len(e['entity'])
            if all(end <= a or b <= start for a, b, _ in taken): taken.append((start, end, e['entity_type']))
            start = text.find(e['entity'], end)
    return taken


class Tagger:
    "An encoder that tags tokens."
    def __init__(self, encoder, labels, seed):
        set_seed(seed)
        self.tags, self.seed = ['O', *(f'{p}-{l}' for l in labels for p in 'BI')], seed
        self.tokenizer = AutoTokenizer.from_pretrained(encoder)
        self.model = AutoModelForTokenClassification.from_pretrained(encoder, num_labels=len(self.tags))

    def encode(self, records): # a batch of tensors, with the place of each token in its text
        return self.tokenizer([r['text'] for r in records], return_tensors='pt', padding=True, truncation=True,
                              max_length=512, return_offsets_mapping=True)

    def targets(self, record, offsets):
        "The tag of each token; -100 where there is no text."
        found = [0 if b > a else -100 for a, b in offsets]
        for start, end, label in places(record):
            for i, (a, b) in enumerate(offsets):
                if b > a and start <= a < end: found[i] = self.tags.index(f'{"B" if a == start else "I"}-{label}')
        return found

    def learn(self, records, rate, passes=20):
        "Train on records."
        optimizer, rng = torch.optim.AdamW(self.model.parameters(), lr=rate), record_rng(self.seed, 'tagger')
        steps = passes * -(-len(records) // BATCH)
        schedule = get_linear_schedule_with_warmup(optimizer, steps // 10, steps)
        self.model.train()
        for _ in range(passes):
            for some in batches(rng.sample(records, len(records))):
                batch = self.encode(some)
                offsets = batch.pop('offset_mapping').tolist()
                labels = torch.tensor([self.targets(r, o) for r, o in zip(some, offsets)])
                self.model(**batch, labels=labels).loss.backward()
                torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.)
                optimizer.step()
                schedule.step()
                optimizer.zero_grad()
        return self

    @torch.inference_mode()
    def tag(self, records):
        "The records with what was found in place of what was annotated."
        self.model.eval()
        for some in batches(records):
            batch = self.encode(some)
            offsets = batch.pop('offset_mapping').tolist()
            best = self.model(**batch).logits.argmax(-1).tolist()
            for record, tags, where in zip(some, best, offsets): yield self.entities(record['text'], tags, where)

    def entities(self, text, tags, offsets):
        "What tags say of a text, as a record."
        spans = []
        for tag, (a, b) in zip(tags, offsets):
            if b == a or not tag: continue
            begins, label = self.tags[tag].split('-', 1)
            joined = spans and spans[-1][2] == label and not text[spans[-1][1]:a].strip()
            if joined and (begins == 'I' or a == spans[-1][1]): spans[-1][1] = b # a piece of a word goes on
            else: spans.append([a, b, label])
        return {'text': text, 'entity': [{'entity': text[a:b], 'entity_type': l} for a, b, l in spans]}


def batches(records): return (records[i:i + BATCH] for i in range(0, len(records), BATCH))


def f1(data, tagger, records):
    "F1 of a tagger, scored as a model's answers are."
    found = {r['text']: data.task.gold(r) for r in tagger.tag(records)}
    rows = data.rows(records, 'test')
    for row in rows:
        _, questions, text = read_instruction(row['instruction'])
        row['output'] = output(data.task, questions, found[text], text)
    return evaluate(rows)['total']['f1']


def measured(o, data, n):
    "F1 of each seed, at what was best on the dev texts."
    def trained(seed, rate): return Tagger(o.encoder, data.schema.labels, seed).learn(data.learned(n), rate)
    best = max(TRIED, key=lambda rate: f1(data, trained(0, rate), data.dev(n)))
    found = [f1(data, trained(seed, best), data.test) for seed in range(1, o.seeds + 1)]
    print(data.name, n, best, [round(x, 1) for x in found], flush=True)
    return found


def main():
    p = arguments(__doc__)
    p.add_argument('--encoder', required=True, help='on the hub, or a folder')
    p.add_argument('--data', type=Path, required=True, help='the folder of the datasets')
    p.add_argument('--datasets', default='CrossNER_AI,CrossNER_science,CrossNER_literature,bc5cdr')
    p.add_argument('--records', default='100')
    p.add_argument('--seeds', type=int, default=3)
    p.add_argument('--test', type=int, default=80)
    p.add_argument('--dev', type=int, default=30)
    p.add_argument('--name', default='MiniLM', help='of the encoder, in the results')
    o, rows = p.parse_args(), []
    os.environ['TOKENIZERS_PARALLELISM'] = 'false'
    for name in o.datasets.split(','):
        data = Dataset(o.data/name, o.test, o.dev)
        for n in map(int, o.records.split(',')):
            found = measured(o, data, n)
            rows.append((f'{o.name}.{name}.{n}.f1', sum(found) / len(found), '%', min(found), max(found)))
            write('tagger', rows)


if __name__ == '__main__': main()
