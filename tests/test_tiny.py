"The synthetic corpus, its tokenizer and the embedded model."
import json, os, subprocess, sys
from collections import Counter
from itertools import islice

import pytest, torch

from iepile_nb.lib.io import text_id
from iepile_nb.questions import LANGUAGES, output
from iepile_nb.tasks import TASKS, get_task, read_instruction
from iepile_nb.cli.tiny import main
from iepile_nb.corpus import (ASSETS, dataset, domain_names, domain_schema, entries, halves,
                              is_train_value, load_grammar, make_demo, mixed_name, reserved_names,
                              sentences, training_rows)
from iepile_nb.tiny import (Probe, Run, answers, backward, copy_batch, encode_example, find_marks, grow,
                            losses_of, new_model, note, openings, plain_loss, pretrain, row_batches,
                            sample_rows, score, set_copying)
from iepile_nb.corpus import is_train_value

MODEL = ASSETS/'model'
each_language = pytest.mark.parametrize('language', LANGUAGES)

def records(language, n=300, heldout=False, **kw): return list(islice(sentences(language, domain_names(language, heldout), **kw), n))

# --- the grammar -------------------------------------------------------------------------------------------------

@each_language
def test_size_of_the_grammar(language):
    seen = [load_grammar(language)['domains'][d] for d in domain_names(language)]
    count = {kind: sum(len(d[kind]) for d in seen) for kind in ('entities', 'relations', 'events')}
    assert count['entities'] >= 60 and count['relations'] >= 60 and count['events'] >= 40
    assert domain_names(language, heldout=True) == ['spaceflight', 'seafaring']

@each_language
def test_labels_and_aliases_are_unique_within_what_is_asked_together(language):
    for d in load_grammar(language)['domains']:
        labels = [l for t in ('NER', 'RE', 'EET') for l in domain_schema(language, d, t).labels]
        assert len(labels) == len(set(labels)), d

@each_language
def test_no_name_of_a_heldout_label_is_used_elsewhere(language):
    def names(domains):
        entries = [e for d in domains for kind in ('entities', 'relations', 'events')
                   for e in load_grammar(language)['domains'][d][kind].items()]
        return {n for l, e in entries for n in (l, *e['aliases'], *e['unseen'])}
    assert not names(domain_names(language)) & names(domain_names(language, heldout=True))

# --- records -----------------------------------------------------------------------------------------------------

def check(record, language):
    text, types = record['text'], {}
    for o in record['entity']:
        assert o['entity'] in text and types.setdefault(o['entity'], o['entity_type']) == o['entity_type']
    for r in record['relation']:
        assert types[r['head']] == r['head_type'] and types[r['tail']] == r['tail_type']
    events = {l: e for d in {record['domain'], 'general'} for l, e in load_grammar(language)['domains'][d]['events'].items()}
    for e in record['event']:
        assert e['event_trigger'] in text
        for a in e['arguments']: assert types[a['argument']] == events[e['event_type']]['roles'][a['role']]['type']
    for task, key, label in (('NER', 'entity', 'entity_type'), ('RE', 'relation', 'relation'), ('EE', 'event', 'event_type')):
        assert {o[label] for o in record[key]} <= set(domain_schema(language, record['domain'], task).labels)
    assert not set('\x02{}<>[]|') & set(text.replace('[', '').replace(']', ''))

@each_language
@pytest.mark.parametrize('split', ['train', 'test'])
def test_every_record_is_valid(language, split):
    for r in records(language, split=split) + records(language, heldout=True, split=split): check(r, language)

@each_language
@pytest.mark.parametrize('task', list(TASKS))
def test_data_sets_pass_the_projects_own_check(language, task):
    from iepile_nb.records import check_record
    for r in dataset(language, domain_names(language)[1], task, 40): check_record(r, get_task(task))

@each_language
def test_variety(language):
    rs = records(language, 600)
    assert sum(not r['entity'] for r in rs) > 10 # texts without any hit
    assert sum(len(r['event']) > 1 for r in rs) > 60                                          # several events
    assert sum(any(r['text'].count(o['entity']) > 1 for o in r['entity']) for r in rs) > 60   # repeated mentions
    assert sum(any(a['entity'] != b['entity'] and a['entity'] in b['entity'] for a in r['entity'] for b in r['entity'])
               for r in rs) > 60                                                              # nested mentions
    assert any('"' in r['text'] for r in rs) and any(c.isdigit() for r in rs for c in r['text'])

@each_language
def test_no_pattern_makes_more_than_two_per_cent(language):
    rs = records(language, 1000)
    assert Counter(tuple(r['pattern']) for r in rs).most_common(1)[0][1] / len(rs) <= .02
    clauses = Counter(p for r in rs for p in r['pattern'] if not p.startswith('frame '))
    assert clauses.most_common(1)[0][1] / clauses.total() <= .02

@each_language
@pytest.mark.parametrize('heldout', [False, True])
def test_half_of_the_test_mentions_never_occur_in_training(language, heldout):
    mentions = lambda split: [o['entity'] for r in records(language, 500, heldout, split=split) for o in r['entity']]
    train, test = set(mentions('train')), mentions('test')
    assert sum(m not in train for m in test) / len(test) >= .5
    assert sum(map(is_train_value, train)) / len(train) > .97 # but for types with few values

def test_same_seed_same_corpus():
    code = ("import sys\nfrom itertools import islice\nfrom iepile_nb.core import text_id\nfrom iepile_nb.tiny import *\n"
            "print(text_id(str([list(islice(sentences(l, domain_names(l), 7), 40)) for l in LANGUAGES]) + str(list(islice(training_rows(7), 60)))))")
    other = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True,
                           env={**os.environ, 'PYTHONHASHSEED': '1' if os.environ.get('PYTHONHASHSEED') != '1' else '2'}).stdout
    here = [list(islice(sentences(l, domain_names(l), 7), 40)) for l in LANGUAGES], list(islice(training_rows(7), 60))
    assert other.strip() == text_id(str(here[0]) + str(here[1]))

def test_a_record_depends_on_its_place_alone():
    assert list(islice(sentences('en', ['law']), 9))[8] == next(islice(sentences('en', ['law']), 8, None))

# --- rows --------------------------------------------------------------------------------------------------------

def names_of(language, domains, pools):
    "All names that labels and roles of some domains go by."
    entries = [e for d in domains for kind in ('entities', 'relations', 'events') for e in load_grammar(language)['domains'][d][kind].items()]
    entries += [r for _, e in entries for r in e.get('roles', {}).items()]
    return {n for l, e in entries for n in (l, *(a for p in pools for a in e[p]))}

def asked(row):
    "Every name in a row's schema."
    flat = lambda o: [x for v in (o.values() if isinstance(o, dict) else o) for x in (flat(v) if isinstance(v, (dict, list)) else [v])]
    return {x for x in flat(json.loads(row['instruction'])['schema']) if isinstance(x, str)}

def test_training_rows_use_no_unseen_and_no_heldout_names():
    reserved = {l: names_of(l, domain_names(l), ['unseen']) - names_of(l, domain_names(l), ['aliases'])
                | names_of(l, domain_names(l, heldout=True), ['aliases', 'unseen']) - names_of(l, domain_names(l), ['aliases'])
                for l in LANGUAGES}
    plain = {l: names_of(l, domain_names(l), ['aliases']) for l in LANGUAGES}
    other = 0
    for row in islice(training_rows(3), 800):
        language = row['source']
        task, questions, text = read_instruction(row['instruction'], get_task(row['task']))
        triggers = {t for q in questions for t in q.triggers or ()}
        assert not (asked(row) - triggers) & reserved[language]
        other += bool(asked(row) - triggers - plain[language])
    assert 200 < other < 700 # rows with mixed or made-up names, and rows without

@each_language
def test_mixed_names_are_made_of_the_names_and_never_reserved(language):
    import random
    rng, names = random.Random(1), load_grammar(language)['domains']['law']['entities']
    for label, e in names.items():
        pool = {w for n in (label, *e['aliases']) for w in halves(language, n)}
        made = {mixed_name(rng, language, [label, *e['aliases']]) for _ in range(30)} - {''}
        assert len(made) > 3 and not made & reserved_names(language)
        assert all(any(w in m for w in pool) for m in made)

def test_made_up_labels_have_no_answer():
    rows = [r for r in islice(training_rows(6), 600) if r['task'] == 'NER']
    plain = {l: names_of(l, domain_names(l), ['aliases']) for l in LANGUAGES}
    invented = [(k, v) for r in rows for k, v in json.loads(r['output']).items()
                if not any(w in k for n in plain[r['source']] for w in halves(r['source'], n))]
    assert invented and not any(v for _, v in invented)

def test_rows_answer_what_they_ask():
    seen = Counter()
    for row in islice(training_rows(4), 800):
        task, questions, text = read_instruction(row['instruction'], get_task(row['task']))
        answer = json.loads(row['output'])
        assert [task.answer_key(q) for q in questions] == list(answer)
        for label, *item in task.parse(answer):
            for v in item[:1] if task.name != 'EEA' else (): assert v in text
        seen[task.name] += 1
        seen['empty'] += not any(answer.values())
    assert set(seen) == {*TASKS, 'empty'} and seen['empty'] < 800 / 3

def test_unseen_names_are_asked_when_wanted():
    rows = list(islice(training_rows(5, 'test', rename='unseen'), 100))
    unseen = set().union(*(names_of(l, domain_names(l), ['unseen']) for l in LANGUAGES)) - set().union(
        *(names_of(l, domain_names(l), ['aliases']) for l in LANGUAGES))
    assert sum(bool(asked(r) & unseen) for r in rows) > 50

def test_demo_data_are_what_the_generator_writes(tmp_path):
    from pathlib import Path
    make_demo(tmp_path)
    committed = Path(__file__).parent.parent/'data'/'demo'
    files = sorted(f.relative_to(tmp_path) for f in tmp_path.rglob('*.json'))
    assert len(files) == 2 * 3 * 3
    for f in files: assert (committed/f).read_bytes() == (tmp_path/f).read_bytes(), f

# --- tokenizer and model -----------------------------------------------------------------------------------------

@pytest.fixture(scope='module')
def tokenizer():
    from transformers import AutoTokenizer
    return AutoTokenizer.from_pretrained(str(MODEL))

def inside(part, whole): return any(whole[i:i + len(part)] == part for i in range(len(whole) - len(part) + 1))

@each_language
@pytest.mark.parametrize('heldout', [False, True])
def test_a_mention_has_the_same_tokens_in_text_and_answer(language, heldout, tokenizer):
    ids = lambda s: tokenizer(s, add_special_tokens=False)['input_ids']
    for r in records(language, 150, heldout, split='test'):
        text = ids(f'"], "input": {json.dumps(r["text"], ensure_ascii=False)}}}')
        for o in r['entity']:
            value = json.dumps(o['entity'], ensure_ascii=False)
            said = ids(f'{{"a": [{value}], "b": []}}')
            mention = ids(value[1:-1])
            assert inside(mention, text) and inside(mention, said), o

@pytest.mark.parametrize('text', ['a\\"], "b', 'x", "y', '{"', '": [], "', 'tab\t, line\n, "quoted"', '龘𠮷é😀', '<|end|>'])
def test_any_text_comes_back(text, tokenizer):
    s = json.dumps(text, ensure_ascii=False)
    assert tokenizer.decode(tokenizer(s, add_special_tokens=False, split_special_tokens=True)['input_ids']) == s

def test_instructions_begin_with_one_token(tokenizer):
    for opening in openings(): assert len(tokenizer(opening, add_special_tokens=False)['input_ids']) == 1

def test_model_loads_as_any_other():
    from transformers import AutoModelForCausalLM
    model = AutoModelForCausalLM.from_pretrained(str(MODEL))
    assert type(model).__name__ == 'LlamaForCausalLM' and model.dtype == torch.bfloat16
    assert model.num_parameters() <= 4_000_000 and model.config.tie_word_embeddings

def test_model_is_small_enough():
    sizes = {f.name: f.stat().st_size for f in ASSETS.rglob('*') if f.is_file()} if hasattr(ASSETS, 'rglob') else {}
    assert sum(sizes.values()) <= 10_000_000, sizes
    assert not [n for n in sizes if n.endswith(('.bin', '.pt', '.pkl'))]

def test_model_answers_rows_of_seen_domains(tokenizer):
    from transformers import AutoModelForCausalLM
    model = AutoModelForCausalLM.from_pretrained(str(MODEL), dtype='float32')
    scores = score(model, tokenizer, sample_rows(12, 1234, tasks=('NER',)))
    assert all(s['errors'] <= 2 for s in scores.values()), scores

# --- the command -------------------------------------------------------------------------------------------------

def make_run(folder, tokenizer, minutes):
    folder.mkdir(exist_ok=True)
    model = new_model(tokenizer, layers=2)
    set_copying(model)
    return Run(folder, tokenizer, model, minutes)

def test_training_can_be_resumed(tmp_path, tokenizer):
    first = make_run(tmp_path/'t', tokenizer, .03)
    pretrain(first)
    note(first, loss=0.)
    second = make_run(tmp_path/'t', tokenizer, .2)
    second.load()
    assert (second.step, second.tokens, second.spent) == (first.step, first.tokens, first.spent)
    pretrain(second)
    assert second.step > first.step and (tmp_path/'t'/'model'/'model.safetensors').exists()

def test_an_interrupted_run_forgets_what_came_after_its_checkpoint(tmp_path, tokenizer):
    run = make_run(tmp_path/'t', tokenizer, .01)
    pretrain(run)
    note(run, loss=1.)
    run.step += 1
    note(run, loss=2.)
    again = make_run(tmp_path/'t', tokenizer, .02)
    again.load()
    lines = [json.loads(l) for l in (tmp_path/'t'/'log.jsonl').read_text().splitlines()]
    assert lines and all(l['step'] <= again.step for l in lines)

def test_the_set_copying_copies(tokenizer):
    import random, torch
    torch.manual_seed(0)
    model, batch = new_model(tokenizer), copy_batch(random.Random(0), tokenizer)
    with torch.no_grad():
        before = plain_loss(model, batch)
        set_copying(model)
        assert plain_loss(model, batch) < .6 * before

def some_rows(tokenizer, n=6): return [encode_example(r, tokenizer, marks=True) for r in islice(training_rows(8), n)]

def gradients(model, probe): return torch.cat([p.grad.flatten() for p in (*model.parameters(), *probe.parameters())])

def test_parts_of_a_batch_give_the_gradients_of_the_whole(tokenizer):
    torch.manual_seed(0)
    model, probe, batch = new_model(tokenizer, layers=2), Probe(192), some_rows(tokenizer)
    loss = backward(model, batch, size=4, probe=probe, weight=.5)
    grads = gradients(model, probe)
    model.zero_grad(), probe.zero_grad()
    answers, side = losses_of(model, batch, probe=probe)
    n = sum(r.answer for r in batch)
    ((answers + .5 * side) / n).backward()
    assert abs(loss - answers.item() / n) < 1e-4
    assert torch.allclose(grads, gradients(model, probe), atol=1e-4)

TOGETHER = """
import sys, torch
from datetime import timedelta
from itertools import islice
from torch import distributed
from transformers import AutoTokenizer
from iepile_nb.tiny import *
folder, rank, world = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
if world > 1: distributed.init_process_group('gloo', f'file://{folder}/meet', rank=rank, world_size=world)
torch.manual_seed(0)
tokenizer = AutoTokenizer.from_pretrained(str(ASSETS/'model'))
model, probe = new_model(tokenizer, layers=2), Probe(192)
rows = [encode_row(r, tokenizer, marks=True) for r in islice(training_rows(8), 6)]
loss = backward(model, rows[rank::world], probe=probe)
torch.save([loss, torch.cat([p.grad.flatten() for p in (*model.parameters(), *probe.parameters())])], f'{folder}/{world}.{rank}')
"""

def test_two_processes_give_the_gradients_of_one(tmp_path):
    start = lambda rank, world: subprocess.Popen([sys.executable, '-c', TOGETHER, str(tmp_path), str(rank), str(world)])
    assert [p.wait() for p in [start(0, 1), start(0, 2), start(1, 2)]] == [0, 0, 0]
    (loss, grads), *others = (torch.load(tmp_path/name, weights_only=True) for name in ('1.0', '2.0', '2.1'))
    for other_loss, other in others: assert abs(loss - other_loss) < 1e-4 and torch.allclose(grads, other, atol=1e-4)

def test_processes_take_different_rows_and_batches_of_like_length(tokenizer):
    one, two = (list(islice(row_batches(tokenizer, 0, 8, rank=rank, world=2), 33)) for rank in (0, 1))
    assert [place for _, place in one] == [place for _, place in two] and one[32][1] == 512
    lengths = [[sum(len(r.ids) for r in batch) for batch, _ in part[:32]] for part in (one, two)]
    assert sum(abs(a - b) for a, b in zip(*lengths)) < .2 * sum(lengths[0])
    rows = {str(r.ids) for part in (one, two) for batch, _ in part for r in batch}
    assert len(rows) > .99 * 2 * 33 * 4

def test_the_short_way_through_the_last_layer_gives_the_same_loss(tokenizer):
    from torch.nn import functional as F
    torch.manual_seed(0)
    model, (row, *_) = new_model(tokenizer, layers=2), some_rows(tokenizer)
    logits = model(torch.tensor([row.ids])).logits[0, -row.answer - 1:-1]
    whole = F.cross_entropy(logits, torch.tensor(row.ids[-row.answer:]), reduction='sum')
    padded = plain_loss(model, [row, some_rows(tokenizer)[1]]) - plain_loss(model, [some_rows(tokenizer)[1]])
    assert torch.allclose(plain_loss(model, [row]), whole, rtol=1e-4) and torch.allclose(padded, whole, rtol=1e-3)

def test_marks_name_what_the_answer_names(tokenizer):
    for row in islice(training_rows(9), 200):
        encoded, found = encode_example(row, tokenizer, marks=True), find_marks(row)
        task, questions, text = read_instruction(row['instruction'], get_task(row['task']))
        for (end, kind, mentions), (token, _, places) in zip(found, encoded.marks):
            assert row['instruction'][end] == '"' and '"' in tokenizer.decode([encoded.ids[token]])
            assert bool(places) == bool(mentions) and all(p > token for p in places)
            marked = tokenizer.decode([encoded.ids[p] for p in places])
            if len(mentions) == 1 and mentions[0].isascii() and text.count(mentions[0]) == 1:
                assert marked == json.dumps(mentions[0], ensure_ascii=False)[1:-1]

def test_a_grown_model_gives_the_same_answers(tokenizer):
    torch.manual_seed(0)
    model, batch = new_model(tokenizer, layers=2), some_rows(tokenizer)
    big = grow(model, 4)
    assert big.config.num_hidden_layers == 4 and torch.allclose(plain_loss(big, batch), plain_loss(model, batch))
    assert all(p.requires_grad for p in big.parameters())

def test_the_command_says_what_is_wrong(tmp_path, capsys):
    assert main(['--out', str(tmp_path), '--resume']) == 1
    assert 'no checkpoint' in capsys.readouterr().err
    (tmp_path/'state.pt').write_bytes(b'x')
    assert main(['--out', str(tmp_path)]) == 1
    assert '--resume' in capsys.readouterr().err
