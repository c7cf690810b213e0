"""What the number format of the weights changes: F1, time and memory of one adapter on a base in several formats.

    python benchmarks/weights.py --data FOLDER/CrossNER_AI --adapter outputs/real/smollm2-135m/CrossNER_AI/100/lora

The base comes from a GGUF file (4 bits), is dequantised once, and is then computed with in fp32 or bf16, or
quantised again by bitsandbytes (int8, nf4). Each format has a process of its own. Rows: FORMAT.f1 (percent, with
its 95% interval over texts), FORMAT.cpu_s_per_row, FORMAT.memory (of the whole process), FORMAT.same (answers that
are those of fp32).
"""
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from common import arguments, write

from iepile_nb.course import read_job, test_rows
from iepile_nb.evaluate import evaluate

FORMATS = {'fp32': (16, 'fp32'), 'bf16': (16, 'bf16'), 'int8': (8, 'bf16'), 'nf4': (4, 'bf16')}


def measured(form, o):
    "F1, CPU seconds, memory and answers of one format."
    from iepile_nb.infer import predict
    from iepile_nb.lora import load_model
    bits, dtype = FORMATS[form]
    model = load_model(o.model, str(o.adapter), bits, dtype=dtype)
    rows = test_rows(read_job(o.data, 'NER', 'en', o.texts))
    start = time.process_time()
    answers = list(predict(rows, *model, batch_size=len(rows)))
    seconds, result = time.process_time() - start, evaluate(answers)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return result['total']['f1'], result.intervals()['f1'], seconds / len(rows), memory, [a['output'] for a in answers]


def main():
    p = arguments(__doc__)
    p.add_argument('--data', type=Path, required=True, help='a folder of named entities in English')
    p.add_argument('--adapter', type=Path, required=True)
    p.add_argument('--model', default='smollm2-135m')
    p.add_argument('--texts', type=int, default=60)
    p.add_argument('--formats', default=','.join(FORMATS))
    o, rows, first = p.parse_args(), [], None
    for form in o.formats.split(','):
        with ProcessPoolExecutor(1, get_context('spawn')) as alone:
            f1, (low, high), seconds, memory, answers = alone.submit(measured, form, o).result()
        first = first or answers
        rows += [(f'{form}.f1', f1, '%', low, high), (f'{form}.cpu_s_per_row', seconds, 's'),
                 (f'{form}.memory', memory / 2**20, 'GB'),
                 (f'{form}.same', 100 * sum(map(str.__eq__, first, answers)) / len(answers), '% of answers')]
        write('weights', rows)


if __name__ == '__main__': main()
