"Training in two processes on the CPU, as --nproc starts them, learns what one process learns."
import json
import shutil

from helpers.training import losses, process, run, same_losses, train_file # fixtures among them

EVEN = dict(template='alpaca', max_steps=6, logging_steps=1, lora_dropout=0, learning_rate=1e-2,
            save_strategy='steps', save_steps=3, lr_scheduler_type='cosine')


def test_two_processes_learn_as_one(run, llama_dir, train_file, tmp_path):
    "And a checkpoint of one goes on in two. 18 rows do not fill the last batch."
    held = tmp_path/'held.json'
    held.write_text(''.join(train_file.read_text().splitlines(True)[:15]))
    first = run(**EVEN, limit=18, per_device_train_batch_size=4, do_eval=True, valid_file=held,
                output_dir=str(tmp_path/'one'))
    one, held_out = losses(first), first['evaluation']['eval_loss']
    shutil.copytree(tmp_path/'one/checkpoint-3', tmp_path/'half/checkpoint-3')
    card = json.loads((tmp_path/'one/iepile_train.json').read_text())
    (tmp_path/'half/iepile_train.json').write_text(json.dumps({**card, 'finished': False}))
    for name in ('two', 'half'):
        err = process('--nproc 2 --limit 18 --per_device_train_batch_size 2 --do_eval', cwd=tmp_path, **EVEN,
                      model_name_or_path=llama_dir, train_file=train_file, valid_file=held,
                      output_dir=tmp_path/name)
        assert (tmp_path/name/'adapter_model.safetensors').exists() and err.count('step 6 of 6, loss') == 1
        record = json.loads((tmp_path/name/'train_log.json').read_text())
        assert same_losses(one, losses(record)), (one, record['log'])
        assert abs(record['evaluation']['eval_loss'] - held_out) < 1e-4 # 15 rows: one place stays empty
    assert 'checkpoint-3' in err
