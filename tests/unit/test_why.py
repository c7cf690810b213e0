"Known causes of a bad score are named, with a line to look at."
import json

from iepile_nb.evaluate import CHECKS, evaluate, why
from iepile_nb.lib.io import write_jsonl
from helpers.prediction_rows import answered, entity, event


def causes(rows, **kw): return ' | '.join(f.cause for f in why(rows, **kw))


def test_why_names_each_cause():
    texts = ['Ann likes Oslo', 'Bob likes Rome', 'Cyd likes Kyiv']
    records = [{'text': t, 'entity': [entity(w, l) for w, l in zip(t.split()[::2], 'ab')]} for t in texts]
    rows = answered('NER', records)
    assert str(why(rows)).startswith('Nothing is wrong') and str(why(rows[:1])).startswith('Nothing is wrong')
    assert str(why([rows[0], {**rows[1], 'output': '{"a": [], "b": []}'}])).startswith('No known cause')
    assert 'cut off' in causes([{**r, 'output': r['output'][:-3]} for r in rows])
    assert 'empty' in causes([{**rows[0], 'output': ''}])
    assert 'code fence' in causes([{**r, 'output': f"```json\n{r['output']}\n```"} for r in rows])
    for echo in (rows[0]['instruction'], '[INST] You are', '[INST] {"a": ["An'):
        said = causes([{**rows[0], 'output': echo}])
        assert 'repeat the prompt' in said and 'cannot be read' not in said
    assert 'not asked' in causes([{**rows[0], 'output': '{"person": ["Ann"]}'}])
    respelt = causes([{**rows[0], 'output': '{"a": ["ANN."]}'}])
    assert 'only in case' in respelt and 'does not contain' not in respelt
    assert 'does not contain' in causes([{**rows[0], 'output': '{"a": ["ANN", "Eve"]}'}])
    assert 'leaves out' in causes([rows[0], {**rows[1], 'output': '{"a": ["Bob"]}'}])
    assert 'name nothing' in causes([{**r, 'output': '{"a": []}'} for r in rows])
    assert 'passed over' in causes([{**rows[0], 'output': '{"a": "Ann"}'}])
    assert 'stands twice' in causes([{**rows[0], 'output': '{"a": ["Ann"], "a": []}'}])
    assert 'twice' not in causes(rows)
    slipped = [{**r, 'output': o['output']} for r, o in zip(rows, rows[1:] + rows[:1])]
    assert 'the text does not contain' in causes(slipped) and 'before or after' in causes(slipped)
    moved = [{**r, 'label': o['label'], 'id': o['id']} for r, o in zip(rows, rows[1:])]
    assert 'annotated strings that the text does not contain' in causes(moved)
    assert 'ids that belong' in causes(moved)
    assert 'nothing to find' in causes([{**r, 'label': '[]'} for r in rows])
    foreign = [{**r, 'label': r['label'].replace('"a"', '"o"').replace('"b"', '"p"')} for r in rows]
    assert 'under labels that were not asked' in causes(foreign)
    assert 'lines that cannot be scored' in causes(rows + [{'instruction': '{'}])
    events = answered('EET', [{'text': '裁员', 'event': [event()]}])
    untold = [{k: v for k, v in r.items() if k != 'task'} | {'label': r['output']} for r in events]
    assert 'rows of another task' in causes(untold, task='NER')
    gold = [{'head': 'Ann', 'relation': 'r', 'tail': 'Oslo'}]
    answer = '{"r": [{"head": "Ann", "tail": "Oslo"}]}'
    assert 'head and tail' in causes(answered('RE', [{'text': texts[0], 'relation': gold}], answers=[answer]))


def test_why_examples_point_to_lines(tmp_path):
    rows = answered('NER', [{'text': f'{t} x', 'entity': [entity(t)]} for t in ('X', 'Y', 'Z')])
    rows[1]['output'] = 'none'
    write_jsonl(tmp_path/'p.json', rows)
    found = why(tmp_path/'p.json')
    assert len(found) == 1 and found[0].example == 'line 2: none' and (found[0].count, found[0].of) == (1, 3)
    assert len(CHECKS) == 15


def test_default_rules_and_why_on_real_predictions(shared):
    for path in (shared/'data/predictions').glob('*.json'):
        result = evaluate(path, sort_by='source')
        assert len(result) == 3 and 60 < min(v for k, v in result['total'].items() if k.endswith('f1')) < 100
        assert all(f.count <= f.of and f.advice for f in why(path))


def test_a_training_whose_loss_hardly_fell_is_named(tmp_path):
    rows = answered('NER', [{'text': 'X x', 'entity': [entity('X')]}], answers=['{"a": []}'])
    lora = tmp_path/'lora'
    told = 'the loss hardly fell (0.77 at the start, 0.74 at the end): try a larger --learning_rate'
    lora.mkdir()
    write_jsonl(tmp_path/'p.json', rows)
    for record in ('{"advice": null}', '[]', '{', '{"advice": 3}'):
        (lora/'train_log.json').write_text(record)
        assert 'taught little' not in causes(tmp_path/'p.json')
    (lora/'train_log.json').write_text(json.dumps({'advice': told}))
    for found in (why(tmp_path/'p.json'), why(rows, adapter=lora)):
        assert 'taught little' in found[-1].cause and found[-1].example == told[:told.index(':')]
        assert found[-1].advice == 'train again with a larger --learning_rate'
    assert 'taught little' not in causes(rows)
    right = answered('NER', [{'text': 'X x', 'entity': [entity('X')]}])
    assert str(why(right, adapter=lora)).startswith('Nothing is wrong')


def test_lists_that_a_threshold_would_have_filled_are_named(tmp_path):
    rows = answered('NER', [{'text': 'X x', 'entity': [entity('X')]}], answers=['{"a": []}'])
    def told(tuning):
        (tmp_path/'train_log.json').write_text(json.dumps({'tuning': tuning}))
        return [f for f in why(rows, adapter=tmp_path) if 'came close' in f.cause]
    tuned = {'left_empty': [30, 100], 'bias': {'empty': 0.}}
    found, = told({'NER': tuned})
    assert (found.count, found.of) == (30, 100) and '--list_bias 1' in found.advice
    assert '1.5 nats' in told({'NER': {**tuned, 'bias': {'empty': 1.5}}})[0].advice
    few = {**tuned, 'left_empty': [3, 100]}
    for harmless in ({}, [], {'NER': few}, {'NER': {'left_empty': 3}}, {'NER': 4}): assert not told(harmless)
