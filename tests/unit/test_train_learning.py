"Settings that were not given suit the base; a training that taught nothing, or destroyed the model, says so."
import pytest
from helpers.training import losses, run, train_file, words # fixtures among them

from iepile_nb.cli.train import main
from iepile_nb.lib.card import advice, destroyed
from iepile_nb.lib.options import settings
from iepile_nb.lib.presets import training_settings


@pytest.mark.parametrize('given,rate', [
    ({}, 3e-3), (dict(preset='colab-t4'), 2e-4), (dict(learning_rate=1e-4), 1e-4),
    (dict(model_name_or_path='Qwen/Qwen3-4B'), 2e-4), (dict(model_name_or_path='someone/model'), 2e-4),
    (dict(model_name_or_path='someone/model', finetuning_type='full'), 2e-5),
    (dict(model_name_or_path='Qwen/Qwen2.5-72B'), 1e-4),
    (dict(model_name_or_path='x/y', learning_rate=None), 2e-4)])
def test_the_learning_rate_that_was_not_given(given, rate):
    o = settings(**given)
    assert o.learning_rate == rate
    assert ('learning_rate' in o.chosen) == (given.get('learning_rate') is None and 'preset' not in given)


def test_the_embedded_model_learns_with_settings_of_its_own():
    o = settings(lora_r=8)
    assert (o.lora_r, o.lora_alpha, o.per_device_train_batch_size) == (8, None, 16)
    assert 'lora_r' not in o.chosen and settings().lora_alpha == 64
    assert settings(finetuning_type='full').learning_rate == pytest.approx(3e-4)
    assert settings(model_name_or_path='x').per_device_train_batch_size == 8


def test_what_was_chosen_is_said_and_written_down(run, llama_dir, caplog):
    with caplog.at_level('INFO', 'iepile_nb'): r = run()
    usual = training_settings(str(llama_dir))['learning_rate']
    assert f'chosen for this base: --learning_rate {usual}' in caplog.text
    assert r['options']['learning_rate'] == usual
    caplog.clear()
    with caplog.at_level('INFO', 'iepile_nb'): run(learning_rate=1e-4, overwrite=True)
    assert 'chosen for' not in caplog.text


def test_a_loss_that_hardly_fell_is_said(run, caplog):
    r = run(learning_rate=1e-7, max_steps=6, model_name_or_path='tiny')
    assert r['advice'] in caplog.text and 'the loss hardly fell' in r['advice'] and '\n' not in r['advice']
    assert '--learning_rate (it was 1e-07; 0.003 is usual here)' in r['advice']
    assert '(there were 6 steps)' in r['advice']
    assert r['advice'] in (run.out/'README.md').read_text() and min(losses(r)) == 1


def test_a_loss_that_fell_is_not(run, caplog):
    assert run(max_steps=20, learning_rate=1e-2)['advice'] is None and 'hardly' not in caplog.text


CURVES = [([2., 2.6], 'a smaller --learning_rate'), ([2., 1.], None), ([.1, .1], None), ([2.], None),
          ([], None), ([2., 1.95], 'more --num_train_epochs')]

@pytest.mark.parametrize('curve,says', CURVES)
def test_advice_on_a_curve(curve, says):
    log = [{'step': s, 'loss': l} for s, l in enumerate(curve, 1)]
    options = dict(learning_rate=2e-4, model_name_or_path='x', finetuning_type='lora')
    found = advice({'log': log, 'options': options})
    assert (says in found) if says else found is None


@pytest.mark.parametrize('rate', ['1e3', '1e9'])
def test_a_model_that_was_destroyed_is_not_saved(rate, train_file, tmp_path, capsys):
    "Whether by the same command or by the next one, the loss says it."
    line = words('--max_steps 8 --disable_tqdm True --save_strategy steps --save_steps 4', learning_rate=rate,
                 model_name_or_path='tiny', train_file=train_file, output_dir=tmp_path/'out')
    for _ in range(2):
        assert main(line) == 1
        err = [l for l in capsys.readouterr().err.splitlines() if l.startswith('error')]
        assert len(err) == 1 and 'smaller --learning_rate' in err[0]
        assert not (tmp_path/'out/adapter_model.safetensors').exists()


def test_the_best_of_several_is_kept_though_the_last_is_destroyed():
    log = [{'step': 1, 'loss': .9}, {'step': 2, 'loss': 8.3}]
    assert destroyed(log) and not destroyed([{'step': 1, 'loss': 8.3}, {'step': 2, 'loss': 8.7}])
