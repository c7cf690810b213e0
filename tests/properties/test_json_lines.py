"JSON lines of any content, and any bytes where JSON lines are expected."
import json

from hypothesis import given, strategies as st
from iepile_nb.lib.io import UserError, encode, read_jsonl, unique, write_jsonl

some_text = st.text(st.characters(exclude_categories=['Cs']))
json_value = st.recursive(
    st.none() | st.booleans() | st.integers(-2**53, 2**53) | some_text,
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=5), v, max_size=3), max_leaves=6)


@given(st.lists(st.dictionaries(st.text(max_size=5), json_value, max_size=4), min_size=1, max_size=5))
def test_json_lines_round_trip(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp('rt')/'x.json'
    assert write_jsonl(path, rows) == len(rows)
    assert [o for _, o in read_jsonl(path)] == rows


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_in_one_line(tmp_path_factory, data):
    path = tmp_path_factory.mktemp('any')/'x.json'
    path.write_bytes(data)
    try: assert all(isinstance(o, dict) for _, o in read_jsonl(path))
    except UserError as e: assert str(path) in str(e) and '\n' not in str(e)


@given(json_value)
def test_inner_json_is_that_of_the_standard_library(value):
    assert encode(value) == json.dumps(value, ensure_ascii=False)


@given(st.lists(st.integers(0, 5)))
def test_unique_keeps_the_first_of_equal_things(items):
    assert unique(items) == sorted(set(items), key=items.index)
