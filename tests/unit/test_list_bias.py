"A handicap for empty lists changes that choice alone; tuning finds one only where it is surely better."
import json
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from iepile_nb.course import dev_rows, read_job, test_rows as rows_asked
from iepile_nb.evaluate import evaluate
from iepile_nb.grammar import ConstrainedWriter, answer_matcher
from iepile_nb.infer import Extractor, predict
from iepile_nb.lib.engine import decode
from iepile_nb.lib.list_bias import OTHER, ListBias, Place, choice, list_biases
from iepile_nb.lib.tuning import (GRID, ListAnswer, best_handicap, bias_counts, label_handicaps,
                                  tune_trained)
from iepile_nb.lora import load_model
from iepile_nb.prompt import encode_prompt, get_template
from iepile_nb.questions import Question, encode, instruction
from iepile_nb.scoring import Counts, add_counts
from iepile_nb.tasks import TASKS

ANSWERS = {
    'NER': {'per"son': ['A, "x"]', '[]'], 'city': [], 'organisation': ['{}']},
    'RE': {'born in': [{'subject': 'a', 'object': '"}]'}, {'subject': 'b', 'object': 'c'}],
           'works for': []},
    'EE': {'closure': [{'trigger': 'shut', 'arguments': {'place': 'NAN', 'owner': ['x', 'y']}}],
           'opening': []},
    'KG': {'person': {'Ines': {'born in': 'Lagos'}, 'Tove': {}}, 'city': {}}}


def decisions(answer):
    "What was decided about each label's list, read off the answer: empty, or values and an end."
    for label, value in answer.items():
        kinds = ['value', *['more'] * (len(value) - 1), 'end'] if value else ['empty']
        yield from ((label, kind) for kind in kinds)


@given(st.sampled_from(sorted(ANSWERS)), st.data())
def test_choices_are_seen_however_the_text_is_cut(task, data):
    text = encode(ANSWERS[task]).encode().decode('latin1')
    place, seen, left = Place(), [], text
    while left:
        piece = left[:data.draw(st.integers(1, 6))]
        kind = choice(place.last, min(place.depth, 3), piece)
        if kind in OTHER: seen.append((place.label(piece), kind))
        place.read(piece)
        left = left[len(piece):]
    # a piece that decides twice is known by its first choice, so some may be passed over, never made up
    wanted = list(decisions(ANSWERS[task]))
    assert all(pair in wanted for pair in seen)
    place, seen, items = Place(), [], []
    for c in text:
        kind = choice(place.last, min(place.depth, 3), c)
        if kind in OTHER: seen.append((place.label(), kind))
        if kind == 'more': items.append(place.closes(c))
        place.read(c)
    assert seen == wanted
    lists = [v for v in ANSWERS[task].values() if isinstance(v, list)]
    if lists: assert [json.loads(i) for i in items] == [item for v in lists for item in v[:-1]]


@pytest.fixture(scope='module')
def tiny(): return load_model('tiny', dtype='fp32')


def answered(tiny, task, questions, text, bias, room=60):
    model, tokenizer = tiny
    query = instruction(task, 'en', questions, text)
    prompt = encode_prompt(tokenizer, get_template('auto', tokenizer), query)
    writer = ConstrainedWriter(tokenizer, answer_matcher(tokenizer, task, questions, text), room, bias)
    decode(model, [prompt], [writer])
    return json.loads(writer.text), writer


@pytest.mark.parametrize('task,parts', [
    ('NER', {}), ('RE', {}), ('KG', {'person': ('born in',), 'city': ('part of',)})])
def test_it_moves_the_choice_and_nothing_else(tiny, task, parts):
    task, text = TASKS[task], 'Ines Okafor was born in Lagos and works in Porto.'
    questions = [Question(l, parts.get(l, ())) for l in ('person', 'city')]
    plain, _ = answered(tiny, task, questions, text, None)
    assert answered(tiny, task, questions, text, ListBias())[0] == plain
    full, writer = answered(tiny, task, questions, text, ListBias(50.))
    assert all(full.values()) and len(writer.leaning.margins) == 2
    assert not any(answered(tiny, task, questions, text, ListBias(-50.))[0].values())
    one = answered(tiny, task, questions, text, ListBias(-50., 0., {'city': 50.}))[0]
    assert not one['person'] and one['city']


def test_ends_of_lists(tiny):
    task, questions = TASKS['NER'], [Question('person')]
    text = 'Ines Okafor met Tove Lind.'
    plain = answered(tiny, task, questions, text, None)[0]['person']
    more = answered(tiny, task, questions, text, ListBias(0., 50.), room=40)[0]['person']
    less = answered(tiny, task, questions, text, ListBias(0., -50.))[0]['person']
    assert more[:len(plain)] == plain and len(more) > len(plain) and less == plain[:1]
    assert len({*more}) == len(more)


@pytest.mark.parametrize('task, item, text, n', [
    ('NER', '"Lagos"', 'Lagos, Lagos, Lagos', 1), ('EET', '"shut"', 'It shut as they shut it.', 2),
    ('EET', '"open"', 'It shut.', 1), ('KG', '"Ines":{}', 'Ines, Ines', 1),
    ('RE', '{"subject":"a","object":"b"}', 'a b a b', 1), ('EEA', '{"place":"Odda"}', 'Odda, Odda', 1),
    ('EE', '{"trigger":"shut","arguments":{}}', 'It shut as they shut it.', 2),
    ('EE', '{"trigger":"NAN","arguments":{"place":"Odda"}}', 'NAN NAN', 1)])
def test_how_often_an_item_may_stand_in_a_list(task, item, text, n):
    assert TASKS[task].copies(item, text) == n


@pytest.mark.parametrize('task', ['NER', 'EET'])
def test_a_list_that_goes_round_in_circles_ends(tiny, task):
    _, tokenizer = tiny
    text, questions = 'Ines and Tove met; Ines left, Tove stayed.', [Question('person'), Question('city')]
    matcher = answer_matcher(tokenizer, TASKS[task], questions, text)
    copies = partial(TASKS[task].copies, text=text)
    writer = ConstrainedWriter(tokenizer, matcher, 200, None, copies)
    wanted = '{"person": [' + ', '.join(['"Ines", "Tove"'] * 9)
    while not writer.done: # as a model would that wants this, token by token
        said = writer.ll.decode_bytes(writer.tokens).decode()
        left = wanted[len(said):] if wanted.startswith(said) else ''
        left = tokenizer.encode(left, add_special_tokens=False)
        scores = torch.zeros(1, writer.ll.vocab_size)
        scores[0, left[:1]] = 9.
        writer.take(writer.mask_logits(scores, {0: writer}).argmax().item())
    n = 1 if task == 'NER' else 2
    assert json.loads(writer.text)['person'] == ['Ines', 'Tove'] * n


def test_the_same_in_batches(tiny):
    model, tokenizer = tiny
    asked = [Question('person'), Question('city')]
    rows = [{'task': 'NER', 'instruction': instruction(TASKS['NER'], 'en', asked, t)} for t in
            ('Ines sails.', 'Tove lives in Porto.', 'Nobody was there, and nothing happened.')]
    bias = list_biases(20)
    together = list(predict(rows, model, tokenizer, bias=bias))
    assert together == list(predict(rows, model, tokenizer, bias=bias, batch_size=1))
    assert together != list(predict(rows, model, tokenizer))


def lists(margin, right, n):
    return [[ListAnswer('a', margin, frozenset({i}), frozenset({i} if right else ()))] for i in range(n)]


def test_a_handicap_needs_proof():
    silent = lists(1., True, 40) + lists(3., False, 40) # right values not said, wrong ones further off
    b, (low, _) = best_handicap(bias_counts(silent))
    assert 1 < b <= 3 and low > 0
    assert best_handicap(bias_counts(lists(-1., True, 40) + lists(2., False, 9)))[0] == 0
    talkative = lists(-1., False, 60) + lists(-3., True, 40)
    assert -3 < best_handicap(bias_counts(talkative))[0] < 0
    assert best_handicap(bias_counts(lists(1., True, 1) + lists(-1., True, 3)))[0] == 0 # too few to know


def test_a_label_of_its_own():
    def named(label, some): return [[a._replace(label=label) for a in row] for row in some]
    shy = named('shy', lists(3., True, 40))
    loud = named('loud', lists(-2., True, 40) + lists(.5, False, 80))
    found = label_handicaps(shy + loud, 0.)
    assert set(found) == {'shy'} and found['shy'] > 3 and found['shy'] in GRID


def test_tuning_goes_into_the_contract(tiny, tmp_path, root):
    model, tokenizer = tiny
    from iepile_nb.convert import convert
    from iepile_nb.lib.contract import read_contract
    from iepile_nb.lib.io import write_jsonl
    from iepile_nb.records import read_records, read_schema
    from iepile_nb.train import train
    schema = read_schema(root/'data/demo/en/NER/schema.json', 'NER')
    records = read_records(root/'data/demo/en/NER/train.json', limit=8)
    rows = list(convert(records, schema, 'NER', 'en', 'train', source='demo'))
    write_jsonl(tmp_path/'train.json', rows)
    seen = []
    def tuner(held, *args, **kw):
        seen.append(held)
        return {'NER': {'bias': {'empty': 1.5, 'end': 0., 'labels': {}}, 'f1': 50., 'plain_f1': 40.}}
    file = tmp_path/'train.json'
    options = dict(train_file=file, max_steps=1, save_strategy='no', disable_tqdm=True, lora_r=2)
    record = train(output_dir=tmp_path/'lora', valid_file=file, tuner=tuner, **options)
    assert seen[0] and record['tuning']['NER']['f1'] == 50
    assert list_biases(None, read_contract(tmp_path/'lora')) == {'NER': ListBias(1.5)}
    assert Extractor('tiny', adapter=str(tmp_path/'lora')).bias == {'NER': ListBias(1.5)}
    assert Extractor('tiny', adapter=str(tmp_path/'lora'), list_bias=0).bias['NER'] == ListBias()
    train(output_dir=tmp_path/'none', valid_file=file, tuner=tuner, tune_threshold=False, **options)
    train(output_dir=tmp_path/'no rows', tuner=tuner, **options)
    assert len(seen) == 1 and 'list_bias' not in read_contract(tmp_path/'none')


def test_tuning_reports_what_two_real_runs_gave(tiny):
    model, tokenizer = tiny
    from iepile_nb.convert import convert
    from iepile_nb.questions import Schema
    records = [{'text': t, 'entity': [{'entity': e, 'entity_type': 'person'}]} for t, e in
               (('Ines Okafor sails.', 'Ines Okafor'), ('Tove Lind met nobody.', 'Tove Lind'))]
    rows = list(convert(records, Schema(['person', 'city']), 'NER', 'en', 'train', source='own'))
    found = tune_trained(rows, model, tokenizer, get_template('auto', tokenizer))['NER']
    assert found['rows'] == len(rows) and len(found['curve']['f1']) == len(GRID)
    assert found['f1'] >= found['plain_f1'] and ListBias(**found['bias']) == ListBias()


@pytest.mark.parametrize('task', ['NER', 'RE', 'EE'])
def test_what_is_tuned_is_what_is_scored(tiny, root, task):
    model, tokenizer = tiny
    job = read_job(root/f'data/demo/en/{task}', task, 'en', limit=6)
    result = evaluate(predict(rows_asked(job), model, tokenizer))
    counts = sum(add_counts(result.scores).values(), Counts())
    rows = list(dev_rows(job._replace(dev=job.test)))
    tuned = tune_trained(rows, model, tokenizer, get_template('auto', tokenizer))
    assert tuned[task]['plain_f1'] == pytest.approx(counts.f1) and counts.true_positives
