"The lessons as people meet them: in JupyterLab, in a real browser. Skipped where there is no Chromium."
import pytest
from helpers.browser import CHROMIUM
from helpers.jupyterlab import home, lab, page, run_all # noqa: F401, fixtures

pytestmark = [pytest.mark.long, pytest.mark.skipif(not CHROMIUM, reason='no Chromium on this machine')]


@pytest.mark.parametrize('lesson', ['02_tasks', '06_negatives', '20_report'])
def test_a_lesson_runs_top_to_bottom(lesson, lab, page):
    "Restart and run all; the last cell gets a number, no cell shows an error."
    run_all(lab, page, f'nbs/{lesson}.ipynb')
    assert page.locator('.jp-RenderedHTMLCommon').count() > 3
