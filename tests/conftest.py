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


def pytest_addoption(parser): parser.addoption('--long', action='store_true', help='run the long tests instead of the short ones')


def pytest_configure(config): config.addinivalue_line('markers', 'long: takes minutes; run by `make test-long`')


def pytest_collection_modifyitems(config, items):
    chosen = [i for i in items if ('long' in i.keywords) == config.getoption('--long')]
    config.hook.pytest_deselected(items=[i for i in items if i not in chosen])
    items[:] = chosen
