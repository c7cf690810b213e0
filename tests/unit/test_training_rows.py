"The rows that the embedded model is trained on: names of labels, questions and answers."
import json
import random
from collections import Counter
from itertools import islice

from helpers.corpora import LANGUAGES, asked_names, each_language, names_of

from iepile_nb.lib.label_names import halves, mixed_name, reserved_names
from iepile_nb.lib.patterns import domain_names, load_grammar
from iepile_nb.lib.training_rows import training_rows
from iepile_nb.tasks import TASKS, get_task, read_instruction


def plain_names(): return {l: names_of(l, domain_names(l), ['aliases']) for l in LANGUAGES}


def test_training_rows_use_no_unseen_and_no_heldout_names():
    plain, other = plain_names(), 0
    kept = {l: names_of(l, domain_names(l), ['unseen'])
            | names_of(l, domain_names(l, heldout=True), ['aliases', 'unseen']) for l in LANGUAGES}
    reserved = {l: kept[l] - plain[l] for l in LANGUAGES}
    for row in islice(training_rows(3), 800):
        task, questions, text = read_instruction(row['instruction'], get_task(row['task']))
        triggers = {t for q in questions for t in q.triggers or ()}
        assert not (asked_names(row) - triggers) & reserved[row['source']]
        other += bool(asked_names(row) - triggers - plain[row['source']])
    assert 200 < other < 700 # rows with mixed or made-up names, and rows without


@each_language
def test_mixed_names_are_made_of_the_names_and_never_reserved(language):
    rng, labels = random.Random(1), load_grammar(language)['domains']['law']['entities']
    for label, e in labels.items():
        pool = {w for n in (label, *e['aliases']) for w in halves(language, n)}
        made = {mixed_name(rng, language, [label, *e['aliases']]) for _ in range(30)} - {''}
        assert len(made) > 3 and not made & reserved_names(language)
        assert all(any(w in m for w in pool) for m in made)


def test_made_up_labels_have_no_answer():
    rows, plain = [r for r in islice(training_rows(6), 600) if r['task'] == 'NER'], plain_names()
    invented = [found for r in rows for label, found in json.loads(r['output']).items()
                if not any(w in label for n in plain[r['source']] for w in halves(r['source'], n))]
    assert invented and not any(invented)


def test_rows_answer_what_they_ask():
    seen = Counter()
    for row in islice(training_rows(4), 800):
        task, questions, text = read_instruction(row['instruction'], get_task(row['task']))
        answer = json.loads(row['output'])
        assert [task.answer_key(q) for q in questions] == list(answer)
        for label, *item in task.parse(answer):
            for v in item[:1] if task.name != 'EEA' else (): assert v in text
        seen[task.name] += 1
        seen['empty'] += not any(answer.values())
    assert set(seen) == {*TASKS, 'empty'} and seen['empty'] < 800 / 3


def test_unseen_names_are_asked_when_wanted():
    rows, plain = list(islice(training_rows(5, 'test', rename='unseen'), 100)), plain_names()
    every = {l: names_of(l, domain_names(l), ['unseen']) for l in LANGUAGES}
    unseen = set().union(*every.values()) - set().union(*plain.values())
    assert sum(bool(asked_names(r) & unseen) for r in rows) > 50
