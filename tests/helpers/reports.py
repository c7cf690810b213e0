"Runs and prediction files whose texts, labels and answers try to become HTML."
from iepile_nb.convert import convert
from iepile_nb.evaluate import evaluate
from iepile_nb.lib.page import pick_examples
from iepile_nb.questions import Schema, output
from iepile_nb.tasks import TASKS, read_instruction

EVIL = '<script>alert("x")</script>&\'"' # what wants to become HTML


def results(evil=''):
    "A run with English and Chinese, NER and EE; texts, labels and answers may be hostile."
    res = {'title': f'Run{evil}', 'about': f'About{evil}', 'scores': [], 'examples': [],
           'losses': [{'step': i, 'loss': 3 / i} for i in range(1, 30)],
           'settings': {f'model{evil}': f'm{evil}'}, 'seconds': {'train': 1.5},
           'environment': {'python': '3', 'gpu': None}}
    kind = f'城市{evil}'
    for language, text in (('en', f'Ann went to Oslo {evil}'), ('zh', f'安妮去了奥斯陆和罗马{evil}')):
        names = [n for n in ('Oslo', '奥斯陆', '罗马') if n in text]
        record = {'text': text, 'entity': [{'entity': n, 'entity_type': kind} for n in names],
                  'event': [{'event_type': f'trip{evil}', 'event_trigger': 'went',
                             'arguments': [{'role': f'to{evil}', 'argument': names[0]}]}]}
        events = Schema([f'trip{evil}'], {f'trip{evil}': [f'to{evil}', 'by']})
        for task, schema in (('NER', Schema([kind, 'river'])), ('EE', events)):
            rows = list(convert([record], schema, task, language, 'test', split_num=1))
            gold = TASKS[task].gold(record)
            right = [output(TASKS[task], read_instruction(r['instruction'])[1], gold, text) for r in rows]
            before = evaluate([{**r, 'output': f'none {evil}'} for r in rows])
            after = evaluate([{**r, 'output': o.replace('罗马', f'巴黎{EVIL[:8]}')} for r, o in zip(rows, right)])
            score = {'language': language, 'task': task, 'before': before['total'], 'after': after['total']}
            res['scores'].append(score)
            res['examples'] += pick_examples(before, after, language)
    return res


def hostile(n=1):
    "Prediction rows whose texts, labels and answers try to be HTML."
    boom, rows = f'{EVIL}<img src=x onerror=alert(1)></script>', []
    for i in range(n):
        record = {'text': f'{boom} 安妮 {i} 去了奥斯陆', 'entity': [{'entity': '安妮', 'entity_type': f'人{boom}'}],
                  'relation': [{'head': '安妮', 'relation': f'到{boom}', 'tail': '奥斯陆'}],
                  'event': [{'event_type': f'行{boom}', 'event_trigger': '去',
                             'arguments': [{'role': f'谁{boom}', 'argument': '安妮'}]}]}
        schemas = {'NER': Schema([f'人{boom}', 'b']), 'RE': Schema([f'到{boom}']),
                   'EE': Schema([f'行{boom}'], {f'行{boom}': [f'谁{boom}', 'r']})}
        for task, schema in schemas.items():
            for row in convert([record], schema, task, 'zh', 'test', source=f's{boom}'):
                t = TASKS[task]
                right = output(t, read_instruction(row['instruction'], t)[1], t.gold(record), record['text'])
                answers = right, right.replace('安妮', f'Bo{EVIL[:8]}'), f'none {boom}'
                rows.append({**row, 'output': answers[(i + len(task)) % 3]})
    return rows
