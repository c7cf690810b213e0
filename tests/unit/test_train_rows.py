"Rows to train on: read, held out, tokenised, counted, put in order."
import json
import random

import pytest
from conftest import PARROT
from helpers.training import run, train_file # fixtures

from iepile_nb.lib.card import manifest, row_kind
from iepile_nb.lib.io import UserError, write_jsonl
from iepile_nb.lib.options import settings, training_arguments
from iepile_nb.prompt import get_template
from iepile_nb.train import BatchOrder, encode_rows, hold_out, load_rows, make_trainer


def test_a_test_file_is_named_as_such(run, tmp_path):
    rows = [{'id': 'i', 'task': 'NER', 'source': 's', 'instruction': q, 'label': '[]'} for q in PARROT]
    write_jsonl(tmp_path/'test.json', rows)
    says = r"test.json:1: this is a test-format file \(it has no 'output'\); convert it with --split train"
    for name in ('train_file', 'valid_file'):
        with pytest.raises(UserError, match=says): run(**{name: tmp_path/'test.json'})
    write_jsonl(tmp_path/'records.json', [{'text': q, 'entity': []} for q in PARROT])
    with pytest.raises(UserError, match='records.json:1: this is a file of records; convert it'):
        run(train_file=tmp_path/'records.json')
    assert not run.out.exists()


def test_an_array_with_a_byte_order_mark_is_read(run, train_file, tmp_path):
    rows = [json.loads(l) for l in train_file.read_text().splitlines()]
    (tmp_path/'array.json').write_text('\ufeff' + json.dumps(rows), encoding='utf-8')
    assert run(train_file=tmp_path/'array.json')['rows'] == len(rows)


def test_held_out_rows():
    for n, held in ((None, 1000), (30, 30), (5000, 2000), (0, 0)):
        assert [len(x) for x in hold_out(20000, n)] == [20000 - held, held]
    a, b = map(list, hold_out(20000))
    assert sorted(a + b) == list(range(20000)) and a == sorted(a) and b == sorted(b)
    assert [*map(list, hold_out(20000))] == [a, b] != [*map(list, hold_out(20000, seed=1))]
    assert [len(x) for x in hold_out(1)] == [1, 0]
    assert [len(x) for x in hold_out(2, 1000)] == [1, 1]


def test_nothing_to_evaluate_on_is_said(train_file, tmp_path, caplog):
    o = settings(train_file=train_file, cache_path=tmp_path/'c', eval_strategy='epoch', val_set_size=0)
    assert not load_rows(o)[1] and 'no row is held out' in caplog.text


def test_shortened_and_left_out_rows_are_counted(tokenizer, caplog):
    def question(schema, text): return json.dumps({'instruction': 'i', 'schema': schema, 'input': text})
    rows = [{'instruction': question(['a'], 'x. ' * n), 'output': '{}'} for n in (1, 300)]
    rows += [{'instruction': 'q', 'output': ''}, {'instruction': question(['a'] * 500, 'x'), 'output': '{}'}]
    template = get_template('alpaca', tokenizer)
    with caplog.at_level('INFO', 'iepile_nb'): out = encode_rows(rows, tokenizer, template, cutoff_len=200)
    assert len(out) == 2 and 'rows to train on: 2; shortened: 1' in caplog.text
    assert 'left out: 2 of 4 rows; the first is row 3' in caplog.text
    with pytest.raises(UserError, match='no row is left to evaluate on; row 1: the answer is empty'):
        encode_rows(rows[2:3], tokenizer, template, 'evaluate on')


def test_every_answer_cut_away(run):
    says = 'no row is left|does not fit|more than'
    with pytest.raises(UserError, match=says): run(cutoff_len=60, max_target_length=1)


def test_pure_negatives_are_counted(caplog):
    rows = [{'task': 'NER', 'source': 's', 'instruction': 'q', 'output': '{"a": []}'}] * 7
    rows += [{'task': 'RE', 'source': 't', 'instruction': 'q', 'output': '{"a": ["x"]}'}]
    m = manifest(map(row_kind, rows))
    assert (m['rows'], m['pure_negatives']) == (8, 7)
    assert m['parts'][0] == {'task': 'NER', 'source': 's', 'rows': 7, 'pure_negatives': 7}
    assert '7 of 8 rows are pure negatives' in caplog.text


def test_one_row_is_shown(run, caplog):
    with caplog.at_level('INFO', 'iepile_nb'): run()
    assert 'what it shall answer:\n{"a": ["xxxxxxxx}{"]}</s>' in caplog.text
    assert 'step 2 of 2, loss' in caplog.text


def test_the_order_is_the_same_for_any_number_of_processes():
    draw = random.Random(1)
    lengths = [draw.randint(1, 99) for _ in range(103)]
    for alike in (True, False):
        order = BatchOrder(lengths, 8, seed=3, alike=alike)
        first, again = list(order), list(order)
        order.set_epoch(1)
        assert first == again != list(order) and len(first) == len(order) == 104
        assert sorted(first) == list(range(103)) + [103] # one empty place


def test_rows_of_similar_length_stand_together():
    draw = random.Random(2)
    lengths = [draw.randint(1, 999) for _ in range(400)]
    def waste(alike):
        order = list(BatchOrder(lengths, 8, alike=alike))
        return sum(8 * max(lengths[i] for i in order[k:k + 8]) for k in range(0, 400, 8)) / sum(lengths)
    assert waste(True) < 1.1 < 1.5 < waste(False)


def test_the_order_follows_data_seed(llama_dir, tmp_path):
    from iepile_nb.lora import load_model
    model, tokenizer = load_model(llama_dir)
    rows = encode_rows([{'instruction': 'q', 'output': '{}'}], tokenizer, get_template('alpaca', tokenizer))
    def seed(**kw):
        args = training_arguments(settings(output_dir=tmp_path, disable_tqdm=True, **kw))
        return make_trainer(model, tokenizer, args, rows, None).order.seed
    assert [seed(), seed(seed=5), seed(seed=5, data_seed=7)] == [42, 5, 7]
