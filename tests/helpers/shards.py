"Datasets in shards, and work that can be killed."
import gzip
import json
import os
import signal

from iepile_nb.lib.io import read_jsonl, write_jsonl

NAMES = 'Ines Odda Bergen Kari Tromsø Liv'.split()


def some_records(n):
    "Records that differ, with two entities each."
    for i in range(n):
        a, b = NAMES[i % 6], NAMES[(i * 5 + 1) % 6]
        yield {'text': f'{a} met {b} on day {i}.', 'entity': [{'entity': a, 'entity_type': 'person'},
                                                            {'entity': b, 'entity_type': 'city'}]}


def write_shards(folder, rows, n):
    "Rows in n files of the three packings in turn, as equal as can be; the folder."
    import pyarrow
    folder.mkdir()
    rows = list(rows)
    for i in range(n):
        part = rows[i * len(rows) // n:(i + 1) * len(rows) // n]
        text = ''.join(json.dumps(r, ensure_ascii=False) + '\n' for r in part).encode()
        path = folder/f'{i:03}.jsonl'
        if i % 3 == 1: path.with_suffix('.jsonl.gz').write_bytes(gzip.compress(text))
        elif i % 3 == 2:
            with pyarrow.CompressedOutputStream(f'{path}.zst', 'zstd') as z: z.write(text)
        else: path.write_bytes(text)
    return folder


def read_shards(folder):
    "The rows of all shards, in order."
    from iepile_nb.lib.shards import find_shards, plain_copy
    res = []
    for shard in find_shards(str(folder)):
        with plain_copy(shard) as path: res += [r for _, r in read_jsonl(path)] if path.stat().st_size else []
    return res


class Copies:
    "Copies a shard and notes that; the process is killed once at the shard of that name."
    def __init__(self, notes, killed=None, always=False):
        self.notes, self.killed, self.always = notes, killed, always

    def __call__(self, src, out, shard):
        if shard.name == self.killed and (self.always or not (self.notes/'dead').exists()):
            (self.notes/'dead').touch()
            os.kill(os.getpid(), signal.SIGKILL)
        with open(self.notes/'log', 'a') as f: f.write(f'{shard.name}\n')
        return {'rows': write_jsonl(out, (r for _, r in read_jsonl(src)))}

    def done(self): return (self.notes/'log').read_text().split()
