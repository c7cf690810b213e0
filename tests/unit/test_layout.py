"The house: its rules, the notebooks' first cells, and what must stay importable."
import ast
import importlib
import re
import subprocess
import sys

import layout
import pytest
from conftest import ROOT
from dress import dressed, is_lesson, notebooks

# what README, lessons and earlier versions import from the modules that bear the lessons' names
PUBLIC = {
    'core':
        'UserError atomic_write check_apart environment log progress read_jsonl record_rng '
        'text_id write_jsonl',
    'tasks':
        'AskAll NAN Question SENTENCES Schema Span TASKS encode find_spans get_task highlight '
        'instruction output parse_answer read_instruction split split_spo',
    'data':
        'Report Table check_record corpus gather infer_schema leak leak_counts mended_record '
        'numbered_records read_records read_schema spo_triples stats',
    'negatives':
        'HardNegatives METHODS Sampler centre confusions names occurrence read_negatives '
        'similarity topics',
    'convert':
        'convert row_counts row_maker LANGUAGES',
    'prompt':
        'TEMPLATES collate encode_prompt encode_row get_template shorten_text',
    'model':
        'CONTRACT PeakMemory adapter_folders add_lora answer_loss check_adapter check_family '
        'choose_template fast_dtypes find_model linear_names load_adapters load_base '
        'load_model make_contract merged packs_exactly pick_dtype plan preset push '
        'quantization read_contract save_merged seq2seq_answers tiny_path use_preset',
    'infer':
        'Extractor generate predict read_rows',
    'evaluate':
        'CHECKS Counts compare_results evaluate macro orders read_row reordered resampled why',
    'train':
        'BatchOrder encode_rows main make_trainer settings spawn train training_arguments',
    'report':
        'Browser browser_data demo_report example_html f1_rows f1_table html_report '
        'load_zero_shot plot_losses report',
    'course':
        'DEMO_TASKS DEMO_TRAINING Job LANGUAGES read_job side_by_side test_rows train_rows',
    'tiny':
        'dataset domain_names domain_schema is_train_value make_demo other_names '
        'renamed_record renamed_schema ship',
}


def test_the_rules_of_the_house(): assert not layout.problems()


LESSONS = [b for b in layout.notebooks() if b.is_lesson and b.module not in layout.FACADES]

@pytest.mark.parametrize('lesson', LESSONS, ids=str)
def test_a_lesson_shows_and_tells(lesson):
    exported, _, longest, values, prose = layout.measures(lesson)
    assert exported <= 300 and longest <= 60 and values >= 45 and prose >= 3


@pytest.mark.parametrize('module', PUBLIC)
def test_what_must_stay_importable(module):
    found = importlib.import_module(f'iepile_nb.{module}')
    assert [n for n in PUBLIC[module].split() if not hasattr(found, n)] == []


def test_a_circle_and_a_late_import_are_seen():
    "The check itself works: a circle through an import in a function, and the names it may not import."
    tree = ast.parse('def f():\n    from .b import _x\n    from iepile_nb.lib.io import log')
    assert list(layout.imports(tree, 'a')) == [('b', ['_x']), ('lib.io', ['log'])]
    assert layout.circles({'a': {'b'}, 'b': {'a'}, 'c': {'a'}}) == {frozenset('ab')}
    assert list(layout.outside(ast.parse('import torch\ndef f(): import peft'))) == ['torch']


@pytest.mark.parametrize('path', notebooks(), ids=lambda p: str(p.relative_to(ROOT/'nbs')))
def test_a_notebook_opens_like_all_others(path):
    cells = layout.json.loads(path.read_text(encoding='utf-8'))['cells']
    assert path.read_text(encoding='utf-8') == dressed(path), 'run `make export`'
    assert re.match(r'# [^\n]+\n\n> [^\n]+', ''.join(cells[0]['source']))
    assert not any(o['output_type'] == 'error' for c in cells for o in c.get('outputs', []))
    if is_lesson(path): assert 'Open in Colab' in ''.join(cells[0]['source'])


def test_light_modules_stay_light():
    code = ('import sys, iepile_nb.cli.convert, iepile_nb.cli.eval\n'
            'assert not {"torch", "transformers", "matplotlib", "datasets"} & sys.modules.keys()')
    subprocess.run([sys.executable, '-c', code], cwd=ROOT, check=True)


def test_tests_are_short():
    "No file of tests over 400 lines, no line over 110 characters, none that imports another."
    for f in ROOT.glob('tests/**/*.py'):
        lines = f.read_text(encoding='utf-8').split('\n')
        assert len(lines) <= 401, f.name
        assert [(f.name, i) for i, l in enumerate(lines, 1) if len(l) > 110] == []
        assert not [l for l in lines if re.match(r'\s*(from|import) test_', l)], f.name


def test_no_traces():
    "No machine paths, and nothing that runs text as code."
    for f in [*ROOT.glob('iepile_nb/**/*.py'), *notebooks(), *ROOT.glob('tools/*.py'), ROOT/'README.md']:
        text = f.read_text(encoding='utf-8')
        assert not re.search(r'/(root|home|work|tmp)/[a-z]', text), f.name
        if f.suffix == '.py' and 'iepile_nb' in f.parts:
            assert not re.search(r'(?<![.\w])(?<!def )(eval|exec)\(|pickle\.load', text), f.name
