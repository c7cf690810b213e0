"README's own commands, from records to a score: an adapter learns, and texts that it has not seen show it."
import os
import re
import shlex
import subprocess
import sys

import pytest

from iepile_nb.evaluate import evaluate
from iepile_nb.infer import predict
from iepile_nb.lib.io import read_jsonl
from iepile_nb.lora import load_model

pytestmark = pytest.mark.long
BLOCK = re.compile(r'```sh\n(iepile_convert .*?)```', re.S)


def test_the_commands_of_readme_end_in_a_score_that_shows_learning(root, tmp_path):
    (tmp_path/'data').symlink_to(root/'data')
    block = BLOCK.search((root/'README.md').read_text(encoding='utf-8'))[1]
    for line in block.replace('\\\n', ' ').splitlines():
        program, *args = shlex.split(line)
        cmd = [sys.executable, '-m', 'iepile_nb.cli.' + program.removeprefix('iepile_'), *args]
        env = {**os.environ, 'PYTHONPATH': str(root)}
        r = subprocess.run(cmd, cwd=tmp_path, capture_output=True, text=True, timeout=1800, env=env)
        assert r.returncode == 0, r.stdout + r.stderr
    place = tmp_path/'outputs/NER'
    after = evaluate(place/'answers.json')['total']['f1']
    texts = lambda path: {r['text'] for _, r in read_jsonl(root/'data/demo/en/NER'/path)}
    assert not texts('train.json') & texts('test.json') and (place/'report.html').exists()
    rows = [r for _, r in read_jsonl(place/'test.json')]
    before = evaluate(predict(rows, *load_model('tiny')))['total']['f1']
    assert after > before + 15, (before, after)
