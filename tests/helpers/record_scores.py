"""Write the small prediction files of `parity/scores` anew, and what the original's scorer makes of them.

    python tests/helpers/record_scores.py path/to/IEPile

The path is a checkout of zjunlp/IEPile (the recorded results are those of commit 933918d); its scorer needs
rouge_chinese and jieba to start. A task on which it crashes has null for a result."""
import json
import random
import subprocess
import sys
import tempfile
from itertools import islice
from pathlib import Path

from iepile_nb.convert import convert
from iepile_nb.lib.io import write_jsonl
from iepile_nb.questions import encode, output
from iepile_nb.records import read_records, read_schema
from iepile_nb.tasks import TASKS, read_instruction

ROOT = Path(__file__).parent.parent.parent
SCORES = ROOT/'tests/parity/scores'
MODES = 'normal', 'set'


def spoiled(answer, rng):
    "An answer with one of the faults that models have, or none."
    text = encode(answer)
    twice = {label: found * 2 if isinstance(found, list) else found for label, found in answer.items()}
    faults = ['none', '', text[:-2], f'```json\n{text}\n```', f'Sure: {text}', encode([answer]),
              encode(twice), encode(answer | {'invented': ['x']}),
              encode(answer | {'invented': [{'trigger': 'x'}]}),
              encode(dict.fromkeys(answer, [])), encode(dict.fromkeys(answer, ['NAN', '', 3])),
              encode(dict.fromkeys(answer, 'NAN')), text.replace('subject', 'head'),
              text.replace('trigger', 'Trigger'),
              encode(dict.fromkeys(answer, [{'subject': 'x', 'object': 3}, {'trigger': 'NAN'}]))]
    return rng.choice(faults) if rng.random() < .5 else text


def predictions(task, folder, language, source, rng, n=7):
    "Rows of the first records, with answers that miss some items; each second text comes in two sources."
    schema = read_schema(folder/'schema.json', task)
    file = next(folder/name for name in ('sample.json', 'test.json') if (folder/name).exists())
    for i, record in enumerate(islice(read_records(file, task), n)):
        gold = task.gold(record, schema)
        for name in (source, f'{source} again') if i % 2 else (source,):
            for row in convert([record], schema, task, language, 'test', source=name):
                kept = {l: [item for item in items if rng.random() < .8] for l, items in gold.items()}
                answer = output(task, read_instruction(row['instruction'], task)[1], kept, record['text'])
                yield {**row, 'output': spoiled(json.loads(answer), rng)}


def original_scores(original, path, task, mode):
    "What the original prints for a file, or None if it crashes."
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)/path.name
        copy.write_bytes(path.read_bytes())
        flags = ['--path1', copy, '--task', task, '--sort_by', 'source', '--match_mode', mode]
        script = original/'ie2instruction/eval_func.py'
        done = subprocess.run([sys.executable, script, *flags], cwd=original, capture_output=True)
        if done.returncode: return None
        return json.loads((copy.parent/'output_msg'/copy.name).read_text(encoding='utf-8'))


def main(original):
    "Write the files and the results."
    SCORES.mkdir(exist_ok=True)
    results = {}
    for name, task in TASKS.items():
        rng, path = random.Random(5), SCORES/f'{name}.jsonl'
        rows = list(predictions(task, ROOT/'data'/name, 'zh', 'sample', rng))
        if (demo := ROOT/'data/demo/en'/name).is_dir(): rows += predictions(task, demo, 'en', 'demo', rng)
        write_jsonl(path, rows)
        for mode in MODES: results[f'{name}|{mode}'] = original_scores(original, path, name, mode)
    text = json.dumps(results, ensure_ascii=False, indent=1) + '\n'
    (SCORES/'original.json').write_text(text, encoding='utf-8')


if __name__ == '__main__': main(Path(sys.argv[1]).resolve())
