"Answers that keep to a grammar: valid whatever the model wants, and no true answer is shut out."
import json
import random
from copy import deepcopy

import pytest
import torch
from conftest import ROOT
from transformers import AutoModelForCausalLM

from iepile_nb.convert import convert
from iepile_nb.decode import FreeWriter
from iepile_nb.grammar import ConstrainedWriter, answer_matcher, guide_tokenizer
from iepile_nb.infer import as_questions
from iepile_nb.lib.engine import decode
from iepile_nb.lora import load_model
from iepile_nb.questions import NAN, encode, instruction
from iepile_nb.records import read_records, read_schema
from iepile_nb.tasks import TASKS, read_instruction

HARD = ['Ines "Nina" Okafor\\n moved\tto\x01 伊内斯 😀]} <|end|> "NAN".', '', 'a', '\ud800 hi \ud83d', '\\', '"',
        '}]"], "b": ["', '\x7f\x85\u2028é']
SCHEMAS = {'NER': ['per"son', 'ci\nty', 'x]}😀', '<|end|>', 'é' * 200], 'RE': ['r', 'lives in'],
           'SPO': ['a_r_b'], 'EE': {'e': ['x', 'y'], 'f': []}, 'EET': ['e'], 'EEA': {'e': ['x', 'z']},
           'KG': {'t': ['p', 'q', 'u'], 'v': ['w']}}


@pytest.fixture(scope='module')
def tiny(): return load_model('tiny')


@pytest.fixture(scope='module')
def babbler(tiny):
    "The embedded model's shape with large random weights: it writes anything at all."
    config = deepcopy(tiny[0].config)
    config.initializer_range, config.max_position_embeddings, config.num_hidden_layers = .3, 50_000, 2
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config).eval()


def strings(task, items): return [s for i in items for _, s in task.mentions(i)]


def held(tokenizer, task, questions, text, room):
    return ConstrainedWriter(tokenizer, answer_matcher(tokenizer, task, questions, text), room)


def check(writer, task, questions, text=None):
    "Is an answer plain JSON of the asked shape, with nothing made up?"
    obj, problems = json.loads(writer.text), []
    assert encode(obj) == writer.text and list(obj) == [task.answer_key(q) for q in questions]
    items = list(task.parse(obj, problems.append))
    assert not problems
    if text is not None: assert all(s in text or s == NAN for s in strings(task, items))


@pytest.mark.parametrize('task', TASKS)
def test_whatever_the_model_wants_the_answer_is_valid(task, tiny, babbler):
    task, tokenizer = TASKS[task], tiny[1]
    questions, cases = as_questions(task, SCHEMAS[task.name]), []
    for text in HARD:
        asked = instruction(task, 'en', questions[:1], text).encode('utf-8', 'replace').decode()
        cases += [(tokenizer.encode(asked), held(tokenizer, task, questions, t, room), t)
                  for t in (None, text) for room in (1, 2, 9, 40)]
    decode(babbler, [p for p, _, _ in cases], [w for _, w, _ in cases])
    for _, w, text in cases: check(w, task, questions, text)
    assert all(0 <= len(w.tokens) - w.forced <= w.room and w.forced >= 0 for _, w, _ in cases)


def test_alone_and_together_are_the_same(tiny, babbler):
    "Rows that are forced on by different numbers of tokens do not disturb each other."
    tokenizer, cases = tiny[1], [(TASKS[t], text) for t in TASKS for text in HARD[:3]]
    def answers(model, size):
        prompts, writers = [], []
        for task, text in cases:
            questions = as_questions(task, SCHEMAS[task.name])
            prompts.append(tokenizer.encode(instruction(task, 'en', questions[:1], text)))
            writers.append(held(tokenizer, task, questions, text, 30))
        decode(model, prompts, writers, size)
        return [w.text for w in writers]
    for model in (babbler, tiny[0]): assert answers(model, 1) == answers(model, 5) == answers(model, 64)


def accepts(tokenizer, task, questions, text, answer):
    m, ll = answer_matcher(tokenizer, task, questions, text), guide_tokenizer(tokenizer)[0]
    return m.consume_tokens(ll.tokenize_str(answer)) and m.is_stopped()


@pytest.mark.parametrize('task', TASKS)
def test_true_answers_are_allowed(task, tiny):
    "Every answer that the converter writes for the shipped samples, if its values stand in the text."
    schema = read_schema(ROOT/f'data/{task}/schema.json', task)
    n = 0
    for row in convert(read_records(ROOT/f'data/{task}/sample.json', task), schema, task, 'zh'):
        row = json.loads(row) if isinstance(row, bytes) else row
        t, questions, text = read_instruction(row['instruction'], TASKS[task])
        assert accepts(tiny[1], t, questions, None, row['output'])
        if all(s in text for s in strings(t, t.parse(json.loads(row['output'])))):
            n += 1
            assert accepts(tiny[1], t, questions, text, row['output'])
    assert n


@pytest.mark.parametrize('answer', [
    '{"a": ["Oslo"], "b": []}', '{"a": []}', '{"b": [], "a": []}', '{"a": [],"b": []}',
    '{"a": [""], "b": []}', '{"a": ["NAN"], "b": []}'])
def test_false_answers_are_not(answer, tiny):
    ner, questions = TASKS['NER'], as_questions(TASKS['NER'], ['a', 'b'])
    assert not accepts(tiny[1], ner, questions, 'Ines moved to Porto', answer)
    true = '{"a": ["Ines", "moved to"], "b": ["Porto"]}'
    assert accepts(tiny[1], ner, questions, 'Ines moved to Porto', true)


def test_long_texts_and_many_labels(tiny, babbler):
    rng, tokenizer = random.Random(0), tiny[1]
    text = ''.join(rng.choice('abc def"\\\n伊内斯😀') for _ in range(20_000))
    task, labels = TASKS['NER'], [f'label {i}' for i in range(300)]
    for schema, t in ((['a'], text), (labels, 'Ines')):
        questions = as_questions(task, schema)
        w = held(tokenizer, task, questions, t, 20)
        decode(babbler, [tokenizer.encode('x')], [w])
        check(w, task, questions, t)


@pytest.mark.parametrize('more', [267, 0, -20])
def test_a_vocabulary_that_is_not_the_tokenizers(more, tiny):
    "Embeddings are often padded: what no token stands for is never chosen; free rows may say all."
    tokenizer, ner = tiny[1], TASKS['NER']
    n, w = len(tokenizer) + more, held(tokenizer, ner, as_questions(ner, ['a']), None, 9)
    masked = w.mask_logits(torch.zeros(2, n), {1: w})
    assert masked.shape == (2, n) and masked[0].isfinite().all() and 0 < masked[1].isfinite().sum() < n
    assert not masked[1, len(tokenizer):].isfinite().any()
    full = w.mask_logits(torch.zeros(2, len(tokenizer)), {1: w})
    assert torch.equal(masked[1, :len(tokenizer)], full[1, :n])


def test_padded_embeddings_decode(tiny):
    config, tokenizer, ner = deepcopy(tiny[0].config), tiny[1], TASKS['NER']
    config.vocab_size, config.num_hidden_layers, config.initializer_range = len(tokenizer) + 267, 1, .3
    torch.manual_seed(0)
    wide, questions = AutoModelForCausalLM.from_config(config).eval(), as_questions(ner, ['a', 'b'])
    writers = [held(tokenizer, ner, questions, t, 12) for t in (None, 'Ines moved')]
    writers.append(FreeWriter(tokenizer, [], 12))
    decode(wide, [tokenizer.encode('x')] * 3, writers, weigh=True)
    check(writers[0], ner, questions)
    check(writers[1], ner, questions, 'Ines moved')
