"""The figures of the course, drawn into nbs/images; `make export` runs it.

Every figure is a function that returns a `Drawing`. What can be computed is computed: the neighbours of a
label, the steps of two ways to batch, the draws of a bootstrap."""
import math
import random
import sys
from html import escape
from pathlib import Path

ROOT = Path(__file__).parent.parent
INK, SOFT, LINE, PAPER = '#1f2933', '#5f6c7b', '#c3ccd6', '#ffffff'
BLUE, GREEN = ('#2b6cb0', '#dbeafe'), ('#2f7d4f', '#dcf2e3') # of lines and text, of areas
ORANGE, GREY = ('#b45309', '#fdebd0'), (SOFT, '#eef1f5')
SANS, MONO = 'system-ui, sans-serif', 'ui-monospace, Menlo, Consolas, monospace'


class Drawing:
    "An SVG picture on white paper, so that it can be read in a dark theme as well."
    def __init__(self, width, height, title):
        self.width, self.height, self.title, self.parts = width, height, title, []

    def rect(self, x, y, w, h, fill=PAPER, stroke=LINE, r=6, dash=''):
        self.parts.append(f'<rect x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}" rx="{r}" fill="{fill}" '
                          f'stroke="{stroke}"{self.dashed(dash)}/>')

    def text(self, x, y, s, size=13, fill=INK, anchor='start', bold=False, mono=False, halo=False):
        weight = ' font-weight="600"' if bold else ''
        if halo: weight += f' stroke="{PAPER}" stroke-width="5" stroke-linejoin="round" paint-order="stroke"'
        family = f' font-family="{MONO}"' if mono else ''
        self.parts.append(f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="{fill}" text-anchor="{anchor}"'
                          f'{weight}{family} xml:space="preserve">{escape(s)}</text>')

    def lines(self, x, y, rows, step=16, **how):
        for i, s in enumerate(rows): self.text(x, y + i * step, s, **how)

    def line(self, x1, y1, x2, y2, stroke=LINE, width=1.5, dash='', arrow=False):
        end = ' marker-end="url(#tip)"' if arrow else ''
        self.parts.append(f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" stroke="{stroke}" '
                          f'stroke-width="{width}"{self.dashed(dash)}{end}/>')

    def arrow(self, *points): self.line(*points, stroke=SOFT, arrow=True)

    def circle(self, x, y, r, fill='none', stroke=LINE, dash=''):
        self.parts.append(f'<circle cx="{x:g}" cy="{y:g}" r="{r:g}" fill="{fill}" stroke="{stroke}"'
                          f'{self.dashed(dash)}/>')

    def chip(self, x, y, s, colours=GREY, size=12, mono=False, pad=8, height=22):
        "A word in a rounded box; returns where the next one may begin."
        w = len(s) * size * (.602 if mono else .56) + 2 * pad
        self.rect(x, y, w, height, colours[1], colours[0], 5)
        self.text(x + w / 2, y + height - 7, s, size, colours[0], 'middle', mono=mono)
        return x + w + 6

    @staticmethod
    def dashed(dash): return f' stroke-dasharray="{dash}"' if dash else ''

    def svg(self):
        tip = ('<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
               f'orient="auto"><path d="M0 0L8 4L0 8z" fill="{SOFT}"/></marker></defs>')
        size = f'width="{self.width}" height="{self.height}" viewBox="0 0 {self.width} {self.height}"'
        paper = f'<rect width="{self.width}" height="{self.height}" rx="10" fill="{PAPER}"/>'
        return '\n'.join([f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" font-family="{SANS}">',
                          f'<title>{escape(self.title)}</title>', tip, paper, *self.parts, '</svg>']) + '\n'


def pipeline():
    d = Drawing(760, 356, 'From a record to F1 in six steps')
    boxes = [
        ('record', '03', BLUE,
         ['Halden Foods closed', 'its mill in Odda.', 'company: Halden Foods', 'city: Odda']),
        ('rows', '07', BLUE,
         ['"schema": ["company",', '  "city", "person", …]', 'a few labels a row,', 'look-alikes together']),
        ('prompt', '08', BLUE,
         ['<|user|>{"instruction":', '  …, "input": "Halden …"}', '<|assistant|>', 'as token ids']),
        ('F1', '16', GREEN, ['Halden Foods   right', 'Odda           missed', 'P 100   R 50', 'F1 66.7']),
        ('answer', '14', ORANGE, ['{"company":', '  ["Halden Foods"],', ' "city": []}', 'valid JSON, quotes']),
        ('model', '11', ORANGE, ['a base, as it came', '+ a LoRA adapter,', 'trained on rows', 'with their answers'])]
    for i, (name, lesson, colours, rows) in enumerate(boxes):
        x, y = 16 + i % 3 * 252, 16 + i // 3 * 176
        d.rect(x, y, 224, 148, colours[1], colours[0], 8)
        d.text(x + 14, y + 27, name, 17, colours[0], bold=True)
        d.text(x + 210, y + 26, f'lesson {lesson}', 12, colours[0], 'end')
        d.lines(x + 14, y + 56, rows, 22, size=13, mono=True)
    d.arrow(240, 90, 267, 90)
    d.arrow(492, 90, 519, 90)
    d.arrow(632, 164, 632, 191)
    d.arrow(520, 266, 493, 266)
    d.arrow(268, 266, 241, 266)
    return d


def label_batches():
    d = Drawing(760, 330, 'Ten labels, seven of them asked, in two rows')
    d.text(20, 32, 'Halden Foods closed its mill in Odda.', 15, bold=True)
    own, hard, others = ['company', 'city'], ['brand', 'country', 'river'], ['date', 'person']
    colour = {**dict.fromkeys(own, GREEN), **dict.fromkeys(hard, ORANGE), **dict.fromkeys(others, BLUE)}
    every = ['brand', 'city', 'company', 'country', 'date', 'disease', 'film', 'person', 'river', 'weapon']
    d.text(20, 72, 'the schema', 13, SOFT)
    x = 120
    for label in every: x = d.chip(x, 56, label, colour.get(label, GREY), 11, pad=5)
    d.text(20, 126, 'asked', 13, SOFT)
    groups = (120, 'positives', own), (300, 'their hard negatives', hard), (560, 'a few others', others)
    for x, name, labels in groups:
        d.text(x, 104, name, 12, SOFT)
        for label in labels: x = d.chip(x, 112, label, colour[label])
    d.text(20, 178, 'sorted, cut into batches of split_num = 4; the rest of 3 is at least half a batch', 13, SOFT)
    asked = sorted(own + hard + others)
    answers = {'company': '["Halden Foods"]', 'city': '["Odda"]'}
    for i, batch in enumerate((asked[:4], asked[4:])):
        y = 194 + i * 64
        d.rect(20, y, 720, 54, PAPER, LINE, 8)
        d.text(34, y + 22, f'row {i + 1}', 13, bold=True)
        x = 90
        for label in batch: x = d.chip(x, y + 6, label, colour[label], height=20)
        said = ', '.join(f'"{l}": {answers.get(l, "[]")}' for l in batch)
        d.text(90, y + 44, '{' + said + '}', 12, mono=True)
    return d


def hard_negatives():
    import numpy as np
    from iepile_nb.lookalikes import choose_neighbours, similarity
    labels = ['birth place', 'birth date', 'place of death', 'spouse', 'employer',
              'founder', 'headquarters', 'film director', 'songwriter', 'author']
    row = similarity(labels)[0]
    chosen = {int(j) for j in choose_neighbours(row)}
    order = sorted(range(1, len(labels)), key=lambda j: -row[j])
    far = lambda j: 56 + 112 * (np.nanmax(row) - row[j]) / (np.nanmax(row) - np.nanmin(row))
    cut = (max(far(j) for j in chosen) + min(far(j) for j in order if j not in chosen)) / 2
    d = Drawing(760, 396, 'The neighbours of the label birth place')
    cx, cy = 252, 200
    d.circle(cx, cy, cut, '#fff7ed', ORANGE[0], '5 4')
    turn = [order[i] for i in (0, 3, 6, 1, 4, 7, 2, 5, 8)] # near and far ones in turn, so that names have room
    for i, j in enumerate(turn):
        angle, near = 2 * math.pi * i / len(turn) - .5, j in chosen
        x, y = cx + far(j) * math.cos(angle), cy + far(j) * math.sin(angle)
        d.line(cx, cy, x, y, ORANGE[0] if near else LINE, 2 if near else 1)
        d.circle(x, y, 6, ORANGE[0] if near else PAPER, ORANGE[0] if near else SOFT)
        right = math.cos(angle) >= 0
        d.text(x + (11 if right else -11), y + 5, f'{labels[j]}', 13, INK if near else SOFT,
               'start' if right else 'end', near, halo=True)
    d.circle(cx, cy, 9, GREEN[0], GREEN[0])
    d.text(cx - 4, cy - 16, labels[0], 14, GREEN[0], 'middle', True, halo=True)
    d.text(500, 60, 'the nearer, the more alike', 14, bold=True)
    for i, j in enumerate(order):
        y, near = 90 + i * 25, j in chosen
        d.text(500, y, labels[j], 13, INK if near else SOFT)
        d.text(700, y, f'{row[j]:+.2f}', 13, INK if near else SOFT, 'end', mono=True)
        if near and order[i + 1] not in chosen: d.line(500, y + 8, 700, y + 8, ORANGE[0], 1.5, '5 4')
    d.lines(500, 336, ['inside the dashed cut: the hard', 'negatives, asked with every', 'text that has a birth place'],
            18, fill=ORANGE[0])
    return d


def loss_mask():
    d = Drawing(760, 236, 'The loss is taken on the answer alone')
    prompt = ['<s>', 'Instruction:', 'Which', 'city?', 'Max', 'lives', 'in', 'Lagos.', 'Response:']
    answer = ['{"', 'city', '": ["', 'Lagos', '"]}', '</s>']
    for y, tokens, colours, labels in ((46, prompt, GREY, ['-100'] * 9), (142, answer, GREEN, answer)):
        x, start = 130, 130
        d.text(20, y + 15, 'tokens', 13, SOFT)
        d.text(20, y + 46, 'labels', 13, SOFT)
        for token, label in zip(tokens, labels):
            after = d.chip(x, y, token, colours, 12, mono=True, pad=6)
            d.text((x + after - 6) / 2, y + 46, label, 12, colours[0], 'middle', mono=True)
            x = after
        what = ('the prompt: read, not learned' if colours is GREY else
                'the answer, with the token that ends it: learned')
        d.text(start, y - 12, what, 13, colours[0], bold=True)
    d.text(130, 222, 'loss = the mean over the six green tokens; −100 is the label that it passes over', 13, SOFT)
    return d


def kv_cache():
    d = Drawing(760, 292, 'What a model reads for each token, without and with a KV cache')
    prompt, answer, side = 5, 5, 23
    for left, cached, title in ((30, False, 'without a cache'), (410, True, 'with a cache')):
        d.text(left, 30, title, 15, bold=True)
        read = 0
        for step in range(answer):
            y = 62 + step * 33
            for i in range(prompt + step):
                fresh = not cached or step == 0 or i == prompt + step - 1
                read += fresh
                fill, edge = BLUE[::-1] if fresh else (PAPER, LINE)
                d.rect(left + i * (side + 3), y, side, side, fill, edge, 4)
            d.text(left + (prompt + step) * (side + 3) + 6, y + 16, f'→ token {step + 1}', 12, SOFT)
        d.line(left - 2, 52, left + prompt * (side + 3) - 2, 52, SOFT, 1)
        d.text(left, 47, 'prompt', 11, SOFT)
        d.text(left, 252, f'{read} tokens are read for {answer} tokens of an answer', 13, BLUE[0])
    d.text(30, 278, 'blue: the model computes this token in this pass; white: its keys and values lie in the cache',
           12, SOFT)
    return d


def schedule(lengths, rows, continuous):
    "Where each answer is written: (row of the batch, first step, steps); and how many steps there are."
    free, placed = [0] * rows, []
    for i, n in enumerate(lengths):
        if not continuous and i % rows == 0: free = [max(free)] * rows # the last batch is done
        r = min(range(rows), key=free.__getitem__) if continuous else i % rows
        placed.append((r, free[r], n))
        free[r] += n
    return placed, max(free)


def continuous_batching():
    lengths, rows, unit = [3, 9, 4, 2, 3, 8, 5, 2, 3], 3, 26
    d = Drawing(760, 322, 'Nine answers, three at a time: in padded batches, and continuously')
    for top, continuous, title in ((44, False, 'padded batches'), (196, True, 'continuous batching')):
        placed, steps = schedule(lengths, rows, continuous)
        used = sum(lengths) / (rows * steps)
        d.text(20, top - 14, f'{title}: {steps} steps, {used:.0%} of the places write', 14, bold=True)
        for r in range(rows): d.rect(20, top + r * 32, steps * unit - 3, 26, GREY[1], LINE, 4)
        for i, (r, first, n) in enumerate(placed):
            x, colours = 20 + first * unit, (BLUE, GREEN, ORANGE)[i % 3]
            d.rect(x, top + r * 32, n * unit - 3, 26, colours[1], colours[0], 4)
            d.text(x + (n * unit - 3) / 2, top + r * 32 + 18, str(i + 1), 13, colours[0], 'middle', True)
    d.text(20, 312, 'each box is an answer, as wide as it has tokens; grey places compute for nothing', 12, SOFT)
    return d


def grammar_walk():
    d = Drawing(760, 268, 'A walk through the grammar of an answer')
    d.text(20, 30, 'Ines Okafor moved to Porto', 15, bold=True)
    d.text(270, 30, 'asked: person, city', 13, SOFT)
    # what the mask leaves open for the embedded tokenizer
    steps = [('{"', None), ('person', None), ('": ["', ['"', '": [], "']),
             ('Ines', ['Okafor', 'to', 'mo', 'a', 'and 28 more']), ('␣', ['"', '", "', '"], "']),
             ('Okafor', ['O', '"', '", "', '"], "']), ('"], "', ['"', '␣', '", "']), ('city', None),
             ('": []}', ['"', '": ["'])]
    x = 20
    for token, others in steps:
        w = len(token) * 7.9 + 16
        colours = GREY if others is None else GREEN
        d.rect(x, 58, w, 30, colours[1], colours[0], 5)
        d.text(x + w / 2, 78, token, 13, colours[0], 'middle', mono=True)
        d.lines(x + w / 2, 112, others or [], 19, size=12, fill=BLUE[0], anchor='middle', mono=True)
        d.text(x + w / 2, 50, 'forced' if others is None else '', 11, SOFT, 'middle')
        wide = max([w, *(len(o) * 7.4 + 8 for o in others or [])])
        x += wide + 14
    d.lines(20, 216, ['green: the model chose; blue: what else it might have chosen at that place',
                      'grey: the grammar allows nothing else, so the model is not asked',
                      'never offered: Lagos (not in the text), country (not asked), a missing bracket'], 19, fill=SOFT)
    return d


def lora():
    d = Drawing(760, 300, 'LoRA beside a weight')
    d.chip(20, 136, 'x', GREY, 15, height=28)
    d.arrow(52, 150, 116, 96)
    d.arrow(52, 150, 116, 222)
    d.rect(120, 26, 128, 128, GREY[1], GREY[0])
    d.text(184, 86, 'W', 20, SOFT, 'middle', True)
    d.text(184, 108, '64 × 64, frozen', 12, SOFT, 'middle')
    d.rect(120, 210, 128, 24, GREEN[1], GREEN[0], 3)
    d.text(184, 227, 'A   4 × 64', 12, GREEN[0], 'middle', True)
    d.arrow(250, 222, 290, 222)
    d.rect(294, 168, 24, 108, GREEN[1], GREEN[0], 3)
    d.text(306, 226, 'B', 13, GREEN[0], 'middle', True)
    d.text(306, 293, '64 × 4', 11, GREEN[0], 'middle')
    d.arrow(320, 222, 366, 160)
    d.text(352, 208, '· scale', 12, SOFT)
    d.arrow(250, 92, 366, 146)
    d.circle(382, 152, 15, PAPER, SOFT)
    d.text(382, 158, '+', 18, INK, 'middle')
    d.arrow(399, 152, 440, 152)
    d.text(446, 157, 'W x + scale · B A x', 14, mono=True)
    d.lines(446, 40, ['4,096 weights are only read;', '512 are trained and saved.'], 20, size=14)
    d.lines(446, 204, ['B begins with zeros: at first', 'nothing is added.', 'Merged: W + scale · B A is one',
                       'matrix again, of the same size.'], 20, fill=SOFT)
    return d


def hits_and_misses():
    sentences = [('Ines Okafor moved from Porto to Lagos.',
                  [('Ines Okafor', 'person', True), ('Porto', 'city', False), ('Lagos', 'city', True)],
                  [('Ines Okafor', 'person', True), ('Lagos', 'city', True)]),
                 ('Halden Foods sells its mill in Odda.',
                  [('Halden Foods', 'company', False), ('Odda', 'city', True)],
                  [('Halden', 'person', False), ('Odda', 'city', True)])]
    d, unit = Drawing(760, 280, 'Two sentences with what was annotated and what was predicted'), 12
    for n, (text, gold, found) in enumerate(sentences):
        y = 62 + n * 106
        d.text(20, y - 24, 'annotated', 12, SOFT)
        d.text(20, y + 30, 'predicted', 12, SOFT)
        for i, c in enumerate(text): d.text(110 + (i + .5) * unit, y, c, 18, anchor='middle', mono=True)
        for items, top, bad in ((gold, y - 40, GREY), (found, y + 14, ORANGE)):
            for value, label, hit in items:
                colours, x, w = GREEN if hit else bad, 110 + text.index(value) * unit, len(value) * unit
                d.rect(x, top, w, 22, colours[1], colours[0], 4, '' if hit else '4 3')
                d.text(x + w / 2, top + 15, label, 12, colours[0], 'middle')
    d.text(20, 254, 'green: a true positive, on both sides; grey: a miss; orange: a false positive', 12, SOFT)
    return d


def bootstrap():
    from iepile_nb.scoring import Counts
    d = Drawing(760, 336, 'One bootstrap: the texts drawn again, and the F1 of a thousand draws')
    texts = [Counts(*c) for c in ((2, 2, 2), (0, 2, 3), (3, 3, 3), (1, 2, 2), (0, 1, 1),
                                  (2, 3, 2), (1, 1, 3), (2, 2, 2), (0, 1, 2), (1, 1, 1))]
    rng = random.Random(42)
    draws = [rng.choices(range(10), k=10) for _ in range(1000)]
    f1 = [sum((texts[i] for i in d_), Counts()).f1 for d_ in draws]
    rows = [('the test set', range(10), sum(texts, Counts()).f1),
            *((f'draw {n + 1}', sorted(draws[n]), f1[n]) for n in range(3))]
    for r, (name, chosen, score) in enumerate(rows):
        y = 22 + r * 34 + (8 if r else 0)
        d.text(20, y + 17, name, 13, bold=not r)
        for k, i in enumerate(chosen):
            colours = GREEN if texts[i].f1 > 75 else ORANGE if texts[i].f1 > 0 else GREY
            d.rect(120 + k * 34, y, 28, 24, colours[1], colours[0], 4)
            d.text(134 + k * 34, y + 17, str(i + 1), 12, colours[0], 'middle')
        d.text(480, y + 17, f'F1 {score:.1f}', 13, bold=not r, mono=True)
    d.lines(574, 40, ['a text: green all right,', 'orange partly, grey not;', 'some are drawn twice,', 'some not at all'], 18,
            fill=SOFT, size=12)
    low, high = sorted(f1)[25], sorted(f1)[974]
    place = lambda v: 120 + (v - 30) * 8.6
    for b in range(30, 100, 2):
        n = sum(b <= v < b + 2 for v in f1)
        if not n: continue
        colours = BLUE if low <= b + 1 <= high else GREY
        d.rect(place(b) + 1, 300 - n * .92, 15, n * .92, colours[1], colours[0], 1)
    d.line(120, 300, 722, 300, SOFT, 1)
    for v in range(30, 101, 10): d.text(place(v), 318, str(v), 12, SOFT, 'middle')
    for v in (low, high): d.line(place(v), 186, place(v), 300, BLUE[0], 1.5, '5 4')
    d.text(place(low) - 6, 198, f'{low:.0f}', 13, BLUE[0], 'end', True)
    d.text(place(high) + 6, 198, f'{high:.0f}', 13, BLUE[0], bold=True)
    d.lines(20, 226, ['F1 of 1,000', 'draws; 95%', 'lie between', 'the lines'], 18, fill=SOFT, size=12)
    return d


FIGURES = (pipeline, label_batches, hard_negatives, loss_mask, kv_cache, continuous_batching, grammar_walk, lora,
           hits_and_misses, bootstrap)

if __name__ == '__main__':
    sys.path.insert(0, str(ROOT))
    for figure in FIGURES:
        (ROOT/f'nbs/images/{figure.__name__}.svg').write_text(figure().svg(), encoding='utf-8')
