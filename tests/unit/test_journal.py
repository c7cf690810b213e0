"The journal of answers: what is read back, what is not, and what is left alone."
from types import SimpleNamespace

import pytest
import torch

from iepile_nb.lib.decoder import Answer
from iepile_nb.lib.io import UserError
from iepile_nb.lib.journal import Journal, number_format


def test_number_formats_differ():
    plain = SimpleNamespace(dtype=torch.bfloat16, config=SimpleNamespace())
    config = SimpleNamespace(quantization_config={'load_in_4bit': True, 'bnb_4bit_quant_type': 'nf4'})
    four = SimpleNamespace(dtype=torch.bfloat16, config=config)
    assert number_format(plain) == 'torch.bfloat16' and 'load_in_4bit=True' in number_format(four)


ABOUT = {'model or adapter': '0a1b', '--constrain': 'span'}
ANSWERS = {n: Answer(f'{{"a": ["{n}"]}}', 9, 4, False, {str(n): .5}) for n in range(4)}


@pytest.fixture
def path(tmp_path):
    "A journal of four answers."
    with Journal(tmp_path/'o.journal') as journal:
        journal.begin(ABOUT)
        for n, answer in ANSWERS.items(): journal.add(n, answer)
    return tmp_path/'o.journal'


def read(path, about=ABOUT):
    "What a journal holds when it is begun again."
    with Journal(path) as journal:
        journal.begin(about)
        return dict(journal)


def test_half_characters_are_written_as_question_marks(tmp_path):
    with Journal(tmp_path/'j') as journal:
        journal.begin(ABOUT)
        journal.add(0, Answer('\ud83d', sure={'\ud83d': .5}))
    assert read(tmp_path/'j') == {0: Answer('?', sure={'?': .5})}


def test_answers_are_read_back_and_more_are_added(path):
    with Journal(path) as journal:
        journal.begin(ABOUT)
        assert len(journal) == 4 and journal[2] == ANSWERS[2] and 7 not in journal and journal.get(9) is None
        journal.add(7, Answer('{}'))
        assert list(journal) == [0, 1, 2, 3, 7] and journal[7] == Answer('{}') and 5 not in journal
    assert read(path) == {**ANSWERS, 7: Answer('{}')}


TEXT = b'"{\\"a\\": [\\"1\\"]}"' # the answer of row 1, as it stands in its line
DAMAGE = [
    lambda line: b'\0\0\0\n', lambda line: b'\n', lambda line: b'[]\n', lambda line: b'7\n',
    lambda line: b'[' * 9999 + b'\n',
    lambda line: b'{"row": 1}\n', lambda line: b'{"row": 1, "answer": ["{}", 1, 1, false, {}]}\n',
    lambda line: line.replace(b'"row": 1', b'"row": 3'), lambda line: line.replace(b'["{', b'[["{'),
    lambda line: line.replace(b' 9, 4', b' 8, 4'), lambda line: line.replace(TEXT, b'null'),
    lambda line: line.replace(TEXT, b'"\\ud800"'), lambda line: line[:-3] + b'\n']


@pytest.mark.parametrize('damage', DAMAGE)
def test_a_line_that_was_damaged_or_edited_is_asked_again(damage, path, caplog):
    "And no other; the line may be anything."
    lines = path.read_bytes().splitlines(keepends=True)
    bad = damage(lines[2])
    assert bad != lines[2]
    path.write_bytes(b''.join([*lines[:2], bad, *lines[3:]]))
    assert read(path) == {n: a for n, a in ANSWERS.items() if n != 1}
    assert '1 lines are damaged' in caplog.text


def test_a_row_that_is_answered_twice_is_asked_again_once(path, caplog):
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b''.join([*lines, lines[2]]))
    with Journal(path) as journal:
        journal.begin(ABOUT)
        assert list(journal) == [0, 2, 3] and 'answered twice' in caplog.text
        journal.add(1, ANSWERS[1])
    caplog.clear()
    assert read(path) == ANSWERS and not caplog.text


def test_a_line_of_another_journal_is_not_believed(path, tmp_path):
    with Journal(tmp_path/'other') as journal:
        journal.begin({**ABOUT, '--constrain': 'free'})
        journal.add(8, Answer('{}'))
    path.write_bytes(path.read_bytes() + (tmp_path/'other').read_bytes().splitlines(keepends=True)[1])
    assert read(path) == ANSWERS


def test_a_line_that_was_being_written_goes(path):
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    for cut in (1, 20, len(lines[-1]) - 1):
        path.write_bytes(whole[:-cut])
        assert read(path) == {n: ANSWERS[n] for n in range(3)} and path.read_bytes() == b''.join(lines[:-1])
    for cut in (1, 20, len(lines[0]) - 1):
        path.write_bytes(lines[0][:cut])
        assert read(path) == {} and not path.exists()


NO_JOURNALS = 'notes\n', '{"text": "x"}\n', '[1]\n', '7\n', 'null\n', 'notes', '{"a": ', '[' * 9999

@pytest.mark.parametrize('content', NO_JOURNALS)
def test_a_file_that_is_no_journal_is_left_alone(content, tmp_path):
    path = tmp_path/'o.journal'
    path.write_text(content)
    says = 'o.journal: is no journal.*--overwrite.*another --output_file'
    with pytest.raises(UserError, match=says): read(path)
    assert path.read_text() == content
    with Journal(path) as journal:
        journal.begin(ABOUT, overwrite=True)
        assert not journal


def test_the_first_line_is_checked_too(path):
    "A journal of an earlier version had no checksums; an edited first line has a wrong one."
    old = ('{"model or adapter": "0a1b", "--constrain": "span"}\n'
           '{"row": 3, "answer": ["{\\"a\\": []}", 9, 4, false, {}]}\n')
    says = 'first line is damaged, or of an earlier version.*--overwrite'
    for content in (old.encode(), path.read_bytes().replace(b'"span"', b'"free"')):
        path.write_bytes(content)
        for about in (ABOUT, {**ABOUT, '--constrain': 'free'}):
            with pytest.raises(UserError, match=says): read(path, about)
        assert path.read_bytes() == content


def test_a_journal_is_held_by_one_at_a_time(path):
    with Journal(path), pytest.raises(UserError, match='another process works on it'): Journal(path)
    with Journal(path) as journal:
        journal.begin(ABOUT)
        journal.remove()
        with Journal(path) as new: assert not new # it was removed, so this is another file
    assert not path.exists()


def test_a_journal_without_answers_goes_away(tmp_path):
    with Journal(tmp_path/'j'): pass
    with Journal(tmp_path/'j') as journal: journal.begin(ABOUT)
    assert not (tmp_path/'j').exists()
