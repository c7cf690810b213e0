"Names of the corpus, the recipe of a folder, and a sample of ready rows."
import json
import random

import pytest
from helpers.layout import write_layout

from iepile_nb.cli.data import main
from iepile_nb.lib.corpus_names import corpus_folder, corpus_folders, same_dataset
from iepile_nb.lib.io import read_jsonl, write_jsonl
from iepile_nb.lib.published import published
from iepile_nb.lib.recipe import read_recipe
from iepile_nb.negatives import read_negatives
from iepile_nb.questions import instruction
from iepile_nb.tasks import TASKS


def test_every_folder_is_a_dataset_of_the_paper():
    for f in corpus_folders():
        assert published(f.dataset, f.task), f
        assert corpus_folder(f.task, f.folder) == corpus_folder(f.task, f'IE-x/{f.task}/{f.folder}') == f


@pytest.mark.parametrize(('task', 'name', 'there'), [
    ('EE', 'FewFC', 'fewfc'), ('EEA', 'ACE2005', 'ACE05'), ('NER', 'ACE05', 'ACE2005'),
    ('NER', 'MIT Movie', 'mit-movie'), ('SPO', 'CoNLL2004', 'conll04')])
def test_the_name_in_a_dictionary(task, name, there, tmp_path):
    (tmp_path/'d.json').write_text(json.dumps({task: {there: {'a': ['b']}, 'other': {}}}))
    assert same_dataset(task, name, ['other', there]) == there
    assert dict(read_negatives(tmp_path/'d.json', task, name)) == {'a': ['b']}


def test_a_recipe_of_a_folder_can_be_mixed(tmp_path, capsys):
    write_layout(tmp_path/'IE-zh', {'IE-zh/EE/FewFC': 'EE', 'IE-zh/NER/boson': 'NER'}, ('train',))
    known = {'opening': ['closing'], 'closing': ['opening']}
    (tmp_path/'d.json').write_text(json.dumps({'EE': {'fewfc': known}}))
    args = ['recipe', '--from_folder', str(tmp_path/'IE-zh'), '--language', 'zh', '--tgt_path',
            str(tmp_path/'r.yaml')]
    assert main([*args, '--hard_negative_path', str(tmp_path/'d.json')]) == 0
    assert '2 datasets, 1 with hard negatives' in capsys.readouterr().out
    sets = read_recipe(tmp_path/'r.yaml')['datasets']
    assert [(d['source'], d.get('cluster_mode')) for d in sets] == [('FewFC', True), ('boson', None)]
    assert main(['recipe', '--src_path', str(tmp_path/'r.yaml'), '--tgt_path', str(tmp_path/'mixed')]) == 0
    assert {r['source'] for _, r in read_jsonl(tmp_path/'mixed/train.json')} == {'FewFC', 'boson'}


def some(n):
    "n rows of three sources and two languages; two of five find something."
    ner = TASKS['NER']
    return [{'task': 'NER', 'source': ('MSRA', 'ncbi', 'clue')[i % 3 if i % 7 else 0],
             'instruction': instruction(ner, 'en' if i % 2 else 'zh', [ner.question('x')], f'text {i}'),
             'output': json.dumps({'x': ['text'] * (i % 5 < 2)})} for i in range(n)]


def test_a_sample_does_not_depend_on_the_order_of_the_rows(tmp_path):
    rows = some(200)
    def sample(*options):
        write_jsonl(tmp_path/'rows.json', rows)
        args = ['rows', '--src_path', str(tmp_path/'rows.json'), '--tgt_path', str(tmp_path/'o.json')]
        assert main([*args, *options]) == 0
        return [r for _, r in read_jsonl(tmp_path/'o.json')]
    options = '--per_source', '9', '--pure_negative_ratio', '1', '--language', 'en'
    first = sample(*options)
    random.Random(1).shuffle(rows)
    key = lambda r: r['instruction']
    assert sorted(first, key=key) == sorted(sample(*options), key=key)
    assert all(sum(r['source'] == s for r in first) <= 9 for s in ('MSRA', 'ncbi', 'clue'))
    few = sample('--limit', '7')
    assert len(few) == 7 and sample('--limit', '7', '--seed', '1') != few
    assert {r['source'] for r in sample('--sources', 'NCBI-Disease,clue')} == {'ncbi', 'clue'}


def test_what_a_sample_cannot_be(tmp_path, capsys):
    write_jsonl(tmp_path/'rows.json', some(9))
    args = ['rows', '--src_path', str(tmp_path/'rows.json'), '--tgt_path', str(tmp_path/'o.json')]
    assert main([*args, '--sources', 'none']) == 1 and 'no row is of these' in capsys.readouterr().err
    assert main([*args, '--task', 'RE']) == 1 and 'rows does not use --task' in capsys.readouterr().err
