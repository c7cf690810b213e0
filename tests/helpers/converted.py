"What the tests of conversion share: a small record and schema, the command run on some bytes, its rows."
import json

from iepile_nb.cli.convert import main
from iepile_nb.convert import convert
from iepile_nb.questions import Schema

THREE = Schema(['city', 'date', 'person'])
RECORD = {'text': 'Ines met Tove in Porto.', 'entity': [{'entity': 'Ines', 'entity_type': 'person'},
                                                        {'entity': 'Porto', 'entity_type': 'city'}]}
SALE = Schema(['sale'], {'sale': ['buyer', 'seller']})


def event(event_type, trigger, **values):
    "An annotated event; each role has a list of values."
    arguments = [dict(role=r, argument=a) for r, vs in values.items() for a in vs]
    return dict(event_type=event_type, event_trigger=trigger, arguments=arguments)


def rows_of(records, schema, *args, **options): return list(convert(records, schema, *args, **options))


def answers(rows): return [json.loads(r['output']) for r in rows]


def asked(rows): return [json.loads(r['instruction'])['schema'] for r in rows]


def convert_file(folder, content, *args, task='NER', schema=(['city'], [], {}), name='in/x.json'):
    "Run the command on records or bytes in a folder; gives the exit code. The rows go to out/o.json."
    src = folder/name
    src.parent.mkdir(parents=True, exist_ok=True)
    lines = content if isinstance(content, bytes) else ''.join(json.dumps(r) + '\n' for r in content).encode()
    src.write_bytes(lines)
    (folder/'schema.json').write_text('\n'.join(map(json.dumps, schema)))
    return main(['--src_path', str(src), '--tgt_path', str(folder/'out/o.json'),
                 '--schema_path', str(folder/'schema.json'), '--task', task, *args])


def file_rows(folder):
    return [json.loads(l) for l in (folder/'out/o.json').read_text(encoding='utf-8').splitlines()]


def task_schema(root, task):
    "The three lines of the schema file of a task's sample."
    return [json.loads(l) for l in (root/'data'/task/'schema.json').read_text(encoding='utf-8').splitlines()]


def many_records(folder, n=3000):
    "A file with enough records for many blocks, with a blank line among them, and a schema beside it."
    text = 'Ines met Tove in Porto. ' * 8
    lines = [json.dumps({'text': f'{i} {text}', 'entity': RECORD['entity'][:1]}) for i in range(n)]
    path = folder/'set/big.json'
    path.parent.mkdir()
    path.write_text('\n'.join(lines[:700] + ['', ''] + lines[700:]))
    (folder/'schema.json').write_text('["city", "date", "person"]')
    return path


def arguments(folder, src, out, *more):
    "The arguments of a conversion in such a folder."
    schema, tgt = str(folder/'schema.json'), str(folder/out)
    return ['--src_path', str(src), '--schema_path', schema, '--tgt_path', tgt, *more]
