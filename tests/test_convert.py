"""Conversion: the round trip for made-up records of every task, and one test for each known defect of the original (C*)."""
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st
from iepile_nb.convert import convert
from iepile_nb.lib.fast_rows import FastRows
from iepile_nb.lib.recipe import mix, read_recipe
from iepile_nb.cli.convert import main
from iepile_nb.lib.io import KeyedRandom, UserError
from iepile_nb.records import read_records, read_schema, spo_triples
from iepile_nb.negatives import HardNegatives, Sampler, names, read_negatives
from iepile_nb.questions import NAN, Schema, split
from iepile_nb.tasks import TASKS, AskAll, read_instruction, split_spo

# ---- made-up schemas and records of every task

word = st.text(st.sampled_from('abcdef甲乙丙丁戊 "\\\'{}[],:\n😀_-'), min_size=1, max_size=8).filter(str.strip)
name = st.text(st.sampled_from('abcdxyz甲乙丙"\\ -'), min_size=1, max_size=6).filter(str.strip)
labels = st.lists(name, min_size=1, max_size=12, unique=True)


@st.composite
def case(draw):
    "(task, schema, record)"
    task = TASKS[draw(st.sampled_from(list(TASKS)))]
    ls, words = draw(labels), draw(st.lists(word, min_size=1, max_size=6))
    text, some, label = ' '.join(words), st.sampled_from(words), st.sampled_from(ls)
    parts = {l: draw(st.lists(name, min_size=1, max_size=5, unique=True)) for l in ls}
    if task.name == 'SPO':
        schema = task.schema([dict(subject_type=a, predicate=b, object_type=a) for a in ls[:3] for b in ls], [], {})
        types = st.sampled_from(list(schema.parts.values()))
        items = [dict(zip(('head', 'head_type', 'relation', 'tail_type', 'tail'), (draw(some), *draw(types), draw(some))))
                 for _ in range(draw(st.integers(0, 4)))]
    else:
        schema = task.schema(ls, ls, parts)
        items = [draw(item(task, label, some, parts)) for _ in range(draw(st.integers(0, 4)))]
    return task, schema, {'text': text, task.key: items}


@st.composite
def item(draw, task, label, some, parts):
    "One annotation of a task."
    l = draw(label)
    if task.key == 'entity': return dict(entity=draw(some), entity_type=l)
    if task.name == 'KG': return dict(head=draw(some), head_type=l, relation=draw(st.sampled_from(parts[l])), tail=draw(some))
    if task.key == 'relation': return dict(head=draw(some), relation=l, tail=draw(some))
    roles = draw(st.lists(st.sampled_from(parts[l]), max_size=4))
    return dict(event_type=l, event_trigger=draw(st.one_of(some, st.just(''))), arguments=[dict(role=r, argument=draw(some)) for r in roles])


def asked_gold(task, schema, record, questions):
    "The annotated items that the questions could bring, each with its arguments as a set."
    gold = task.gold(record, schema)
    return Counter(norm(task, (q.label, *o)) for q in questions for o in task.asked(q, gold.get(q.label, [])))


def norm(task, item):
    "Arguments have no order; an SPO answer names the predicate alone."
    if task.metrics != ('',): return item[0], item[1], frozenset(item[2])
    return item


def answered(task, rows):
    got, questions = Counter(), []
    for r in rows:
        _, batch, _ = read_instruction(r['instruction'], task)
        questions += batch
        key = {task.answer_key(q): q.label for q in batch}
        assert len(key) == len(batch) > 0
        answer = json.loads(r['output'])
        assert list(answer) == [task.answer_key(q) for q in batch]
        got.update(norm(task, (key[l], *rest)) for l, *rest in task.parse(answer, pytest.fail))
    return got, questions


@settings(max_examples=400)
@given(case(), st.sampled_from([1, .5, 0, -1]), st.integers(-1, 7).filter(bool), st.booleans(), st.booleans())
def test_round_trip(c, p, k, shuffled, hard):
    "What a record's rows answer, parsed back, is what was annotated and asked."
    task, schema, record = c
    K = HardNegatives.build(names(task, schema)) if hard else None
    rows = list(convert([record], schema, task, 'en', 'train', k, p, K, shuffled, 'made up'))
    got, questions = answered(task, rows)
    want = asked_gold(task, schema, record, questions)
    if task.name in ('EET',): want = Counter({i: n for i, n in want.items() if i[1]})
    if task.name == 'EEA': want = Counter({i: n for i, n in want.items() if i[2]})
    assert got == want
    if p == 1 and not hard and task.name != 'EEA': assert {q.label for q in questions} >= set(schema.labels)


@settings(max_examples=100)
@given(case(), st.integers(-1, 7).filter(bool))
def test_test_rows_ask_everything(c, k):
    task, schema, record = c
    rows = list(convert([record], schema, task, 'en', 'test', k, source='made up'))
    asked = [q.label for r in rows for q in read_instruction(r['instruction'], task)[1]]
    own = list(task.gold(record, schema))
    assert sorted(asked) == sorted(own if task.name == 'EEA' else schema.labels) or task.name == 'EEA' and set(asked) <= set(own)
    assert all(json.loads(r['label']) == task.annotations(record) for r in rows)


@pytest.mark.parametrize('task', ['NER', 'RE', 'EET'])
@pytest.mark.parametrize('shuffled', [False, True])
def test_all_labels_in_one_line(task, shuffled):
    "The short way gives the line of the long one: odd labels, repeats, what is not in the text, empty, or not in the schema."
    task, ls = TASKS[task], ['100%', '%s "a"', 'b\\', '%%d']
    rows = FastRows(task, task.schema(ls, ls, {l: [] for l in ls}), split_num=-1, source='x')
    keys = dict(NER=('entity', 'entity_type'), RE=('tail', 'relation'), EET=('event_trigger', 'event_type'))[task.name]
    lines = set()
    for seen in ([], ls[:1], ls[1:], ['unknown', *ls]):
        items = [{'head': 'z', **dict(zip(keys, (v, l)))} for l in seen for v in ('z', 'no%s', 'a"', '', 'z')]
        record = {'text': 'a" %s z\n', task.key: items}
        draws = [Sampler(KeyedRandom(1), random_sort=shuffled) for _ in range(2)]
        draws[1].rng.start(record['text'])
        lines.add(line := rows.in_one(draws[0])(record))
        assert line == rows.train(record, draws[1])
    assert rows.nothing and len(lines) == 4


@given(st.integers(0, 79), st.integers(1, 12))
def test_split_rule(n, k):
    sizes = [len(b) for b in split(list(range(n)), k)]
    assert all(s == k for s in sizes[:-1])
    assert n < k or max(1, k // 2) <= sizes[-1] < k + max(1, k // 2)
    assert sum(split(list(range(n)), k), []) == list(range(n))


# ---- the original's defects, by the letters of the list of defects

ner, schema3 = TASKS['NER'], Schema(['city', 'date', 'person'])
rec = {'text': 'Ines met Tove in Porto.', 'entity': [{'entity': 'Ines', 'entity_type': 'person'}, {'entity': 'Porto', 'entity_type': 'city'}]}
event = lambda t, trigger, **args: dict(event_type=t, event_trigger=trigger, arguments=[dict(role=r, argument=a) for r, vs in args.items() for a in vs])
E1 = Schema(['sale'], {'sale': ['buyer', 'seller']})
one = lambda *a, **k: list(convert(*a, **k))
out = lambda rows: [json.loads(r['output']) for r in rows]
asks = lambda rows: [json.loads(r['instruction'])['schema'] for r in rows]


def run(tmp_path, content, *args, task='NER', schema=(['city'], [], {}), name='in/x.json'):
    "Run the command on some bytes; returns (exit code, stderr is captured by capsys)."
    src = tmp_path/name
    src.parent.mkdir(parents=True, exist_ok=True)
    src.write_bytes(content if isinstance(content, bytes) else ''.join(json.dumps(r) + '\n' for r in content).encode())
    (tmp_path/'schema.json').write_text('\n'.join(map(json.dumps, schema)))
    return main(['--src_path', str(src), '--tgt_path', str(tmp_path/'out/o.json'), '--schema_path', str(tmp_path/'schema.json'), '--task', task, *args])


def rows_out(tmp_path): return [json.loads(l) for l in (tmp_path/'out/o.json').read_text(encoding='utf-8').splitlines()]


@pytest.mark.parametrize('task', TASKS)
def test_C1_annotations_are_optional_in_test(task, tmp_path, root):
    schema = [json.loads(l) for l in (root/'data'/task/'schema.json').read_text(encoding='utf-8').splitlines()]
    assert run(tmp_path, [{'text': 'nothing known'}], '--split', 'test', task=task, schema=schema) == 0
    assert all('label' not in r for r in rows_out(tmp_path))


@pytest.mark.parametrize('task', TASKS)
def test_C1_training_needs_annotations(task, tmp_path, root, capsys):
    schema = [json.loads(l) for l in (root/'data'/task/'schema.json').read_text(encoding='utf-8').splitlines()]
    key = TASKS[task].key
    assert run(tmp_path, [{'text': 'a', key: []}, {'text': 'b', key: None}], task=task, schema=schema) == 1
    assert f"x.json:2: no key '{key}'" in capsys.readouterr().err
    assert not (tmp_path/'out/o.json').exists()


def test_C2_a_missing_schema_is_an_error(tmp_path, capsys):
    assert main(['--src_path', 'x/y.json', '--schema_path', str(tmp_path/'no_such.json'), '--tgt_path', str(tmp_path/'o.json')]) == 1
    assert 'no_such.json: no such schema file' in capsys.readouterr().err


def test_C3_C4_folders(tmp_path, monkeypatch):
    "An input without a folder in its path, an output whose folder does not exist."
    (tmp_path/'set').mkdir()
    monkeypatch.chdir(tmp_path/'set')
    (tmp_path/'set/in.json').write_text(json.dumps(rec))
    (tmp_path/'set/schema.json').write_text('["city", "person"]')
    assert main(['--src_path', 'in.json', '--tgt_path', 'new/folder/out.json', '--schema_path', 'schema.json']) == 0
    assert json.loads((tmp_path/'set/new/folder/out.json').read_text().splitlines()[0])['source'] == 'set'


def test_C6_C7_C8_blank_lines_arrays_and_marks(tmp_path):
    line = json.dumps(rec).encode()
    for content in (line + b'\n\n  \n' + line, b'[' + line + b',' + line + b']', b'\xef\xbb\xbf' + line + b'\n' + line, line + b'\r\n' + line):
        assert run(tmp_path, content) == 0
        assert len(rows_out(tmp_path)) == 2


def test_C9_not_utf8(tmp_path, capsys):
    assert run(tmp_path, '{"text": "中文", "entity": []}'.encode('gb18030')) == 1
    assert 'x.json:1: not UTF-8' in capsys.readouterr().err


def test_C9_the_locale_does_not_matter(tmp_path, root):
    cmd = [sys.executable, '-m', 'iepile_nb.cli.convert', '--tgt_path', str(tmp_path/'o.json')]
    env = {**os.environ, 'LC_ALL': 'C', 'PYTHONUTF8': '0', 'PYTHONIOENCODING': 'ascii', 'PYTHONPATH': str(root)}
    assert subprocess.run(cmd, cwd=root, env=env, capture_output=True).returncode == 0


def test_broken_json_and_empty_files(tmp_path, capsys):
    line = json.dumps(rec).encode()
    assert run(tmp_path, line + b'\n' + line + b'\n{"text": ') == 1
    assert 'x.json:3: broken JSON' in capsys.readouterr().err
    assert run(tmp_path, b'') == 1
    assert 'the file is empty' in capsys.readouterr().err
    assert run(tmp_path, [{'entity': []}]) == 1
    assert "x.json:1: no key 'text'" in capsys.readouterr().err
    assert not list(tmp_path.glob('out/*')) and not list(tmp_path.glob('out/.*'))


def test_C10_cluster_mode_without_a_dictionary_builds_one(tmp_path):
    assert run(tmp_path, [rec], '--cluster_mode', schema=(['city', 'person', 'date'], [], {})) == 0


def test_C11_a_label_without_an_entry():
    assert asks(one([rec], schema3, negatives={'nothing': ['else']}, split_num=1)) != []


def test_C12_the_nested_dictionary(root):
    path = root/'data/hard_negative/hard_dict.json'
    assert read_negatives(path, 'SPO', 'SPO')['影视作品_主演_人物']
    with pytest.raises(UserError, match="no entry for task 'KG'; there is"): read_negatives(path, 'KG', 'KG')


def test_C13_hard_negatives_outside_the_schema_are_not_asked():
    rows = one([rec], schema3, negatives={'city': ['planet', 'date'], 'person': ['robot']}, split_num=4)
    assert {l for s in asks(rows) for l in s} == {'city', 'person', 'date'}


def test_C14_cluster_mode_for_every_task(tmp_path, root, capsys):
    for task in TASKS:
        data = root/'data'/task
        assert main(['--src_path', str(data/'sample.json'), '--schema_path', str(data/'schema.json'), '--task', task,
                     '--tgt_path', str(tmp_path/'o.json'), '--cluster_mode']) == 0


@pytest.mark.parametrize('p', [1, .5, 0, -1])
def test_C15_C19_every_share_for_every_task(p, root):
    for task in TASKS:
        data = root/'data'/task
        rows = one(read_records(data/'sample.json', task), read_schema(data/'schema.json', task), task, neg_schema=p)
        assert rows and all(asks([r])[0] for r in rows)


def test_C16_several_entity_types():
    kg = Schema(['person', 'city'], {'person': ['spouse', 'area'], 'city': ['river', 'area']})
    r = {'text': 'Ines of Porto by the Douro, 41 km2, married Tove.', 'relation': [
        {'head': 'Porto', 'relation': 'river', 'tail': 'Douro'}, {'head': 'Ines', 'relation': 'spouse', 'tail': 'Tove'},
        {'head': 'Porto', 'head_type': 'city', 'relation': 'area', 'tail': '41 km2'}]}
    assert out(one([r], kg, 'KG')) == [{'city': {'Porto': {'river': 'Douro', 'area': '41 km2'}}}, {'person': {'Ines': {'spouse': 'Tove'}}}]


def test_C17_C18_C20_no_row_asks_nothing():
    empty = {'text': 'nothing', 'entity': [], 'event': [], 'relation': []}
    for task, schema in dict(NER=schema3, EE=E1, EET=E1, EEA=E1, RE=schema3, KG=E1).items():
        for k in (1, 4, -1):
            assert one([empty], schema, task, neg_schema=0, split_num=k) == []
    with pytest.raises(UserError, match='split_num is 0'): one([rec], schema3, split_num=0)
    with pytest.raises(UserError, match='split_num is -2'): one([rec], schema3, split_num=-2)
    with pytest.raises(UserError, match='neg_schema is 1.5'): one([rec], schema3, neg_schema=1.5)


def test_C21_answers_follow_the_text():
    r = {'text': 'first A then B', 'entity': [{'entity': 'B', 'entity_type': 'city'}, {'entity': 'A', 'entity_type': 'city'}]}
    assert out(one([r], Schema(['city'])))[0] == {'city': ['A', 'B']}


def test_C22_several_values_follow_the_text():
    r = {'text': 'A, B and C bought', 'event': [event('sale', 'bought', buyer=['C', 'A', 'B', 'A'])]}
    assert out(one([r], E1, 'EE'))[0]['sale'][0]['arguments'] == {'buyer': ['A', 'B', 'C'], 'seller': NAN}


def test_C23_neither_hash_seed_nor_order_matter(tmp_path, root):
    "Separate processes with different hash seeds, on the file as it is and shuffled, with every kind of draw."
    src = root/'data/RE/sample.json'
    lines = src.read_text(encoding='utf-8').splitlines()
    random.Random(1).shuffle(lines)
    (tmp_path/'RE').mkdir()
    (tmp_path/'RE/shuffled.json').write_text('\n'.join(lines), encoding='utf-8')
    files = []
    for seed, path in (('1', src), ('2', src), ('3', tmp_path/'RE/shuffled.json')):
        files.append(tmp_path/f'{seed}.json')
        subprocess.run([sys.executable, '-m', 'iepile_nb.cli.convert', '--src_path', path, '--schema_path', 'data/RE/schema.json', '--task', 'RE',
                        '--tgt_path', files[-1], '--cluster_mode', '--neg_schema', '.4', '--random_sort'], cwd=root, check=True,
                       env={**os.environ, 'PYTHONHASHSEED': seed, 'PYTHONPATH': str(root)}, capture_output=True)
    a, b, c = (f.read_text(encoding='utf-8').splitlines() for f in files)
    assert a == b and sorted(a) == sorted(c)


def test_C24_one_predicate_never_twice_in_a_batch():
    types = [dict(subject_type=s, predicate='star', object_type='person') for s in ('film', 'play')]
    schema = TASKS['SPO'].schema(types, [], {})
    r = {'text': 'Salt with Tove', 'relation': [dict(head='Salt', head_type='film', relation='star', tail='Tove', tail_type='person')]}
    assert out(one([r], schema, 'SPO')) == [{'star': [{'subject': 'Salt', 'object': 'Tove'}]}, {'star': []}]


def test_C25_joined_labels(tmp_path):
    assert split_spo('a_b_c') == ('a', 'b', 'c') and split_spo('a_b_c_d') == ('a', 'b_c', 'd')
    r = {'text': 'x y', 'relation': [dict(head='x', head_type='ORG_CO', relation='owns', tail='y', tail_type='ORG')]}
    schema = TASKS['SPO'].schema(['ORG_CO_owns_ORG'], [], {}, spo_triples([r]))
    assert schema.parts == {'ORG_CO_owns_ORG': ['ORG_CO', 'owns', 'ORG']}
    with pytest.raises(UserError, match='should look like'): split_spo('owner')
    assert run(tmp_path, [r], task='SPO', schema=(['ORG_CO_owns_ORG'], [], {})) == 0
    assert asks(rows_out(tmp_path))[0][0]['subject_type'] == 'ORG_CO'


def test_C26_triggers_are_all_named():
    r = {'text': 'a b c', 'event': [event('cut', t, who=['x']) for t in 'abc']}
    row, = one([r], Schema(['cut'], {'cut': ['who']}), 'EEA')
    assert asks([row])[0][0]['trigger'] == ['a', 'b', 'c'] and len(out([row])[0]['cut']) == 3
    test, = one([r], Schema(['cut'], {'cut': ['who']}), 'EEA', split='test')
    assert 'trigger' not in asks([test])[0][0]
    test, = one([r], Schema(['cut'], {'cut': ['who']}), 'EEA', split='test', eea_triggers=True)
    assert asks([test])[0][0]['trigger'] == ['a', 'b', 'c']


def test_C27_events_without_trigger_or_arguments():
    r = {'text': 'x', 'event': [{'event_type': 'sale', 'event_trigger': 'x'}, {'event_type': 'sale', 'arguments': [{'role': 'buyer', 'argument': 'x'}]}]}
    assert out(one([r], E1, 'EE'))[0]['sale'] == [{'trigger': 'x', 'arguments': {}}, {'trigger': NAN, 'arguments': {'buyer': 'x', 'seller': NAN}}]
    assert out(one([r], E1, 'EET'))[0] == {'sale': ['x']}
    assert out(one([r], E1, 'EEA'))[0] == {'sale': [{'buyer': 'x', 'seller': NAN}]}


def test_C29_labels_outside_the_schema_stay():
    r = {'text': 'x', 'entity': [{'entity': 'x', 'entity_type': 'comet'}]}
    assert 'comet' in asks(one([r], schema3))[0]


def test_C31_short_schema_files(tmp_path, capsys):
    assert run(tmp_path, [rec], schema=(['city'],)) == 0
    assert run(tmp_path, [rec], task='NER', schema=([], ['city'], {})) == 1
    assert 'no labels for task NER; it reads the list on line 1' in capsys.readouterr().err


def test_C34_relations_are_answered_as_subject_and_object():
    r = {'text': 'x y', 'relation': [dict(head='x', relation='owns', tail='y')]}
    assert out(one([r], Schema(['owns']), 'RE'))[0] == {'owns': [{'subject': 'x', 'object': 'y'}]}


# ---- the draws

def test_cluster_rule(root):
    "Pos + K[Pos] + exactly min(split_num, rest) others; without positives max(1, Binomial(L, 1/2)) labels."
    data = root/'data/RE'
    schema, K = read_schema(data/'schema.json', 'RE'), read_negatives(root/'data/hard_negative/hard_dict.json', 'RE', 'RE')
    for r in read_records(data/'sample.json', 'RE'):
        own = list(TASKS["RE"].gold(r))
        asked = Sampler(KeyedRandom(42, r['text']), negatives=K, split_num=2).labels(schema.labels, own)
        must = set(own) | set(K.of(own))
        if own: assert must <= set(asked) and len(asked) == len(must) + min(2, len(schema.labels) - len(must))
        else: assert 1 <= len(asked) <= len(schema.labels)


def test_share_rule():
    every = [f'l{i:02}' for i in range(40)]
    sizes = [len(Sampler(KeyedRandom(i), .3).labels(every, ['l00'])) for i in range(300)]
    assert 11.5 < sum(sizes) / len(sizes) - 1 < 12.5 and len(set(sizes)) > 10
    assert all(Sampler(KeyedRandom(i), .3).labels(every, ['l00'])[0] == 'l00' for i in range(20))
    assert all(Sampler(KeyedRandom(i), .001).labels(every, []) for i in range(20))


def test_shuffled_labels_differ_by_record():
    orders = {tuple(Sampler(KeyedRandom(1, str(i)), random_sort=True).labels(list('abcdef'), [])) for i in range(20)}
    assert len(orders) > 10


# ---- all real datasets

def test_all_shared_folders_convert(shared, tmp_path):
    n = 0
    for folder in sorted((shared/'data').rglob('schema.json')):
        folder = folder.parent
        task = folder.name if folder.name in TASKS else next(t for t in ('NER', 'RE', 'EE') if has_key(folder, TASKS[t].key))
        for path in sorted(folder.glob('*.json')):
            if path.name in ('schema.json', 'hard_negative.json') or 'instruction' in path.read_text(encoding='utf-8')[:300]: continue
            for split_name in ('train', 'test'):
                rows = convert(read_records(path, task, limit=50), read_schema(folder/'schema.json', task), task, 'en', split_name)
                assert sum(1 for _ in rows) > 0
                n += 1
    assert n > 30


def has_key(folder, key):
    path = next(p for p in folder.glob('t*.json'))
    return key in json.loads(path.open(encoding='utf-8').readline())


def test_C16_what_is_doubtful_is_counted_and_said(tmp_path, caplog):
    kg = ([], ['area'], {'person': ['area'], 'city': ['area']})
    r = {'text': 'Porto, 41 km2', 'relation': [{'head': 'Porto', 'relation': 'area', 'tail': '41 km2'}]}
    with caplog.at_level('WARNING', 'iepile_nb'): assert run(tmp_path, [r, r], task='KG', schema=kg) == 0
    assert "2 times: the entity type of a head cannot be told from its attribute; it is taken for 'person'" in caplog.text
    nan = {'text': 'x', 'event': [event('sale', NAN, buyer=['x'])]}
    with caplog.at_level('WARNING', 'iepile_nb'): assert run(tmp_path, [nan], task='EE', schema=(['sale'], [], {'sale': ['buyer']})) == 0
    assert "1 times: 'NAN' is annotated" in caplog.text


STRANGE = "1 of 2 records have labels that the schema lacks, such as 'person'"

@pytest.mark.parametrize('args', [(), ('--split_num', '1'), ('--neg_schema', '.5'), ('--split', 'test'), ('--workers', '2'), ('--pure_negative_ratio', '1')])
def test_labels_that_the_schema_lacks_are_told_once(tmp_path, caplog, args):
    records = [rec, {'text': 'x', 'entity': rec['entity'][1:]}]
    with caplog.at_level('WARNING', 'iepile_nb'): assert run(tmp_path, records, *args, schema=(['city', 'date'], [], {})) == 0
    assert caplog.text.count('schema lacks') == 1 and STRANGE in caplog.text
    caplog.clear()
    assert run(tmp_path, records, *args, schema=(['city', 'person'], [], {})) == 0 and not caplog.text


@pytest.mark.parametrize('task', TASKS)
def test_a_schema_of_another_dataset(tmp_path, root, caplog, task):
    args = ['--src_path', str(root/'data'/task/'sample.json'), '--task', task, '--tgt_path', str(tmp_path/'o.json'), '--split', 'test', '--schema_path']
    assert main([*args, str(root/'data'/task/'schema.json')]) == 0 and 'schema lacks' not in caplog.text
    parts = {'x': ['y']}
    (tmp_path/'s.json').write_text(json.dumps(['x_y_z']) + '\n' + json.dumps(['y']) + '\n' + json.dumps(parts))
    with caplog.at_level('WARNING', 'iepile_nb'): assert main([*args, str(tmp_path/'s.json')]) == 0
    assert ('cannot be told' if task == 'KG' else 'schema lacks') in caplog.text


@pytest.mark.parametrize('args', [('--limit', '0'), ('--limit', '-1'), ('--limit', 'x')])
def test_limits_below_one(tmp_path, args):
    with pytest.raises(SystemExit) as e: run(tmp_path, [rec], *args)
    assert e.value.code == 2


@pytest.mark.parametrize('ratio', ['nan', 'inf', '-1'])
def test_ratios_that_are_none(tmp_path, ratio, capsys):
    assert run(tmp_path, [rec], f'--pure_negative_ratio={ratio}') == 1
    assert f'--pure_negative_ratio is {float(ratio)}; it must be 0 or more' in capsys.readouterr().err


def test_hard_negatives_that_are_of_no_use(tmp_path, caplog):
    schema = ['city', 'person'], [], {}
    with caplog.at_level('WARNING', 'iepile_nb'): assert run(tmp_path, [rec], '--hard_negative_path', 'no_such.json', schema=schema) == 0
    assert '--hard_negative_path has no effect without --cluster_mode' in caplog.text
    for known, told in (('planet', 1), ('city', 0)):
        caplog.clear()
        (tmp_path/'k.json').write_text(json.dumps({known: ['person']}))
        with caplog.at_level('WARNING', 'iepile_nb'): run(tmp_path, [rec], '--cluster_mode', '--hard_negative_path', str(tmp_path/'k.json'), schema=schema)
        assert caplog.text.count("has none of the schema's labels") == told


def test_what_is_read_is_not_written_over(tmp_path, capsys):
    assert run(tmp_path, [rec]) == 0
    src, schema = tmp_path/'in/x.json', tmp_path/'schema.json'
    before = src.read_bytes(), schema.read_bytes()
    for tgt in (src, schema):
        assert main(['--src_path', str(src), '--schema_path', str(schema), '--tgt_path', str(tgt)]) == 1
        assert f'error: {tgt}: ' in capsys.readouterr().err
    src.rename(tmp_path/'in/train.json')
    with pytest.raises(UserError, match='dataset 1: .*train.json: '):
        mix({'datasets': [dict(src_path=tmp_path/'in/train.json', schema_path=schema, task='NER')]}, tmp_path/'in')
    assert ((tmp_path/'in/train.json').read_bytes(), schema.read_bytes()) == before


# ---- recipes

@pytest.mark.parametrize('more, problem', [
    ({'dev_share': 1}, "'dev_share' is 1; it should be 0 or more, and below 1"), ({'dev_share': float('nan')}, "'dev_share' is nan"), ({'dev_share': -.1}, "'dev_share' is -0.1")])
def test_recipes_with_odd_numbers(tmp_path, more, problem):
    (tmp_path/'r.yaml').write_text(json.dumps({'datasets': [{}], **more}).replace('NaN', '.nan'))
    with pytest.raises(UserError, match=problem): read_recipe(tmp_path/'r.yaml')


@pytest.mark.parametrize('more, problem', [
    ({'help': True}, "dataset 2: 'help' is no key of a dataset"), ({'h': True}, "'h' is no key"), ({'lang': 'en'}, "dataset 2: 'lang' is no key"),
    ({'weight': float('inf')}, "dataset 2: 'weight' should be"), ({'weight': float('nan')}, "'weight' should be"), ({'limit': -1}, 'dataset 2: argument --limit'),
    ({'neg_schema': 3}, 'dataset 2: neg_schema is 3'), ({'schema_path': 'no_such.json'}, 'dataset 2: no_such.json: no such schema'),
    ({'src_path': 'no_such.json'}, 'dataset 2: no_such.json: '), ({'src_path': 'blank.json'}, 'dataset 2: blank.json: no records in it')])
def test_what_is_wrong_with_a_dataset_of_a_recipe(tmp_path, monkeypatch, more, problem):
    assert run(tmp_path, [rec]) == 0
    monkeypatch.chdir(tmp_path)
    Path('blank.json').write_text('\n \n')
    good = dict(src_path='in/x.json', schema_path='schema.json', task='NER')
    with pytest.raises(UserError, match=f'^r.yaml: {problem if problem.startswith("dataset") else "dataset 2: " + problem}'):
        mix({'datasets': [good, good | more]}, 'mixed', 'r.yaml')
    assert not list(Path('.').glob('mixed/*'))


def test_a_recipe_without_a_row(tmp_path, caplog):
    assert run(tmp_path, [rec] * 5) == 0
    sets = dict(src_path=str(tmp_path/'in/x.json'), schema_path=str(tmp_path/'schema.json'), task='NER')
    with pytest.raises(UserError, match='r: there is no row to train on'): mix({'datasets': [sets | {'weight': 0}]}, tmp_path/'m', 'r')
    assert not list(tmp_path.glob('m/*'))
    caplog.clear()
    with caplog.at_level('WARNING', 'iepile_nb'): assert mix({'datasets': [sets], 'dev_share': 0}, tmp_path/'m')[0]['train'] == 5
    assert "5 of 5 records have labels that the schema lacks, such as 'person'" in caplog.text


# ---- several processes

def big(tmp_path, n=3000):
    "Records enough for many blocks, with a blank line among them."
    lines = [json.dumps({'text': f'{i} Ines met Tove in Porto. ' * 8, 'entity': [{'entity': 'Ines', 'entity_type': 'person'}]}) for i in range(n)]
    path = tmp_path/'set/big.json'
    path.parent.mkdir()
    path.write_text('\n'.join(lines[:700] + ['', ''] + lines[700:]))
    (tmp_path/'schema.json').write_text('["city", "date", "person"]')
    return path


def command(tmp_path, src, out, *args):
    return ['--src_path', str(src), '--schema_path', str(tmp_path/'schema.json'), '--tgt_path', str(tmp_path/out), *args]


@pytest.mark.parametrize('more', [('--random_sort',), ('--split', 'test'), ('--pure_negative_ratio', '0.1', '--split_num', '1')])
def test_several_processes_write_the_same_rows(tmp_path, more, capfd):
    src = big(tmp_path)
    assert main(command(tmp_path, src, 'one.json', *more)) == 0
    assert main(command(tmp_path, src, 'three.json', '--workers', '3', *more)) == 0
    assert (tmp_path/'one.json').read_bytes() == (tmp_path/'three.json').read_bytes()
    first, second = capfd.readouterr().out.splitlines()
    assert first.split('json: ')[1] == second.split('json: ')[1]


def test_the_first_mistake_is_told_whoever_finds_it(tmp_path, capfd):
    src = big(tmp_path)
    lines = src.read_text().splitlines()
    lines[1500], lines[2500] = '{"text": "no annotation"}', '{"text": '
    src.write_text('\n'.join(lines))
    for workers in '12':
        assert main(command(tmp_path, src, 'o.json', '--workers', workers)) == 1
        assert "big.json:1501: no key 'entity'" in capfd.readouterr().err
    assert not list(tmp_path.glob('*o.json*'))


def test_no_process_is_no_way_to_convert(tmp_path, capsys):
    assert run(tmp_path, [rec], '--workers', '0') == 1
    assert '--workers is 0' in capsys.readouterr().err


def descendants(pid):
    "Processes started by a process, that are alive."
    kids = []
    for p in Path('/proc').glob('[0-9]*/stat'):
        try: fields = p.read_text().rpartition(')')[2].split()
        except OSError: continue
        if int(fields[1]) == pid and fields[0] != 'Z': kids.append(int(p.parent.name))
    return kids


@pytest.mark.skipif(not Path('/proc/self/stat').exists(), reason='looks at processes in /proc')
def test_a_kill_leaves_no_half_file_and_no_process(tmp_path, root):
    "kill -9 in the middle of a conversion by two processes; the next one cleans up."
    src = big(tmp_path, 40_000)
    (tmp_path/'out.json').write_text('whole\n')
    cmd = [sys.executable, '-m', 'iepile_nb.cli.convert', *command(tmp_path, src, 'out.json', '--workers', '2', '--split_num', '1')]
    p = subprocess.Popen(cmd, cwd=root, stdout=subprocess.DEVNULL)
    while not any(f.stat().st_size > 100_000 for f in tmp_path.glob('.out*')): time.sleep(.02)
    workers = descendants(p.pid)
    p.kill()
    p.wait()
    assert len(workers) == 2 and (tmp_path/'out.json').read_text() == 'whole\n'
    for _ in range(500):
        if not any(Path(f'/proc/{w}').exists() for w in workers): break
        time.sleep(.02)
    assert not any(Path(f'/proc/{w}').exists() for w in workers)
    for f in tmp_path.glob('.out*'): os.utime(f, (0, 0))
    assert main(command(tmp_path, src, 'out.json', '--limit', '3')) == 0
    assert not list(tmp_path.glob('.out*')) and len((tmp_path/'out.json').read_text().splitlines()) == 3
