"Rows to predict, and runs of iepile_predict that are left alone, interrupted or killed."
import json
import random
import signal
import subprocess
import sys
import time

from conftest import PARROT, ROOT

from iepile_nb.cli.predict import main
from iepile_nb.convert import convert
from iepile_nb.infer import Extraction
from iepile_nb.lib.io import write_jsonl
from iepile_nb.lib.journal import Journal
from iepile_nb.lib.templates import TEMPLATES
from iepile_nb.prompt import encode_prompt
from iepile_nb.records import read_records, read_schema
from iepile_nb.tasks import TASKS

# a schema for each task, with short names
SCHEMAS = {'NER': ['a', 'b'], 'RE': ['r'], 'SPO': ['a_r_b'], 'EE': {'e': ['x', 'y']}, 'EET': ['e'],
           'EEA': {'e': ['x']}, 'KG': {'t': ['p', 'q']}}


def some_rows(n):
    "n test rows of the English demo; `n` counts them."
    schema = read_schema(ROOT/'data/demo/en/NER/schema.json', 'NER')
    records = read_records(ROOT/'data/demo/en/NER/test.json', 'NER')
    rows = list(convert(records, schema, 'NER', 'en', 'test', source='s'))
    return [{**rows[i % len(rows)], 'n': i} for i in range(n)]


def parrot_rows(folder):
    "A file with the questions that the parrot knows."
    rows = [{'id': str(i), 'task': 'NER', 'source': 's', 'instruction': q, 'label': '[]'}
            for i, q in enumerate(PARROT)]
    write_jsonl(folder/'test.json', rows)
    return folder/'test.json'


def prompts(tokenizer, queries): return [encode_prompt(tokenizer, TEMPLATES['alpaca'], q) for q in queries]


def extraction(task, text, answer):
    "An extraction with this answer."
    e = Extraction(TASKS[task], text)
    e.add(json.dumps(answer))
    return e


def answering(answer_of):
    "What `Decoder.answer_portion` may be replaced with: each request gets the answer that a function gives."
    def answer_portion(self, requests, on_answer):
        for n, request in enumerate(requests): on_answer(n, answer_of(request))
    return answer_portion


def arguments(folder, *more):
    "A command line that answers in.json of a folder."
    files = ['--input_file', str(folder/'in.json'), '--output_file', str(folder/'out.json')]
    return [*files, '--batch_size', '4', *more]


def undisturbed(folder, n_rows):
    "The output of a run that nobody disturbs."
    folder.mkdir()
    write_jsonl(folder/'in.json', some_rows(n_rows))
    assert main(arguments(folder)) == 0
    return (folder/'out.json').read_bytes()


def broken_off(folder, monkeypatch, *more):
    "A prediction that is interrupted after its first answer; its journal."
    write_jsonl(folder/'in.json', some_rows(70))
    add = Journal.add
    def stop(self, *args):
        add(self, *args)
        raise KeyboardInterrupt
    with monkeypatch.context() as m:
        m.setattr(Journal, 'add', stop)
        assert main(arguments(folder, *more)) == 130
    assert not (folder/'out.json').exists()
    return folder/'out.json.journal'


def killed(folder, n_rows, kills, seed):
    "Predict with a kill at random moments, each followed by a restart; the final bytes, and what was logged."
    folder.mkdir()
    write_jsonl(folder/'in.json', some_rows(n_rows))
    rng, cmd = random.Random(seed), [sys.executable, '-m', 'iepile_nb.cli.predict', *arguments(folder)]
    journal = folder/'out.json.journal'
    def lines(): return journal.read_bytes().count(b'\n') if journal.exists() else 0
    for _ in range(kills):
        p = subprocess.Popen(cmd, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        start, before = time.time(), max(1, lines())
        while p.poll() is None and lines() <= before and time.time() - start < 300: time.sleep(.02)
        time.sleep(rng.random())
        p.send_signal(signal.SIGKILL)
        p.wait()
    r = subprocess.run(cmd, capture_output=True, text=True)
    assert r.returncode == 0, r.stderr
    assert sorted(x.name for x in folder.iterdir()) == ['in.json', 'out.json']
    return (folder/'out.json').read_bytes(), r.stderr
