"Chinese twins in step with their originals; the first cells of lessons; the form of lesson 21."
import json
import re

import nbformat
import pytest
from dress import MORE, ROOT, dressed, first_cells, notebooks, settings
from picture import picture
from readme import PAGES, readme
from twins import MISSING, TWINS, original, plain, twin

from iepile_nb.lib.colab import COURSE_PRESETS
from iepile_nb.lib.presets import PRESETS


def cells(path, kind): return [c for c in stored(path)['cells'] if c['cell_type'] == kind]


def stored(path): return json.loads(path.read_text(encoding='utf-8'))


@pytest.mark.parametrize('path', TWINS, ids=lambda p: p.stem)
def test_a_twin_has_the_structure_of_its_original(path):
    "The same code; the same headings, code blocks, tables and pictures in each text; all translated."
    assert path.read_text(encoding='utf-8') == twin(path), 'run `make export` and commit'
    ours, theirs = cells(path, 'markdown'), cells(original(path), 'markdown')
    assert [c['id'] for c in ours] == [c['id'] for c in theirs]
    count = lambda text: [len(re.findall(p, text, re.M)) for p in (r'^#+ ', r'^\|', r'!\[', r'^\* ')]
    blocks = lambda text: re.findall(r'```\w*\n.*?```', text, re.S)
    for own, other in zip(ours, theirs):
        own, other = ''.join(own['source']), ''.join(other['source'])
        assert MISSING not in own and re.search('[一-鿿]', own), own[:80]
        assert count(own) == count(other) and blocks(own) == blocks(other), own[:80]
    code = lambda p: [t for c in cells(p, 'code') if (t := ''.join(plain(c['source'])))]
    assert code(path) == code(original(path))


@pytest.mark.parametrize('path', TWINS, ids=lambda p: p.stem)
def test_links_of_a_twin_lead_somewhere(path):
    for c in cells(path, 'markdown'):
        for target in re.findall(r'\]\((\.[^)#]*)', ''.join(c['source'])):
            assert (path.parent/target).exists() or 'pipeline.svg' in target, target
    nbformat.validate(nbformat.read(path, 4))


@pytest.mark.parametrize('name', PAGES)
def test_a_readme_is_its_notebook(name): assert (ROOT/name).read_text(encoding='utf-8') == readme(name)


def test_the_picture_is_drawn_from_the_stored_answer():
    assert (ROOT/'nbs/images/extraction.svg').read_text(encoding='utf-8') == picture()


def test_lessons_install_from_one_address_and_never_torch():
    for path in notebooks():
        sources = [source for _, source, _ in first_cells(path)]
        if len(sources) == 1: continue # not a lesson
        form, install = sources
        assert f"IEPILE_SOURCE = 'git+{settings()['git_url']}' #@param" in form
        assert form.count('IEPILE_SOURCE') == 1 and settings()['user'] not in install
        assert "'torch=='" in install and 'raise RuntimeError' in install


def test_dressing_keeps_outputs_and_tags():
    path = ROOT/'nbs/12_train.ipynb'
    assert dressed(path) == path.read_text(encoding='utf-8')
    form = [c for c in cells(path, 'code') if c['metadata'].get('tags') == ['parameters']]
    assert len(form) == 1
    report = next(c for c in cells(path, 'code') if 'machine_report' in ''.join(c['source']))
    assert 'number format' in json.dumps(report['outputs'])


def test_the_form_offers_presets_that_there_are():
    offered = re.search(r'#@param \[(.*)\]', MORE['21_course.ipynb'])[1]
    assert tuple(re.findall(r"'(.*?)'", offered)) == COURSE_PRESETS and set(COURSE_PRESETS) <= set(PRESETS)


def test_only_lessons_that_run_a_model_ask_for_a_gpu():
    asks = {p.name[:2] for p in notebooks() if stored(p)['metadata'].get('accelerator')}
    assert {'00', '11', '12', '13', '21', '22', 'A2'} <= asks and not asks & {'01', '05', '16', '20', 'A1'}
