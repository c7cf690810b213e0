"Intervals, comparison of two files, and the order of labels."

import pytest

from iepile_nb.certainty import compare_results, orders, reordered, resampled
from iepile_nb.evaluate import evaluate
from iepile_nb.lib.io import UserError
from iepile_nb.lib.predictions import read_row
from iepile_nb.questions import encode
from helpers.prediction_rows import answered, entity


def half_right(n, right, task='NER'):
    "n texts with one entity each; those in `right` are answered right."
    records = [{'text': f'X {i}', 'entity': [entity('X')]} for i in range(n)]
    answers = ['{"a": ["X"]}' if i in right else '{"a": ["Y"]}' for i in range(n)]
    return evaluate(answered(task, records, answers=answers))


def test_intervals_are_those_of_drawing_texts_one_by_one():
    import numpy as np
    result, rng = half_right(60, range(36)), np.random.default_rng(1)
    low, high = result.intervals(draws=20_000)['f1']
    slow = np.percentile([100 * (rng.integers(0, 60, 60) < 36).mean() for _ in range(20_000)], [2.5, 97.5])
    assert abs(low - slow[0]) < 1.7 and abs(high - slow[1]) < 1.7 and low < 60 < high
    assert result.intervals() == result.intervals() != result.intervals(seed=1)
    assert half_right(5, range(5)).intervals()['f1'] == (100, 100)


def test_the_two_ways_to_draw_agree():
    import numpy as np
    x = np.arange(300.).reshape(100, 3)
    many = np.concatenate([x] * 8)
    for a in (x, many):
        sums = resampled(a, 4000, np.random.default_rng(0))
        assert np.array_equal(sums, resampled(a, 4000, np.random.default_rng(0), block=500))
        assert sums.shape == (4000, 3)
        assert np.allclose(sums.mean(0), a.sum(0), rtol=.01)
        assert np.allclose(sums.std(0), a.std(0) * len(a) ** .5, rtol=.06)


def test_a_difference_and_chance():
    worse, better = half_right(100, range(40)), half_right(100, range(70))
    d = {d.score: d for d in compare_results(better, worse, draws=2000)}['f1']
    assert (round(d.difference), d.n) == (30, 100) and 20 < d.low < 30 < d.high < 41 and d.p < .001
    same = compare_results(worse, half_right(100, range(60, 100)), draws=2000)[-1]
    assert same.difference == 0 and same.p == 1 and same.low < 0 < same.high
    slight = compare_results(half_right(100, range(41)), worse, draws=2000)[-1]
    assert slight.p > .9
    assert compare_results(worse, half_right(60, range(40)))[-1].n == 60
    with pytest.raises(UserError, match='no text in common'):
        compare_results(worse, evaluate(answered('NER', [{'text': 'other', 'entity': []}])))


def test_the_exact_p_of_a_small_case():
    "Three texts that only the first model gets right: all 8 exchanges have a difference as large in 2 cases."
    d = compare_results(half_right(3, range(3)), half_right(3, []), draws=20_000)[-1]
    assert abs(d.p - .25) < .02


def test_orders_have_mean_spread_and_swaps():
    pair = [{'head': 'X', 'relation': l, 'tail': 'Y'} for l in 'rs']
    records = [{'text': f'X Y {i}', 'relation': pair} for i in range(8)]
    rows = [{**r, 'output': None} for r in answered('RE', records, split_num=2)]
    def turned(rows): # the first label asked is answered the wrong way round
        for row in rows:
            r = read_row(row)
            answer = {q.label: [] for q in r.questions}
            for k, label in enumerate(answer):
                if label in 'rs': answer[label] = [{'subject': 'YX'[k > 0], 'object': 'XY'[k > 0]}]
            yield {**row, 'output': encode(answer)}
    found = orders(rows, turned, 4)
    assert len(found) == 4 and len(set(found.f1())) > 1 and all(0 < s <= 100 for s in found.swaps)
    table = str(found)
    assert f'{max(found.f1()):.2f}' in table and 'spread' in table and 'swapped' in table
    changed = [{**rows[0], 'instruction': rows[0]['instruction'].replace('You are', 'Be')}]
    with pytest.raises(UserError, match='none of IEPile'): reordered(changed, 1)
