"What all commands have in common: errors in one line, the original's flags accepted, other flags refused."
import argparse
import json
import logging

import pytest
from iepile_nb.cli.common import Flag, at_least, command, old_flags
from iepile_nb.lib.io import UserError, write_jsonl


def test_commands_say_one_line(capsys):
    @command
    def fails(argv): raise UserError('x.json:3: broken')
    assert fails([]) == 1 and capsys.readouterr().err == 'error: x.json:3: broken\n'
    @command
    def works(argv): print(json.dumps(argv))
    assert works(['a']) == 0


def test_old_flags_are_accepted_and_others_refused(caplog):
    p = argparse.ArgumentParser()
    old_flags(p, [Flag('--gone', 'of an engine that is not used'), Flag('--switch', 'always on', False)])
    with caplog.at_level(logging.WARNING, 'iepile_nb'): p.parse_args(['--gone', '3', '--switch'])
    assert [r.message for r in caplog.records] == ['--gone has no effect: of an engine that is not used',
                                                   '--switch has no effect: always on']
    with pytest.raises(SystemExit): p.parse_args(['--never_heard_of'])


def test_what_the_file_system_refuses_is_one_line(tmp_path, capsys):
    @command
    def main(argv):
        "Write a file."
        write_jsonl(argv[0], [{}])
    assert main([str(tmp_path)]) == 1 and 'is a folder' in capsys.readouterr().err
    (tmp_path/'file').write_text('')
    assert main([str(tmp_path/'file'/'a')]) == 1
    err = capsys.readouterr().err
    assert err.count('\n') == 1 and 'file' in err and [f.name for f in tmp_path.iterdir()] == ['file']


@pytest.mark.parametrize('s', ['0', '-1', '1.5', 'x', '', '٣'])
def test_numbers_that_are_no_counts(s):
    with pytest.raises(argparse.ArgumentTypeError): at_least(1)(s)
