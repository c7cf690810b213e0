"A prediction that was broken off goes on where it was, or refuses to if anything has changed."
import pytest
import torch
from helpers.predicting import answering, arguments, broken_off, killed, some_rows, undisturbed

from iepile_nb.cli import predict as command
from iepile_nb.cli.predict import main
from iepile_nb.lib import journal as journal_module
from iepile_nb.lib.decoder import Answer, Decoder
from iepile_nb.lib.io import read_jsonl, write_jsonl
from iepile_nb.lib.journal import Journal
from iepile_nb.lib.requests import RequestMaker, RowFile
from iepile_nb.lora import add_lora, load_model


def test_a_kill_loses_nothing(tmp_path):
    out, err = killed(tmp_path/'killed', 64, 1, 0)
    assert 'rows were answered before' in err
    assert out == undisturbed(tmp_path/'straight', 64)


@pytest.mark.parametrize('change, said', [
    (['--max_new_tokens', '9'], '--max_new_tokens'), (['--constrain', 'free'], '--constrain'),
    (['--limit', '9'], 'input (or --limit)'), (['--template', 'alpaca'], 'template or tokenizer'),
    (['--checkpoint_dir'], 'model or adapter')])
def test_what_has_changed_is_not_mixed(change, said, tmp_path, monkeypatch, capsys):
    journal = broken_off(tmp_path, monkeypatch)
    if change == ['--checkpoint_dir']:
        lora = add_lora(load_model('tiny')[0], r=2)
        with torch.no_grad():
            for name, p in lora.named_parameters(): p += .01 * ('lora_B' in name)
        adapter = tmp_path.parent/f'{tmp_path.name}_lora'
        lora.save_pretrained(adapter)
        change = ['--checkpoint_dir', str(adapter), '--template', 'auto']
    before = journal.read_bytes()
    assert main(arguments(tmp_path, *change)) == 1
    err = capsys.readouterr().err
    assert 'error: ' in err and f'another {said}' in err and '--overwrite' in err
    assert journal.read_bytes() == before
    if said == '--max_new_tokens':
        assert main(arguments(tmp_path, *change, '--overwrite')) == 0 and not journal.exists()


def test_another_number_format_or_end_is_not_mixed(tmp_path, monkeypatch, capsys):
    journal = broken_off(tmp_path, monkeypatch)
    about = journal.read_bytes().splitlines()[0].decode()
    assert 'torch.float' in about or 'torch.bfloat' in about
    with monkeypatch.context() as m:
        m.setattr(command, 'number_format', lambda model: 'torch.float8')
        assert main(arguments(tmp_path)) == 1
        assert 'another number format (--bf16, --fp16, --bits)' in capsys.readouterr().err
    with monkeypatch.context() as m:
        m.setattr(command, 'end_ids', lambda *a: [1, 5])
        assert main(arguments(tmp_path)) == 1 and 'another end of answers' in capsys.readouterr().err


def test_a_default_that_is_given_changes_nothing(tmp_path, monkeypatch, capsys):
    broken_off(tmp_path, monkeypatch)
    assert main(arguments(tmp_path, '--constrain', 'span')) == 0
    assert 'rows were answered before' in capsys.readouterr().err


def test_each_answer_is_written_when_it_is_there(tmp_path, monkeypatch):
    "Also before its portion is done; what is in the journal is not asked again."
    write_jsonl(tmp_path/'in.json', some_rows(12))
    add, answer_all, asked = Journal.add, Decoder.answer_all, []
    def stop(self, row, answer):
        add(self, row, answer)
        if len(self.path.read_bytes().splitlines()) == 6: raise KeyboardInterrupt
    with monkeypatch.context() as m:
        m.setattr(Journal, 'add', stop)
        assert main(arguments(tmp_path)) == 130
    def counting(self, requests, on_answer):
        asked.extend(requests)
        return answer_all(self, requests, on_answer)
    monkeypatch.setattr(Decoder, 'answer_all', counting)
    assert main(arguments(tmp_path)) == 0 and len(asked) == 7
    assert (tmp_path/'out.json').read_bytes() == undisturbed(tmp_path/'straight', 12)


def test_answers_that_were_edited_or_doubled_are_asked_again(tmp_path, monkeypatch, capsys):
    write_jsonl(tmp_path/'in.json', some_rows(12))
    add = Journal.add
    def stop(self, row, answer):
        add(self, row, answer)
        if len(self) == 5: raise KeyboardInterrupt
    with monkeypatch.context() as m:
        m.setattr(Journal, 'add', stop)
        assert main(arguments(tmp_path)) == 130
    journal = tmp_path/'out.json.journal'
    head, first, second, *rest = journal.read_bytes().splitlines(keepends=True)
    edited = first.replace(b'"answer": ["{', b'"answer": ["{ ')
    assert edited != first
    journal.write_bytes(b''.join([head, edited, second, second, *rest]))
    assert main(arguments(tmp_path)) == 0
    err = capsys.readouterr().err
    assert '1 lines are damaged' in err and '1 rows are answered twice' in err
    assert '3 rows were answered before' in err
    assert (tmp_path/'out.json').read_bytes() == undisturbed(tmp_path/'straight', 12)


def test_the_second_of_two_predictions_is_refused_at_once(tmp_path, monkeypatch, capsys):
    write_jsonl(tmp_path/'in.json', some_rows(4))
    def no_model(o): raise AssertionError('a model is loaded')
    monkeypatch.setattr(command, '_loaded', no_model)
    with Journal(tmp_path/'out.json.journal'):
        assert main(arguments(tmp_path)) == 1 and main(arguments(tmp_path, '--overwrite')) == 1
    err = capsys.readouterr().err
    assert err.count('out.json.journal: another process works on it') == 2 and err.count('\n') == 2
    assert [f.name for f in tmp_path.iterdir()] == ['in.json']


def test_a_disk_without_room_leaves_no_empty_journal(tmp_path, monkeypatch, capsys):
    write_jsonl(tmp_path/'in.json', some_rows(4))
    class Full:
        def __init__(self, file): self.file = file
        def __getattr__(self, name): return getattr(self.file, name)
        def write(self, line): raise OSError(28, 'No space left on device')
    hold = journal_module.hold_file
    monkeypatch.setattr(journal_module, 'hold_file', lambda path: Full(hold(path)))
    assert main(arguments(tmp_path)) == 1
    assert capsys.readouterr().err.endswith('out.json.journal: No space left on device\n')
    assert [f.name for f in tmp_path.iterdir()] == ['in.json']


def test_rows_are_prepared_a_stretch_at_a_time(tmp_path, monkeypatch):
    "The first answers are there before the last prompts are made; what is said is said of all rows."
    rows = [*some_rows(600), {'id': 'asks nothing'}]
    write_jsonl(tmp_path/'in.json', rows)
    happened, make = [], RequestMaker.requests
    def requests(self, rows, before=0):
        happened.append(before)
        return make(self, rows, before)
    def answer(request):
        happened.append('answer')
        return Answer('{}')
    monkeypatch.setattr(RequestMaker, 'requests', requests)
    monkeypatch.setattr(Decoder, 'answer_portion', answering(answer))
    assert main(arguments(tmp_path)) == 0
    made = [x for x in happened[1:] if x != 'answer']
    assert made == [0, 256, 512] and happened.index('answer') < happened.index(256)
    assert [r['output'] for _, r in read_jsonl(tmp_path/'out.json')] == ['{}'] * 600 + ['']


def test_a_file_that_is_changed_meanwhile_is_not_mixed(tmp_path, monkeypatch, capsys):
    write_jsonl(tmp_path/'in.json', some_rows(4))
    monkeypatch.setattr(Decoder, 'answer_portion', answering(lambda request: Answer('{}')))
    read = RowFile._rows
    def once_more(self, digest):
        yield from read(self, digest)
        write_jsonl(tmp_path/'in.json', some_rows(3))
    monkeypatch.setattr(RowFile, '_rows', once_more)
    assert main(arguments(tmp_path)) == 1
    assert 'was changed while its rows were answered' in capsys.readouterr().err
    assert not (tmp_path/'out.json').exists()
