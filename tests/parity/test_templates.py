"The 27 templates: texts and token ids as the original makes them."
import json
from copy import deepcopy
from pathlib import Path

import pytest
from helpers.prompts import sentencepiece_like

from iepile_nb.lib.io import read_jsonl
from iepile_nb.lib.templates import TEMPLATES, Token
from iepile_nb.prompt import encode_row, get_template, stop_ids

# what the original made of the query below; pieces that are one token stand in lists
GOLDEN = json.loads(Path(__file__).with_name('golden_prompts.json').read_text(encoding='utf-8'))
QUERY, ANSWER = '{"input": "甲 in B"}', '{"a": []}'


def test_every_template_is_there(): assert set(TEMPLATES) == set(GOLDEN) and len(TEMPLATES) == 27


@pytest.mark.parametrize('name', GOLDEN)
def test_published_texts(name):
    t, g = TEMPLATES[name], GOLDEN[name]
    assert [[p] if isinstance(p, Token) else p.replace('{{query}}', QUERY) for p in t.pieces] == g['prompt']
    assert t.eos == (g['end'] or '') and {*t.stops, t.eos} - {''} == set(g['stops'])


@pytest.mark.parametrize('name', GOLDEN)
@pytest.mark.parametrize('kind', ['bytes', 'sentencepiece'])
def test_published_ids(tokenizer, kind, name):
    "Each piece tokenised by itself, token pieces looked up, the end token behind the answer."
    tok, g = deepcopy(tokenizer if kind == 'bytes' else sentencepiece_like()), GOLDEN[name]
    marks = ['<|start_header_id|>', '<|end_header_id|>', '<|eot_id|>', *g['stops'],
             *[p[0] for p in g['prompt'] if isinstance(p, list)]]
    tok.add_tokens([m for m in dict.fromkeys(marks) if m not in tok.get_vocab()], special_tokens=True)
    def ids(piece):
        if isinstance(piece, list): return [tok.get_vocab()[piece[0]]]
        return tok.encode(piece, add_special_tokens=False)
    first = [tok.bos_token_id] if kind == 'bytes' else [] # where the tokenizer puts one
    row = encode_row(tok, get_template(name, tok), QUERY, ANSWER)
    answer = [*ids(ANSWER), tok.get_vocab()[g['end']] if g['end'] else tok.eos_token_id]
    assert row.input_ids == [*first, *(i for p in g['prompt'] for i in ids(p)), *answer]
    assert row.labels == [-100] * (len(row.input_ids) - len(answer)) + answer
    assert stop_ids(tok, TEMPLATES[name]) == [tok.get_vocab()[s] for s in TEMPLATES[name].stops]


def test_published_rows_keep_their_answers(tokenizer, shared):
    for f in sorted(shared.glob('data/iepile_samples/*/train.json')):
        for _, r in list(read_jsonl(f))[:5]:
            for name in ('alpaca', 'llama2_zh', 'qwen'):
                template = get_template(name, tokenizer)
                row = encode_row(tokenizer, template, r['instruction'], r['output'], cutoff_len=900)
                assert len(row.input_ids) <= 900
                if not row.cut:
                    assert tokenizer.decode([l for l in row.labels if l != -100][:-1]) == r['output']
