"Which words of an answer are the answer: single cases, each with what is told."
import json
import time

import pytest

from iepile_nb.evaluate import evaluate, why
from iepile_nb.lib.answers import find_prompt, parse_answer
from iepile_nb.lib.nearly_json import BRACKETS, BREAK, COMMA, ESCAPE, NUMBERS, PYTHON, QUOTES
from helpers.prediction_rows import answered, entity

ASKED = 'a', 'b'
GOOD = '{"a": ["X"], "b": []}'


def told(answer):
    "What is read, what was mended, what is passed over."
    problems = []
    return *parse_answer(answer, ASKED, problems.append), problems


@pytest.mark.parametrize('fault, note', [
    ('{"a": ["X"], "b": []', BRACKETS), ('{"a": ["X"}', BRACKETS), ('{"a": ["X",],}', COMMA),
    ("{'a': ['X']}", QUOTES), ('{"a": ["X"], "c": None}', PYTHON), ('{"a": ["X\nY"]}', BREAK),
    ('{"a": ["X\\\'s"]}', ESCAPE), ('{"a": ["X", 7]}', NUMBERS),
    ('```json\n{"a": ["X"]\n```\nDone.', BRACKETS)])
def test_faults_with_one_reading_are_mended(fault, note):
    answer, repair, problems = told(fault)
    assert answer['a'][0][0] == 'X' and repair == note and not problems


@pytest.mark.parametrize('broken', [
    '{"a": ["X" "Y"]}', "{'a': ['X's']}", '{"a": ["X", "b": []}', '{a: ["X"]}', '{"a": ["X"], "b"',
    '{"a": ["X"],', '{"a": ["X", 20', '{"a": ["\\q"]}', '{"a": ("X")}', '{"a": ["X"],, "b": []}'])
def test_what_needs_a_guess_is_not_read(broken):
    assert told(broken)[0] is None and told(broken)[1] in ('cut off', 'broken JSON')


def test_marks_within_an_answer_are_text():
    for tag in ('</think>', '<think>', '<answer>', '[/THINK]'):
        text = json.dumps({'a': [tag], 'b': []})
        assert parse_answer(f'So: {text}', ASKED)[0] == {'a': [tag], 'b': []}


def test_other_marks_of_thoughts():
    for frame in ('[THINK]{"a": ["Y"]}[/THINK]%s', '◁think▷{"a": ["Y"]}◁/think▷%s',
                  '<|channel|>analysis<|message|>{"a": ["Y"]}<|end|><|channel|>final<|message|>%s',
                  '<think>{"a": ["Y"]}</think><answer>%s</answer>',
                  '<think>one</think>x<think>two {"a": ["Y"]}</think>%s'):
        assert parse_answer(frame % GOOD, ASKED)[0] == json.loads(GOOD)
    assert parse_answer(f'{GOOD} <think>Is that', ASKED)[0] == json.loads(GOOD)


def test_what_is_passed_over_is_told():
    again = ['a: answered again in another object']
    assert told('{"a": ["X"]} {"a": ["Y"]}') == ({'a': ['X']}, 'text after the JSON', again)
    assert told('{"a": ["X"]}, "b": ["Y"]}')[2] == ['b: stands outside of the object']
    assert told('{"a": ["X"]} {"b": ["Y" "Z"]}')[2] == ['a part that cannot be read: broken JSON']
    assert told('{"a": ["X"]} {"z": ["Y"]}')[2] == ['an object without a label that was asked']
    assert told('Example: {"a": ["Y"]} Answer: {"a": ["X"]}')[0] == {'a': ['X']}
    assert told('{"a": ["Y"]} No, all of it: {"a": ["X"], "b": []}')[0] == {'a': ['X'], 'b': []}


def test_why_does_not_call_a_part_read():
    rows = answered('NER', [{'text': 'X Y', 'entity': [entity('X'), entity('Y', 'b')]}])
    answers = ['{"a": ["X"]}\n{"b": ["Y"]}\n{"c": []}', '{"a": ["X"]} {"b": ["Y" "Z"]}']
    whole, part = [[{**r, 'output': a} for r in rows] for a in answers]
    assert evaluate(whole)['total']['f1'] == 100 and 'nothing, they are read' in str(why(whole))
    assert 'nothing, they are read' not in str(why(part)) and 'passed over' in str(why(part))
    assert '1 part of answers with a wrong shape or no place was' in '\n'.join(evaluate(part).notes)
    assert evaluate(whole, rules='original')['total']['错误数'] == 1


def test_the_prompt_alone_is_no_answer():
    rows = answered('NER', [{'text': 'X', 'entity': [entity('X')]}])
    rows = [{**r, 'output': r['instruction']} for r in rows]
    assert 'the prompt instead of an answer 1' in evaluate(rows).notes[0]
    assert 'keep only the new tokens' in str(why(rows))
    assert find_prompt('no prompt {"a": 1}') is None


def test_long_answers_take_no_longer_than_they_are_long():
    for text in ('{' * 200_000, '{"a": [' * 200_000, '{}' * 100_000, '<think>' * 50_000, '{"a" ' * 100_000,
                 '```{"a": 1' * 20_000, '<answer>' * 30_000 + '</answer>', "{'a': '" * 50_000):
        start = time.process_time()
        parse_answer(text, ASKED)
        assert time.process_time() - start < 5, text[:20]
