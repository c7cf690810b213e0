"`iepile_eval --report`."
from pathlib import Path

import pytest
from helpers.reports import hostile
from iepile_nb.cli.eval import main
from iepile_nb.lib.io import write_jsonl


def test_the_command_writes_a_report(tmp_path, capsys):
    write_jsonl(tmp_path/'p.json', hostile())
    assert main([str(tmp_path/'p.json'), '--report', str(tmp_path/'r.html')]) == 0
    assert 'r.html: open it' in capsys.readouterr().out
    assert (tmp_path/'r.html').stat().st_size > 10_000
    original = '--task', 'NER', '--rules', 'original', '--report', str(tmp_path/'o.html')
    assert main([str(tmp_path/'p.json'), *original]) == 1
    assert 'leave out --rules original' in capsys.readouterr().err and not (tmp_path/'o.html').exists()


@pytest.mark.skipif(not Path('/dev/full').exists(), reason='no /dev/full to write to')
def test_a_page_that_cannot_be_written_costs_no_scores(tmp_path, capsys):
    write_jsonl(tmp_path/'p.json', hostile())
    line = [str(tmp_path/'p.json'), '--output', str(tmp_path/'o.json'), '--report', '/dev/full']
    assert main(line) == 1
    out, err = capsys.readouterr()
    assert (tmp_path/'o.json').is_file() and 'Default rules' in out
    assert 'the page is not written (No space left on device)' in err
