"A training set with fewer pure negatives, and one that a recipe mixes of several datasets."
import json

import pytest
from helpers.data_files import rows, save
from iepile_nb.cli.convert import main as convert
from iepile_nb.cli.data import main as data
from iepile_nb.convert import row_counts


@pytest.fixture
def converted(root, tmp_path):
    "Convert relation records with more options; the rows."
    def run(records, *more):
        src, out = save(tmp_path/'d.json', *records), tmp_path/'o.json'
        assert convert(['--task', 'RE', '--source', 's', '--src_path', str(src), '--tgt_path', str(out),
                        '--schema_path', str(root/'data/RE/schema.json'), *more]) == 0
        return rows(out)
    return run


@pytest.mark.parametrize('ratio', [0, .5, 1, 2, 100])
def test_pure_negative_ratio(root, converted, ratio):
    records = rows(root/'data/RE/sample.json')
    every, few = converted(records), converted(records, '--pure_negative_ratio', str(ratio))
    answers = [r for r in every if any(json.loads(r['output']).values())]
    c = row_counts(few)
    assert c['rows'] - c['pure negatives'] == len(answers)
    assert c['pure negatives'] == min(int(ratio * len(answers)), len(every) - len(answers))
    assert [r for r in every if r in few] == few
    backwards = converted(records[::-1], '--pure_negative_ratio', str(ratio))
    assert sorted(map(str, backwards)) == sorted(map(str, few))


SETS = [('CrossNER_AI', 'NER', 'en', 1), ('CrossNER_science', 'NER', 'en', .5),
        ('SciERC_pairs', 'RE', 'en', 1), ('PHEE', 'EE', 'en', 2), ('FewFC', 'EE', 'zh', 1)]


def recipe_entry(folder, name, task, language, weight):
    paths = f'src_path: {folder}/{name}/train.json, schema_path: {folder}/{name}/schema.json'
    return (f'  - {{{paths}, task: {task}, language: {language}, weight: {weight}, '
            'limit: 60, pure_negative_ratio: 2}')


def test_recipe_of_real_datasets(shared, tmp_path, capsys):
    "Five published datasets, one training set: every row of a text in one part, counts and hashes beside it."
    entries = [recipe_entry(shared/'data', *s) for s in SETS]
    recipe = save(tmp_path/'r.yaml', 'seed: 7', 'dev_share: 0.2', 'datasets:', *entries)
    assert data(['recipe', '--src_path', str(recipe), '--tgt_path', str(tmp_path/'a')]) == 0
    assert 'CrossNER_AI' in capsys.readouterr().out
    train, dev = rows(tmp_path/'a/train.json'), rows(tmp_path/'a/dev.json')
    manifest = json.loads((tmp_path/'a/manifest.json').read_text())
    counts = [sum(c[part] for c in manifest['counts']) for part in ('train', 'dev')]
    assert [len(train), len(dev)] == counts and len(manifest['sha256']) == 10
    assert manifest['recipe']['seed'] == 7 and 'python' in manifest['versions']
    text = lambda r: json.loads(r['instruction'])['input']
    assert {r['source'] for r in train} == {s[0] for s in SETS}
    assert not {*map(text, train)} & {*map(text, dev)}
    assert [r['source'] for r in train] != sorted(r['source'] for r in train)
    assert data(['recipe', '--src_path', str(recipe), '--tgt_path', str(tmp_path/'b')]) == 0
    assert (tmp_path/'a/train.json').read_bytes() == (tmp_path/'b/train.json').read_bytes()


@pytest.mark.parametrize('text, problem', [
    ('datasets: [', 'broken YAML'), ('- 1', "a list 'datasets'"), ('datasets: []', "a list 'datasets'"),
    ('color: 1\ndatasets: [{}]', "'color' is no key"), ('datasets: [{}]', "dataset 1: no 'src_path'"),
    ('seed: x\ndatasets: [{}]', "'seed' should be a number"),
    ('datasets: [{src_path: a, schema_path: b, task: NER, weight: x}]', "'weight' should be a number"),
    ('datasets: [{src_path: a, schema_path: b, task: XYZ}]', 'XYZ'),
    ('datasets: [{src_path: a, schema_path: b, task: NER}]', 'no such schema file'),
    ('datasets: [{src_path: a, schema_path: b, task: NER, split: test}]', 'a recipe makes training rows'),
    ('datasets: [{src_path: a, schema_path: b, task: NER, tgt_path: c}]', "is for the whole recipe")])
def test_recipes_that_are_wrong(tmp_path, capsys, text, problem):
    recipe = save(tmp_path/'r.yaml', text)
    assert data(['recipe', '--src_path', str(recipe), '--tgt_path', str(tmp_path/'a')]) == 1
    err = capsys.readouterr().err
    assert problem in err and err.count('\n') == 1 and not (tmp_path/'a').exists()
