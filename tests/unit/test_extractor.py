"Extractor: every task, many labels, a threshold, adapters side by side, an answer watched while it grows."
import json

import pytest
import torch
from helpers.predicting import SCHEMAS, answering, extraction, some_rows

from iepile_nb.infer import Answer, Decoder, Extraction, Extractor, as_questions
from iepile_nb.lib.contract import make_contract
from iepile_nb.lib.io import UserError
from iepile_nb.lib.templates import TEMPLATES
from iepile_nb.lora import add_lora, load_model
from iepile_nb.prompt import get_template
from iepile_nb.questions import Schema
from iepile_nb.tasks import TASKS, get_task


def write_json(path, obj): path.write_text(json.dumps(obj), encoding='utf-8')


def test_an_extraction_is_the_answer_and_knows_its_places():
    e = Extraction(TASKS['RE'], '<b>甲 founded 乙 & Co</b>')
    e.add('Sure: {"founder": [{"subject": "乙 & Co", "object": "甲"}]} done')
    e.add('{"founder": [{"subject": "x", "object": "甲"}], "owner": []}')
    e.add('no json here')
    pairs = [{'subject': '乙 & Co', 'object': '甲'}, {'subject': 'x', 'object': '甲'}]
    assert e == {'founder': pairs, 'owner': []}
    assert all(e.text[s.start:s.end] == s.text for s in e.spans)
    assert {s.text for s in e.spans} == {'甲', '乙 & Co'}
    assert [p[:9] for p in e.problems] == ['text afte', 'no JSON o']
    assert '<b>' not in e._repr_html_().replace('<b></b>', '') and '&amp; Co' in e._repr_html_()


def test_every_place_is_found():
    e = extraction('NER', '😀甲在乙，甲又在丙。US, BUS, US', {'人': ['甲'], 'c': ['US']})
    assert [(s.start, s.text) for s in e.spans] == [(1, '甲'), (5, '甲'), (10, 'US'), (19, 'US')]
    assert all(e.text[s.start:s.end] == s.text for s in e.spans)


@pytest.mark.parametrize('task', TASKS)
def test_every_task_can_be_asked(llama_dir, task):
    ex = Extractor(llama_dir, template='alpaca')
    found = ex.extract(['one text', '一段文字'], SCHEMAS[task], task, max_new_tokens=3)
    assert [e.text for e in found] == ['one text', '一段文字'] and all(e.task is TASKS[task] for e in found)


def test_many_labels_are_asked_in_batches_and_merged(llama_dir, monkeypatch):
    asked = []
    def first_letter(request):
        asked.append(request)
        return Answer(json.dumps({q.label: [request.text[0]] for q in request.questions}))
    monkeypatch.setattr(Decoder, 'answer_portion', answering(first_letter))
    labels = [f'l{i}' for i in range(14)]
    ex = Extractor(llama_dir, cutoff_len=5000)
    found = ex.extract('Zoë', Schema(labels), 'ner')
    assert found == {l: ['Z'] for l in labels} and sorted(len(a.questions) for a in asked) == [6, 8]
    assert 'You are an expert' in asked[0].start and ex.extract('Zoë', labels, language='zh') == found
    assert '你是' in asked[-1].start and ex.extract([], labels) == []
    assert ex.extract('Zoë', labels, split_num=7) == found
    assert [len(a.questions) for a in asked[-2:]] == [7, 7]


def test_a_schema_without_labels_for_the_task(llama_dir):
    with pytest.raises(ValueError, match='no labels for KG'): Extractor(llama_dir).extract('x', ['a'], 'KG')


@pytest.mark.parametrize('labels, says', [(['person', 3], '3 is none'), (None, 'a list of labels'),
                                          ('person', 'a list of labels')])
def test_labels_that_are_none(labels, says):
    with pytest.raises(UserError, match=says): as_questions(get_task('NER'), labels)


def test_a_language_that_there_is_not():
    with pytest.raises(UserError, match="no language 'fr'; there are zh, en"):
        Extractor('tiny').extract('Karl', ['person'], language='fr')


EVENT = '{"e": [{"trigger": "went", "arguments": {"x": "Ines", "y": ["Oslo", "went"]}}]}'

@pytest.mark.parametrize('task, written, schema, left', [
    ('NER', '{"a": ["Ines", "Oslo"]}', ['a'], {'a': ['Ines']}),
    ('RE', '{"r": [{"subject": "Ines", "object": "Oslo"}]}', ['r'], {'r': []}),
    ('EE', EVENT, {'e': ['x', 'y']}, {'e': [{'trigger': 'went', 'arguments': {'x': 'Ines', 'y': 'went'}}]}),
    ('KG', '{"t": {"Ines": {"p": "Oslo", "q": "went"}}}', {'t': ['p', 'q']}, {'t': {'Ines': {'q': 'went'}}})])
def test_a_threshold_leaves_out_the_unsure(task, written, schema, left, monkeypatch):
    sure = {'Ines': .9, 'Oslo': .2, 'went': .8}
    monkeypatch.setattr(Decoder, 'answer_portion', answering(lambda request: Answer(written, sure=sure)))
    ex = Extractor('tiny')
    e = ex.extract('Ines went to Oslo', schema, task, threshold=.5)
    assert e == left and e.confidence['Oslo'] == .2
    assert ex.extract('Ines went to Oslo', schema, task, threshold=0) == json.loads(written)


# Adapters side by side

def test_adapters_by_name(tmp_path):
    for name, shift in (('one', .3), ('two', -.3)):
        torch.manual_seed(0)
        lora = add_lora(load_model('tiny')[0], r=2)
        with torch.no_grad():
            for n, p in lora.named_parameters(): p += shift * ('lora_B' in n)
        lora.save_pretrained(tmp_path/name)
    texts = [json.loads(r['instruction'])['input'] for r in some_rows(24)[::6]]
    def answers(ex): return ex.extract(texts, ['person', 'ship', 'place'])
    alone = {n: answers(Extractor('tiny', adapter=n and str(tmp_path/n), template='auto'))
             for n in ('one', 'two', None)}
    ex = Extractor('tiny', adapter={n: tmp_path/n for n in ('one', 'two')}, template='auto')
    for n in ('one', 'two', None, 'one'):
        ex.use(n)
        assert answers(ex) == alone[n]
    assert alone['one'] != alone['two'] != alone[None]
    with pytest.raises(UserError, match="no adapter 'three'; there are one, two"): ex.use('three')


def test_each_adapter_has_its_own_prompt(tmp_path):
    model, tokenizer = load_model('tiny')
    for name, template in (('one', 'auto'), ('two', 'alpaca'), ('three', None)):
        add_lora(load_model('tiny')[0], r=2 if name != 'three' else 3).save_pretrained(tmp_path/name)
        if not template: continue
        contract = make_contract(model, tokenizer, get_template(template, tokenizer))
        write_json(tmp_path/name/'prompt.json', contract)
    folders = {n: tmp_path/n for n in ('one', 'two')}
    ex = Extractor('tiny', adapter=folders)
    assert ex.template == TEMPLATES['alpaca']
    ex.use('one')
    assert ex.template == get_template('auto', tokenizer) != TEMPLATES['alpaca']
    with pytest.raises(UserError, match='another prompt'): Extractor('tiny', adapter=folders, template='auto')
    with pytest.raises(UserError, match='does not say which prompt'): ex.load('three', tmp_path/'three')


def test_a_misshapen_adapter_changes_nothing(tmp_path):
    for name in ('good', 'bad'): add_lora(load_model('tiny')[0], r=2).save_pretrained(tmp_path/name)
    config = json.loads((tmp_path/'bad/adapter_config.json').read_text())
    write_json(tmp_path/'bad/adapter_config.json', {**config, 'r': 5})
    ex, text = Extractor('tiny', template='auto'), 'Ines moved to Porto.'
    before = dict(Extractor('tiny').extract(text, ['person']))
    for again in ('good', 'better'):
        with pytest.raises(UserError, match='bad does not fit tiny'): ex.load('bad', tmp_path/'bad')
        assert dict(ex.extract(text, ['person'])) == before
        assert 'bad' not in getattr(ex.model, 'peft_config', {})
        ex.load(again, tmp_path/'good')
    with pytest.raises(UserError, match="an adapter 'good' on this model already"):
        ex.load('good', tmp_path/'good')


# An answer that grows

def test_a_stream_ends_with_the_answer():
    ex, text = Extractor('tiny'), json.loads(some_rows(1)[0]['instruction'])['input']
    seen = list(ex.stream(text, ['person', 'ship'], language='en'))
    assert dict(seen[-1]) == dict(ex.extract(text, ['person', 'ship'], language='en'))
    assert len(seen) > 1 and not seen[-1].problems


def test_a_stream_of_what_cannot_be_asked_and_of_long_texts(caplog):
    ex = Extractor(load_model('tiny'), cutoff_len=150)
    long = ' '.join(f'Then Tove Lindahl the {i}th went to Lagos.' for i in range(20))
    labels = ['label'] + [f'a very long label, number {i}, that fills the prompt' for i in range(30)]
    for text, schema, n in (('Ines', labels, 31), (long, ['person'], None)):
        options = dict(language='en', max_new_tokens=8, split_num=n)
        seen, want = list(ex.stream(text, schema, **options)), ex.extract(text, schema, **options)
        assert dict(seen[-1]) == dict(want) and seen[-1].problems == want.problems
    assert 'gets an empty answer' in caplog.text
