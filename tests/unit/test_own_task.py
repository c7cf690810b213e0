"The task that lesson 02 makes as an example is enough for conversion, a round trip and a score."
import json

import pytest
from iepile_nb.convert import convert
from iepile_nb.evaluate import evaluate
from iepile_nb.lib.io import write_jsonl
from iepile_nb.questions import SENTENCES, Schema, Task, expect, output, position
from iepile_nb.tasks import TASKS, get_task, read_instruction


class Opinions(Task):
    "What is said of what: {label: [{'aspect', 'opinion'}, ...]}; items are (label, aspect, opinion)."
    name, key = 'OPINION', 'opinion'
    fields = dedup = ('aspect', 'opinion', 'label')
    names, columns, taken = ('aspect', 'opinion'), ('label', 'aspect', 'opinion'), {'': (1, 2)}

    def gold(self, record, schema=None):
        res = {}
        for o in self.annotations(record): res.setdefault(o['label'], []).append((o['aspect'], o['opinion']))
        return res

    def value(self, q, found, text):
        return [{'aspect': a, 'opinion': o} for a, o in sorted(found, key=lambda f: position(text, f[0]))]

    def parse(self, answer, problem=lambda msg: None):
        for label, found in answer.items():
            for o in expect(list, found, label, 'a list', problem):
                if isinstance(o, dict): yield label, str(o.get('aspect', '')), str(o.get('opinion', ''))


RECORD = {'text': 'The bread is superb, but the coffee is cold.', 'opinion': [
    {'aspect': 'coffee', 'opinion': 'cold', 'label': 'blame'},
    {'aspect': 'bread', 'opinion': 'superb', 'label': 'praise'}]}
SCHEMA = Schema(['praise', 'blame'])


@pytest.fixture
def opinions(monkeypatch):
    task = Opinions()
    monkeypatch.setitem(TASKS, 'OPINION', task)
    monkeypatch.setitem(SENTENCES, 'OPINION', {'en': 'Extract what is praised and what is blamed.'})
    return task


def test_records_become_rows(opinions):
    row, = convert([RECORD], SCHEMA, 'opinion', 'en', negatives={'praise': ['blame']})
    task, questions, text = read_instruction(row['instruction'])
    assert (task, text, row['task']) == (opinions, RECORD['text'], 'OPINION')
    assert json.loads(row['output']) == json.loads(output(task, questions, task.gold(RECORD), text)) == {
        'praise': [{'aspect': 'bread', 'opinion': 'superb'}],
        'blame': [{'aspect': 'coffee', 'opinion': 'cold'}]}


def test_a_half_right_answer_has_half_the_score(opinions, tmp_path):
    rows = list(convert([RECORD], SCHEMA, get_task('opinion'), 'en', split='test', source='reviews'))
    answer = {'praise': [{'aspect': 'bread', 'opinion': 'superb'}],
              'blame': [{'aspect': 'bread', 'opinion': 'cold'}]}
    write_jsonl(tmp_path/'answers.json', [{**rows[0], 'output': json.dumps(answer)}])
    assert evaluate(tmp_path/'answers.json')['total']['f1'] == 50
