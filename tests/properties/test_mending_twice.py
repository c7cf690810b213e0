"Mending or cleaning what is mended or clean changes nothing and finds nothing more to mend."
from helpers.data_files import entity, save
from hypothesis import given, settings
from hypothesis import strategies as st

from iepile_nb.data import cleaned
from iepile_nb.lib.check import Report, mended
from iepile_nb.questions import Schema
from iepile_nb.tasks import TASKS

PIECES = st.sampled_from(['Bo', ' Bo ', 'BO', 'ｂｏ', 'Chur', ' ', '', 'New  Brig', 'new brig', 'Nan'])
TEXTS = st.sampled_from(['Bo left Chur.', 'Bo left Chur.', 'New Brig and Bo', '...', 'a', 'BO bo'])
ENTITIES = st.builds(entity, PIECES, st.sampled_from(['person', 'city', 'other']))
ARGUMENTS = st.lists(st.builds(dict, role=st.sampled_from(['who', 'where']), argument=PIECES), max_size=2)
EVENTS = st.builds(dict, event_type=st.sampled_from(['left', 'other']), event_trigger=PIECES,
                   arguments=ARGUMENTS)
SCHEMAS = {'NER': Schema(['person', 'city']), 'EE': Schema(['left'], {'left': ['who']})}


def twice(folder, task, records, read):
    first, second = Report(folder/'a'), Report(folder/'b')
    once = list(read(save(folder/'a', *records), first))
    again = list(read(save(folder/'b', *once), second)) if once else []
    assert again == once
    assert not [p for p in second.problems if p.fix != 'nothing']


def records_of(task):
    items = st.lists(ENTITIES if task == 'NER' else EVENTS, max_size=4)
    record = st.builds(lambda t, e: {'text': t, TASKS[task].key: e}, TEXTS, items)
    return st.lists(record, min_size=1, max_size=4)


@settings(max_examples=150)
@given(st.sampled_from(['NER', 'EE']).flatmap(lambda t: st.tuples(st.just(t), records_of(t))), st.booleans())
def test_twice_is_once(tmp_path_factory, case, with_schema):
    (task, records), folder = case, tmp_path_factory.mktemp('twice')
    schema = SCHEMAS[task] if with_schema else None
    twice(folder, task, records, lambda path, report: mended(path, TASKS[task], report, schema))
    twice(folder, task, records, lambda path, report: cleaned(path, TASKS[task], report, schema=schema))
