"Counts, leaks, and the corpus of the paper."
import json
import random

from helpers.data_files import INES
from iepile_nb.convert import convert, row_counts
from iepile_nb.data import corpus, leak, leak_counts, stats
from iepile_nb.questions import Schema
from iepile_nb.records import read_records, read_schema


def test_stats_of_two_records():
    "Labels are asked in order: LOC and PER, then WORK."
    s = stats([INES, {'text': 'Nothing.', 'entity': []}], 'NER', Schema(['WORK', 'PER', 'LOC']), split_num=2)
    assert (s['records'], s['without_any_annotation'], s['annotations']) == (2, 1, 2)
    assert (s['rows'], s['rows_with_an_answer'], s['pure_negatives']) == (4, 1, 3)
    assert s['longest'] == len(INES['text']) and s['pure_negatives_for_one_answer'] == 3
    assert '<table>' in s._repr_html_()


def test_stats_of_nothing(): assert stats([], 'NER')['records'] == 0


def test_pure_negatives_are_those_of_conversion(root):
    for task in ('NER', 'RE', 'SPO', 'EE', 'EET'):
        folder = root/'data'/task
        schema = read_schema(folder/'schema.json', task)
        records = list(read_records(folder/'sample.json', task))
        s = stats(records, task, schema)
        assert (s['rows'], s['pure_negatives']) == tuple(row_counts(convert(records, schema, task)).values())


def test_leak_of_published_splits(shared):
    "What the folders' README says: texts that two splits share as published."
    for folder, a, b, n in (('CrossNER_science', 'dev', 'test', 11), ('semval-RE', 'train', 'test', 15)):
        read = lambda split: read_records(shared/f'data/{folder}/{split}.json', annotated=False)
        found = leak_counts(leak({split: enumerate(read(split), 1) for split in (a, b)}))
        assert found[0]['equal texts'] == n and found[0]['near'] > 0


def test_leak_finds_near_texts():
    rng = random.Random(3)
    text = lambda: ''.join(rng.choices('abcdefgh ', k=120))
    texts = [text() for _ in range(60)]
    changed = [t[:60] + 'zz' + t[60:] if i % 2 else text() for i, t in enumerate(texts)]
    splits = {'train': texts, 'test': changed}
    found = leak({name: enumerate(({'text': t} for t in ts), 1) for name, ts in splits.items()})
    pairs = {(r['text of'], r['also in']) for r in found}
    assert pairs == {(f'test:{i + 1}', f'train:{i + 1}') for i in range(1, 60, 2)}


def test_corpus_of_the_paper(root):
    sets = corpus()
    count = lambda **k: sum(all(r[a] == b for a, b in k.items()) for r in sets)
    assert len(sets) == 33 and count(language='zh') == 7
    both = lambda task: (count(task=task, language='en'), count(task=task, language='zh'))
    assert [both(task) for task in ('NER', 'RE', 'EE')] == [(15, 3), (8, 2), (3, 2)]
    assert json.loads((root/'iepile_nb/assets/datasets.json').read_text())['sources']
