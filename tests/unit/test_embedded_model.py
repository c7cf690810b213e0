"The embedded model, its tokenizer, and the marks that it was trained with."
import json
from itertools import islice
from pathlib import Path

import pytest
from helpers.corpora import each_language, embedded_tokenizer, records

from iepile_nb.lib.marks import encode_example, find_marks
from iepile_nb.lib.patterns import ASSETS
from iepile_nb.lib.pretraining import sample_rows, score_samples
from iepile_nb.lib.tokenizer import openings
from iepile_nb.lib.training_rows import training_rows
from iepile_nb.tasks import get_task, read_instruction

MODEL = ASSETS/'model'


@pytest.fixture(scope='module')
def tokenizer(): return embedded_tokenizer()


def inside(part, whole): return any(whole[i:i + len(part)] == part for i in range(len(whole) - len(part) + 1))


@each_language
@pytest.mark.parametrize('heldout', [False, True])
def test_a_mention_has_the_same_tokens_in_text_and_answer(language, heldout, tokenizer):
    ids = lambda s: tokenizer(s, add_special_tokens=False)['input_ids']
    for r in records(language, 150, heldout, split='test'):
        text = ids(f'"], "input": {json.dumps(r["text"], ensure_ascii=False)}}}')
        for o in r['entity']:
            value = json.dumps(o['entity'], ensure_ascii=False)
            answer = ids(f'{{"a": [{value}], "b": []}}')
            mention = ids(value[1:-1])
            assert inside(mention, text) and inside(mention, answer), o


@pytest.mark.parametrize('text', [
    'a\\"], "b', 'x", "y', '{"', '": [], "', 'tab\t, line\n, "quoted"', '龘𠮷é😀', '<|end|>'])
def test_any_text_comes_back(text, tokenizer):
    s = json.dumps(text, ensure_ascii=False)
    ids = tokenizer(s, add_special_tokens=False, split_special_tokens=True)['input_ids']
    assert tokenizer.decode(ids) == s


def test_instructions_begin_with_one_token(tokenizer):
    for opening in openings(): assert len(tokenizer(opening, add_special_tokens=False)['input_ids']) == 1


def test_model_loads_as_any_other():
    import torch
    from transformers import AutoModelForCausalLM
    model = AutoModelForCausalLM.from_pretrained(str(MODEL))
    assert type(model).__name__ == 'LlamaForCausalLM' and model.dtype == torch.bfloat16
    assert model.num_parameters() <= 4_000_000 and model.config.tie_word_embeddings


def test_model_is_small_enough():
    sizes = {f.name: f.stat().st_size for f in Path(str(ASSETS)).rglob('*') if f.is_file()}
    assert sum(sizes.values()) <= 10_000_000, sizes
    assert not [n for n in sizes if n.endswith(('.bin', '.pt', '.pkl'))]


def test_model_answers_rows_of_seen_domains(tokenizer):
    from transformers import AutoModelForCausalLM
    model = AutoModelForCausalLM.from_pretrained(str(MODEL), dtype='float32')
    scores = score_samples(model, tokenizer, sample_rows(12, 1234, tasks=('NER',)))
    assert all(s['errors'] <= 2 for s in scores.values()), scores


def test_marks_name_what_the_answer_names(tokenizer):
    for row in islice(training_rows(9), 200):
        encoded, found = encode_example(row, tokenizer, marks=True), find_marks(row)
        task, questions, text = read_instruction(row['instruction'], get_task(row['task']))
        for mark, tokens in zip(found, encoded.marks):
            assert row['instruction'][mark.end] == '"' and '"' in tokenizer.decode([encoded.ids[tokens.end]])
            assert bool(tokens.places) == bool(mark.mentions) and all(p > tokens.end for p in tokens.places)
            marked = tokenizer.decode([encoded.ids[p] for p in tokens.places])
            if len(mark.mentions) == 1 and mark.mentions[0].isascii() and text.count(mark.mentions[0]) == 1:
                assert marked == json.dumps(mark.mentions[0], ensure_ascii=False)[1:-1]
