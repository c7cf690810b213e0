"What lies in a folder is believed only if it is what this run wrote; two trainings never share a folder."
import json
import os
import pickle
import shutil
import subprocess
import sys

import pytest
from helpers.training import (ENV, LONG, At, interrupt, interrupted, losses, run, same_losses,
                              train_file) # fixtures among them

from iepile_nb.lib.io import UserError
from iepile_nb.lib.resume import alone_in


class Evil:
    def __reduce__(self): return os.mkdir, ('owned',)


def half(path): path.write_bytes(path.read_bytes()[:path.stat().st_size // 2])
def another_kind(path): path.write_text('[1, 2]')
def gone(path): path.unlink()
def foreign(path): path.write_bytes(pickle.dumps(Evil()))
def another_step(path): path.write_text(json.dumps({**json.loads(path.read_text()), 'global_step': 6}))


DAMAGE = [('trainer_state.json', half), ('trainer_state.json', another_kind),
          ('trainer_state.json', another_step), ('optimizer.pt', gone), ('optimizer.pt', foreign),
          ('optimizer.pt', half), ('rng_state.pth', foreign),
          ('scheduler.pt', gone), ('adapter_model.safetensors', half), ('prompt.json', another_kind),
          ('checkpoint.json', half), ('checkpoint.json', another_kind), ('checkpoint.json', gone)]


@pytest.fixture(scope='module')
def straight(llama_dir): return {}


@pytest.mark.parametrize('name,damage', DAMAGE)
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(name, damage, run, caplog, straight,
                                                                  tmp_path):
    if not straight: straight.update(losses(run(**LONG, output_dir=str(tmp_path/'straight'))))
    interrupted(run, at=10)
    damage(run.out/'checkpoint-8'/name)
    with caplog.at_level('INFO', 'iepile_nb'): resumed = losses(run(**LONG))
    said = [r.message for r in caplog.records if 'is passed over' in r.message]
    assert len(said) == 1 and 'checkpoint-8' in said[0] and name in said[0] and '\n' not in said[0]
    assert 'checkpoint-4' in caplog.text and same_losses(resumed, straight) and not os.path.exists('owned')


def test_nothing_is_lost_where_no_checkpoint_is_whole(run):
    interrupted(run)
    half(run.out/'checkpoint-4/optimizer.pt')
    says = 'no checkpoint to go on from .checkpoint-4: optimizer.pt has changed'
    with pytest.raises(UserError, match=says): run(**LONG)
    assert (run.out/'checkpoint-4/adapter_model.safetensors').exists()
    assert len(losses(run(**LONG, overwrite_output_dir=True))) == 12


def test_a_checkpoint_of_another_run_is_passed_over(run, tmp_path, caplog):
    "Two runs whose checkpoints lie in one folder: each goes on from its own."
    interrupted(run)
    interrupted(run, at=10, learning_rate=.05, output_dir=str(tmp_path/'other'))
    shutil.copytree(tmp_path/'other/checkpoint-8', run.out/'checkpoint-8')
    with caplog.at_level('INFO', 'iepile_nb'): run(**LONG)
    says = 'checkpoint-8 is passed over: it is of another run (--learning_rate was 0.05, now 0.003)'
    assert says in caplog.text
    assert f'going on from {run.out}/checkpoint-4' in caplog.text


def test_a_checkpoint_under_another_name(run, caplog):
    interrupted(run)
    (run.out/'checkpoint-4').rename(run.out/'checkpoint-8')
    with pytest.raises(UserError, match='checkpoint-8: it is that of step 4'): run(**LONG)


def test_the_best_checkpoint_belongs_to_the_later_ones(run, train_file, caplog):
    kw = dict(valid_file=train_file, early_stopping=9, eval_strategy='steps', eval_steps=2,
              save_strategy='steps', save_steps=2, max_steps=8, save_total_limit=0, logging_steps=1)
    scores = dict(eval_f1=1, scorer=lambda *a, **k: next(f1))
    f1 = iter([10., 90., 20., 30., 40., 50., 60.])
    with pytest.raises(KeyboardInterrupt): run(**kw, **scores, callbacks=[At(7, interrupt)])
    gone(run.out/'checkpoint-4/adapter_model.safetensors')
    with caplog.at_level('INFO', 'iepile_nb'): run(**kw, **scores)
    assert 'checkpoint-4, the best one so far, belongs to it' in caplog.text
    assert f'going on from {run.out}/checkpoint-2' in caplog.text


@pytest.mark.parametrize('damage', [half, another_kind])
def test_the_checkpoints_say_which_run_it_is_if_the_card_cannot_be_read(damage, run, caplog):
    interrupted(run)
    damage(run.out/'iepile_train.json')
    with pytest.raises(UserError, match='--learning_rate was 0.003, now 0.1'):
        run(**{**LONG, 'learning_rate': .1})
    assert max(losses(run(**LONG))) == 12
    assert json.loads((run.out/'iepile_train.json').read_text())['finished']


def test_an_unreadable_card_alone(run):
    run(save_strategy='no')
    half(run.out/'iepile_train.json')
    with pytest.raises(UserError, match='iepile_train.json cannot be read.*--overwrite'):
        run(save_strategy='no')


LOST = [('adapter_model.safetensors', gone), ('adapter_model.safetensors', half),
        ('adapter_config.json', gone), ('prompt.json', another_kind), ('train_log.json', half),
        ('train_log.json', another_kind)]

@pytest.mark.parametrize('name,damage', LOST)
def test_a_finished_run_whose_result_is_lost_is_not_finished(name, damage, run, caplog):
    "It is saved again from the last checkpoint; where there is none, that is an error."
    run()
    before = (run.out/'adapter_model.safetensors').read_bytes()
    damage(run.out/name)
    assert run()['rows'] == 20 and (run.out/'adapter_model.safetensors').read_bytes() == before
    assert f'{name} ' in caplog.text and 'the end is done again' in caplog.text
    run(save_strategy='no', overwrite=True)
    shutil.rmtree(run.out/'checkpoint-2', ignore_errors=True)
    damage(run.out/name)
    with pytest.raises(UserError, match=f'this run is finished, but {name} .*--overwrite'):
        run(save_strategy='no')


def test_a_finished_run_of_an_earlier_version(run):
    run(save_strategy='no')
    card = json.loads((run.out/'iepile_train.json').read_text())
    (run.out/'iepile_train.json').write_text(json.dumps({k: v for k, v in card.items() if k != 'files'}))
    assert run(save_strategy='no')['rows'] == 20
    gone(run.out/'adapter_model.safetensors')
    with pytest.raises(UserError, match='the weights are missing'): run(save_strategy='no')


def test_a_card_that_was_edited_by_hand_changes_nothing(run):
    first = run()
    (run.out/'README.md').write_text('mine')
    (run.out/'training_args.bin').unlink()
    assert run() == first and (run.out/'README.md').read_text() == 'mine'


# A folder for one training

def test_a_second_training_in_a_folder_is_refused(run):
    says = f'another training writes there .process {os.getpid()}'
    with alone_in(run.out), pytest.raises(UserError, match=says): run()
    assert not run.out.exists()
    run()
    assert not (run.out/'.training').exists()


def test_the_lock_of_a_killed_training_holds_nobody_up(run):
    code = ('import os, sys; from iepile_nb.lib.resume import alone_in\n'
            'with alone_in(sys.argv[1]): os.kill(os.getpid(), 9)')
    subprocess.run([sys.executable, '-c', code, str(run.out)], env=ENV, timeout=60)
    assert (run.out/'.training').exists()
    run()


def test_weights_are_as_readable_as_other_files(run):
    mask = os.umask(0o027)
    try: run()
    finally: os.umask(mask)
    for folder in (run.out, run.out/'checkpoint-2'):
        modes = {p.name: oct(p.stat().st_mode & 0o777) for p in folder.iterdir() if p.is_file()}
        assert set(modes.values()) == {'0o640'}, modes
