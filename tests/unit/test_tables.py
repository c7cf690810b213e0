"Tables line up as text, escape what Markdown and HTML would read, and fold what looks the same."
from iepile_nb.lib.characters import fold_text, text_width
from iepile_nb.lib.tables import Table, render_table, text_table


def test_tables_escape_and_align():
    t = Table([{'a': '<b>', 'n': 1}, {'a': '城市', 'n': 22}], 'T & U')
    assert '&lt;b&gt;' in t._repr_html_() and 'T &amp; U' in t._repr_html_()
    assert str(t).split('\n')[2:] == ['<b>   1', '城市  22']
    assert str(Table([])) == 'nothing'


def test_markdown_tables():
    assert text_table(['a', 'b'], [['x|y', 1], ['城', 'two\nlines']]).split('\n') == [
        '| a    | b         |', '|------|-----------|', '| x\\|y | 1         |', '| 城   | two lines |']


def test_attributes_of_columns():
    html = render_table(['a', 'n'], [['x', 1]], 'html', attributes=lambda i: ' class="n"' if i else '')
    head, row = '<tr><th>a</th><th class="n">n</th></tr>', '<tr><td>x</td><td class="n">1</td></tr>'
    assert html == f'<table>{head}{row}</table>'


def test_folding():
    assert fold_text(' New  YORK\u3000') == 'newyork' and fold_text('ＡＢＣ，的') == 'abc,的'
    assert fold_text('A-b 3!', letters_only=True) == 'ab3' and text_width('a城') == 3
