"For any text: rows are shortened without harm, windows cover it, packing keeps every row."
import json

from helpers.prompts import ask, next_in, with_chat
from hypothesis import given, settings, strategies as st

from iepile_nb.lib.io import UserError
from iepile_nb.lib.templates import TEMPLATES
from iepile_nb.prompt import Encoded, encode_prompt, encode_row, get_template
from iepile_nb.windows import fill_bins, merge_answers, pack, windows

texts = st.text(st.sampled_from('ab 甲乙。.!?\n"\\\'{}/<s>é\U0001f600'), max_size=300)


@settings(max_examples=150)
@given(text=texts, answer=st.text('ab甲"', max_size=80), cutoff=st.integers(250, 700),
       target=st.integers(1, 120), name=st.sampled_from(['alpaca', 'llama2_zh', 'qwen', 'auto']))
def test_shortening(tokenizer, text, answer, cutoff, target, name):
    tok = with_chat(tokenizer)
    template = get_template(name, tok)
    full = encode_row(tok, template, ask(text), answer, cutoff_len=10**6)
    try: row = encode_row(tok, template, ask(text), answer, cutoff_len=cutoff, max_target_length=target)
    except UserError:
        bare = encode_row(tok, template, ask(''), None, cutoff_len=10**6)
        assert len(bare.input_ids) > cutoff - target
        return
    assert len(row.input_ids) == len(row.labels) <= cutoff
    if len(full.input_ids) <= cutoff: assert row == full
    prompt = tok.decode(row.input_ids[:sum(l == -100 for l in row.labels)])
    before, _, after = tok.decode(encode_prompt(tok, template, 'QQ')).partition('QQ')
    assert prompt.startswith(before) and prompt.endswith(after)
    shown = json.loads(prompt[len(before):len(prompt) - len(after)])
    assert text.startswith(shown['input']) and len(text) - len(shown['input']) == row.left_out
    assert shown == {**json.loads(ask(text)), 'input': shown['input']}
    learned = [l for l in row.labels if l != -100]
    whole = [l for l in full.labels if l != -100]
    assert learned == whole[:len(learned)] and len(learned) >= min(len(whole), target)
    assert row.cut == (learned != whole)


@settings(max_examples=100)
@given(text=texts, room=st.integers(290, 700), overlap=st.sampled_from([None, 0, 5, 40]))
def test_windows_cover_the_text(tokenizer, text, room, overlap):
    t = TEMPLATES['alpaca']
    try: parts = windows(tokenizer, t, ask(text), room, overlap)
    except UserError: return
    assert all(len(encode_prompt(tokenizer, t, p)) <= room for p in parts)
    assert all({**json.loads(p), 'input': text} == json.loads(ask(text)) for p in parts)
    reach, place = 0, -1
    for s in (json.loads(p)['input'] for p in parts):
        place = next(i for i in range(place + 1, len(text) + 1)
                     if text[i:i + len(s)] == s and i + len(s) >= min(reach, len(text)))
        assert place <= reach
        reach = place + len(s)
    assert reach == len(text)


answers = st.dictionaries(st.sampled_from('abc'), st.lists(st.sampled_from('xyz'), unique=True))

@given(st.lists(answers, max_size=4))
def test_merging_loses_and_repeats_nothing(parts):
    merged = merge_answers(parts)
    for k in 'abc':
        found = [x for p in parts for x in p.get(k, [])]
        assert sorted(merged.get(k, [])) == sorted(set(found)) and (k in merged) == any(k in p for p in parts)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=12), st.integers(0, 9))
def test_bins_hold_everything_and_never_too_much(sizes, more):
    room = max(sizes) + more
    bins = fill_bins(sizes, room)
    assert sorted(i for b in bins for i in b) == list(range(len(sizes)))
    assert all(sum(sizes[i] for i in b) <= room for b in bins) and len(bins) <= len(sizes)


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 6)), min_size=1, max_size=9))
def test_packing_keeps_every_row(shapes):
    "Token k of row i is the number 100 i + k; shapes are lengths of prompt and answer."
    def row(i, prompt, answer):
        ids = list(range(100 * i, 100 * i + prompt + answer))
        return Encoded(ids, [-100] * prompt + ids[prompt:])
    rows = [row(i, p, a) for i, (p, a) in enumerate(shapes, 1)]
    b = pack(rows, pad_id=-7)
    ids, positions = b['input_ids'], b['position_ids']
    assert ids.shape == positions.shape and ids.shape[1] == max(len(r.input_ids) for r in rows)
    assert len(ids) <= len(rows)
    places = zip(ids.flatten().tolist(), positions.flatten().tolist())
    found = [(t // 100, t % 100, p) for t, p in places if t != -7]
    assert sorted(found) == [(i, k, k) for i, r in enumerate(rows, 1) for k in range(len(r.input_ids))]
    assert sorted(b['labels'].tolist()) == [l for r in rows for l in r.labels if l != -100]
    assert b['labels'].tolist() == next_in(b, ids)
