"A long text in windows, their answers merged, rows packed into one sequence."
import json

import pytest
from helpers.prompts import ask

from iepile_nb.lib.io import UserError
from iepile_nb.lib.templates import TEMPLATES
from iepile_nb.prompt import Encoded, encode_prompt
from iepile_nb.windows import merge_answers, pair, windows

ALPACA = TEMPLATES['alpaca']


def inputs(parts): return [json.loads(p)['input'] for p in parts]


def test_windows_begin_with_sentences(tokenizer):
    text = ' '.join(f'This is sentence number {i} of them.' for i in range(30))
    shown = [s.strip() for s in inputs(windows(tokenizer, ALPACA, ask(text), 500))]
    assert len(shown) > 2 and all(s.startswith('This is') and s.endswith('them.') for s in shown)
    assert inputs(windows(tokenizer, ALPACA, ask('short'), 500)) == ['short']


def test_too_little_room_for_windows(tokenizer):
    bare = len(encode_prompt(tokenizer, ALPACA, ask('')))
    for room in (bare - 5, bare + 2):
        with pytest.raises(UserError, match='raise --cutoff_len'):
            windows(tokenizer, ALPACA, ask('word ' * 200), room)


def test_answers_are_merged():
    a = {'works for': [{'subject': 'A', 'object': 'B'}], 'x': []}
    b = {'works for': [{'subject': 'A', 'object': 'B'}, {'subject': 'C', 'object': 'B'}], 'x': []}
    assert merge_answers([a, b]) == merge_answers([b, a]) == b
    one, two = {'p': {'Ann': {'age': '4', 'job': 'x'}}}, {'p': {'Ann': {'age': '5', 'job': 'x'}, 'Bo': {}}}
    assert merge_answers([one, two]) == {'p': {'Ann': {'age': ['4', '5'], 'job': 'x'}, 'Bo': {}}}
    assert merge_answers([]) == {}
    assert merge_answers([{'a': 'NAN'}, {'a': ['b', 'c']}, {'a': 'NAN'}]) == {'a': ['b', 'c']}


def test_two_sides_of_an_encoder_decoder():
    b = pair([Encoded([1, 2, 3, 4], [-100, -100, 3, 4]), Encoded([5, 6], [-100, 6])], 0, 9)
    assert b['input_ids'].tolist() == [[1, 2], [0, 5]] and b['decoder_input_ids'].tolist() == [[9, 3], [9, 6]]
    assert (b['places'].tolist(), b['labels'].tolist()) == ([0, 1, 2], [3, 4, 6])


def test_a_batch_of_empty_places_for_an_encoder_decoder():
    batch = pair([Encoded([2], [-100])] * 2, pad_id=2, start_id=9)
    assert batch['decoder_input_ids'].tolist() == [[9], [9]]
    assert not batch['decoder_input_ids'].is_floating_point()
    assert batch['input_ids'].tolist() == [[2], [2]] and len(batch['labels']) == len(batch['places']) == 0
