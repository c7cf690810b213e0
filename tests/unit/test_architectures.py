"A decoder and an encoder-decoder from training to an answer; the other families are among the long tests."
import pytest
import transformers as tf
from conftest import PARROT
from helpers.architectures import save_random, train_and_ask

from iepile_nb.lib.io import UserError, write_jsonl
from iepile_nb.lora import add_lora, packs_exactly
from iepile_nb.train import train


@pytest.mark.parametrize('name', ['llama', 't5'])
def test_from_training_to_an_answer(name, tokenizer, tmp_path): train_and_ask(name, tokenizer, tmp_path)


def test_empty_places_for_t5(tokenizer, tmp_path):
    "Five rows in steps of four, one at a time: the last three batches of the second step hold nothing."
    folder = save_random('t5', tokenizer, tmp_path/'base')
    write_jsonl(tmp_path/'train.json', [{'instruction': q, 'output': a} for q, a in PARROT.items()])
    r = train(model_name_or_path=folder, train_file=tmp_path/'train.json', output_dir=str(tmp_path/'out'),
              template='alpaca', disable_tqdm=True, save_strategy='no', per_device_train_batch_size=1,
              gradient_accumulation_steps=4, num_train_epochs=2, logging_steps=1)
    assert len(PARROT) == 5 and [e['step'] for e in r['log'] if 'loss' in e] == [1, 2, 3, 4]


def test_a_state_space_model_is_not_packed(tokenizer):
    "It has no attention, and carries on from one row to the next."
    config = tf.MambaConfig(vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2)
    model = tf.MambaForCausalLM(config)
    assert not packs_exactly(model)
    with pytest.raises(UserError, match='incompatible with Mamba.*--lora_target_modules'): add_lora(model)
