"The main job: small, in 16 and 4 bits, and on real data where that is at hand."
import json

import pytest
from iepile_nb.cli.demo import main


def run(out, *args):
    assert main(['--out', str(out), '--epochs', '1', *map(str, args)]) == 0
    results = json.loads((out/'results.json').read_text(encoding='utf-8'))
    page = (out/'report.html').read_text(encoding='utf-8')
    assert page.lower().startswith('<!doctype html>') and ' src="http' not in page and '<link' not in page
    assert results['scores'] and results['losses'] and results['examples']
    for s in results['scores']: assert s['before']['n'] == s['after']['n'] > 0
    return results


@pytest.mark.parametrize('bits', [16, 4])
def test_a_small_demo(bits, tmp_path, root, capsys):
    results = run(tmp_path, '--data', root/'data/demo/en/NER', '--task', 'NER', '--language', 'en', '--limit', 12, '--bits', bits)
    assert results['scores'][0]['after']['n'] == 12 and results['settings']['bits'] == bits
    out = capsys.readouterr().out
    assert 'F1 after' in out and 'report.html' in out
    assert (tmp_path/'en/lora/adapter_model.safetensors').exists()


def test_real_data(tmp_path, shared):
    results = run(tmp_path, '--data', shared/'data/CrossNER_AI', '--task', 'NER', '--language', 'en', '--limit', 8)
    assert results['scores'][0]['after']['n'] == 8


def test_a_folder_needs_task_and_language(capsys):
    with pytest.raises(SystemExit) as e: main(['--data', 'data/demo/en/NER'])
    assert e.value.code == 2 and '--task and --language' in capsys.readouterr().err


def test_a_wrong_folder(capsys, tmp_path):
    assert main(['--data', str(tmp_path/'none'), '--task', 'NER', '--language', 'en']) == 1
    assert 'no such folder' in capsys.readouterr().err


@pytest.mark.long
def test_every_shared_folder_trains_and_tests(tmp_path, shared):
    "All real datasets with a train and a test file go through the whole job."
    tasks = {'CrossNER_AI': 'NER', 'CrossNER_literature': 'NER', 'CrossNER_science': 'NER', 'bc5cdr': 'NER', 'SciERC_pairs': 'RE',
             'semval-RE': 'RE', 'PHEE': 'EE', 'FewFC': 'EE'}
    for name, task in tasks.items():
        run(tmp_path/name, '--data', shared/'data'/name, '--task', task, '--language', 'zh' if name == 'FewFC' else 'en', '--limit', 6)
