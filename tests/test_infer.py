"Decoding, prediction files, the Extractor, and the command iepile_predict."
import json
import subprocess
import sys
import time

import pytest
import torch
from conftest import PARROT
from hypothesis import given, strategies as st

from iepile_nb.lib.io import read_jsonl, write_jsonl
from iepile_nb.decode import ObjectEnd, end_ids
from iepile_nb.infer import Answer, Decoder, Extraction, Extractor, generate, predict
from iepile_nb.cli.predict import _parser, main
from iepile_nb.cli.predict import main
from iepile_nb.lora import add_lora, load_model
from iepile_nb.prompt import encode_prompt
from iepile_nb.lib.templates import TEMPLATES
from iepile_nb.questions import Schema
from iepile_nb.tasks import TASKS


@pytest.fixture(scope='module')
def parrot(parrot_dir): return load_model(parrot_dir)


@pytest.fixture(scope='module')
def llama(llama_dir): return load_model(llama_dir)


def prompts(tokenizer, queries): return [encode_prompt(tokenizer, TEMPLATES['alpaca'], q) for q in queries]


# Stopping

values = st.recursive(st.none() | st.integers() | st.text('a"\\{}[]甲\n'), lambda v: st.lists(v) | st.dictionaries(st.text('k"\\{}'), v), max_leaves=8)

@given(before=st.sampled_from(['', 'Sure "thing": ', '\n```json\n']), obj=st.dictionaries(st.text('k"{}\\'), values), after=st.text('{}"\\ x'))
def test_an_object_ends_at_its_last_brace(before, obj, after):
    text, end = before + json.dumps(obj, ensure_ascii=False), ObjectEnd()
    assert [end.feed(c) for c in text] == [False] * (len(text) - 1) + [True]
    assert end.feed(after)
    assert ObjectEnd().feed(text + after) and not ObjectEnd().feed(text[:-1])

def test_answers_stop_at_the_object(parrot):
    model, tokenizer = parrot
    assert generate(model, tokenizer, prompts(tokenizer, PARROT)) == list(PARROT.values())

def test_answers_stop_at_an_end_token(parrot):
    model, tokenizer = parrot
    bracket = tokenizer.convert_tokens_to_ids(']')
    cut, = generate(model, tokenizer, prompts(tokenizer, list(PARROT)[:1]), ends=[bracket, tokenizer.eos_token_id])
    assert cut + '}' == list(PARROT.values())[0]

def test_end_tokens(llama):
    model, tokenizer = llama
    assert end_ids(model, tokenizer, TEMPLATES['alpaca']) == [1] and end_ids(model, tokenizer, TEMPLATES['qwen']) == [1, 4]

def test_length_limit(parrot):
    model, tokenizer = parrot
    short, = generate(model, tokenizer, prompts(tokenizer, list(PARROT)[:1]), max_new_tokens=3)
    assert short and list(PARROT.values())[0].startswith(short) and len(short) < 12


# Batches

def test_batches_do_not_change_answers(llama, parrot):
    for model, tokenizer in (llama, parrot):
        queries = [*PARROT, 'w' * 70, 'Q', '甲乙 丙' * 9, *PARROT]
        ids = prompts(tokenizer, queries)
        one = generate(model, tokenizer, ids, max_new_tokens=30, batch_size=1)
        for size in (2, 5, 16): assert generate(model, tokenizer, ids, max_new_tokens=30, batch_size=size) == one
        assert len(set(one)) >= 5

def test_greedy_means_greedy(llama):
    "Settings that come with a model do not change what it answers."
    model, tokenizer = llama
    ids = prompts(tokenizer, PARROT)
    plain = generate(model, tokenizer, ids, max_new_tokens=20)
    tokens = torch.tensor([ids[0]])
    with torch.no_grad():
        for _ in range(20): tokens = torch.cat([tokens, model(tokens).logits[:, -1:].argmax(-1)], 1)
    assert tokenizer.decode(tokens[0, len(ids[0]):], skip_special_tokens=True).strip().startswith(plain[0])
    old = model.generation_config
    from transformers import GenerationConfig
    model.generation_config = GenerationConfig(do_sample=True, temperature=3., top_k=5, repetition_penalty=1.8, no_repeat_ngram_size=2,
                                               min_new_tokens=30, num_beams=1, eos_token_id=1, pad_token_id=2, bos_token_id=0)
    try: assert generate(model, tokenizer, ids, max_new_tokens=20) == plain
    finally: model.generation_config = old

def test_nothing_to_do(llama): assert generate(*llama, []) == [] and list(predict([], *llama)) == []


# Prediction rows

def test_one_row_out_for_each_row_in(parrot, caplog):
    asked = [{'id': str(i), 'instruction': q, 'label': '[]', 'extra': i} for i, q in enumerate(PARROT)]
    broken = [{'instruction': ''}, {'instruction': None}, {'text': 'no question'}, {'instruction': 3}, {'instruction': ' '}]
    rows = [x for pair in zip(asked, broken) for x in pair]
    out = list(predict(rows, *parrot, template='alpaca', batch_size=2, constrain='free'))
    assert [{k: v for k, v in r.items() if k != 'output'} for r in out] == rows
    assert [r['output'] for r in out] == [x for a in PARROT.values() for x in (a, '')]
    assert len(caplog.messages) == 1 and "row 2 gets an empty answer, as do 4 more of 10 rows: no key 'instruction'" in caplog.text

def test_the_gold_answers_of_training_rows_are_kept(parrot):
    rows = [{'instruction': q, 'output': '{"gold": []}', **more} for q, more in zip(PARROT, ({}, {'label': '[]'}, {'label': None}))]
    out = list(predict(rows, *parrot, template='alpaca', constrain='free'))
    assert [r['label'] for r in out] == ['{"gold": []}', '[]', '{"gold": []}'] and [r['output'] for r in out] == list(PARROT.values())[:3]

def test_long_prompts_are_shortened_and_counted(llama, caplog):
    rows = [{'instruction': json.dumps({'instruction': 'i', 'schema': ['a'], 'input': 'text. ' * n})} for n in (1, 200)]
    out = list(predict(rows, *llama, cutoff_len=150, max_new_tokens=3))
    assert len(out) == 2 and '1 of 2 prompts were longer' in caplog.text

def test_a_schema_that_fills_the_prompt_is_said(llama, caplog):
    rows = [{'instruction': json.dumps({'instruction': 'i', 'schema': ['label'] * 500, 'input': 'x'})}]
    assert list(predict(rows, *llama, cutoff_len=150))[0]['output'] == '' and 'without any input text' in caplog.text


# Extractor

def test_extraction_is_the_answer_and_knows_its_places():
    e = Extraction(TASKS['RE'], '<b>甲 founded 乙 & Co</b>')
    e.add('Sure: {"founder": [{"subject": "乙 & Co", "object": "甲"}]} done')
    e.add('{"founder": [{"subject": "x", "object": "甲"}], "owner": []}')
    e.add('no json here')
    assert e == {'founder': [{'subject': '乙 & Co', 'object': '甲'}, {'subject': 'x', 'object': '甲'}], 'owner': []}
    assert all(e.text[s.start:s.end] == s.text for s in e.spans) and {s.text for s in e.spans} == {'甲', '乙 & Co'}
    assert [p[:9] for p in e.problems] == ['text afte', 'no JSON o'] and '<b>' not in e._repr_html_().replace('<b></b>', '') and '&amp; Co' in e._repr_html_()

SCHEMAS = {'NER': ['a', 'b'], 'RE': ['r'], 'SPO': ['a_r_b'], 'EE': {'e': ['x', 'y']}, 'EET': ['e'], 'EEA': {'e': ['x']}, 'KG': {'t': ['p', 'q']}}

@pytest.mark.parametrize('task', TASKS)
def test_every_task_can_be_asked(llama_dir, task):
    found = Extractor(llama_dir, template='alpaca').extract(['one text', '一段文字'], SCHEMAS[task], task, max_new_tokens=3)
    assert [e.text for e in found] == ['one text', '一段文字'] and all(e.task is TASKS[task] for e in found)

def test_extractor_asks_in_batches_and_merges(llama_dir, monkeypatch):
    asked = []
    def fake(self, rows):
        asked.extend(rows)
        return [Answer(json.dumps({q.label: [a.text[0]] for q in a.questions})) for a in rows]
    monkeypatch.setattr(Decoder, 'together', fake)
    labels = [f'l{i}' for i in range(14)]
    ex = Extractor(llama_dir, cutoff_len=5000)
    found = ex.extract('Zoë', Schema(labels), 'ner')
    assert found == {l: ['Z'] for l in labels} and sorted(len(a.questions) for a in asked) == [6, 8]
    assert 'You are an expert' in asked[0].start and ex.extract('Zoë', labels, language='zh') == found
    assert '你是' in asked[-1].start and ex.extract([], labels) == [] and ex.extract('Zoë', labels, split_num=7) == found
    assert [len(a.questions) for a in asked[-2:]] == [7, 7]

def test_no_labels_is_said(llama_dir):
    with pytest.raises(ValueError, match='no labels for KG'): Extractor(llama_dir).extract('x', ['a'], 'KG')


# The command

@pytest.fixture
def rows_file(tmp_path):
    write_jsonl(tmp_path/'test.json', [{'id': str(i), 'task': 'NER', 'source': 's', 'instruction': q, 'label': '[]'} for i, q in enumerate(PARROT)])
    return tmp_path/'test.json'

def documented(model, adapter, infile, out):
    return ['--stage', 'sft', '--model_name_or_path', str(model), '--checkpoint_dir', str(adapter), '--model_name', 'llama',
            '--template', 'llama2', '--do_predict', '--input_file', str(infile), '--output_file', str(out), '--finetuning_type', 'lora',
            '--output_dir', 'lora/test', '--predict_with_generate', '--cutoff_len', '512', '--bf16', '--max_new_tokens', '300', '--bits', '4']

def test_the_documented_line(llama_dir, tmp_path, rows_file):
    add_lora(load_model(llama_dir)[0], r=2).save_pretrained(tmp_path/'adapter')
    assert main(documented(llama_dir, tmp_path/'adapter', rows_file, tmp_path/'new/out.json')) == 0
    out = [r for _, r in read_jsonl(tmp_path/'new/out.json')]
    assert [(r['id'], r['instruction']) for r in out] == [(str(i), q) for i, q in enumerate(PARROT)] and all('output' in r for r in out)

def test_limit_and_order(parrot_dir, tmp_path, rows_file, capsys):
    args = ['--model_name_or_path', str(parrot_dir), '--template', 'alpaca', '--input_file', str(rows_file)]
    assert main([*args, '--output_file', str(tmp_path/'o'), '--limit', '3', '--batch_size', '2', '--constrain', 'free']) == 0
    assert [r['output'] for _, r in read_jsonl(tmp_path/'o')] == list(PARROT.values())[:3]
    assert '3 rows answered' in capsys.readouterr().out

ORIGINAL = ('model_name_or_path model_name checkpoint_dir bits double_quant quant_type use_fast_tokenizer split_special_tokens cache_dir '
            'model_revision adam8bit train_file valid_file predict_file template cutoff_len max_source_length max_target_length val_set_size '
            'preprocessing_num_workers cache_path train_on_prompt ignore_pad_token_for_loss overwrite_cache pad_to_max_length language id_text '
            'group_by_length remove_unused_columns report_to logging_steps gradient_checkpointing finetuning_type stage lora_r lora_alpha '
            'lora_dropout lora_target_modules additional_target resume_lora_training upcast_layernorm neft_alpha num_layer_trainable '
            'name_module_trainable max_new_tokens num_beams temperature top_k top_p input_file output_file mode gen_mode batch_size swap_space '
            'gpu_memory_utilization').split()

def test_every_flag_of_the_original_is_known():
    from iepile_nb.cli.predict import _parser
    known = set(_parser()._option_string_actions)
    assert [f for f in ORIGINAL if f'--{f}' not in known] == []

def test_unknown_flags_are_refused(rows_file, tmp_path):
    for extra in (['--no_such_flag', '1'], ['--model', 'tiny'], ['--bits', '5'], ['--bf16', 'perhaps']):
        with pytest.raises(SystemExit) as e: main(['--input_file', str(rows_file), '--output_file', str(tmp_path/'o'), *extra])
        assert e.value.code == 2

BAD = {'missing': None, 'empty': '', 'broken on line 3': '{"instruction": "a"}\n{"instruction": "b"}\n{"instruction\n', 'not UTF-8': b'{"instruction": "\xff"}'}

@pytest.mark.parametrize('name', BAD)
def test_bad_input_is_one_line_and_nothing_written(name, llama_dir, tmp_path, capsys):
    f, content = tmp_path/'in.json', BAD[name]
    if content is not None: f.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert main(['--model_name_or_path', str(llama_dir), '--input_file', str(f), '--output_file', str(tmp_path/'o.json')]) == 1
    err = capsys.readouterr().err.strip()
    assert 'in.json' in err and (':3:' in err or 'line 3' not in name) and sum(l.startswith('error') for l in err.splitlines()) == 1
    assert [p.name for p in tmp_path.iterdir()] in ([], ['in.json'])

def test_an_array_with_a_bom_is_read(parrot_dir, tmp_path):
    (tmp_path/'in.json').write_text('\ufeff' + json.dumps([{'instruction': q} for q in PARROT], ensure_ascii=False), encoding='utf-8')
    args = ['--model_name_or_path', str(parrot_dir), '--template', 'alpaca', '--input_file', str(tmp_path/'in.json')]
    assert main([*args, '--output_file', str(tmp_path/'o'), '--constrain', 'free']) == 0
    assert [r['output'] for _, r in read_jsonl(tmp_path/'o')] == list(PARROT.values())

def test_as_a_process(tmp_path):
    "Help is quick, since torch is not imported for it; a wrong path is one line and exit code 1."
    start = time.time()
    r = subprocess.run([sys.executable, '-m', 'iepile_nb.cli.predict', '--help'], capture_output=True, text=True)
    assert r.returncode == 0 and 'example: iepile_predict' in ' '.join(r.stdout.split()) and time.time() - start < 5
    r = subprocess.run([sys.executable, '-m', 'iepile_nb.cli.predict', '--input_file', 'nope.json', '--output_file', str(tmp_path/'o')], capture_output=True, text=True)
    assert r.returncode == 1 and r.stderr.strip().splitlines() == ['error: nope.json: no such file; check the path']
