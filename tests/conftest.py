import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SHARED = Path(os.environ.get('IEPILE_SHARED', ROOT.parent/'shared'))


@pytest.fixture(scope='session')
def root(): return ROOT


@pytest.fixture(scope='session')
def shared():
    "Real datasets and facts about the original, which lie beside a development checkout only."
    if not (SHARED/'spec').is_dir(): pytest.skip('no ../shared beside this checkout: the real datasets are not part of the project')
    return SHARED
