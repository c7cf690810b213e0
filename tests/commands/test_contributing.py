"CONTRIBUTING's examples run as they stand, and the project's own papers agree with settings.ini."
import os
import re
import subprocess
import sys

import pytest
from conftest import ROOT
from dress import settings

TEXT = (ROOT/'CONTRIBUTING.md').read_text(encoding='utf-8')
EXAMPLES = dict(re.findall(r'### (An? \w+)\n.*?```python\n(.*?)```', TEXT, re.S))


def test_each_addition_has_an_example():
    assert list(EXAMPLES) == ['A task', 'An importer', 'A template', 'A preset']


@pytest.mark.parametrize('name', EXAMPLES)
def test_an_example_runs(name, tmp_path):
    env = {**os.environ, 'PYTHONPATH': str(ROOT)}
    cmd = [sys.executable, '-c', EXAMPLES[name]]
    r = subprocess.run(cmd, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert r.returncode == 0, r.stderr


def test_the_files_that_are_named_exist():
    for path in re.findall(r'`((?:nbs|tools|tests|\.github)/[\w./-]+|\w+\.\w+)`', TEXT):
        name = path.rstrip('/')
        assert (ROOT/name).exists() or (ROOT/'.github/workflows'/name).exists(), path


def test_papers_agree_with_settings():
    cfg, cited = settings(), (ROOT/'CITATION.cff').read_text(encoding='utf-8')
    assert f"repository-code: {cfg['git_url']}" in cited and f"title: {cfg['lib_name']}\n" in cited
    assert f"version: {cfg['version']}\n" in cited
    assert f"## {cfg['version']}" in (ROOT/'CHANGELOG.md').read_text(encoding='utf-8')
    gate = (ROOT/'.github/workflows/gate.yml').read_text(encoding='utf-8')
    assert f"['{cfg['min_python']}'," in gate and '.ci/run' in gate
