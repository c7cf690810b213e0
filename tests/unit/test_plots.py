"Labels in plots can be read, in Chinese too, where there is a font for it."
import logging, warnings
from collections import Counter

import pytest
from fontTools.ttLib import TTFont

from iepile_nb.data import plot_counts
from iepile_nb.lib import plots
from iepile_nb.negatives import plot_similarity


@pytest.fixture
def no_fonts(monkeypatch):
    "matplotlib as on a machine without any Chinese font; what is added is taken out again."
    from matplotlib import font_manager, rc_context
    manager = font_manager.fontManager
    monkeypatch.setattr(manager, 'ttflist', [f for f in manager.ttflist if f.name not in plots.CJK_FONTS])
    monkeypatch.setattr(font_manager, 'findSystemFonts', lambda: [])
    plots._find_fonts.cache_clear(), plots._say_once.cache_clear()
    with rc_context(), warnings.catch_warnings(): yield monkeypatch
    plots._find_fonts.cache_clear(), plots._say_once.cache_clear()


def stand_in(path, letters):
    "A font of another name that has some Chinese letters, as a file."
    from matplotlib import font_manager
    font = TTFont(font_manager.findfont('DejaVu Sans'))
    for record in font['name'].names:
        if record.nameID in (1, 4, 16): record.string = 'Stand-in'
    for table in font['cmap'].tables: table.cmap.update({ord(c): 'A' for c in letters})
    font.save(path)
    return str(path)


def draw(labels):
    ax = plot_similarity(labels, [[1, 0], [0, 1]])
    ax.figure.canvas.draw()
    plot_counts(Counter(labels)).figure.canvas.draw()


def test_a_font_that_lies_in_a_folder_is_used(no_fonts, tmp_path, caplog):
    import matplotlib
    from matplotlib import font_manager
    path = stand_in(tmp_path/'MyCJK-Regular.ttf', '人物城市')
    no_fonts.setattr(font_manager, 'findSystemFonts', lambda: [path, str(tmp_path/'wqy-absent.ttf')])
    warnings.simplefilter('error')
    with caplog.at_level(logging.WARNING): draw(['人物', '城市'])
    assert 'Stand-in' in matplotlib.rcParams['font.family'] and not caplog.records


def test_without_a_font_it_is_said_once_and_one_that_comes_is_found(no_fonts, tmp_path, caplog):
    import matplotlib
    from matplotlib import font_manager
    draw(['person', 'city'])
    assert not caplog.records
    draw(['人物', '城市'])
    assert [r.getMessage() for r in caplog.records] == [plots.NO_FONT]
    path = stand_in(tmp_path/'MyCJK-Regular.ttf', '人物城市')
    no_fonts.setattr(font_manager, 'findSystemFonts', lambda: [path])
    draw(['人物', '城市'])
    assert 'Stand-in' in matplotlib.rcParams['font.family'] and len(caplog.records) == 1
