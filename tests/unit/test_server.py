"A server of models: what is sent to it, and what becomes of a server that is slow, busy, wrong or away."
import json
import re
import threading
import time
from functools import partial

import pytest
from helpers.faulty_server import serve
from helpers.predicting import some_rows

from iepile_nb.cli.predict import main
from iepile_nb.infer import Extractor
from iepile_nb.lib.io import UserError, read_jsonl, write_jsonl
from iepile_nb.lib.requests import Request
from iepile_nb.lib.served import ServedDecoder, escaped_row, gbnf, held_to_text, json_schema
from iepile_nb.lib.server import Server, Unanswered
from iepile_nb.lib.templates import TEMPLATES
from iepile_nb.prompt import control_tokens
from iepile_nb.tasks import TASKS

NER = TASKS['NER']
FAULTS = 'drop', 'delay', '429', '500', 'empty', 'corrupt', 'garble', 'repeat'


@pytest.fixture
def start(tokenizer):
    "Starts servers, which end with the test."
    servers = []
    def start(**how):
        servers.append(serve(tokenizer=tokenizer, **how))
        return servers[-1]
    yield start
    for s in servers:
        s.shutdown()
        s.server_close()


@pytest.fixture
def quick(monkeypatch):
    "Pauses between tries are short, and the command is not patient."
    monkeypatch.setattr('iepile_nb.cli.predict.Server', partial(Server, pause=.01, patience=3))


def decoder(server, tokenizer, **how):
    return ServedDecoder(Server(server.url, pause=.01), 'm', tokenizer, TEMPLATES['alpaca'], **how)


def predicting(server, folder, tokenizer, *more):
    "A command line that answers in.json of a folder."
    tokenizer.save_pretrained(folder/'tokenizer')
    return ['--input_file', f'{folder}/in.json', '--output_file', f'{folder}/out.json', '--engine', 'server',
            '--base_url', server.url, '--model_name_or_path', f'{folder}/tokenizer',
            '--template', 'alpaca', *more]


def rows_of(path): return [r for _, r in read_jsonl(path)]


def test_prompts_go_as_ids_where_they_are_taken(start, tokenizer):
    d = decoder(start(), tokenizer)
    assert d.ways.ids and d.ways.grammar == 'lark'
    ask = Request([5, 6, 7], '', NER, (NER.question('a'),), 'Ines left.')
    d.answer_all([ask])
    sent = d.server and d.grammar_for(ask, 'span')['structured_outputs']['grammar']
    assert 'substring_chunks' in sent


def test_prompts_go_as_text_with_the_first_token_where_the_server_puts_none(start, tokenizer):
    for ways, adds in ((('text',), False), (('text', 'bos'), True)):
        server = start(ways=ways)
        d = decoder(server, tokenizer, constrain='free')
        assert (d.ways.ids, d.adds_bos) == (False, adds)
        d.answer(Request(d._question()))
        assert server.asked[-1][1]['prompt'].startswith('<s>') is not adds


def test_a_server_with_another_tokenizer_is_refused(start, tokenizer):
    server = start(ways=('text',))
    server.count = lambda prompt: 3
    with pytest.raises(UserError, match='its tokenizer or template is another'): decoder(server, tokenizer)
    decoder(server, tokenizer, force=True)


def test_messages_are_only_for_the_models_own_template(start, tokenizer):
    with pytest.raises(UserError, match='takes messages only'): decoder(start(ways=('chat',)), tokenizer)


def test_a_control_token_in_a_text_is_written_as_an_escape(tokenizer):
    row = {'instruction': json.dumps({'schema': ['a'], 'input': 'x <|im_end|> y'})}
    new = escaped_row(row, control_tokens(tokenizer, TEMPLATES['alpaca']))['instruction']
    assert '<|im_end|>' not in new and json.loads(new) == json.loads(row['instruction'])


@pytest.mark.parametrize('task', TASKS)
def test_every_task_has_a_grammar_for_every_way(task):
    t = TASKS[task]
    label = 'a "1"_r_b' if task == 'SPO' else 'l "1"'
    schema = t.schema([label], [label], {label: ['p', 'q']})
    q = t.every_question(schema)[0]
    assert json.loads(json.dumps(json_schema(t, [q])))['required'] == [t.answer_key(q)]
    names = {line.split(' ::= ')[0] for line in gbnf(t, [q]).split('\n')}
    assert {'root', 'VALUE', 'MAYBE'} <= names and not any(': ' in n for n in names)


@pytest.mark.parametrize('answer, right, counts', [
    ('{"a": ["ines  OKAFOR", "Bo"]}', '{"a": ["Ines Okafor"]}', (1, 1)),
    ('{"a": ["Odda"], "b": ["x"]}', '{"a": ["Odda"]}', (0, 1)),
    ('no', 'no', (0, 0))])
def test_values_are_held_to_the_text(answer, right, counts):
    ask = Request([], '', NER, (NER.question('a'),), 'Ines Okafor left Odda.')
    assert held_to_text(ask, answer) == (right, *counts)


def test_events_keep_what_the_text_has():
    t = TASKS['EE']
    ask = Request([], '', t, (t.question({'event_type': 'e', 'arguments': ['who', 'to']}),), 'Ines left.')
    good = {'trigger': 'left', 'arguments': {'who': 'Ines', 'to': 'Rome'}}
    bad = {'trigger': 'ran', 'arguments': {}}
    kept = json.loads(held_to_text(ask, json.dumps({'e': [good, bad]}))[0])
    assert kept == {'e': [{'trigger': 'left', 'arguments': {'who': 'Ines', 'to': 'NAN'}}]}


@pytest.mark.parametrize('seed', range(2))
def test_a_faulty_server_loses_and_doubles_nothing(start, tokenizer, tmp_path, quick, seed):
    write_jsonl(tmp_path/'in.json', some_rows(60))
    how = dict(ways=('ids', 'lark', 'two'))
    good, bad = start(**how), start(**how, faults=FAULTS, seed=seed, share=0)
    assert main(predicting(good, tmp_path, tokenizer)) == 0
    right = (tmp_path/'out.json').read_bytes()
    threading.Timer(.01, lambda: setattr(bad, 'share', .3)).start()
    status = main(predicting(bad, tmp_path, tokenizer, '--concurrency', '4'))
    rows = rows_of(tmp_path/'out.json')
    assert [r['n'] for r in rows] == list(range(60)) # each once, in order
    bad.share = 0
    if status: # six faults one after the other: the row says so, and is asked again
        assert any(r.get('error') for r in rows) and (tmp_path/'out.json.journal').exists()
        assert main(predicting(bad, tmp_path, tokenizer)) == 0
    assert (tmp_path/'out.json').read_bytes() == right
    assert not (tmp_path/'out.json.journal').exists()


def test_what_a_server_refuses_stands_in_the_row(start, tokenizer, tmp_path, quick, capsys):
    server = start()
    answered = server.RequestHandlerClass.answered
    class Refusing(server.RequestHandlerClass):
        def answered(self, body): return None if len(body['prompt']) > 600 else answered(self, body)
    server.RequestHandlerClass = Refusing
    long = json.dumps({'instruction': 'x' * 900, 'schema': ['a'], 'input': 'y'})
    short = json.dumps({'schema': ['a'], 'input': 'Odda'})
    write_jsonl(tmp_path/'in.json', [{'instruction': long}, {'instruction': short}])
    assert main(predicting(server, tmp_path, tokenizer, '--constrain', 'free', '--cutoff_len', '4000')) == 1
    out = rows_of(tmp_path/'out.json')
    assert 'refused (400)' in out[0]['error'] and 'error' not in out[1]
    assert '1 of 2 rows have no answer' in capsys.readouterr().err


def test_a_server_that_is_away_is_waited_for(start, tokenizer, tmp_path, quick):
    write_jsonl(tmp_path/'in.json', some_rows(40))
    server = start(faults=('delay',), share=1)
    port = server.server_port
    def die_and_return():
        server.shutdown()
        server.server_close()
        time.sleep(.5)
        start(port=port)
    threading.Timer(1.2, die_and_return).start()
    assert main(predicting(server, tmp_path, tokenizer, '--concurrency', '2')) == 0
    assert [r['n'] for r in rows_of(tmp_path/'out.json')] == list(range(40))


def test_a_server_that_stays_away_ends_the_command_and_the_answers_are_kept(start, tokenizer, tmp_path, quick,
                                                                           capsys):
    write_jsonl(tmp_path/'in.json', some_rows(300))
    server = start(faults=('delay',), share=.3)
    threading.Timer(1, lambda: (server.shutdown(), server.server_close())).start()
    assert main(predicting(server, tmp_path, tokenizer, '--concurrency', '2')) == 1
    assert 'goes on where it was' in capsys.readouterr().err
    new = start()
    assert main(predicting(new, tmp_path, tokenizer)) == 0
    assert len(rows_of(tmp_path/'out.json')) == 300
    assert len(new.asked) < 300 # the others were answered before


def test_a_key_goes_to_the_server_and_nowhere_else(start, tokenizer, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv('IEPILE_API_KEY', 'sec-ret')
    write_jsonl(tmp_path/'in.json', some_rows(3))
    server = start()
    assert main(predicting(server, tmp_path, tokenizer)) == 0
    assert {key for *_, key in server.asked} == {'Bearer sec-ret'}
    files = [p.read_bytes() for p in tmp_path.iterdir() if p.is_file()]
    assert not any(b'sec-ret' in f for f in files) and 'sec-ret' not in ''.join(capsys.readouterr())


def test_which_model(start, tokenizer):
    server = Server(start(models=('base', 'adapter')).url)
    assert server.model_name('adapter') == 'adapter'
    for wanted in (None, 'other'):
        with pytest.raises(UserError, match='base, adapter'): server.model_name(wanted)
    for url in ('localhost:8000', 'http://me:word@localhost', 'ftp://x'):
        with pytest.raises(UserError, match='an address such as'): Server(url)


def test_shards_are_answered_by_a_server(start, tokenizer, tmp_path):
    (tmp_path/'in').mkdir()
    for i in range(3): write_jsonl(tmp_path/f'in/{i}.jsonl', some_rows(4))
    argv = predicting(start(), tmp_path, tokenizer)
    argv[1], argv[3] = f'{tmp_path}/in', f'{tmp_path}/out'
    argv += ['--tasks', '1']
    assert main(argv) == 0
    assert json.loads((tmp_path/'out/manifest.json').read_text())['answered'] == 12


def test_an_extractor_may_ask_a_server(start, tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    ex = Extractor(str(tmp_path), server=start().url, template='alpaca')
    found = ex.extract('Ines left Odda.', ['place', 'person'])
    assert dict(found) == {'place': ['Ines', 'Odda'], 'person': []}


@pytest.mark.parametrize('more, says', [(['--model', 'tiny'], '--model_name_or_path'),
                                        (['--base_url', 'http://localhost:1'], 'go together')])
def test_what_belongs_to_a_server_is_refused_without_one(more, says, tmp_path, capsys):
    write_jsonl(tmp_path/'in.json', some_rows(1))
    assert main(['--input_file', f'{tmp_path}/in.json', '--output_file', f'{tmp_path}/o.json', *more]) == 1
    assert re.search(says, capsys.readouterr().err) and not (tmp_path/'o.json').exists()
