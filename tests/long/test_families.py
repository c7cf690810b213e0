"One small random model of each further architecture, from training to an answer."
import pytest
from helpers.architectures import CONFIGS, train_and_ask


@pytest.mark.long
@pytest.mark.parametrize('name', [n for n in CONFIGS if n not in ('llama', 't5')])
def test_from_training_to_an_answer(name, tokenizer, tmp_path): train_and_ask(name, tokenizer, tmp_path)
