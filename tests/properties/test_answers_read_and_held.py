"Any text: where an object ends, what a grammar lets a value quote, and that reading an answer never raises."
import json
from functools import lru_cache

from hypothesis import given, settings, strategies as st

from iepile_nb.decode import ObjectEnd
from iepile_nb.grammar import answer_matcher, guide_tokenizer
from iepile_nb.infer import as_questions, repair_answer
from iepile_nb.lora import load_model
from iepile_nb.questions import encode
from iepile_nb.tasks import TASKS

keys = st.text('k"\\{}')
values = st.recursive(st.none() | st.integers() | st.text('a"\\{}[]甲\n'),
                      lambda v: st.lists(v) | st.dictionaries(keys, v), max_leaves=8)


@given(before=st.sampled_from(['', 'Sure "thing": ', '\n```json\n']),
       obj=st.dictionaries(st.text('k"{}\\'), values), after=st.text('{}"\\ x'))
def test_an_object_ends_at_its_last_brace(before, obj, after):
    text, end = before + json.dumps(obj, ensure_ascii=False), ObjectEnd()
    assert [end.feed(c) for c in text] == [False] * (len(text) - 1) + [True]
    assert end.feed(after)
    assert ObjectEnd().feed(text + after) and not ObjectEnd().feed(text[:-1])


@lru_cache
def tiny_tokenizer(): return load_model('tiny')[1]


def accepts(task, questions, text, answer):
    matcher = answer_matcher(tiny_tokenizer(), task, questions, text)
    tokens = guide_tokenizer(tiny_tokenizer())[0].tokenize_str(answer)
    return matcher.consume_tokens(tokens) and matcher.is_stopped()


any_text = st.text(st.characters(exclude_categories=[]), max_size=30) | st.text('"\\\n\x00a', max_size=12)

@settings(max_examples=60)
@given(text=any_text, data=st.data())
def test_every_piece_of_a_text_can_be_a_value(text, data):
    "Also where it must be escaped; a surrogate cannot be written."
    runs = [r for r in ''.join(' ' if '\ud800' <= c <= '\udfff' else c for c in text).split(' ') if r]
    if not runs: return
    run = data.draw(st.sampled_from(runs))
    i = data.draw(st.integers(0, len(run) - 1))
    piece = run[i:data.draw(st.integers(i + 1, len(run)))]
    ner, questions = TASKS['NER'], as_questions(TASKS['NER'], ['a'])
    assert accepts(ner, questions, text, encode({'a': [piece]}))
    assert accepts(ner, questions, None, encode({'a': [piece]}))


@settings(max_examples=80)
@given(st.text('{}[]":,\\ ab1\n甲`', max_size=40))
def test_reading_never_raises(text):
    found, note = repair_answer(text)
    assert (found is None or isinstance(found, dict)) and (note or found is not None)
