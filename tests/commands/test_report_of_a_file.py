"`iepile_eval --report`."
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
