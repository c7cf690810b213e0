"Decoding that keeps to a grammar: valid whatever the model wants, equal alone and together, and accepting every true answer."
import json
import random

import pytest
import torch
from conftest import ROOT, random_llama
from hypothesis import given, settings, strategies as st
from transformers import AutoConfig, AutoModelForCausalLM

from iepile_nb.convert import convert
from iepile_nb.lib.io import UserError
from iepile_nb.records import read_records, read_schema
from iepile_nb.decode import FreeWriter
from iepile_nb.lib.engine import decode
from iepile_nb.grammar import ConstrainedWriter, allowed, compiled, guide_tokenizer
from iepile_nb.infer import Decoder, as_questions, predict
from iepile_nb.grammar import guide_tokenizer
from iepile_nb.lora import load_model
from iepile_nb.prompt import encode_prompt
from iepile_nb.lib.templates import TEMPLATES
from iepile_nb.questions import NAN, encode, instruction
from iepile_nb.tasks import TASKS, read_instruction


@pytest.fixture(scope='module')
def tiny(): return load_model('tiny')


@pytest.fixture(scope='module')
def babbler(tiny):
    "The embedded model's shape with large random weights: it writes anything at all."
    from copy import deepcopy
    config = deepcopy(tiny[0].config)
    config.initializer_range, config.max_position_embeddings, config.num_hidden_layers = .3, 50_000, 2
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config).eval()


HARD = ['Ines "Nina" Okafor\\n moved\tto\x01 伊内斯 😀]} <|end|> "NAN".', '', 'a', '\ud800 hi \ud83d', '\\', '"', '}]"], "b": ["', '\x7f\x85\u2028é']
SCHEMAS = {'NER': ['per"son', 'ci\nty', 'x]}😀', '<|end|>', 'é' * 200], 'RE': ['r', 'lives in'], 'SPO': ['a_r_b'], 'EE': {'e': ['x', 'y'], 'f': []},
           'EET': ['e'], 'EEA': {'e': ['x', 'z']}, 'KG': {'t': ['p', 'q', 'u'], 'v': ['w']}}


def strings(task, items): return [s for i in items for _, s in task.mentions(i)]


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
        prompt = tokenizer.encode(instruction(task, 'en', questions[:1], text).encode('utf-8', 'replace').decode())
        cases += [(prompt, ConstrainedWriter(tokenizer, compiled(tokenizer, task, questions, t), room), t) for t in (None, text) for room in (1, 2, 9, 40)]
    decode(babbler, [p for p, _, _ in cases], [w for _, w, _ in cases])
    for _, w, text in cases: check(w, task, questions, text)
    assert all(len(w.tokens) - w.forced <= w.room for _, w, _ in cases)


def test_alone_and_together_are_the_same(tiny, babbler):
    "Rows that are forced on by different numbers of tokens do not disturb each other."
    tokenizer, cases = tiny[1], [(TASKS[t], text) for t in TASKS for text in HARD[:3]]
    def answers(model, size):
        prompts, writers = [], []
        for task, text in cases:
            qs = as_questions(task, SCHEMAS[task.name])
            prompts.append(tokenizer.encode(instruction(task, 'en', qs[:1], text)))
            writers.append(ConstrainedWriter(tokenizer, compiled(tokenizer, task, qs, text), 30))
        decode(model, prompts, writers, size)
        return [w.text for w in writers]
    for model in (babbler, tiny[0]): assert answers(model, 1) == answers(model, 5) == answers(model, 64)


def accepts(tokenizer, task, questions, text, answer):
    m, ll = compiled(tokenizer, task, questions, text), guide_tokenizer(tokenizer)[0]
    return m.consume_tokens(ll.tokenize_str(answer)) and m.is_stopped()


@pytest.mark.parametrize('task', TASKS)
def test_true_answers_are_allowed(task, tiny):
    "Every answer that the converter writes for the shipped samples fits both grammars, if its values stand in the text."
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


def test_lies_are_not(tiny):
    ner, qs = TASKS['NER'], as_questions(TASKS['NER'], ['a', 'b'])
    for answer in ('{"a": ["Oslo"], "b": []}', '{"a": []}', '{"b": [], "a": []}', '{"a": [],"b": []}', '{"a": [""], "b": []}', '{"a": ["NAN"], "b": []}'):
        assert not accepts(tiny[1], ner, qs, 'Ines moved to Porto', answer)
    assert accepts(tiny[1], ner, qs, 'Ines moved to Porto', '{"a": ["Ines", "moved to"], "b": ["Porto"]}')


@settings(max_examples=60)
@given(text=st.text(st.characters(exclude_categories=[]), max_size=30) | st.text('"\\\n\x00a', max_size=12), data=st.data())
def test_every_piece_of_a_text_can_be_said(text, data):
    "Also where it must be escaped; a surrogate cannot be written."
    tokenizer = load_tiny_tokenizer()
    runs = [r for r in ''.join(' ' if '\ud800' <= c <= '\udfff' else c for c in text).split(' ') if r]
    if not runs: return
    run = data.draw(st.sampled_from(runs))
    i = data.draw(st.integers(0, len(run) - 1))
    piece = run[i:data.draw(st.integers(i + 1, len(run)))]
    ner, qs = TASKS['NER'], as_questions(TASKS['NER'], ['a'])
    assert accepts(tokenizer, ner, qs, text, encode({'a': [piece]}))
    assert accepts(tokenizer, ner, qs, None, encode({'a': [piece]}))


def load_tiny_tokenizer(found=[]):
    if not found: found.append(load_model('tiny')[1])
    return found[0]


def test_long_texts_and_many_labels(tiny, babbler):
    rng, tokenizer = random.Random(0), tiny[1]
    text = ''.join(rng.choice('abc def"\\\n伊内斯😀') for _ in range(20_000))
    task, labels = TASKS['NER'], [f'label {i}' for i in range(300)]
    for schema, t in ((['a'], text), (labels, 'Ines')):
        questions = as_questions(task, schema)
        w = ConstrainedWriter(tokenizer, compiled(tokenizer, task, questions, t), 20)
        decode(babbler, [tokenizer.encode('x')], [w])
        check(w, task, questions, t)


def test_a_slow_tokenizer_is_refused(tiny):
    class Slow: is_fast = False
    with pytest.raises(UserError, match='needs a fast tokenizer.*--constrain free'): Decoder(tiny[0], Slow(), [1], 'span')
    Decoder(tiny[0], Slow(), [1], 'free')


def test_only_what_failed_is_asked_again(tiny, monkeypatch):
    model, tokenizer = tiny
    good, bad = ({'task': 'NER', 'instruction': instruction(TASKS['NER'], 'en', as_questions(TASKS['NER'], ['person']), t)} for t in ('Ines', 'Tove'))
    said = {'Ines': '{"person": ["somebody"]}', 'Tove': '{"person": [{"a'}
    class Said(FreeWriter):
        text = property(lambda self: self.said)
    def writer(self, a, mode):
        if mode == 'span': return ConstrainedWriter(tokenizer, compiled(tokenizer, a.task, a.questions, a.text), 9)
        w = Said(tokenizer, self.ends, 1)
        w.said = said[a.text]
        return w
    monkeypatch.setattr(Decoder, 'writer', writer)
    out = [r['output'] for r in predict([good, bad], model, tokenizer, constrain='failed')]
    assert out[0] == said['Ines'] and list(json.loads(out[1])) == ['person'] and out[1] != said['Tove']


def test_rows_without_a_grammar_are_answered_freely(tiny, caplog):
    rows = [{'instruction': 'Who lives in Oslo?'}, {'task': 'NER', 'instruction': json.dumps({'instruction': 'i', 'schema': ['a\ud800'], 'input': 'x'})}]
    assert len(list(predict(rows, *tiny, max_new_tokens=3))) == 2
    assert '1 of 2 rows hold no instruction of a known task' in caplog.text and 'a row is answered freely: no grammar for this schema' in caplog.text


# Models of other families: what our loop says is what `generate` says

FAMILIES = {
    'qwen2': {}, 'gpt2': {'n_embd': 64, 'n_layer': 2, 'n_head': 4}, 'bloom': {'n_layer': 2, 'n_head': 4}, 'falcon': {'alibi': True, 'num_kv_heads': 4},
    'mistral': {'sliding_window': 9}, 'gemma3_text': {'sliding_window': 9, 'layer_types': ['sliding_attention', 'full_attention'], 'head_dim': 16},
    'gpt_neox': {}, 'qwen3': {'head_dim': 16}}

@pytest.mark.parametrize('family', FAMILIES)
def test_other_families(family, tokenizer):
    torch.manual_seed(1)
    config = AutoConfig.for_model(family, **{'vocab_size': len(tokenizer), 'hidden_size': 64, 'intermediate_size': 96, 'num_hidden_layers': 2, 'num_attention_heads': 4,
                                             'num_key_value_heads': 2, 'initializer_range': .2, 'bos_token_id': 0, 'eos_token_id': 1, 'pad_token_id': 2, **FAMILIES[family]})
    model = AutoModelForCausalLM.from_config(config).eval()
    prompts = [encode_prompt(tokenizer, TEMPLATES['alpaca'], q) for q in ('甲乙丙' * 9, 'Q', 'who?', '甲乙丙' * 3)]
    theirs = [model.generate(torch.tensor([p]), attention_mask=torch.ones(1, len(p), dtype=int), max_new_tokens=12, do_sample=False)[0, len(p):].tolist() for p in prompts]
    writers = [FreeWriter(tokenizer, [1], 12) for _ in prompts]
    decode(model, prompts, writers, 3)
    for t, w in zip(theirs, writers): assert t[:len(w.tokens)] == w.tokens and (len(w.tokens) == 12 or w.done)


@pytest.mark.parametrize('more', [267, 0, -20])
def test_a_vocabulary_that_is_not_the_tokenizers(more, tiny):
    "Embeddings are often padded; what no token stands for is never chosen, and rows without a grammar may say all."
    tokenizer = tiny[1]
    n, w = len(tokenizer) + more, ConstrainedWriter(tokenizer, compiled(tokenizer, TASKS['NER'], as_questions(TASKS['NER'], ['a'])), 9)
    ok = allowed(torch.zeros(2, n), [(w.matcher, 1)], w.ll.vocab_size)
    assert ok.shape == (2, n) and ok[0].isfinite().all() and 0 < ok[1].isfinite().sum() < n
    assert not ok[1, len(tokenizer):].isfinite().any()
    full = allowed(torch.zeros(2, len(tokenizer)), [(w.matcher, 1)], w.ll.vocab_size)
    assert torch.equal(ok[1, :len(tokenizer)], full[1, :n])

def test_padded_embeddings_decode(tiny):
    from copy import deepcopy
    config, tokenizer, ner = deepcopy(tiny[0].config), tiny[1], TASKS['NER']
    config.vocab_size, config.num_hidden_layers, config.initializer_range = len(tokenizer) + 267, 1, .3
    torch.manual_seed(0)
    wide, questions = AutoModelForCausalLM.from_config(config).eval(), as_questions(ner, ['a', 'b'])
    ws = [ConstrainedWriter(tokenizer, compiled(tokenizer, ner, questions, t), 12) for t in (None, 'Ines moved')] + [FreeWriter(tokenizer, [], 12)]
    decode(wide, [tokenizer.encode('x')] * 3, ws, weigh=True)
    check(ws[0], ner, questions)
    check(ws[1], ner, questions, 'Ines moved')


@pytest.mark.parametrize('kind', ['gpt2', 'llama'])
def test_rows_of_a_batch_that_are_not_used(kind, tokenizer):
    "So few rows may wait for a beginning to be read that a place in the batch stays empty for some steps."
    from transformers import GPT2Config, GPT2LMHeadModel
    torch.manual_seed(0)
    model = random_llama(tokenizer) if kind == 'llama' else GPT2LMHeadModel(GPT2Config(
        vocab_size=len(tokenizer), n_embd=64, n_layer=2, n_head=4, n_positions=128, initializer_range=.2, bos_token_id=0, eos_token_id=1))
    model.eval()
    texts = [*(f'{c} is' for c in 'abcdefghijklmno'), 'a is not']
    prompts, names = [tokenizer.encode(t) for t in texts], [t[0] for t in texts]
    def answers(size):
        writers = [FreeWriter(tokenizer, [], 12) for _ in prompts]
        decode(model, prompts, writers, size, names)
        return [w.tokens for w in writers]
    assert answers(16) == answers(1)
