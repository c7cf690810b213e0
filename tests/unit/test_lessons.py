"What every lesson has besides its code: goals, words, exercises whose answers run, summary, links, figures."
import re
from functools import cache

import layout
import pytest
from conftest import ROOT

from iepile_nb.records import IMPORTERS # with all of them

LESSONS = [b for b in layout.notebooks() if b.is_lesson and re.match(r'\d\d_', b.path.name)]
NAMES = ['index.ipynb', *(b.path.name for b in LESSONS)]
ANSWER = r'<details><summary>Answer</summary>\n\n(.*?)\n\n</details>'


@cache
def glossary():
    "The words of each lesson, by its number, with their headings."
    text, res, heading = '\n'.join(layout.Notebook(ROOT/'nbs/glossary.ipynb').prose), {}, ''
    for line in text.split('\n'):
        if line.startswith('## '): heading = line[3:].replace(' ', '-')
        elif m := re.match(r'\* \*\*(.+?)\*\* \(\[(\d\d)\]', line):
            res.setdefault(m[2], []).append((m[1], heading))
    return res


@pytest.mark.parametrize('lesson', LESSONS, ids=str)
def test_a_lesson_is_a_lesson(lesson):
    opening, (exercises, summary) = lesson.prose[1], lesson.prose[-2:]
    assert len(re.findall(r'^[123]\. ', opening, re.M)) == 3
    for what in ('**Builds on**', '**Takes**', "**In the paper and in IEPile's README**"):
        assert what in opening
    questions = re.findall(r'^\*\*\d\. .*', exercises, re.M)
    assert exercises.startswith('## Exercises') and 2 <= len(questions) <= 3
    assert exercises.count('**What would happen if**') == 1
    assert len(re.findall(ANSWER, exercises, re.S)) == len(questions) + 1
    assert summary.startswith('## Summary') and summary.count('\n* ') >= 3
    place = NAMES.index(lesson.path.name)
    for neighbour in (NAMES[place - 1], *NAMES[place + 1:place + 2]): assert f'](./{neighbour})' in summary


@pytest.mark.parametrize('lesson', LESSONS, ids=str)
def test_the_answers_of_a_lesson_run(lesson, monkeypatch):
    "Each answer is a program that checks itself; later ones may use what earlier ones made."
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr('iepile_nb.lib.formats.IMPORTERS', dict(IMPORTERS)) # a lesson adds one
    names = {}
    for answer in re.findall(ANSWER, lesson.prose[-2], re.S):
        if not (code := re.search(r'```python\n(.*?)\n```', answer, re.S)): continue
        assert 'assert ' in code[1] and all(len(line) <= 110 for line in code[1].split('\n'))
        exec(compile(code[1], str(lesson), 'exec'), names)
    assert names


@pytest.mark.parametrize('lesson', LESSONS, ids=str)
def test_new_words_are_in_the_glossary(lesson):
    found = re.findall(r'\[([^\]]+)\]\(\./glossary\.ipynb#([^)]+)\)', lesson.prose[1])
    assert found == glossary().get(lesson.path.name[:2], [])


def test_links_and_figures_lead_somewhere():
    for b in [*layout.notebooks(), layout.Notebook(ROOT/'nbs/glossary.ipynb')]:
        for target in re.findall(r'\]\(((?:\.|images|lib/|cli/)[^)#]*)', '\n'.join(b.prose)):
            assert (b.path.parent/target).exists(), f'{b}: {target}'
        for alt, path in re.findall(r'!\[(.*?)\]\((.*?)\)', '\n'.join(b.prose)):
            assert len(alt) > 40, f'{b}: {path} needs a text for who cannot see it'


def test_figures_are_as_drawn():
    import figures
    for figure in figures.FIGURES:
        assert (ROOT/f'nbs/images/{figure.__name__}.svg').read_text(encoding='utf-8') == figure().svg()
