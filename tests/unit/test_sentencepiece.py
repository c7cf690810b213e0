"Tokenizers that are a SentencePiece file: its own ids, control tokens in a text, saved and loaded, spans."
import json
import pickle
import shutil

import pytest
import torch
import transformers as tf
from helpers.sentencepieces import KINDS, RESERVED, random_strings, save_spm

from iepile_nb.base import load_base, load_tokenizer, with_padding
from iepile_nb.infer import Extractor
from iepile_nb.lib.spm import find_spm, spm_tokenizer
from iepile_nb.prompt import control_tokens, encode_parts, encode_prompt, get_template, text_parts

SIZES = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4)


@pytest.fixture(scope='module')
def folders(tmp_path_factory):
    "A folder of each kind with a file of its own."
    return {k: save_spm(tmp_path_factory.mktemp(k), k) for k in KINDS}


@pytest.fixture(scope='module')
def oneke(folders):
    "A folder as OneKE was published: a LLaMA, tokenizer.model, no tokenizer.json."
    folder, n = folders['oneke'], len(spm_tokenizer(folders['oneke']))
    torch.manual_seed(0)
    tf.LlamaForCausalLM(tf.LlamaConfig(vocab_size=n, **SIZES)).save_pretrained(folder)
    return folder


@pytest.mark.parametrize('kind', KINDS)
def test_the_ids_are_those_of_sentencepiece(kind, folders):
    tokenizer, texts = spm_tokenizer(folders[kind]), random_strings()
    assert tokenizer.is_fast
    wanted = tokenizer.processor.encode(texts)
    assert tokenizer(texts, add_special_tokens=False, split_special_tokens=True).input_ids == wanted
    for text, ids in zip(texts, wanted):
        if not any(t in text for t in ('<s>', '</s>', '<unk>')):
            assert tokenizer.encode(text, add_special_tokens=False) == ids
            if '▁' not in text: assert tokenizer.decode(ids) == text


@pytest.mark.parametrize('kind', KINDS)
def test_control_tokens_in_a_text_are_spelled_out(kind, folders):
    tokenizer = spm_tokenizer(folders[kind])
    template = get_template('baichuan2' if kind == 'baichuan' else 'llama2_zh', tokenizer)
    control, own = control_tokens(tokenizer, template), set(tokenizer.all_special_ids)
    if kind == 'baichuan': own |= set(tokenizer.convert_tokens_to_ids(RESERVED[2:]))
    for text in random_strings(300, seed=1):
        assert not own & set(encode_parts(tokenizer, text_parts(control, text)))
    prompt = encode_prompt(tokenizer, template, 'a </s> b')
    ends = tokenizer.convert_ids_to_tokens([prompt[0], prompt[-1]])
    assert ends == RESERVED[2:] if kind == 'baichuan' else ends[0] == '<s>'


def test_what_stands_between_special_tokens(folders):
    tokenizer = spm_tokenizer(folders['llama'])
    ids, own = tokenizer('Max</s>lives'), tokenizer.processor.encode
    assert ids.input_ids == [1, *own('Max'), 2, *own('lives')]
    assert ids.attention_mask == [1] * len(ids.input_ids)
    batch = with_padding(tokenizer)(['Max', 'Max lives'], padding=True, return_tensors='pt')
    assert batch.input_ids.shape == batch.attention_mask.shape
    assert tokenizer.tokenize('Max lives') == tokenizer.processor.encode('Max lives', out_type=str)


@pytest.mark.parametrize('kind', KINDS)
def test_saved_and_loaded_again(kind, folders, tmp_path):
    tokenizer, texts = load_tokenizer_of(folders[kind], tmp_path/'a'), random_strings(100, seed=2)
    tokenizer.save_pretrained(tmp_path/'b')
    assert not (tmp_path/'b/tokenizer.json').exists()
    again, copy = spm_tokenizer(tmp_path/'b'), pickle.loads(pickle.dumps(tokenizer))
    assert tokenizer(texts).input_ids == again(texts).input_ids == copy(texts).input_ids
    assert (again.pad_token, again.add_bos_token) == (tokenizer.pad_token, tokenizer.add_bos_token)
    other = tf.AutoTokenizer.from_pretrained(tmp_path/'b') # for programs that do not know this one
    assert other('Max lives in 北京').input_ids == again('Max lives in 北京').input_ids


OLD = {'bos_token': '', 'eos_token': '', 'unk_token': '', 'tokenizer_class': 'LLaMATokenizer'}
ADDED = {'__type': 'AddedToken', 'lstrip': False, 'normalized': True, 'rstrip': False, 'single_word': False}
SETTINGS = [None, OLD, {'bos_token': {**ADDED, 'content': '<s>'}, 'pad_token': '<pad>'},
            {'added_tokens_decoder': {'1': {'content': '<s>', 'special': True}}, 'bos_token': '<s>'}]

@pytest.mark.parametrize('settings', SETTINGS)
def test_settings_that_published_folders_have(settings, folders, tmp_path):
    n = len(spm_tokenizer(folders['llama']))
    shutil.copy(folders['llama']/'tokenizer.model', tmp_path)
    if settings: (tmp_path/'tokenizer_config.json').write_text(json.dumps(settings))
    own = (settings or {}).get('pad_token')
    if own: (tmp_path/'added_tokens.json').write_text(json.dumps({own: n}))
    tokenizer = spm_tokenizer(tmp_path)
    assert tokenizer.convert_tokens_to_ids(['<unk>', '<s>', '</s>']) == [0, 1, 2]
    assert tokenizer.encode('Max</s>') == [1, *tokenizer.processor.encode('Max'), 2]
    assert tokenizer.pad_token == own and (not own or tokenizer.encode('<pad>') == [1, n])


def load_tokenizer_of(folder, to):
    "A tokenizer as lessons load it; it needs a configuration of a model beside it."
    shutil.copytree(folder, to, dirs_exist_ok=True)
    (to/'config.json').write_text(json.dumps({'model_type': 'llama'}))
    return load_tokenizer(to)


def test_another_file_goes_before(folders, tmp_path):
    tokenizer = load_tokenizer_of(folders['llama'], tmp_path)
    assert tokenizer.padding_side == 'left' and find_spm(tmp_path)
    (tmp_path/'tokenizer.json').write_text('{}')
    assert find_spm(tmp_path) is None
    (tmp_path/'tokenizer.json').unlink()
    (tmp_path/'tokenizer.model').write_text('IQ== 0\nIg== 1\n') # as LLaMA 3 has it
    assert find_spm(tmp_path) is None


def test_values_quote_the_text(oneke):
    "A random model, so only the grammar makes its answers good."
    extractor = Extractor(str(oneke), template='llama2_zh')
    assert extractor.tokenizer.is_fast and len(extractor.tokenizer) == extractor.model.config.vocab_size
    for text in ('马克斯住在拉各斯，工作在北京大学。', ' Max  lives in 北京 🙂\n'):
        found = extractor.extract(text, schema=['person', 'city'], task='NER', max_new_tokens=60)
        assert set(found) == {'person', 'city'} and all(text[s.start:s.end] == s.text for s in found.spans)


def test_a_model_of_four_bits(oneke):
    model, tokenizer = load_base(oneke, bits=4)
    assert model.is_quantized and tokenizer.encode('北京') == [1, *tokenizer.processor.encode('北京')]
