"Settings of the static site; `tools/docs.py` writes the source that Sphinx reads and runs it."
from configparser import ConfigParser
from pathlib import Path

from docutils.nodes import SkipNode
from docutils.utils.math.latex2mathml import tex2mathml
from fastcore.docments import docments

ini = ConfigParser(delimiters=['='])
ini.read(Path(__file__).parent.parent/'settings.ini', encoding='utf-8')
cfg = ini['DEFAULT']

project, author, copyright, version = cfg['lib_name'], cfg['author'], cfg['copyright'], cfg['version']
extensions = ['myst_nb', 'sphinx.ext.autodoc']
html_theme, html_title = 'furo', cfg['title']
html_static_path, html_css_files = ['static'], ['wide.css'] # lines of code are longer than the theme expects
html_show_sourcelink = html_copy_source = smartquotes = False # a quote in an answer, and -- of a flag, stay
nb_execution_mode, nb_ipywidgets_js = 'off', {} # stored outputs; a widget is seen as its static fallback
nb_mime_priority_overrides = [('html', kind, order) for order, kind in enumerate(
    ('text/html', 'image/svg+xml', 'image/png', 'text/markdown', 'text/plain'), 1)]
nb_render_markdown_format = 'myst' # a table that a cell shows is a table
myst_heading_anchors = 4
myst_enable_extensions, html_math_renderer = ['dollarmath'], 'mathml'
autodoc_member_order, autodoc_typehints = 'bysource', 'signature'
suppress_warnings = ['mystnb.unknown_mime_type', 'misc.highlighting_failure']


def parameters(app, what, name, obj, options, lines):
    "The comment behind each parameter is its description."
    if what not in ('function', 'method', 'class'): return
    try: found = docments(obj, full=True)
    except Exception: return # an object that Python itself cannot describe
    for p, told in found.items():
        if told.docment: lines += ['', f":{'returns:' if p == 'return' else f'param {p}:'} {told.docment}"]


def formula(writer, node):
    "A formula as MathML, which browsers draw themselves: MathJax would be fetched from elsewhere."
    writer.body.append(tex2mathml(node.astext(), as_block=node.tagname == 'math_block'))
    raise SkipNode


def of_page(app, name, template, context, doctree):
    "The pages of nbs/zh are Chinese."
    if name.startswith('zh/'): context['language'] = 'zh-CN'


def setup(app):
    app.connect('html-page-context', of_page)
    app.connect('autodoc-process-docstring', parameters)
    app.add_html_math_renderer('mathml', (formula, None), (formula, None))
