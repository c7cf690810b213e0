"What surrounds decoding: journals and kills, confidence, adapters, and what an Extraction can be turned into."
import csv
import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest
import torch
from conftest import ROOT
from hypothesis import given, settings, strategies as st

from iepile_nb.convert import convert
from iepile_nb.lib.io import UserError, read_jsonl, write_jsonl
from iepile_nb.records import read_records, read_schema
from iepile_nb.lib.engine import decode
from iepile_nb.infer import (Answer, Decoder, Extraction, Extractions, Extractor, ask_rows, joined,
                             predict, repair_answer)
from iepile_nb.lib.journal import Journal, number_format
from iepile_nb.cli.predict import main, read_labels
from iepile_nb.cli.predict import main
from iepile_nb.lora import add_lora, load_model
from iepile_nb.lib.contract import make_contract
from iepile_nb.prompt import get_template
from iepile_nb.lib.templates import TEMPLATES
from iepile_nb.questions import Schema
from iepile_nb.tasks import TASKS


def write_json(path, obj): path.write_text(json.dumps(obj), encoding='utf-8')


def some_rows(n):
    schema = read_schema(ROOT/'data/demo/en/NER/schema.json', 'NER')
    rows = list(convert(read_records(ROOT/'data/demo/en/NER/test.json', 'NER'), schema, 'NER', 'en', 'test', source='s'))
    return [{**rows[i % len(rows)], 'n': i} for i in range(n)]


def command(folder, *more): return ['--input_file', str(folder/'in.json'), '--output_file', str(folder/'out.json'), '--batch_size', '4', *more]


def killed(folder, n_rows, kills, seed):
    "Predict with a kill at random moments, each followed by a restart; the final bytes."
    write_jsonl(folder/'in.json', some_rows(n_rows))
    rng, cmd = random.Random(seed), [sys.executable, '-m', 'iepile_nb.cli.predict', *command(folder)]
    for _ in range(kills):
        p = subprocess.Popen(cmd, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        lines = lambda: (folder/'out.json.journal').read_bytes().count(b'\n') if (folder/'out.json.journal').exists() else 0
        start, before = time.time(), max(1, lines())
        while p.poll() is None and lines() <= before and time.time() - start < 300: time.sleep(.02)
        time.sleep(rng.random())
        p.send_signal(signal.SIGKILL)
        p.wait()
    r = subprocess.run(cmd, capture_output=True, text=True)
    assert r.returncode == 0, r.stderr
    assert sorted(x.name for x in folder.iterdir()) == ['in.json', 'out.json']
    return (folder/'out.json').read_bytes(), r.stderr


def undisturbed(folder, n_rows):
    folder.mkdir()
    write_jsonl(folder/'in.json', some_rows(n_rows))
    assert main(command(folder)) == 0
    return (folder/'out.json').read_bytes()


def test_a_kill_loses_nothing(tmp_path):
    (tmp_path/'killed').mkdir()
    out, err = killed(tmp_path/'killed', 64, 1, 0)
    assert 'rows were answered before' in err
    assert out == undisturbed(tmp_path/'straight', 64)


@pytest.mark.long
def test_twenty_kills_lose_nothing(tmp_path):
    (tmp_path/'killed').mkdir()
    assert killed(tmp_path/'killed', 2000, 20, 1)[0] == undisturbed(tmp_path/'straight', 2000)


def broken_off(folder, monkeypatch, *more):
    "A prediction that is interrupted after its first answer."
    write_jsonl(folder/'in.json', some_rows(70))
    add = Journal.add
    def stop(self, *args):
        add(self, *args)
        raise KeyboardInterrupt
    with monkeypatch.context() as m:
        m.setattr(Journal, 'add', stop)
        assert main(command(folder, *more)) == 130
    assert not (folder/'out.json').exists()
    return folder/'out.json.journal'


@pytest.mark.parametrize('change, said', [(['--max_new_tokens', '9'], '--max_new_tokens'), (['--constrain', 'free'], '--constrain'), (['--limit', '9'], 'input, template'),
                                          (['--template', 'alpaca'], 'input, template'), (['--checkpoint_dir'], 'model or adapter')])
def test_what_has_changed_is_not_mixed(change, said, tmp_path, monkeypatch, capsys):
    journal = broken_off(tmp_path, monkeypatch)
    if change == ['--checkpoint_dir']:
        lora = add_lora(load_model('tiny')[0], r=2)
        with torch.no_grad():
            for name, p in lora.named_parameters(): p += .01 * ('lora_B' in name)
        lora.save_pretrained(tmp_path.parent/f'{tmp_path.name}_lora')
        change = ['--checkpoint_dir', str(tmp_path.parent/f'{tmp_path.name}_lora'), '--template', 'auto']
    before = journal.read_bytes()
    assert main(command(tmp_path, *change)) == 1
    err = capsys.readouterr().err
    assert 'error: ' in err and f'another {said}' in err and '--overwrite' in err and journal.read_bytes() == before
    if said == '--max_new_tokens':
        assert main(command(tmp_path, *change, '--overwrite')) == 0 and not journal.exists()


def test_another_number_format_or_end_is_not_mixed(tmp_path, monkeypatch, capsys):
    from iepile_nb import infer
    journal = broken_off(tmp_path, monkeypatch)
    about = json.loads(journal.read_bytes().splitlines()[0])
    assert 'torch.float' in json.dumps(about) or 'torch.bfloat' in json.dumps(about)
    with monkeypatch.context() as m:
        m.setattr(infer, 'number_format', lambda model: 'torch.float8')
        assert main(command(tmp_path)) == 1 and 'another number format (--bf16, --fp16, --bits)' in capsys.readouterr().err
    with monkeypatch.context() as m:
        m.setattr(infer, 'end_ids', lambda *a: [1, 5])
        assert main(command(tmp_path)) == 1 and 'another end of answers' in capsys.readouterr().err

def test_number_formats_differ():
    from types import SimpleNamespace as NS
    plain = NS(dtype=torch.bfloat16, config=NS())
    four = NS(dtype=torch.bfloat16, config=NS(quantization_config={'load_in_4bit': True, 'bnb_4bit_quant_type': 'nf4'}))
    assert number_format(plain) == 'torch.bfloat16' and 'load_in_4bit=True' in number_format(four)

def test_half_characters_leave_as_question_marks(tmp_path, monkeypatch):
    said = '{"a": ["\\ud83d", "Ines"]}'
    e = extraction('NER', 'Ines \ud83d', {'a': ['\ud83d', 'Ines']})
    e.to_csv(tmp_path/'x.csv')
    e.to_jsonl(tmp_path/'x.jsonl')
    assert '?' in (tmp_path/'x.csv').read_text('utf-8-sig') and next(read_jsonl(tmp_path/'x.jsonl'))[1]['answer'] == {'a': ['?', 'Ines']}
    both = joined([Answer(said, sure={}), Answer(said)])
    assert both.text == '{"a": ["?", "Ines"]}'
    journal = Journal(tmp_path/'j', {'a': 1})
    journal.add(0, Answer('\ud83d', sure={'\ud83d': .5}))
    assert Journal(tmp_path/'j', {'a': 1}).done == {0: Answer('?', sure={'?': .5})}

def test_each_row_is_shown_when_it_is_done(monkeypatch):
    from iepile_nb import infer
    seen = []
    monkeypatch.setattr(infer, 'progress', lambda items, *a: (seen.append(i) or i for i in items))
    model, tokenizer = load_model('tiny')
    shown, add = [], Decoder.answers
    monkeypatch.setattr(Decoder, 'answers', lambda self, asked: (add(self, asked), shown.append(len(seen)))[0])
    assert len(list(predict(some_rows(10), model, tokenizer, max_new_tokens=4, batch_size=1))) == 10
    assert shown == [3, 10] # the two longest rows come first; one more than are done, as the next is under way


def test_a_line_that_was_being_written(tmp_path, monkeypatch):
    journal = broken_off(tmp_path, monkeypatch)
    whole = journal.read_bytes()
    for cut in (1, 40, whole.rindex(b'{"row"') - 5):
        journal.write_bytes(whole[:-cut])
        about = json.loads(whole.splitlines()[0])
        assert Journal(journal, about).done == {} and journal.read_bytes() == (whole.splitlines(keepends=True)[0])


def test_a_line_that_cannot_be_read(tmp_path):
    about, path = {'a': 1, '--constrain': 'span'}, tmp_path/'j'
    journal = Journal(path, about)
    for i in range(3): journal.add(i, Answer('{}'))
    lines = path.read_bytes().splitlines(keepends=True)
    for bad in (b'\0\0\0\n', b'[]\n', b'{"row": 1}\n', b'7\n', b'{"row": 1, "answer": [1, 2, 3, 4, 5, 6]}\n'):
        path.write_bytes(b''.join([*lines[:2], bad, lines[3]]))
        assert list(Journal(path, about).done) == [0] and path.read_bytes() == b''.join(lines[:2])
    path.write_bytes(lines[0][:9])
    assert Journal(path, about).done == {} and path.read_bytes() == lines[0]

@pytest.mark.parametrize('content', ['notes\n', '{"text": "x"}\n', '[1]\n', '7\n', 'null\n', 'notes', '{"a": '])
def test_a_file_that_is_no_journal_is_left_alone(content, tmp_path):
    (tmp_path/'o.journal').write_text(content)
    with pytest.raises(UserError, match='o.journal: is no journal.*--overwrite.*another --output_file'): Journal(tmp_path/'o.journal', {'model': 1})
    assert (tmp_path/'o.journal').read_text() == content
    assert Journal(tmp_path/'o.journal', {'model': 1}, overwrite=True).done == {}

def test_the_default_given_goes_on(tmp_path, monkeypatch, capsys):
    broken_off(tmp_path, monkeypatch)
    assert main(command(tmp_path, '--constrain', 'span')) == 0 and 'rows were answered before' in capsys.readouterr().err


def test_each_answer_is_written_when_it_is_there(tmp_path, monkeypatch):
    "Also before its portion is done; what is in the journal is not asked again."
    write_jsonl(tmp_path/'in.json', some_rows(12))
    add, asked = Journal.add, []
    def stop(self, row, answer):
        add(self, row, answer)
        if len(self.path.read_bytes().splitlines()) == 6: raise KeyboardInterrupt
    with monkeypatch.context() as m:
        m.setattr(Journal, 'add', stop)
        assert main(command(tmp_path)) == 130
    answers = Decoder.answers
    monkeypatch.setattr(Decoder, 'answers', lambda self, rows: (asked.extend(rows), answers(self, rows))[1])
    assert main(command(tmp_path)) == 0 and len(asked) == 7
    assert (tmp_path/'out.json').read_bytes() == undisturbed(tmp_path/'straight', 12)


def test_confidence_in_the_file(tmp_path):
    write_jsonl(tmp_path/'in.json', some_rows(24))
    assert main(command(tmp_path, '--confidence')) == 0
    n = 0
    for _, r in read_jsonl(tmp_path/'out.json'):
        values = {s for v in json.loads(r['output']).values() for s in v}
        n += len(values)
        assert set(r['confidence']) == values and all(0 < p <= 1 for p in r['confidence'].values())
    assert n


def test_confidence_is_that_of_a_plain_pass():
    "The same numbers as from one forward pass over prompt and answer."
    model, tokenizer = load_model('tiny', dtype='fp32')
    ask = ask_rows(some_rows(1), tokenizer, get_template('auto', tokenizer), 1024)[0]
    w = Decoder(model, tokenizer, [2], 'span').writer(ask, 'span')
    decode(model, [ask.prompt], [w], weigh=True)
    with torch.no_grad(): logits = model(torch.tensor([ask.prompt + w.tokens])).logits[0, len(ask.prompt) - 1:-1].log_softmax(-1)
    pairs = [(s, logits[i, t].item()) for i, (t, s) in enumerate(zip(w.tokens, w.scores)) if s is not None]
    assert pairs and all(abs(a - b) < 1e-3 for a, b in pairs)


def test_a_threshold_leaves_out_the_unsure(monkeypatch):
    answers = {'NER': ('{"a": ["Ines", "Oslo"]}', ['a'], {'a': ['Ines']}), 'RE': ('{"r": [{"subject": "Ines", "object": "Oslo"}]}', ['r'], {'r': []}),
               'EE': ('{"e": [{"trigger": "went", "arguments": {"x": "Ines", "y": ["Oslo", "went"]}}]}', {'e': ['x', 'y']},
                      {'e': [{'trigger': 'went', 'arguments': {'x': 'Ines', 'y': 'went'}}]}),
               'KG': ('{"t": {"Ines": {"p": "Oslo", "q": "went"}}}', {'t': ['p', 'q']}, {'t': {'Ines': {'q': 'went'}}})}
    ex = Extractor('tiny')
    for task, (said, schema, left) in answers.items():
        monkeypatch.setattr(Decoder, 'together', lambda self, asked: [Answer(said, sure={'Ines': .9, 'Oslo': .2, 'went': .8})])
        e = ex.extract('Ines went to Oslo', schema, task, threshold=.5)
        assert e == left and e.confidence['Oslo'] == .2
        assert ex.extract('Ines went to Oslo', schema, task, threshold=0) == json.loads(said)


# Adapters side by side

def test_adapters_by_name(tmp_path):
    for name, shift in (('one', .3), ('two', -.3)):
        torch.manual_seed(0)
        lora = add_lora(load_model('tiny')[0], r=2)
        with torch.no_grad():
            for n, p in lora.named_parameters(): p += shift * ('lora_B' in n)
        lora.save_pretrained(tmp_path/name)
    texts, labels = [json.loads(r['instruction'])['input'] for r in some_rows(24)[::6]], ['person', 'ship', 'place']
    alone = {n: Extractor('tiny', adapter=n and str(tmp_path/n), template='auto').extract(texts, labels) for n in ('one', 'two', None)}
    ex = Extractor('tiny', adapter={n: tmp_path/n for n in ('one', 'two')}, template='auto')
    for n in ('one', 'two', None, 'one'):
        ex.use(n)
        assert ex.extract(texts, labels) == alone[n]
    assert alone['one'] != alone['two'] != alone[None]
    with pytest.raises(UserError, match="no adapter 'three'; there are one, two"): ex.use('three')

def test_each_adapter_has_its_own_prompt(tmp_path):
    model, tokenizer = load_model('tiny')
    for name, template in (('one', 'auto'), ('two', 'alpaca'), ('three', None)):
        add_lora(load_model('tiny')[0], r=2 if name != 'three' else 3).save_pretrained(tmp_path/name)
        if template: write_json(tmp_path/name/'prompt.json', make_contract(model, tokenizer, get_template(template, tokenizer)))
    ex = Extractor('tiny', adapter={n: tmp_path/n for n in ('one', 'two')})
    assert ex.template == TEMPLATES['alpaca']
    ex.use('one')
    assert ex.template == get_template('auto', tokenizer) != TEMPLATES['alpaca']
    with pytest.raises(UserError, match='another prompt'): Extractor('tiny', adapter={'one': tmp_path/'one', 'two': tmp_path/'two'}, template='auto')
    with pytest.raises(UserError, match='does not say which prompt'): ex.load('three', tmp_path/'three')

def test_a_misshapen_adapter_changes_nothing(tmp_path):
    add_lora(load_model('tiny')[0], r=2).save_pretrained(tmp_path/'good')
    add_lora(load_model('tiny')[0], r=2).save_pretrained(tmp_path/'bad')
    config = json.loads((tmp_path/'bad/adapter_config.json').read_text())
    write_json(tmp_path/'bad/adapter_config.json', {**config, 'r': 5})
    ex, before = Extractor('tiny', template='auto'), dict(Extractor('tiny').extract('Ines moved to Porto.', ['person']))
    for _ in range(2):
        with pytest.raises(UserError, match='bad does not fit this model'): ex.load('bad', tmp_path/'bad')
        assert dict(ex.extract('Ines moved to Porto.', ['person'])) == before and 'bad' not in getattr(ex.model, 'peft_config', {})
        ex.load('good', tmp_path/'good')


# What it can be turned into

def extraction(task, text, answer):
    e = Extraction(TASKS[task], text)
    e.add(json.dumps(answer))
    return e

def test_every_place_is_found():
    e = extraction('NER', '😀甲在乙，甲又在丙。US, BUS, US', {'人': ['甲'], 'c': ['US']})
    assert [(s.start, s.text) for s in e.spans] == [(1, '甲'), (5, '甲'), (10, 'US'), (19, 'US')]
    assert all(e.text[s.start:s.end] == s.text for s in e.spans)

def test_a_table_for_spreadsheets(tmp_path):
    es = Extractions([extraction('EE', '=cmd("x"), 甲', {'e': [{'trigger': '甲', 'arguments': {'x': ['-1', 'y\n"z"'], 'w': 'NAN'}}, {'trigger': '+', 'arguments': {}}]}),
                      extraction('EE', 'nothing', {'e': []})])
    es.to_csv(tmp_path/'t.csv')
    data = (tmp_path/'t.csv').read_bytes()
    assert data.startswith(b'\xef\xbb\xbf')
    table = list(csv.reader(data.decode('utf-8-sig').splitlines(keepends=True)))
    assert table == [['text', 'event_type', 'trigger', 'role', 'argument'], ['\'=cmd("x"), 甲', 'e', '甲', 'x', "'-1"], ['\'=cmd("x"), 甲', 'e', '甲', 'x', 'y\n"z"'],
                     ['\'=cmd("x"), 甲', 'e', "'+", '', '']]
    assert es.to_jsonl(tmp_path/'t.jsonl') == 2
    first = next(read_jsonl(tmp_path/'t.jsonl'))[1]
    assert first['answer'] == es[0] and first['spans'][0] == {'label': 'e', 'start': 11, 'end': 12, 'text': '甲', 'part': 'trigger'}

def test_graphs():
    from xml.dom.minidom import parseString
    es = Extractions([extraction('KG', '', {'t': {'<b>': {'p': ['甲', 'x'], 'q': '甲'}}}), extraction('KG', '', {'t': {'x': {'p': 'x'}}})])
    g = es.graph()
    assert set(g.edges(keys=True)) == {('<b>', '甲', 'p'), ('<b>', 'x', 'p'), ('<b>', '甲', 'q'), ('x', 'x', 'p')}
    svg = g._repr_html_()
    assert '<b>' not in svg and '&lt;b&gt;' in svg and 'p · q' in svg and 'nan' not in svg
    assert len(parseString(svg).getElementsByTagName('rect')) == 6
    assert extraction('RE', '', {'r': []}).graph()._repr_html_() == '<i>nothing to draw</i>'
    with pytest.raises(UserError, match='NER answers hold no triples; those of RE'): extraction('NER', '', {'a': ['x']}).triples()

def test_a_stream_ends_with_the_answer():
    ex, text = Extractor('tiny'), json.loads(some_rows(1)[0]['instruction'])['input']
    seen = list(ex.stream(text, ['person', 'ship'], language='en'))
    assert dict(seen[-1]) == dict(ex.extract(text, ['person', 'ship'], language='en')) and len(seen) > 1 and not seen[-1].problems


def test_a_stream_of_what_cannot_be_asked_and_of_long_texts(caplog):
    loaded = load_model('tiny')
    ex, long = Extractor(loaded, cutoff_len=150), ' '.join(f'Then Tove Lindahl the {i}th went to Lagos.' for i in range(20))
    labels = ['label'] * 1 + [f'a very long label, number {i}, that fills the prompt' for i in range(30)]
    for text, schema, n in (('Ines', labels, 31), (long, ['person'], None)):
        seen = list(ex.stream(text, schema, language='en', max_new_tokens=8, split_num=n))
        want = ex.extract(text, schema, language='en', max_new_tokens=8, split_num=n)
        assert dict(seen[-1]) == dict(want) and seen[-1].problems == want.problems
    assert 'gets an empty answer' in caplog.text


# Long texts

def test_long_texts_in_pieces(tmp_path, monkeypatch, caplog):
    text = ' '.join(f'Then Tove Lindahl the {i}th went to Lagos.' for i in range(60))
    monkeypatch.setattr(Decoder, 'together', lambda self, asked: [Answer(json.dumps({'person': [a.text.split(' went')[0][5:]]}), 3, 2, sure={'Tove': .5}) for a in asked])
    row, (model, tokenizer) = {'task': 'NER', 'instruction': json.dumps({'instruction': 'i', 'schema': ['person'], 'input': text})}, load_model('tiny')
    short, = predict([row], model, tokenizer, cutoff_len=200)
    assert json.loads(short['output']) == {'person': ['Tove Lindahl the 0th']} and '1 of 1 prompts were longer' in caplog.text
    caplog.clear()
    caplog.set_level('INFO')
    long, = predict([row], model, tokenizer, cutoff_len=200, window=True)
    people = json.loads(long['output'])['person']
    assert len(people) > 3 and people[0] == 'Tove Lindahl the 0th' and '1 of 1 texts are asked in pieces' in caplog.text and 'longer' not in caplog.text
    write_jsonl(tmp_path/'in.json', [row])
    assert main(command(tmp_path, '--window', '--cutoff_len', '200')) == 0
    assert next(read_jsonl(tmp_path/'out.json'))[1]['output'] == long['output']
    assert Extractor((model, tokenizer), cutoff_len=200).extract(text, ['person'])['person'][0] == 'Tove Lindahl the 0th'


# Reading free answers

@settings(max_examples=80)
@given(st.text('{}[]":,\\ ab1\n甲`', max_size=40))
def test_reading_never_raises(text):
    found, note = repair_answer(text)
    assert (found is None or isinstance(found, dict)) and (note or found is not None)

def test_what_is_cut_off_is_mended():
    assert repair_answer('{"a": ["x", "y') == ({'a': ['x', 'y']}, 'cut off')
    assert repair_answer('{"a": [{"subject": "x", "object": "y"}, {"subj')[0]['a'][0] == {'subject': 'x', 'object': 'y'}
    assert repair_answer('nothing')[0] is None and repair_answer('{' * 50_000)[0] is None


# The command

def test_one_text(capsys):
    assert main(['--text', 'Ines Okafor moved to Lagos.', '--labels', 'person, city']) == 0
    assert list(json.loads(capsys.readouterr().out)) == ['person', 'city']
    assert main(['--text', 'x', '--labels', 'closure: owner, place', '--task', 'EE', '--language', 'zh']) == 0
    assert list(json.loads(capsys.readouterr().out)) == ['closure']
    assert main(['--text', 'x', '--labels', 'person', '--task', 'KG']) == 1 and 'no labels for KG' in capsys.readouterr().err
    for wrong in (['--text', 'x'], ['--input_file', 'x'], []):
        with pytest.raises(SystemExit) as e: main(wrong)
        assert e.value.code == 2

def test_confidence_of_one_text(capsys):
    assert main(['--text', 'Ines Okafor moved to Lagos.', '--labels', 'person, city', '--confidence', '--batch_size', '1']) == 0
    answer, sure = map(json.loads, capsys.readouterr().out.splitlines())
    assert set(sure) == {s for v in answer.values() for s in v}

def test_one_text_is_asked_in_zh_or_en_and_without_files(capsys):
    for wrong, said in ((['--language', 'fr'], "invalid choice: 'fr'"), (['--parity', '2'], 'without --input_file'), (['--output_file', 'o'], 'without --input_file')):
        with pytest.raises(SystemExit) as e: main(['--text', 'Karl met Ines.', '--labels', 'person', *wrong])
        assert e.value.code == 2 and said in capsys.readouterr().err
    with pytest.raises(UserError, match="no language 'fr'; there are zh, en"): Extractor('tiny').extract('Karl', ['person'], language='fr')

def test_labels_with_chinese_marks():
    assert read_labels('人物，地点、 city') == ['人物', '地点', 'city'] and read_labels('a：x，y；b：z') == {'a': ['x', 'y'], 'b': ['z']}

def test_the_family_is_checked(tmp_path, capsys):
    write_jsonl(tmp_path/'in.json', some_rows(1))
    assert main(command(tmp_path, '--model_name', 'mistral', '--max_new_tokens', '3')) == 0
    assert '--model_name mistral, but this model is of the family llama' in capsys.readouterr().err

def loads_nothing(monkeypatch):
    from iepile_nb import model
    monkeypatch.setattr(model, 'load_base', lambda *a, **kw: pytest.fail('a model was loaded'))

def test_records_are_no_rows(tmp_path, monkeypatch, capsys):
    loads_nothing(monkeypatch)
    write_jsonl(tmp_path/'in.json', [{'text': 'x', 'entity': []}] * 3)
    for argv in (command(tmp_path), ['--input_file', str(tmp_path/'in.json'), '--parity', '2']):
        assert main(argv) == 1
        err = capsys.readouterr().err.splitlines()
        assert len(err) == 1 and 'look like records' in err[0] and 'iepile_convert --split test' in err[0]
    assert os.listdir(tmp_path) == ['in.json']

def test_rows_that_ask_nothing_do_not_count(tmp_path, capsys):
    row, = some_rows(1)
    write_jsonl(tmp_path/'in.json', [{'text': 'x'}, row, {'text': 'y'}])
    assert main(command(tmp_path)) == 0
    out, err = capsys.readouterr()
    assert 'out.json: 1 of 3 rows answered' in out and err.count('empty answer') == 1 and 'row 1 gets an empty answer, as do 1 more of 3 rows' in err
    assert main(['--input_file', str(tmp_path/'in.json'), '--parity', '3', '--max_new_tokens', '3']) == 0
    out, err = capsys.readouterr()
    assert 'of 1 answers differ' in out and "2 of 3 rows have no 'instruction'" in err
    write_jsonl(tmp_path/'in.json', [{'instruction': json.dumps({'instruction': 'i', 'schema': ['label'] * 2000, 'input': 'x'})}])
    assert main(command(tmp_path)) == 1 and 'in.json: no row can be asked' in capsys.readouterr().err
    assert main(['--input_file', str(tmp_path/'in.json'), '--parity', '1']) == 1 and 'nothing to compare' in capsys.readouterr().err

def test_training_rows_can_be_scored(tmp_path, capsys):
    from iepile_nb.cli.eval import main as score
    write_jsonl(tmp_path/'in.json', [{**{k: v for k, v in r.items() if k != 'label'}, 'output': '{"person": []}'} for r in some_rows(3)])
    assert main(command(tmp_path)) == 0 and "3 rows have an 'output' but no 'label'" in capsys.readouterr().err
    assert {r['label'] for _, r in read_jsonl(tmp_path/'out.json')} == {'{"person": []}'}
    assert score([str(tmp_path/'out.json'), '--draws', '0']) == 0

def test_a_place_for_the_answers_is_there_before_the_model(tmp_path, monkeypatch, capsys):
    loads_nothing(monkeypatch)
    write_jsonl(tmp_path/'in.json', some_rows(1))
    for out, said in ((tmp_path, 'is a folder'), (tmp_path/'in.json'/'o.json', 'in.json')):
        assert main(['--input_file', str(tmp_path/'in.json'), '--output_file', str(out)]) == 1
        err = capsys.readouterr().err
        assert err.startswith('error: ') and said in err

@pytest.mark.parametrize('option', ['--limit', '--batch_size', '--max_new_tokens', '--cutoff_len', '--parity'])
def test_counts_are_above_zero(option, capsys):
    for n, said in (('0', 'less than 1'), ('-1', 'less than 1'), ('x', 'no whole number')):
        with pytest.raises(SystemExit) as e: main(['--input_file', 'x', '--output_file', 'y', option, n])
        assert e.value.code == 2 and said in capsys.readouterr().err

def test_a_preset_with_an_equals_sign(monkeypatch, capsys):
    from iepile_nb import model
    asked = {}
    def stop(*a, **kw):
        asked.update(kw)
        raise UserError('enough')
    monkeypatch.setattr(model, 'choose_template', stop)
    for argv, given in ((['--preset=tiny'], {}), (['--preset', 'tiny', '--cutoff_len=300'], {'cutoff_len': 300})):
        asked.clear()
        assert main(['--text', 'x', '--labels', 'a', *argv]) == 1 and asked == given
    assert main(['--text', 'x', '--labels', 'a', '--preset=nope']) == 1 and "no preset 'nope'" in capsys.readouterr().err


def test_parity_is_reported(tmp_path, capsys):
    write_jsonl(tmp_path/'in.json', some_rows(5))
    assert main(['--input_file', str(tmp_path/'in.json'), '--parity', '3']) == 0
    out = capsys.readouterr().out
    assert 'batch_size 1: 0.0% of 3 answers differ' in out and 'free: ' in out and os.listdir(tmp_path) == ['in.json']


def test_orders_ask_the_embedded_model_again():
    from iepile_nb.evaluate import orders
    record = {'text': 'Ines Okafor flew from Oslo to Porto.', 'entity': [{'entity': 'Ines Okafor', 'entity_type': 'person'},
                                                                        {'entity': 'Oslo', 'entity_type': 'city'}]}
    rows = list(convert([record], Schema(['person', 'city', 'river', 'company']), 'NER', 'en', 'test', 2))
    tiny = load_model('tiny')
    found = orders(rows, lambda rows: list(predict(rows, *tiny, max_new_tokens=60)), 3)
    assert [r['total']['n'] for r in found] == [1, 1, 1] and not any(r['total']['errors'] for r in found)
    asked = [[q.label for x in r.texts[0].rows for q in x.questions] for r in found]
    assert len({tuple(a) for a in asked}) > 1 and {frozenset(a) for a in asked} == {frozenset(asked[0])}
    assert max(found.f1()) > 0 and '| mean' in str(found)
