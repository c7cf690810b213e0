"The command that trains the embedded model: what it refuses."
from iepile_nb.cli.tiny import main


def test_a_folder_without_a_checkpoint_is_not_resumed(tmp_path, capsys):
    assert main(['--out', str(tmp_path), '--resume']) == 1
    assert 'no checkpoint' in capsys.readouterr().err


def test_a_checkpoint_is_not_written_over(tmp_path, capsys):
    (tmp_path/'state.pt').write_bytes(b'x')
    assert main(['--out', str(tmp_path)]) == 1
    assert '--resume' in capsys.readouterr().err
