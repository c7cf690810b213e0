"The main job: small, in 16 and 4 bits, and on real data where that is at hand."
import pytest

from helpers.demo import run_demo
from iepile_nb.cli.demo import main


@pytest.mark.parametrize('bits', [16, 4])
def test_a_small_demo(bits, tmp_path, root, capsys):
    small = '--task', 'NER', '--language', 'en', '--limit', 12, '--bits', bits
    results = run_demo(tmp_path, '--data', root/'data/demo/en/NER', *small)
    assert results['scores'][0]['after']['n'] == 12 and results['settings']['bits'] == bits
    out = capsys.readouterr().out
    assert 'F1 after' in out and 'report.html' in out
    assert (tmp_path/'en/lora/adapter_model.safetensors').exists()


def test_real_data(tmp_path, shared):
    small = '--task', 'NER', '--language', 'en', '--limit', 8
    results = run_demo(tmp_path, '--data', shared/'data/CrossNER_AI', *small)
    assert results['scores'][0]['after']['n'] == 8


def test_a_folder_needs_task_and_language(capsys):
    with pytest.raises(SystemExit) as e: main(['--data', 'data/demo/en/NER'])
    assert e.value.code == 2 and '--task and --language' in capsys.readouterr().err


def test_a_wrong_folder(capsys, tmp_path):
    assert main(['--data', str(tmp_path/'none'), '--task', 'NER', '--language', 'en']) == 1
    assert 'no such folder' in capsys.readouterr().err
