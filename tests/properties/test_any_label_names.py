"Hard negatives of any label names, and predictions that are spoiled in any way."
import json

import numpy as np
from hypothesis import given, settings, strategies as st

from iepile_nb.convert import convert
from iepile_nb.lookalikes import MAX_NEIGHBOURS, MIN_NEIGHBOURS, confusions, similarity
from iepile_nb.negatives import HardNegatives
from iepile_nb.questions import Schema

text = st.text(st.characters(codec='utf-8'), min_size=0, max_size=12)


@settings(max_examples=100)
@given(st.lists(text, max_size=14))
def test_every_label_gets_other_labels_as_many_as_the_limits_allow(labels):
    K = HardNegatives.build(labels)
    assert list(K) == list(dict.fromkeys(labels))
    for l, near in K.items():
        assert l not in near and len(set(near)) == len(near) and set(near) <= set(K)
        assert min(MIN_NEIGHBOURS, len(K) - 1) <= len(near) <= min(MAX_NEIGHBOURS, len(K) - 1)


@given(st.lists(text, min_size=2, max_size=10, unique=True), st.randoms())
def test_the_order_of_labels_changes_no_likeness(labels, rng):
    other = labels[:]
    rng.shuffle(other)
    at = [other.index(l) for l in labels]
    assert np.allclose(similarity(labels), similarity(other)[np.ix_(at, at)], equal_nan=True)


def nested(x):
    keys = st.sampled_from(['city', 'country', 'entity', 'x'])
    return st.lists(x, max_size=3) | st.dictionaries(keys, x, max_size=3)


JUNK = st.none() | st.text(max_size=30) | st.recursive(
    st.none() | st.integers() | st.text(max_size=5), nested, max_leaves=6)


@settings(max_examples=100)
@given(JUNK, st.sampled_from(['output', 'label', 'instruction', 'task']))
def test_a_spoiled_row_does_not_harm_the_others(junk, key):
    record = {'text': 'Mali', 'entity': [{'entity': 'Mali', 'entity_type': 'city'}]}
    row, = convert([record], Schema(['city', 'country']), 'NER', 'en', 'test', -1)
    row = row | {'output': '{"country": ["Mali"]}'}
    for value in (junk, json.dumps(junk)):
        assert confusions(['city', 'country'], [row, row | {key: value}])[0, 1] >= 1
