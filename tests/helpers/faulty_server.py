"""A small server of the OpenAI protocol that answers at once and misbehaves on request; also a program.

It "knows" an answer: the words of the input that begin with a capital, under the first label. `ways`
says what it takes: ids, text, chat; lark, schema; two: there are two choices; bos: a first token before a
text."""
import json
import random
import re
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def answer_to(text):
    "What a perfect model would say: the capitalised words of the input, under the first label."
    found = re.findall(r'\{"instruction": .*?"schema": (\[.*?\]), "input": (".*?[^\\]")\}', text, re.S)
    if not found: return 'hello'
    labels, words = json.loads(found[-1][0]), re.findall(r'\b[A-Z]\w+', json.loads(found[-1][1]))
    return json.dumps({l: words if i == 0 else [] for i, l in enumerate(labels)}, ensure_ascii=False)


class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def log_message(self, *args): pass

    def reply(self, code, obj, **headers):
        body = obj if isinstance(obj, bytes) else json.dumps(obj).encode()
        self.send_response(code)
        self.send_header('Content-Length', str(len(body)))
        for k, v in headers.items(): self.send_header(k.replace('_', '-'), v)
        self.end_headers()
        self.wfile.write(body)
        return body

    def do_GET(self):
        names = self.server.models
        self.reply(200, {'data': [{'id': n} for n in names]})

    def do_POST(self):
        s = self.server
        body = json.loads(self.rfile.read(int(self.headers['Content-Length'])))
        with s.lock:
            s.asked.append((self.path, body, self.headers.get('Authorization')))
            fault = s.rng.choice(s.faults) if s.faults and s.rng.random() < s.share else ''
        if fault == 'drop': return self.close()
        if fault == 'delay': time.sleep(.3)
        if fault == '429': return self.reply(429, {'error': 'slow down'}, Retry_After='0.05')
        if fault == '500': return self.reply(500, {'error': 'oops'})
        if fault == 'empty': return self.reply(200, {'choices': []})
        if fault == 'corrupt': return self.reply(200, b'{"choices": [{"te')
        obj = self.answered(body)
        if obj is None: return self.reply(400, {'error': 'not taken here'})
        if fault == 'garble': obj['choices'][0]['text'] = '{"x": ['
        sent = self.reply(200, obj)
        if fault == 'repeat': # the whole answer a second time, which nobody asked for
            self.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s' % (len(sent), sent))

    def close(self):
        self.close_connection = True
        self.connection.close()

    def answered(self, body):
        "The answer, or None for what is not taken."
        ways, chat = self.server.ways, self.path.endswith('/chat/completions')
        prompt = body['messages'][-1]['content'] if chat else body['prompt']
        if ('chat' if chat else 'ids' if isinstance(prompt, list) else 'text') not in ways: return None
        n = self.server.count(prompt)
        text = prompt if isinstance(prompt, str) else self.server.decode(prompt)
        said = answer_to(text)
        if body.get('structured_outputs') and 'lark' in ways and 'probe' in str(body['structured_outputs']):
            said = '{"probe": ["x1"]}'
        if body.get('response_format') and 'schema' in ways and 'probe' in str(body['response_format']):
            said = '{"probe": ["x1"]}'
        choice = {'index': 0, 'finish_reason': 'stop'}
        choice |= {'message': {'content': said}} if chat else {'text': said}
        more = [{**choice, 'index': 1, 'text': 'another'}] if 'two' in ways else []
        return {'choices': more + [choice], 'usage': {'prompt_tokens': n, 'completion_tokens': len(said)}}


def serve(ways=('ids', 'lark'), faults=(), share=.3, models=('m',), seed=0, port=0, tokenizer=None):
    "A server in a thread; `asked` keeps every request. `tokenizer`: as of the model."
    server = ThreadingHTTPServer(('127.0.0.1', port), Handler)
    server.daemon_threads = True
    server.ways, server.faults, server.share, server.models = ways, faults, share, models
    server.rng, server.lock, server.asked = random.Random(seed), threading.Lock(), []
    def count(prompt):
        if isinstance(prompt, list): return len(prompt)
        return len(tokenizer.encode(prompt, add_special_tokens='bos' in ways))
    server.count = count
    server.decode = lambda ids: tokenizer.decode(ids, clean_up_tokenization_spaces=False)
    server.url = f'http://127.0.0.1:{server.server_port}'
    threading.Thread(target=server.serve_forever, args=(.02,), daemon=True).start()
    return server


if __name__ == '__main__': # PORT TOKENIZER
    from transformers import AutoTokenizer
    server = serve(port=int(sys.argv[1]), tokenizer=AutoTokenizer.from_pretrained(sys.argv[2]))
    threading.Event().wait()
