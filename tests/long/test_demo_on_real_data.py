"The main job on every real dataset that is at hand."
import pytest

from helpers.demo import run_demo


@pytest.mark.long
def test_every_shared_folder_trains_and_tests(tmp_path, shared):
    "All real datasets with a train and a test file go through the whole job."
    tasks = {'CrossNER_AI': 'NER', 'CrossNER_literature': 'NER', 'CrossNER_science': 'NER', 'bc5cdr': 'NER',
             'SciERC_pairs': 'RE', 'semval-RE': 'RE', 'PHEE': 'EE', 'FewFC': 'EE'}
    for name, task in tasks.items():
        language = 'zh' if name == 'FewFC' else 'en'
        options = '--task', task, '--language', language, '--limit', 6
        run_demo(tmp_path/name, '--data', shared/'data'/name, *options)
