import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault('HF_HUB_OFFLINE', '1')  # tests load nothing from a hub
os.environ.setdefault('OMP_NUM_THREADS', '1') # threads of small models only wait for each other

settings.register_profile('patient', deadline=None) # a busy machine is no failure
settings.load_profile('patient')

# whoever starts the tests in the background may ignore these, and their processes would inherit that
for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN: signal.signal(number, usual)

ROOT = Path(__file__).parent.parent
SHARED = Path(os.environ.get('IEPILE_SHARED', ROOT.parent/'shared'))


@pytest.fixture(scope='session')
def root(): return ROOT


@pytest.fixture(scope='session')
def shared():
    "Real datasets and facts about the original, which lie beside a development checkout only."
    if not (SHARED/'spec').is_dir():
        pytest.skip('no ../shared beside this checkout: the real datasets are not part of the project')
    return SHARED


def pytest_addoption(parser):
    parser.addoption('--long', action='store_true', help='run the long tests instead of the short ones')


def pytest_configure(config):
    config.addinivalue_line('markers', 'long: takes minutes; run by `make test-long`')


def pytest_collection_modifyitems(config, items):
    chosen = [i for i in items if ('long' in i.keywords) == config.getoption('--long')]
    config.hook.pytest_deselected(items=[i for i in items if i not in chosen])
    items[:] = chosen


@pytest.fixture(scope='session')
def tokenizer():
    "Byte-level BPE of 700 tokens: special and plain added tokens, `<s>` before a text, no chat template."
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast
    from iepile_nb.questions import SENTENCES
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer, bpe.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    bpe.train_from_iterator([s for d in SENTENCES.values() for s in d.values()] * 2, trainers.BpeTrainer(
        vocab_size=700, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=['<s>', '</s>', '<pad>', '<|im_start|>', '<|im_end|>']))
    bpe.add_tokens([AddedToken(SENTENCES['NER']['en'], special=False, normalized=False)])
    bpe.post_processor = processors.TemplateProcessing(single='<s> $A', special_tokens=[('<s>', 0)])
    return PreTrainedTokenizerFast(tokenizer_object=bpe, bos_token='<s>', eos_token='</s>', pad_token='<pad>')


def random_llama(tokenizer, spread=.2):
    "A Llama of 2 layers of 64 whose random weights are large enough for lively answers."
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM
    torch.manual_seed(0)
    return LlamaForCausalLM(LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=2,
        num_attention_heads=4, max_position_embeddings=2048, initializer_range=spread,
        bos_token_id=0, eos_token_id=1, pad_token_id=2))


@pytest.fixture(scope='session')
def llama_dir(tokenizer, tmp_path_factory):
    "A folder with a small random Llama and its tokenizer."
    folder = tmp_path_factory.mktemp('models')/'llama'
    random_llama(tokenizer).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


PARROT = {'{"instruction": "say", "schema": ["a"], "input": "%s"}' % (c * n):
          '{"a": ["%s}{"]}' % (c * (9 - n))
          for n, c in enumerate('xyz甲乙', 1)}


@pytest.fixture(scope='session')
def parrot_dir(tokenizer, tmp_path_factory):
    "A small Llama that has learned the questions and answers of PARROT by heart, and to talk on after each."
    import torch
    from iepile_nb.lora import answer_loss
    from iepile_nb.prompt import collate, encode_row
    from iepile_nb.lib.templates import TEMPLATES
    model = random_llama(tokenizer, .05)
    talking = {q: a + ' Hope {"that": "helps"}' for q, a in PARROT.items()}
    rows = [encode_row(tokenizer, TEMPLATES['alpaca'], q, a) for q, a in talking.items()]
    batch, opt = collate(rows, tokenizer.pad_token_id), torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(300):
        loss = answer_loss(model, batch)
        loss.backward()
        opt.step()
        opt.zero_grad()
        if loss < .02: break
    folder = tmp_path_factory.mktemp('models')/'parrot'
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
