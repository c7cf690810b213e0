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


def test_half_characters_are_written_as_question_marks(tmp_path):
    journal = Journal(tmp_path/'j', {'a': 1})
    journal.add(0, Answer('\ud83d', sure={'\ud83d': .5}))
    assert Journal(tmp_path/'j', {'a': 1}).done == {0: Answer('?', sure={'?': .5})}


def test_a_line_that_cannot_be_read(tmp_path):
    about, path = {'a': 1, '--constrain': 'span'}, tmp_path/'j'
    journal = Journal(path, about)
    for i in range(3): journal.add(i, Answer('{}'))
    lines = path.read_bytes().splitlines(keepends=True)
    too_long = b'{"row": 1, "answer": [1, 2, 3, 4, 5, 6]}\n'
    for bad in (b'\0\0\0\n', b'[]\n', b'{"row": 1}\n', b'7\n', too_long):
        path.write_bytes(b''.join([*lines[:2], bad, lines[3]]))
        assert list(Journal(path, about).done) == [0] and path.read_bytes() == b''.join(lines[:2])
    path.write_bytes(lines[0][:9])
    assert Journal(path, about).done == {} and path.read_bytes() == lines[0]


NO_JOURNALS = 'notes\n', '{"text": "x"}\n', '[1]\n', '7\n', 'null\n', 'notes', '{"a": '

@pytest.mark.parametrize('content', NO_JOURNALS)
def test_a_file_that_is_no_journal_is_left_alone(content, tmp_path):
    path = tmp_path/'o.journal'
    path.write_text(content)
    with pytest.raises(UserError, match='o.journal: is no journal.*--overwrite.*another --output_file'):
        Journal(path, {'model': 1})
    assert path.read_text() == content
    assert Journal(path, {'model': 1}, overwrite=True).done == {}


def test_a_journal_of_an_earlier_version_is_read(tmp_path):
    "The lines that iepile_predict has always written."
    about = {'model or adapter': '0a1b', '--constrain': 'span', '--max_new_tokens': 256}
    (tmp_path/'j').write_text('{"model or adapter": "0a1b", "--constrain": "span", "--max_new_tokens": 256}\n'
                              '{"row": 3, "answer": ["{\\"a\\": []}", 9, 4, false, {}]}\n')
    assert Journal(tmp_path/'j', about).done == {3: Answer('{"a": []}', 9, 4)}
