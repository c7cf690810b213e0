"`iepile_model`: plan, merge, push, presets."
import json, shutil

import pytest
import torch
from helpers.models import eight_bit_floats, four_bits, lively_adapter, logits, with_contract

from iepile_nb.base import load_base
from iepile_nb.cli.model import main
from iepile_nb.lib import publish
from iepile_nb.lib.compare import compare_merged
from iepile_nb.lib.contract import read_contract
from iepile_nb.lib.io import UserError, write_jsonl
from iepile_nb.lib.presets import choose_template
from iepile_nb.lib.templates import TEMPLATES
from iepile_nb.lora import load_model


@pytest.fixture(scope='module')
def adapter(llama_dir, tmp_path_factory):
    return lively_adapter(llama_dir, tmp_path_factory.mktemp('adapter')/'a')


@pytest.fixture(scope='module')
def llama(llama_dir): return load_base(llama_dir)


def merge(base, adapter, folder, *more):
    "Run the command that merges."
    return main(['merge', '--model_name_or_path', str(base), '--checkpoint_dir', str(adapter),
                 '--output_dir', str(folder), *more])


def rows_file(path):
    def question(text): return json.dumps({'instruction': 'i', 'schema': ['a'], 'input': text})
    def row(c): return {'task': 'NER', 'instruction': question(c * 5), 'output': json.dumps({'a': [c]})}
    write_jsonl(path, map(row, 'xyz'))
    return str(path)


def test_plan(llama_dir, tmp_path, capsys):
    rows = rows_file(tmp_path/'train.json')
    line = ['plan', '--model_name_or_path', str(llama_dir), '--train_file', rows, '--lora_r', '4']
    assert main([*line, '--template', 'alpaca', '--memory', '4', '--dry_run']) == 0
    out = capsys.readouterr().out
    parts = '3 rows of', 'activations', 'it fits', 'time: about', 'three steps on the longest rows'
    assert all(p in out for p in parts), out


@pytest.mark.parametrize('bits', [16, 4])
def test_merging(llama_dir, adapter, tmp_path, capsys, bits):
    own = with_contract(tmp_path/'a', load_base(llama_dir, bits), adapter, template='alpaca', bits=bits)
    rows = rows_file(tmp_path/'rows.json')
    assert merge(llama_dir, own, tmp_path/'m', '--check_file', rows, '--limit', '2') == 0
    out = capsys.readouterr().out
    assert '2 rows asked' in out and 'f1' in out and (bits == 16) == ('on weights of' not in out)
    model, tokenizer = load_model(tmp_path/'m')
    (tmp_path/'new').touch()
    modes = {p.stat().st_mode for p in (tmp_path/'new', *(tmp_path/'m').iterdir())}
    assert not getattr(model, 'is_quantized', False) and len(modes) == 1 # readable as any new file
    assert choose_template(model, tokenizer) == TEMPLATES['alpaca']
    near = .1 if bits == 4 else 1e-4 # kernels of 4 bits round, too
    assert torch.allclose(logits(model), logits(load_model(llama_dir, own, bits)[0]), atol=near)
    assert merge(llama_dir, own, tmp_path/'m') == 1 and 'is not empty' in capsys.readouterr().err


def test_merging_takes_bits_from_the_contract(llama, llama_dir, adapter, tmp_path, capsys):
    four = with_contract(tmp_path/'four', llama, adapter, bits=4)
    assert merge(llama_dir, four, tmp_path/'c') == 0 and 'on weights of 4 bits' in capsys.readouterr().out


def test_merging_writes_a_contract_where_the_template_is_known(llama_dir, adapter, tmp_path):
    assert merge(llama_dir, adapter, tmp_path/'a') == 0 and read_contract(tmp_path/'a') is None # nobody knows
    assert merge(llama_dir, adapter, tmp_path/'b', '--template', 'llama2') == 0
    assert read_contract(tmp_path/'b')['template'] == 'llama2'


def test_a_merged_base_holds_its_adapters(llama, adapter, llama_dir, tmp_path):
    under = with_contract(tmp_path/'under', llama, adapter)
    assert merge(llama_dir, under, tmp_path/'whole') == 0
    assert read_contract(tmp_path/'whole')['under'][0]['adapter'] == under
    whole = load_base(tmp_path/'whole')
    on_whole = with_contract(tmp_path/'x', whole, adapter)
    on_under = with_contract(tmp_path/'y', llama, adapter, under)
    for a in (on_whole, on_under):
        assert choose_template(*whole, adapter=a) and choose_template(*llama, adapter=f'{under},{a}')
        with pytest.raises(UserError, match='the base held'): choose_template(*llama, adapter=a)
    assert merge(llama_dir, on_under, tmp_path/'z') == 1


def test_what_merging_needs_is_looked_at_first(llama_dir, adapter, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(publish, 'merged', lambda *a, **kw: pytest.fail('merged'))
    (tmp_path/'records.json').write_text('{"text": "x", "entity": []}\n')
    wrong = [('m', 'nope.json', 'nope.json: no such file'), ('.', 'nope.json', 'is not empty'),
             ('m', 'records.json', 'look like records')]
    for out, check, said in wrong:
        assert merge(llama_dir, adapter, tmp_path/out, '--check_file', str(tmp_path/check)) == 1
        assert said in capsys.readouterr().err


def test_nothing_to_compare(llama):
    with pytest.raises(UserError, match='nothing to compare'):
        compare_merged([{'text': 'x'}], llama, llama, TEMPLATES['alpaca'])


def test_presets_are_listed(capsys): assert main(['presets']) == 0 and 'oneke' in capsys.readouterr().out


def test_what_cannot_be_pushed(adapter, tmp_path, capsys):
    assert main(['push', str(tmp_path), 'me/mine']) == 1
    assert 'neither an adapter nor a model' in capsys.readouterr().err
    assert main(['push', str(adapter), 'mine']) == 1 and 'OWNER/NAME' in capsys.readouterr().err


def test_stray_arguments_are_refused():
    with pytest.raises(SystemExit) as e: main(['presets', '--stray'])
    assert e.value.code == 2


# What is refused, in one line

def one_line(capsys):
    "The only line on standard error, without torch's advice to open a pickle all the same."
    out, err = capsys.readouterr()
    assert err.startswith('error: ') and err.count('\n') == 1 and 'weights_only' not in err
    return err


class Runs:
    "Writes a file when it is unpickled."
    def __init__(self, path): self.path = path
    def __reduce__(self): return open, (str(self.path), 'w')


def test_a_pickle_that_runs_code_is_not_merged(llama_dir, adapter, tmp_path, capsys):
    bad = shutil.copytree(adapter, tmp_path/'bad')
    (bad/'adapter_model.safetensors').unlink()
    torch.save({'a': Runs(tmp_path/'ran')}, bad/'adapter_model.bin')
    assert merge(llama_dir, bad, tmp_path/'m') == 1
    assert 'a pickle that holds more than numbers' in one_line(capsys)
    assert not (tmp_path/'ran').exists() and not (tmp_path/'m').exists()


@pytest.mark.parametrize('own', [
    {'model_type': 'strange', 'auto_map': {'AutoConfig': 'c.Config', 'AutoModelForCausalLM': 'c.Model'}},
    {'model_type': 'strange'}, {'model_type': None}, {'hidden_size': 'wide'}])
def test_a_plan_for_a_model_that_cannot_be_made(llama_dir, tmp_path, capsys, own):
    folder = shutil.copytree(llama_dir, tmp_path/'own')
    config = json.loads((folder/'config.json').read_text())
    (folder/'config.json').write_text(json.dumps({**config, **own}))
    (folder/'c.py').write_text(f'open({str(tmp_path/"ran")!r}, "w")')
    rows = rows_file(tmp_path/'train.json')
    assert main(['plan', '--model_name_or_path', str(folder), '--train_file', rows]) == 1
    assert ('--trust_remote_code' if 'auto_map' in own else 'cannot be loaded') in one_line(capsys)
    assert not (tmp_path/'ran').exists()


def test_a_plan_for_a_broken_tokenizer(llama_dir, tmp_path, capsys):
    folder = shutil.copytree(llama_dir, tmp_path/'own')
    (folder/'tokenizer.json').write_text('{"version": "1.0"}')
    rows = rows_file(tmp_path/'train.json')
    assert main(['plan', '--model_name_or_path', str(folder), '--train_file', rows]) == 1
    assert 'cannot be loaded' in one_line(capsys)


@pytest.mark.parametrize('store', [four_bits, eight_bit_floats])
def test_merging_into_a_base_that_is_stored_in_few_bits(llama_dir, adapter, tmp_path, store):
    store(llama_dir, tmp_path/'small')
    assert merge(tmp_path/'small', adapter, tmp_path/'m') == 0
    whole, _ = load_base(tmp_path/'m')
    assert not getattr(whole, 'is_quantized', False)
    assert torch.allclose(logits(whole), logits(load_model(tmp_path/'small', adapter)[0]), atol=.1)
