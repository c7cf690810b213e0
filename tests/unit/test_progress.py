"How far long work has come: lines in a log, and one line for a job of several stages in several processes."
import json
import logging
import time

from iepile_nb.lib.io import log
from iepile_nb.lib.progress import (Stage, StageFile, details_in, listeners, listening, overview, progress,
                                    stage_line, stage_log)


def test_plain_lines_in_a_log(caplog):
    with caplog.at_level(logging.INFO, 'iepile_nb'):
        assert list(progress(range(3), 'rows', total=3, every=0)) == [0, 1, 2]
    assert [r.message.split(',')[0] for r in caplog.records] == ['rows: 1/3', 'rows: 2/3', 'rows: 3/3']


def test_a_stage_goes_by_its_own_pace_and_then_by_the_forecast():
    stage = Stage('rows', 100., 10)
    assert stage.left(0, 0, None) == 100 and stage.left(30, 0, None) == 70
    assert stage.left(20, 5, None) == 20 # half of it took 20 seconds
    assert stage.left(200, 0, None) == 10 # longer than foretold: a little is left
    assert Stage('steps', 50.).left(9, 3, 4) == 3


def test_rounds_of_a_stage_add_up_and_other_work_does_not_count(tmp_path):
    told = StageFile(tmp_path/'f.json', every=0)
    told.begin('asking', {'asking': Stage('rows', 5, 6), 'training': Stage('steps', 40)})
    with listening(told):
        for unit in 'rows', 'texts', 'rows': list(progress(range(3), unit, 3))
    seen = json.loads((tmp_path/'f.json').read_text())
    assert seen['stage'] == 'asking' and 40 < seen['left'] < 41 # all six rows are done
    told.begin('training')
    assert list(told.end()) == ['asking', 'training'] and not listeners


def test_several_processes_are_as_late_as_the_last(tmp_path, caplog):
    files = {name: tmp_path/f'{name}.json' for name in ('en', 'zh', 'later')}
    with caplog.at_level(logging.INFO, 'iepile_nb'), stage_line(files, every=.01):
        assert overview(files) is None
        files['en'].write_text('{"stage": "tuning", "spent": 60, "left": 30}')
        files['zh'].write_text('{"stage": "training", "spent": 50, "left": 180}')
        assert overview(files) == ('en tuning, zh training', .25, 180)
        time.sleep(.2)
    assert 'en tuning, zh training: 25% done, 3 min left' in caplog.text
    assert not list(tmp_path.iterdir())


def test_details_go_to_a_file_and_warnings_to_the_screen_too(tmp_path):
    shown = []
    screen = logging.Handler()
    screen.emit = lambda record: shown.append(record.getMessage())
    log.addHandler(screen)
    try:
        with details_in(tmp_path/'new/log.txt'):
            log.info('a detail')
            log.warning('a warning')
            stage_log.info('half of it')
        log.warning('afterwards')
    finally: log.removeHandler(screen)
    assert shown == ['a warning', 'half of it', 'afterwards']
    lines = (tmp_path/'new/log.txt').read_text().splitlines()
    assert [l.split(' ', 1)[1] for l in lines] == ['a detail', 'a warning', 'half of it']
