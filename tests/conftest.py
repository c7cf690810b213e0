import os
from pathlib import Path

import pytest

os.environ.setdefault('HF_HUB_OFFLINE', '1') # tests load nothing from a hub

ROOT = Path(__file__).parent.parent
SHARED = Path(os.environ.get('IEPILE_SHARED', ROOT.parent/'shared'))


@pytest.fixture(scope='session')
def root(): return ROOT


@pytest.fixture(scope='session')
def shared():
    "Real datasets and facts about the original, which lie beside a development checkout only."
    if not (SHARED/'spec').is_dir(): pytest.skip('no ../shared beside this checkout: the real datasets are not part of the project')
    return SHARED


def pytest_addoption(parser): parser.addoption('--long', action='store_true', help='run the long tests instead of the short ones')


def pytest_configure(config): config.addinivalue_line('markers', 'long: takes minutes; run by `make test-long`')


def pytest_collection_modifyitems(config, items):
    chosen = [i for i in items if ('long' in i.keywords) == config.getoption('--long')]
    config.hook.pytest_deselected(items=[i for i in items if i not in chosen])
    items[:] = chosen


@pytest.fixture(scope='session')
def tokenizer():
    "Byte-level BPE of 700 tokens: special tokens, one plain added token, `<s>` before every text, no chat template."
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast
    from iepile_nb.tasks import SENTENCES
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer, bpe.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    bpe.train_from_iterator([s for d in SENTENCES.values() for s in d.values()] * 2, trainers.BpeTrainer(
        vocab_size=700, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=['<s>', '</s>', '<pad>', '<|im_start|>', '<|im_end|>']))
    bpe.add_tokens([AddedToken(SENTENCES['NER']['en'], special=False, normalized=False)])
    bpe.post_processor = processors.TemplateProcessing(single='<s> $A', special_tokens=[('<s>', 0)])
    return PreTrainedTokenizerFast(tokenizer_object=bpe, bos_token='<s>', eos_token='</s>', pad_token='<pad>')


@pytest.fixture(scope='session')
def llama_dir(tokenizer, tmp_path_factory):
    "A folder with a random Llama of 2 layers of 64 and its tokenizer."
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM
    torch.set_num_threads(2)
    torch.manual_seed(0)
    config = LlamaConfig(vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=2,
                         num_attention_heads=4, max_position_embeddings=2048, tie_word_embeddings=True,
                         bos_token_id=0, eos_token_id=1, pad_token_id=2)
    folder = tmp_path_factory.mktemp('models') / 'llama'
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
