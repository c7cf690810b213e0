"A run that was interrupted goes on where it was; another run in the same folder is refused."
import errno
import json
import os
import signal

import pytest
from helpers.training import (LONG, At, interrupt, interrupted, losses, ner_file, run, same_losses,
                              train_file) # fixtures among them

from iepile_nb.lib.io import UserError
from iepile_nb.lib.resume import last_checkpoint
from iepile_nb.lib.trainer import GuardedTrainer


def ctrl_c(): os.kill(os.getpid(), signal.SIGINT)


def test_a_run_goes_on(run, tmp_path, caplog):
    straight = losses(run(**LONG, output_dir=str(tmp_path/'straight')))
    interrupted(run)
    assert not (run.out/'adapter_model.safetensors').exists()
    with caplog.at_level('INFO', 'iepile_nb'): resumed = losses(run(**LONG, overwrite_output_dir=True))
    assert 'going on from' in caplog.text and 'checkpoint-4' in caplog.text and same_losses(resumed, straight)


def test_another_run_is_refused(run):
    interrupted(run)
    with pytest.raises(UserError, match='--learning_rate was 0.003, now 0.001'):
        run(**{**LONG, 'learning_rate': 1e-3})
    with pytest.raises(UserError, match='--lora_r was 8, now 4'): run(**LONG, lora_r=4)
    with pytest.raises(UserError, match='the training rows have changed'): run(**LONG, limit=5)
    run(**{**LONG, 'logging_steps': 2, 'dataloader_num_workers': 0})


def test_options_that_only_transformers_knows_make_another_run(run):
    run(data_seed=7)
    for kw in (dict(data_seed=8), dict(data_seed=7, adam_beta2=.9),
               dict(data_seed=7, lr_scheduler_kwargs={'a': 1})):
        with pytest.raises(UserError, match=f'--{[*kw][-1]} was'): run(**kw)


def test_a_finished_run_is_left_alone(run):
    first = run(**LONG)
    def written(): return (run.out/'adapter_model.safetensors').stat().st_mtime_ns
    trained = written()
    assert run(**LONG) == first and written() == trained
    run(**LONG, overwrite_output_dir=True)
    assert written() > trained


def test_a_failed_push_is_made_good(run, monkeypatch):
    pushed = []
    def push(folder, name, private):
        pushed.append(name)
        if len(pushed) == 1: raise UserError('the hub did not take it')
    monkeypatch.setattr('iepile_nb.lib.publish.push', push)
    kw = dict(push_to_hub=True, hub_model_id='me/mine')
    with pytest.raises(UserError, match='the hub did not'): run(**kw)
    trained = (run.out/'adapter_model.safetensors').stat().st_mtime_ns
    run(**kw)
    run()
    assert pushed == ['me/mine'] * 2 and (run.out/'adapter_model.safetensors').stat().st_mtime_ns == trained


def test_an_interrupted_evaluation_is_made_good(run, train_file):
    def stop(*a, **k): raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt): run(valid_file=train_file, eval_f1=1, scorer=stop)
    def finished(): return json.loads((run.out/'iepile_train.json').read_text())['finished']
    assert (run.out/'adapter_model.safetensors').exists() and not finished()
    weights = (run.out/'adapter_model.safetensors').read_bytes()
    r = run(valid_file=train_file)
    assert 'eval_loss' in r['log'][-1] and finished()
    assert (run.out/'adapter_model.safetensors').read_bytes() == weights and max(losses(r)) == 2


@pytest.mark.parametrize('how,step,kept', [('killed', 5, '4'), ('asked to end', 4, '5')])
def test_patience_outlives_an_interruption(how, step, kept, run, ner_file):
    "The first evaluation is the best, so patience 2 ends the run after the third, interrupted or not."
    scores = {2: 90., 4: 50., 6: 40., 8: 30., 10: 20.}
    end = interrupt if how == 'killed' else ctrl_c
    def go(at):
        return run(train_file=ner_file, valid_file=ner_file, eval_f1=4, early_stopping=2, eval_steps=2,
                   eval_strategy='steps', save_strategy='steps', save_steps=2, max_steps=20, logging_steps=1,
                   callbacks=[at], scorer=lambda *a, **k: scores[max(at.step, 2)])
    with pytest.raises(KeyboardInterrupt): go(At(step, end))
    assert last_checkpoint(run.out)[-1] == kept
    assert max(losses(go(At()))) == 6 and (run.out/'adapter_model.safetensors').exists()


def test_starting_afresh(run):
    interrupted(run, at=10)
    r = run(**{**LONG, 'max_steps': 2, 'save_steps': 2}, overwrite=True)
    assert min(losses(r)) == 1 and [p.name for p in run.out.glob('checkpoint-*')] == ['checkpoint-2']


def test_a_mistake_leaves_the_run_before(run):
    run()
    def files(): return {p: p.read_bytes() for p in run.out.rglob('*') if p.is_file()}
    before = files()
    for kw in (dict(lora_target_modules='nope'), dict(template='nope'), dict(cutoff_len=20)):
        for how in ('overwrite', 'overwrite_output_dir'):
            with pytest.raises(UserError): run(**kw, **{how: True})
    assert files() == before and run.out/'checkpoint-2/trainer_state.json' in before


def test_checkpoints_that_are_kept(run):
    run(**{**LONG, 'save_steps': 2}, save_total_limit=2)
    assert sorted(p.name for p in run.out.glob('checkpoint-*')) == ['checkpoint-10', 'checkpoint-12']
    run(**{**LONG, 'save_steps': 2}, save_total_limit=0, overwrite=True)
    assert len(list(run.out.glob('checkpoint-*'))) == 6 and not (run.out/'.saving').exists()


def test_a_checkpoint_that_was_cut_short_is_passed_over(run, caplog):
    interrupted(run, at=10)
    (run.out/'checkpoint-8/trainer_state.json').unlink()
    with caplog.at_level('INFO', 'iepile_nb'): run(**LONG)
    assert 'checkpoint-4' in caplog.text


def test_checkpoints_of_another_program(run):
    (run.out/'checkpoint-5').mkdir(parents=True)
    (run.out/'checkpoint-5/trainer_state.json').write_text('{}')
    with pytest.raises(UserError, match='holds no checkpoint to go on from .*no list of its files'): run()


def test_the_last_step_is_not_done_again(run, train_file):
    "A run that was stopped after its last step, in the middle of an epoch, only saves its result."
    with pytest.raises(KeyboardInterrupt): run(**LONG, callbacks=[At(12, ctrl_c)])
    assert last_checkpoint(run.out).endswith('checkpoint-12')
    assert max(losses(run(**LONG))) == 12 and (run.out/'adapter_model.safetensors').exists()


def test_a_full_disk_is_one_line(run, monkeypatch):
    real, calls = GuardedTrainer.save_model, []
    def full(self, *a, **k):
        calls.append(1)
        if len(calls) > 1: raise OSError(errno.ENOSPC, 'No space left on device')
        real(self, *a, **k)
    monkeypatch.setattr(GuardedTrainer, 'save_model', full)
    says = 'out: the disk is full; checkpoint-4 is complete. Make room and give the same command again'
    with pytest.raises(UserError, match=says): run(**LONG)
    monkeypatch.setattr(GuardedTrainer, 'save_model', real)
    assert [p.name for p in run.out.glob('checkpoint-*')] == ['checkpoint-4']
    assert max(losses(run(**LONG))) == 12


def test_ctrl_c_saves_and_the_run_goes_on(run, tmp_path):
    before = signal.getsignal(signal.SIGINT)
    straight = losses(run(**LONG, output_dir=str(tmp_path/'straight')))
    with pytest.raises(KeyboardInterrupt): run(**LONG, callbacks=[At(6, ctrl_c)])
    assert last_checkpoint(run.out).endswith('checkpoint-7')
    assert signal.getsignal(signal.SIGINT) == before
    assert same_losses(losses(run(**LONG)), straight)
