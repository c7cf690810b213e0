"The script for a GPU, at a tiny size on a processor: every section gives its rows."
import json
import shutil
import subprocess
import sys

import pytest


@pytest.mark.long
def test_the_smoke_run_gives_what_a_gpu_would(tmp_path, root):
    shutil.copytree(root/'benchmarks', tmp_path/'benchmarks', ignore=shutil.ignore_patterns('results'))
    (tmp_path/'benchmarks/results').mkdir()
    (tmp_path/'data').symlink_to(root/'data')
    done = subprocess.run([sys.executable, tmp_path/'benchmarks/gpu.py', '--smoke'], cwd=root,
                          capture_output=True, text=True)
    assert done.returncode == 0 and 'Error' not in done.stderr
    rows = json.loads((tmp_path/'benchmarks/results/gpu-smoke.json').read_text())['rows']
    found = {r['name']: r['value'] for r in rows}
    assert found['train.smoke.16bit.exact'] == 1 and found['train.smoke.16bit.ours.tokens_per_s'] > 0
    assert found['train.smoke.16bit.vs_original_ratio'] > 0
    assert any(name.startswith('predict.smoke.16bit.') for name in found)
