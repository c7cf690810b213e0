"""What a million rows take beside the model when they are answered: memory and time.

    python benchmarks/long_predict.py            # 250,000, 500,000 and 1,000,000 rows, a quarter of an hour
    python benchmarks/long_predict.py --quick    # 5,000, 10,000 and 20,000 rows

Rows are read, prompted, written down and put out as `iepile_predict` does it; only the model is the fastest
possible one: every answer is there at once, an empty list for each label. `memory.N` is the most that the
process has of its own (`RssAnon`) over what it has with model and tokenizer loaded, in MB; `rows_a_second` is
that of the largest file; `first_answer.N` the seconds until the first answer is in the journal.
"""
import json
import tempfile
import time
from pathlib import Path

from common import arguments, write
from tokens import Peak

from iepile_nb.cli import predict
from iepile_nb.convert import convert
from iepile_nb.lib.decoder import Answer, Decoder
from iepile_nb.lib.samples import sample_data
from iepile_nb.questions import encode
from iepile_nb.records import read_records, read_schema


class AtOnce(Decoder):
    "Answers requests without the model."
    first = None

    def answer_all(self, requests, on_answer):
        self.first = self.first or time.perf_counter()
        for n, r in enumerate(requests):
            on_answer(n, Answer(encode({r.task.answer_key(q): [] for q in r.questions}), 1))


def write_rows(path, n):
    "n rows of a hundred sentences, each with a number of its own."
    folder = sample_data('demo')/'en'/'NER'
    schema, records = read_schema(folder/'schema.json', 'NER'), list(read_records(folder/'test.json', 'NER'))
    rows = list(convert(records, schema, 'NER', 'en', 'test', source='demo'))
    with open(path, 'w', encoding='utf-8') as f:
        for i in range(n):
            asked = json.loads(rows[i % len(rows)]['instruction'])
            asked['input'] += f' It was number {i}.'
            f.write(json.dumps({**rows[i % len(rows)], 'id': str(i), 'instruction': json.dumps(asked)}) + '\n')


def answered(path):
    "(MB, rows, seconds in all, seconds to the first answer) of a file."
    o = predict.predict_options(['--input_file', str(path), '--output_file', str(path.with_suffix('.out'))])
    loaded, made = predict._decoder(o), []
    def decoder_of(o):
        fast = AtOnce(loaded[0].model, loaded[0].tokenizer, loaded[0].ends, 'span')
        made.append(fast)
        return fast, loaded[1]
    with Peak() as peak:
        start = time.perf_counter()
        n = predict._predict_file(o, decoder_of)
        seconds = time.perf_counter() - start
    path.with_suffix('.out').unlink()
    return peak.most, n, seconds, made[0].first - start


def main():
    sizes = (5_000, 10_000, 20_000) if arguments(__doc__).parse_args().quick else (250_000, 500_000, 1_000_000)
    rows = []
    with tempfile.TemporaryDirectory() as tmp:
        for n in sizes:
            path = Path(tmp)/f'{n}.json'
            write_rows(path, n)
            most, done, seconds, first = answered(path)
            assert done == n
            path.unlink()
            rows += [(f'memory.{n}', most, 'MB'), (f'first_answer.{n}', first, 's')]
    write('long_predict', [*rows, ('rows_a_second', done / seconds, '1/s')])


if __name__ == '__main__': main()
