"""The rules of the house, checked over the whole syntax tree; `python tools/layout.py` lists what breaks one.

`--measures` prints, for every lesson, how much is exported, how long a reader waits for a value, and how much
prose there is."""
import argparse
import ast
import json
import re
import sys
from functools import cached_property
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = 'iepile_nb'
MODULE_LINES, LESSON_CELLS, CELL_LINES, LINE_LENGTH, LESSON_EXPORTS = 400, 45, 20, 110, 300
HEAVY = {'torch', 'transformers', 'peft', 'bitsandbytes', 'accelerate', 'datasets', 'matplotlib',
         'sentence_transformers'}
APPENDIX = {'A1': 24, 'A2': 25, 'A3': 26, 'A4': 27}
HEAVY_NUMBERS = {*range(8, 16), *range(21, 24), 25}
HEAVY_COMMANDS = {'cli.tiny'}
FACADES = {'core', 'model'}   # they define nothing; nothing in the package imports them
STUBS = {('train', 'cli.train')} # `torchrun -m iepile_nb.train`
PAGES = {'index.ipynb', 'glossary.ipynb'} # prose that leads to the lessons
SILENT = 'print', 'test_eq', 'test_fail', 'test_close' # calls that show no value


class Notebook:
    "A notebook with the module that it exports."
    def __init__(self, path):
        self.path, self.shelf = path, path.parent.name
        self.cells = json.loads(path.read_text(encoding='utf-8'))['cells']

    def __str__(self): return str(self.path.relative_to(ROOT/'nbs'))

    @cached_property
    def codes(self): return [''.join(c['source']) for c in self.cells if c['cell_type'] == 'code']

    @cached_property
    def prose(self): return [''.join(c['source']) for c in self.cells if c['cell_type'] == 'markdown']

    @cached_property
    def module(self):
        found = [m for s in self.codes if (m := re.match(r'#\| default_exp (\S+)', s))]
        return found[0][1] if found else None

    @cached_property
    def number(self):
        "Of the lesson, or of the lesson that a lib notebook serves; commands come last."
        if self.shelf == 'cli': return 99
        if self.shelf == 'lib': name = re.search(r'\(lesson (\w\d)\)', self.prose[0])
        else: name = re.match(r'(\w\d)_', self.path.name)
        if not name: return None
        return APPENDIX.get(name[1]) or int(name[1])

    @cached_property
    def lines(self):
        path = ROOT/PACKAGE/f'{self.module.replace(".", "/")}.py'
        return path.read_text(encoding='utf-8').split('\n')

    @cached_property
    def tree(self): return ast.parse('\n'.join(self.lines))

    @property
    def is_lesson(self): return self.shelf == 'nbs'


def notebooks():
    "All notebooks that define or show something: lessons, lib, cli."
    paths = [p for folder in ('', 'lib', 'cli') for p in sorted((ROOT/'nbs'/folder).glob('*.ipynb'))]
    return [Notebook(p) for p in paths if p.name not in PAGES]


def is_exported(code): return code.lstrip().startswith('#| export')


def is_hidden(code): return code.startswith(('#| hide', '#| default_exp'))


def parsed(code):
    "The syntax tree of a cell, lines of magic passed over."
    lines = ['pass' if re.match(r'\s*[%!]', l) else l for l in code.split('\n')]
    try: return ast.parse('\n'.join(lines))
    except SyntaxError: return ast.parse('')


def imports(tree, module=''):
    "(module of the package, names) of every import, those inside functions too."
    home = module.split('.')[:-1]
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom): continue
        name, names = node.module or '', [a.name for a in node.names]
        above = home[:len(home) - node.level + 1]
        if node.level: yield '.'.join([*above, *filter(None, [name])]), names
        elif name.startswith(PACKAGE + '.'): yield name.removeprefix(PACKAGE + '.'), names


def top_level(tree):
    "The statements that run when a module is imported."
    todo = list(tree.body)
    while todo:
        node = todo.pop()
        yield node
        if isinstance(node, (ast.If, ast.Try, ast.With)):
            todo += [n for n in ast.iter_child_nodes(node) if isinstance(n, ast.stmt)]


def outside(tree):
    "The packages from elsewhere that are imported at import time."
    for node in top_level(tree):
        if isinstance(node, ast.Import): yield from (a.name.partition('.')[0] for a in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level: yield (node.module or '').partition('.')[0]


def definitions(tree):
    "Names that a module defines at its top, with their nodes; methods that are patched in are none."
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            if not any(ast.unparse(d).startswith('patch') for d in node.decorator_list): yield node.name, node
        elif isinstance(node, ast.Assign):
            names = [n for t in node.targets for n in ast.walk(t) if isinstance(n, ast.Name)]
            yield from ((n.id, node) for n in names if isinstance(n.ctx, ast.Store))


def circles(graph):
    "Groups of modules that import one another."
    def reach(start):
        seen, todo = set(), [start]
        while todo:
            for m in graph.get(todo.pop(), ()):
                if m not in seen: seen.add(m); todo.append(m)
        return seen
    reached = {m: reach(m) for m in graph}
    return {frozenset(x for x in reached[m] if m in reached.get(x, ())) for m in graph if m in reached[m]}


def check_import(b, m, names, by_module):
    "One import of a notebook's module."
    if m not in by_module:
        yield f'{b}: imports {m}, which no notebook exports'
        return
    other, said = by_module[m], ', '.join(names)
    if other.shelf == 'cli' and b.shelf != 'cli': yield f'{b}: imports the command {m}'
    elif (other.number or 0) > (b.number or 0): yield f'{b}: imports {m} of a later lesson ({said})'
    if m in FACADES: yield f'{b}: imports {m}; import from where the names are defined'
    private = [n for n in names if n.startswith('_')]
    if private: yield f'{b}: imports private names from {m}: {", ".join(private)}'


def check_order(books):
    "Only from smaller numbers, never a command, a facade, a circle, or private names of another."
    by_module, graph = {b.module: b for b in books if b.module}, {}
    for b in books:
        where = 'title, such as "(lesson 07)"' if b.shelf == 'lib' else 'name'
        if b.number is None: yield f'{b}: no number in its {where}'
    for b in by_module.values():
        used = [(m, names) for m, names in imports(b.tree, b.module) if (b.module, m) not in STUBS]
        graph[b.module] = {m for m, _ in used}
        for m, names in used: yield from check_import(b, m, names, by_module)
    for c in circles(graph): yield 'circle: ' + ', '.join(sorted(c))
    for b in (b for b in books if b.is_lesson and b.number): # the tour (0) shows all of it
        for m, names in chain.from_iterable(imports(parsed(c)) for c in b.codes if not is_exported(c)):
            later = m in by_module and (by_module[m].number or 0) > b.number
            if later: yield f'{b}: shows {", ".join(names)} of a later lesson ({m})'


def check_sizes(books):
    "Nothing is too long."
    for b in books:
        sizes = [('lines in its module', len(b.lines) if b.module else 0, MODULE_LINES)]
        own = [c for c in b.codes if 'IEPILE_SOURCE' not in c] # without the cells that `dress` writes
        if b.is_lesson: sizes.append(('code cells', len(own), LESSON_CELLS))
        if b.is_lesson: sizes.append(('exported lines', exported_lines(b), LESSON_EXPORTS))
        for what, n, most in sizes:
            if n > most: yield f'{b}: {n} {what}; {most} at most'
        for code in b.codes:
            lines = [l for l in code.split('\n') if l.strip() and not l.startswith('#|')]
            if len(lines) > CELL_LINES and not is_hidden(code) and not is_imports(code):
                yield f'{b}: a cell of {len(lines)} lines: {lines[0][:60]}'
            for l in lines:
                if len(l) > LINE_LENGTH and not (is_fixed_text(l) or '#@param' in l): # a form's line cannot be broken
                    yield f'{b}: a line of {len(l)} characters: {l.strip()[:60]}'


def is_imports(code):
    "Is a cell a list of imports, which names may follow that a module re-exports?"
    return all(isinstance(n, (ast.Import, ast.ImportFrom, ast.Assign)) for n in parsed(code).body)


def is_fixed_text(line):
    "Is the line one string, such as a sentence that models were trained with?"
    return bool(re.fullmatch(r'''\s*('\w+': )?f?['"].*['"][,})\]]*''', line))


def check_names(books):
    "A public name is defined once, and says what it is."
    where = {}
    for b in (b for b in books if b.module):
        for name, node in definitions(b.tree):
            if name.startswith('_') or name == 'main': continue
            if b.module in FACADES: yield f'{b}: defines {name}'
            if where.setdefault(name, b) is not b: yield f'{name} is defined in {where[name]} and {b}'
            told = not isinstance(node, (ast.FunctionDef, ast.ClassDef)) or ast.get_docstring(node)
            if not told: yield f'{b}: {name} has no docstring'


def check_heavy(books):
    "torch and its like are imported only where models are."
    by_module = {b.module: b for b in books if b.module}
    def heavy(m, seen=()):
        if m not in by_module or m in seen: return set()
        tree = by_module[m].tree
        top = ast.Module([n for n in top_level(tree) if isinstance(n, (ast.Import, ast.ImportFrom))], [])
        return set(outside(tree)) & HEAVY | {h for x, _ in imports(top, m) for h in heavy(x, (*seen, m))}
    for b in by_module.values():
        if b.number in HEAVY_NUMBERS or b.module in FACADES or b.module in HEAVY_COMMANDS: continue
        if found := heavy(b.module): yield f'{b}: importing it imports {", ".join(sorted(found))}'


CHECKS = check_order, check_sizes, check_names, check_heavy


def problems(only=()):
    "What breaks a rule, one line each."
    books = notebooks()
    found = list(dict.fromkeys(chain.from_iterable(check(books) for check in CHECKS)))
    return [p for p in found if not only or any(o in p for o in only)]


def code_lines(codes):
    return sum(bool(l.strip()) and not l.startswith('#|') for c in codes for l in c.split('\n'))


def exported_lines(b): return code_lines(filter(is_exported, b.codes))


def ends_in_value(code):
    "Does a cell show a value, or what a command prints?"
    if re.search(r'(^|\n)!(.*\\\n)*.*$', code.rstrip()): return True
    body = parsed(code).body
    last = body[-1] if body else None
    called = last.value.func if isinstance(last, ast.Expr) and isinstance(last.value, ast.Call) else None
    shows_nothing = code.rstrip().endswith(';') or getattr(called, 'id', '') in SILENT
    return isinstance(last, ast.Expr) and not shows_nothing


def measures(b):
    "Exported lines, cells, longest exported run without a value, share with one, words per code line."
    codes = [c for c in b.codes if not is_hidden(c) and (is_exported(c) or not is_imports(c))]
    run = longest = 0
    for c in codes:
        if is_exported(c): run += code_lines([c])
        elif ends_in_value(c) or 'test_fail' in c: run = 0
        longest = max(longest, run)
    words, values = sum(len(p.split()) for p in b.prose), sum(map(ends_in_value, codes))
    share, prose = 100 * values / max(1, len(codes)), words / max(1, code_lines(codes))
    return exported_lines(b), len(codes), longest, share, prose


def main():
    p = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    p.add_argument('only', nargs='*', help='show what names one of these')
    p.add_argument('--measures', action='store_true', help='a table of the lessons')
    a = p.parse_args()
    if a.measures:
        print(f'{"lesson":28}{"exported":>9}{"cells":>7}{"run":>6}{"values":>8}{"prose":>7}')
        for b in notebooks():
            if any(o in str(b) for o in a.only) or not a.only and b.is_lesson:
                e, n, run, share, prose = measures(b)
                print(f'{str(b):28}{e:9}{n:7}{run:6}{share:7.0f}%{prose:7.1f}')
        return 0
    found = problems(a.only)
    print('\n'.join(found) or 'the layout keeps its rules')
    return bool(found)


if __name__ == '__main__': sys.exit(main())
