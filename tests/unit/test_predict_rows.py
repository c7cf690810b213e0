"Rows in, rows with answers out: gaps, gold answers, long texts, failed answers, confidence."
import json

import pytest
import torch
from conftest import PARROT
from helpers.predicting import answering, arguments, some_rows

from iepile_nb.cli.predict import main
from iepile_nb.convert import convert
from iepile_nb.decode import FreeWriter
from iepile_nb.evaluate import orders
from iepile_nb.grammar import ConstrainedWriter, answer_matcher
from iepile_nb.infer import Extractor, as_questions, predict, repair_answer
from iepile_nb.lib import answering as answering_module
from iepile_nb.lib.decoder import Answer, Decoder, join_answers
from iepile_nb.lib.engine import decode
from iepile_nb.lib.io import UserError, read_jsonl, write_jsonl
from iepile_nb.lib.requests import make_requests
from iepile_nb.lora import load_model
from iepile_nb.prompt import get_template
from iepile_nb.questions import Schema, instruction
from iepile_nb.tasks import TASKS


@pytest.fixture(scope='module')
def tiny(): return load_model('tiny')


@pytest.fixture(scope='module')
def parrot(parrot_dir): return load_model(parrot_dir)


@pytest.fixture(scope='module')
def llama(llama_dir): return load_model(llama_dir)


def bare_row(schema, text):
    return {'instruction': json.dumps({'instruction': 'i', 'schema': schema, 'input': text})}


def test_one_row_out_for_each_row_in(parrot, caplog):
    asked = [{'id': str(i), 'instruction': q, 'label': '[]', 'extra': i} for i, q in enumerate(PARROT)]
    broken = [{'instruction': ''}, {'instruction': None}, {'text': 'no question'}, {'instruction': 3},
              {'instruction': ' '}]
    rows = [x for pair in zip(asked, broken) for x in pair]
    out = list(predict(rows, *parrot, template='alpaca', batch_size=2, constrain='free'))
    assert [{k: v for k, v in r.items() if k != 'output'} for r in out] == rows
    assert [r['output'] for r in out] == [x for a in PARROT.values() for x in (a, '')]
    said = "row 2 gets an empty answer, as do 4 more of 10 rows: no key 'instruction'"
    assert len(caplog.messages) == 1 and said in caplog.text


def test_the_gold_answers_of_training_rows_are_kept(parrot):
    labels = {}, {'label': '[]'}, {'label': None}
    rows = [{'instruction': q, 'output': '{"gold": []}', **more} for q, more in zip(PARROT, labels)]
    out = list(predict(rows, *parrot, template='alpaca', constrain='free'))
    assert [r['label'] for r in out] == ['{"gold": []}', '[]', '{"gold": []}']
    assert [r['output'] for r in out] == list(PARROT.values())[:3]


def test_long_prompts_are_shortened_and_counted(llama, caplog):
    rows = [bare_row(['a'], 'text. ' * n) for n in (1, 200)]
    out = list(predict(rows, *llama, cutoff_len=150, max_new_tokens=3))
    assert len(out) == 2 and '1 of 2 prompts were longer' in caplog.text


def test_a_schema_that_fills_the_prompt_is_said(llama, caplog):
    assert list(predict([bare_row(['label'] * 500, 'x')], *llama, cutoff_len=150))[0]['output'] == ''
    assert 'without any input text' in caplog.text


def test_long_texts_in_pieces(tmp_path, monkeypatch, caplog, tiny):
    text = ' '.join(f'Then Tove Lindahl the {i}th went to Lagos.' for i in range(60))
    def first_person(request):
        return Answer(json.dumps({'person': [request.text.split(' went')[0][5:]]}), 3, 2, sure={'Tove': .5})
    monkeypatch.setattr(Decoder, 'answer_portion', answering(first_person))
    row = {'task': 'NER', **bare_row(['person'], text)}
    short, = predict([row], *tiny, cutoff_len=200)
    assert json.loads(short['output']) == {'person': ['Tove Lindahl the 0th']}
    assert '1 of 1 prompts were longer' in caplog.text
    caplog.clear()
    caplog.set_level('INFO')
    long, = predict([row], *tiny, cutoff_len=200, window=True)
    people = json.loads(long['output'])['person']
    assert len(people) > 3 and people[0] == 'Tove Lindahl the 0th'
    assert '1 of 1 texts are asked in pieces' in caplog.text and 'longer' not in caplog.text
    write_jsonl(tmp_path/'in.json', [row])
    assert main(arguments(tmp_path, '--window', '--cutoff_len', '200')) == 0
    assert next(read_jsonl(tmp_path/'out.json'))[1]['output'] == long['output']
    assert Extractor(tiny, cutoff_len=200).extract(text, ['person'])['person'][0] == 'Tove Lindahl the 0th'


def test_only_what_failed_is_asked_again(tiny, monkeypatch):
    model, tokenizer = tiny
    ner, questions = TASKS['NER'], as_questions(TASKS['NER'], ['person'])
    asked = [{'task': 'NER', 'instruction': instruction(ner, 'en', questions, t)} for t in ('Ines', 'Tove')]
    written = {'Ines': '{"person": ["somebody"]}', 'Tove': '{"person": [{"a'}
    class Prepared(FreeWriter):
        text = property(lambda self: self.prepared)
    def writer(self, r, mode):
        if mode == 'span':
            return ConstrainedWriter(tokenizer, answer_matcher(tokenizer, r.task, r.questions, r.text), 9)
        w = Prepared(tokenizer, self.ends, 1)
        w.prepared = written[r.text]
        return w
    monkeypatch.setattr(Decoder, 'writer', writer)
    out = [r['output'] for r in predict(asked, model, tokenizer, constrain='failed')]
    assert out[0] == written['Ines'] and out[1] != written['Tove'] and list(json.loads(out[1])) == ['person']


def test_rows_without_a_grammar_are_answered_freely(tiny, caplog):
    rows = [{'instruction': 'Who lives in Oslo?'}, {'task': 'NER', **bare_row(['a\ud800'], 'x')}]
    assert len(list(predict(rows, *tiny, max_new_tokens=3))) == 2
    assert '1 of 2 rows hold no instruction of a known task' in caplog.text
    assert 'a row is answered freely: no grammar for this schema' in caplog.text


def test_a_slow_tokenizer_is_refused(tiny):
    class Slow: is_fast = False
    with pytest.raises(UserError, match='needs a fast tokenizer.*--constrain free'):
        Decoder(tiny[0], Slow(), [1], 'span')
    Decoder(tiny[0], Slow(), [1], 'free')


def test_each_row_is_shown_when_it_is_done(monkeypatch, tiny):
    seen, shown, answer_all = [], [], Decoder.answer_all
    def progress(items, *a):
        for i in items:
            seen.append(i)
            yield i
    monkeypatch.setattr(answering_module, 'progress', progress)
    def noting(self, requests, on_answer):
        found = answer_all(self, requests, on_answer)
        shown.append(len(seen))
        return found
    monkeypatch.setattr(Decoder, 'answer_all', noting)
    assert len(list(predict(some_rows(10), *tiny, max_new_tokens=4, batch_size=1))) == 10
    # the two longest rows come first; one more than are done, as the next one is awaited
    assert shown == [3, 11]


def test_what_is_answered_is_not_asked_again_when_memory_runs_out(tiny):
    "A batch that breaks off halfway goes on with the rest, in smaller batches."
    asked, told = [], []
    class Breaking(Decoder):
        def answer_portion(self, requests, on_answer):
            asked.append(len(requests))
            on_answer(0, Answer(requests[0].text))
            if self.batch_size > 2: raise torch.OutOfMemoryError('CUDA out of memory')
            for n, r in enumerate(requests[1:], 1): on_answer(n, Answer(r.text))
    requests = [r._replace(text=str(i)) for i, (r,) in enumerate(
        make_requests(some_rows(6), tiny[1], get_template('auto', tiny[1]), 1024))]
    decoder = Breaking(*tiny, [1], batch_size=4)
    found = decoder.answer_all(requests, lambda n, a: told.append((n, a.text)))
    assert [a.text for a in found] == list('012345') and told == [(i, str(i)) for i in range(6)]
    assert asked == [6, 5] and decoder.batch_size == 2
    with pytest.raises(ZeroDivisionError):
        class Wrong(Decoder):
            def answer_portion(self, requests, on_answer): return 1 / 0
        Wrong(*tiny, [1]).answer_all(requests)


def test_confidence_is_that_of_a_plain_pass():
    "The same numbers as from one forward pass over prompt and answer."
    model, tokenizer = load_model('tiny', dtype='fp32')
    (request,), = make_requests(some_rows(1), tokenizer, get_template('auto', tokenizer), 1024)
    w = Decoder(model, tokenizer, [2], 'span').writer(request, 'span')
    decode(model, [request.prompt], [w], weigh=True)
    with torch.no_grad(): logits = model(torch.tensor([request.prompt + w.tokens])).logits[0]
    logits = logits[len(request.prompt) - 1:-1].log_softmax(-1)
    pairs = [(s, logits[i, t].item()) for i, (t, s) in enumerate(zip(w.tokens, w.scores)) if s is not None]
    assert pairs and all(abs(a - b) < 1e-3 for a, b in pairs)


def test_confidence_in_the_file(tmp_path):
    write_jsonl(tmp_path/'in.json', some_rows(24))
    assert main(arguments(tmp_path, '--confidence')) == 0
    n = 0
    for _, r in read_jsonl(tmp_path/'out.json'):
        values = {s for v in json.loads(r['output']).values() for s in v}
        n += len(values)
        assert set(r['confidence']) == values and all(0 < p <= 1 for p in r['confidence'].values())
    assert n


def test_of_what_is_cut_off_only_whole_items_are_read():
    cut_answers = {'{"a": ["x", "y': {'a': ['x']}, '{"a": ["x", "y ] }': {'a': ['x']},
                   '{"a": ["x", "y\\': {'a': ['x']},
                   '{"a": ["x"], "b": ["y': {'a': ['x']}, '{"a": [], "b"': {'a': []}, '{"a": ["x': None,
                   '{"a": [{"trigger": "t", "arguments": {"b": ["y", "z': None,
                   '{"a": {"x": {"b": "y"}, "z': None,
                   '{"a": [{"subject": "x", "object": "y"}, {"subj': {'a': [{'subject': 'x', 'object': 'y'}]},
                   '<think>{"a": ["z"]}</think>{"a": ["x", "y': {'a': ['x']}}
    for answer, found in cut_answers.items(): assert repair_answer(answer, ['a']) == (found, 'cut off')
    assert repair_answer('{"a" = [x]}') == (None, 'broken JSON')
    assert repair_answer('{"note": "b"} {"a": ["x"]}', ['a'])[0] == {'a': ['x']}
    assert repair_answer('nothing')[0] is None and repair_answer('{' * 50_000)[0] is None


def test_half_characters_of_joined_answers_are_question_marks():
    written = '{"a": ["\\ud83d", "Ines"]}'
    assert join_answers([Answer(written, sure={}), Answer(written)]).text == '{"a": ["?", "Ines"]}'


def test_pieces_are_joined_by_the_keys_asked():
    pieces = [Answer('{"note": "of both"} {"a": ["Ines"]}'), Answer('{"a": ["Odda", "Por')]
    assert join_answers(pieces, ['a']).text == '{"a": ["Ines", "Odda"]}'


def test_orders_ask_the_embedded_model_again(tiny):
    entities = [{'entity': 'Ines Okafor', 'entity_type': 'person'}, {'entity': 'Oslo', 'entity_type': 'city'}]
    record = {'text': 'Ines Okafor flew from Oslo to Porto.', 'entity': entities}
    rows = list(convert([record], Schema(['person', 'city', 'river', 'company']), 'NER', 'en', 'test', 2))
    found = orders(rows, lambda rows: list(predict(rows, *tiny, max_new_tokens=60)), 3)
    assert [r['total']['n'] for r in found] == [1, 1, 1] and not any(r['total']['errors'] for r in found)
    asked = [[q.label for x in r.texts[0].rows for q in x.questions] for r in found]
    assert len({tuple(a) for a in asked}) > 1 and {frozenset(a) for a in asked} == {frozenset(asked[0])}
    assert max(found.f1()) > 0 and '| mean' in str(found)
