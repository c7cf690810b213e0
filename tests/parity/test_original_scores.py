"""By `--rules original` scores are those of IEPile's own script, to the digit.

`scores/` holds small prediction files of our own, with spoiled answers and texts that come twice, and what
the original's scorer printed for them (`helpers/record_scores.py` writes both). Larger files lie in ../shared
where that is there."""
import json
from pathlib import Path

import pytest

from iepile_nb.evaluate import evaluate
from iepile_nb.lib.io import UserError

SCORES = Path(__file__).parent/'scores'
RECORDED = json.loads((SCORES/'original.json').read_text(encoding='utf-8'))


def check(path, task, mode, expected):
    "Totals and groups are equal, in the original's order."
    got = evaluate(path, task, 'original', mode, 'source')
    assert dict(got) == expected and list(got) == list(expected)
    assert evaluate(path, rules='original', match_mode=mode)['total'] == expected['total']


@pytest.mark.parametrize('mode', ['normal', 'set'])
@pytest.mark.parametrize('task', ['NER', 'RE', 'EE', 'EEA'])
def test_own_prediction_files_score_as_in_the_original(task, mode):
    expected = RECORDED[f'{task}|{mode}']
    check(SCORES/f'{task}.jsonl', task, mode, expected)
    assert expected['total']['错误数'] > 0 and len(expected) > 2


@pytest.mark.parametrize('task', ['KG', 'SPO', 'EET'])
def test_tasks_that_the_original_cannot_score_are_refused_and_scored_by_the_default_rules(task):
    "The original crashes, or scores 0 whatever was answered."
    for mode in ('normal', 'set'):
        scores = RECORDED[f'{task}|{mode}']
        assert scores is None or scores['total']['F1'] == 0
    path = SCORES/f'{task}.jsonl'
    with pytest.raises(UserError, match=f'the original cannot score {task}'): evaluate(path, rules='original')
    assert 0 < evaluate(path)['total']['f1'] < 100


def test_every_task_is_recorded(): assert len(RECORDED) == 14 and sum(map(bool, RECORDED.values())) >= 8


def test_original_scores_to_the_digit(shared):
    golden = json.loads((shared/'spec/golden_scores.json').read_text(encoding='utf-8'))
    assert len(golden) == 14
    for case, expected in golden.items():
        name, mode = case.split('|')
        check(shared/'data/predictions'/name, name.split('_')[0], mode, expected)
