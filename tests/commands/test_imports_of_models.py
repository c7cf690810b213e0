"What importing a module of models prints and loads, each tried in a fresh process."
import subprocess, sys

import pytest


def python(code):
    "What a fresh interpreter prints, errors included."
    return subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize('module', ['lib.lean', 'lib.memory', 'model'])
def test_importing_prints_nothing(module):
    "Some processors make bitsandbytes ask for one more package while it is imported."
    r = python(f'import iepile_nb.{module}')
    assert (r.returncode, r.stdout, r.stderr) == (0, '', '')


@pytest.mark.parametrize('module', ['prompt', 'windows', 'lib.templates', 'lib.presets', 'cli.model'])
def test_torch_is_loaded_late(module):
    heavy = "print([m for m in ('torch', 'transformers', 'peft') if m in sys.modules])"
    r = python(f"import sys, iepile_nb.{module}; {heavy}")
    assert (r.stdout.strip(), r.stderr) == ('[]', '')
