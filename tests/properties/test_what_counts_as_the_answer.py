"Whatever stands around an answer, and whatever small fault is in it: reading never raises and never invents."
import json

from hypothesis import given, settings, strategies as st

from iepile_nb.lib.answers import parse_answer
from iepile_nb.lib.predictions import read_output
from iepile_nb.tasks import TASKS, Question

ASKED = 'person', 'city', 'day'
words = st.text('ab é安\'’.', min_size=1, max_size=6).filter(lambda s: "'" not in s[-1:])
lists = st.lists(words, max_size=3)
answers = st.dictionaries(st.sampled_from(ASKED), lists, min_size=1)
prose = st.text('abc {x} "quoted" \n', max_size=12).filter(lambda s: '{' not in s)
drafts = answers.map(json.dumps) | prose
thought = st.sampled_from(['think', 'thinking', 'reasoning', 'seed:think', 'Thought'])


def strings(x):
    "All strings in a value."
    if isinstance(x, dict): return [s for k, v in x.items() for s in (k, *strings(v))]
    return [s for v in x for s in strings(v)] if isinstance(x, list) else [x]


def read(text): return parse_answer(text, ASKED)[0]


@given(answers, drafts, thought, prose)
def test_thoughts_are_no_answer(answer, draft, name, between):
    text = json.dumps(answer)
    assert read(f'<{name}>{draft}</{name}>{between}{text}') == answer
    assert read(f'{draft}</{name}>{between}{text}') == answer
    assert read(f'<{name}>{draft} <answer>{text}</answer>') == answer
    assert parse_answer(f'<{name}>{draft}{text}', ASKED) == (None, 'cut off while thinking')


@given(answers, st.dictionaries(st.sampled_from(['river', 'sea']), lists), prose, st.booleans())
def test_prompts_and_other_objects_are_passed_over(answer, other, between, fence):
    prompt = json.dumps({'instruction': 'Find.', 'schema': list(ASKED), 'input': between})
    example = json.dumps({'input': 'Ann', 'output': json.dumps({'person': ['Ann']})})
    text = f'```json\n{json.dumps(answer)}\n```' if fence else json.dumps(answer)
    for before in (prompt, example, json.dumps(other), f'{prompt}{between}'):
        assert read(f'{before}\n{text}') == answer
        assert read(f'{before}\n{text}\n{prompt}\n{{"person": ["Next"]}}') == answer


@given(answers, st.sampled_from(['', '\n', ', ', '\nand\n']))
def test_objects_with_different_labels_are_joined(answer, between):
    parts = [json.dumps({k: v}) for k, v in answer.items()]
    assert read(between.join(parts)) == answer
    assert read('[' + ','.join(parts) + ']') == answer


@given(answers, st.sampled_from(['answer', 'entities', 'x']))
def test_one_more_key_is_taken_off(answer, key):
    assert read(json.dumps({key: answer})) == answer
    assert read(json.dumps({key: [{k: v} for k, v in answer.items()]})) == answer
    assert read(json.dumps(json.dumps(answer))) == answer


@given(answers, st.integers(1, 3))
def test_small_faults_are_mended_and_named(answer, n):
    text = json.dumps(answer)
    told = lambda s: parse_answer(s, ASKED)
    if text.endswith('"]}'):
        assert told(text[:-n]) == ((None, 'cut off') if n == 3 else (answer, 'last brackets missing'))
    assert told(repr(answer))[0] == answer
    assert told(text.replace(']', ',]'))[0] in (answer, None)
    assert told(text[:-1] + ',}') == (answer, 'comma too many')


values = st.lists(st.integers() | st.booleans() | st.none() | words)


@given(st.dictionaries(st.sampled_from(ASKED), values, min_size=1))
def test_numbers_become_strings(answer):
    found = read(json.dumps(answer))
    assert found == {k: [json.dumps(v) if not isinstance(v, str) else v for v in vs if v is not None]
                     for k, vs in answer.items()}


@settings(max_examples=400)
@given(answers, st.data())
def test_whatever_is_cut_or_changed_nothing_is_invented(answer, data):
    before = data.draw(st.sampled_from(['', '<think>x</think>', '```json\n', '{"a": 1} ']))
    text = before + json.dumps(answer, ensure_ascii=False)
    for _ in range(data.draw(st.integers(1, 3))):
        i, j = data.draw(st.integers(0, len(text))), data.draw(st.integers(0, 3))
        text = text[:i] + data.draw(st.text('{}[]"\',: \\a<>/', max_size=2)) + text[i + j:]
    found, note = parse_answer(text, ASKED, lambda msg: None)
    assert found is None and note or all(s in text or '\\' in text for s in strings(found))


@settings(max_examples=300)
@given(st.text('{}[]":,\\ ab1\n甲`\'<>/thinkaswer“”', max_size=60), st.sampled_from(list(TASKS)))
def test_any_text_is_read_without_an_error(text, task):
    questions = [Question('a', ('b', 'b', 'k'))]
    answer, repair, items, problems = read_output(text, TASKS[task], questions)
    assert answer is None and repair and not items or isinstance(answer, dict)
