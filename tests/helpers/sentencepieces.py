"Small SentencePiece files of the kinds that published models have, and a model folder around one."
import json
import random
from pathlib import Path

from sentencepiece import SentencePieceTrainer, sentencepiece_model_pb2

from iepile_nb.questions import SENTENCES

TEXTS = [s for d in SENTENCES.values() for s in d.values()] + [
    '{"city": ["Lagos", "Porto"], "person": []}', 'Max lives in Lagos.', '马克斯住在拉各斯，工作在北京大学。'] * 5
RESERVED = [f'<reserved_{n}>' for n in (102, 103, 106, 107)]
KINDS = {
    'llama': dict(),
    'baichuan': dict(add_dummy_prefix=False, user_defined_symbols=['\n', '\t', *RESERVED]),
    'oneke': dict()}  # with Chinese pieces appended that all have the same score
CHINESE = '中国人北京大学住在拉各斯'
ALPHABET = [
    *'abcdeimnorstxyzLM0123.,:;"\'{}[]\\/<>|_-', *CHINESE, '北京', '大学', 'Max lives', '": ["',
    ' ', ' ', '  ', '   ', '\n', '\t', '\r\n', '\u3000', '\xa0', '\0', '🙂', '👩\u200d👧', 'é', 'e\u0301', '𠮷',
    '▁', '<0x0A>', '</s>', '<s>', '<unk>', '<pad>', '[INST]', *RESERVED]


def save_spm(folder, kind='llama', size=420):
    "Train a SentencePiece file and write it with the settings that go with it."
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS), model_prefix=str(folder/'tokenizer'), model_type='bpe',
        vocab_size=size,
        byte_fallback=True, normalization_rule_name='identity', remove_extra_whitespaces=False,
        character_coverage=.98, minloglevel=2, **KINDS[kind])
    (folder/'tokenizer.vocab').unlink()
    if kind == 'oneke': append_pieces(folder/'tokenizer.model')
    settings = {'tokenizer_class': 'LlamaTokenizer', 'add_bos_token': kind != 'baichuan'}
    if kind == 'baichuan':
        auto = {'AutoTokenizer': ['tokenization_baichuan.BaichuanTokenizer', None]}
        settings |= {'auto_map': auto, 'tokenizer_class': 'BaichuanTokenizer', 'pad_token': '<unk>'}
    (folder/'tokenizer_config.json').write_text(json.dumps(settings))
    return folder


def append_pieces(path):
    "Give a vocabulary more Chinese pieces, without an order among them."
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(path.read_bytes())
    text, known = '中国人大学北京大国', {p.piece for p in proto.pieces}
    pieces = [text[i:i + n] for n in (1, 2, 3) for i in range(len(text) - n + 1)]
    for piece in dict.fromkeys(p for p in pieces if p not in known): proto.pieces.add(piece=piece, score=0)
    path.write_bytes(proto.SerializeToString())


def random_strings(n=1000, seed=0):
    "Strings of blanks, Chinese, emoji, line ends and what looks like control tokens."
    rng = random.Random(seed)
    alphabets = ALPHABET, ALPHABET, CHINESE
    return ['', ' ', *(''.join(rng.choices(alphabets[i % 3], k=rng.randint(1, 40))) for i in range(n - 2))]
