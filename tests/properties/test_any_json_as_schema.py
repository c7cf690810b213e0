"Whatever JSON stands in a schema file, it is read or refused with one clear line."
from helpers.data_files import save
from hypothesis import given, settings, strategies as st
from iepile_nb.lib.io import UserError
from iepile_nb.records import read_schema
from iepile_nb.tasks import TASKS

KEYS = ['a', 'b', 'description', 'arguments', 'entity_type', 'examples']
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('ab_', max_size=5),
    lambda x: st.lists(x, max_size=3) | st.dictionaries(st.sampled_from(KEYS), x, max_size=3), max_leaves=8)


@settings(max_examples=100)
@given(st.lists(JSON, min_size=1, max_size=4), st.sampled_from(list(TASKS)), st.sampled_from(['', 'a']))
def test_any_json_is_a_schema_or_a_clear_error(tmp_path_factory, values, task, theme):
    path = save(tmp_path_factory.getbasetemp()/'any.json', *values)
    try: assert read_schema(path, task, theme=theme).labels
    except UserError as e: assert str(path) in str(e) and '\n' not in str(e)
