"Small datasets in the layout of the corpus."
import json

from iepile_nb.lib.io import write_jsonl

# folders and their tasks
TWELVE = {
    **{f'IE-en/NER/CrossNER_{d}': 'NER' for d in ('AI', 'literature', 'music', 'politics', 'science')},
    'IE-en/NER/ncbi': 'NER', 'IE-en/RE/fewrel_0': 'RE', 'IE-en/EE/RAMS/life': 'EE',
    'IE-en/EE/WikiEvents/Life': 'EE', 'IE-zh/NER/boson': 'NER', 'IE-zh/RE/IPRE': 'RE', 'IE-zh/EE/FewFC': 'EE'}

TEXTS = {'en': 'Ada Lind opened the Kessel mill in Vedra.', 'zh': '李安在维德拉开办了磨坊。'}
NAMES = {'en': ('Ada Lind', 'Vedra', 'opened'), 'zh': ('李安', '维德拉', '开办')}
SCHEMA_LINES = {'NER': [['person', 'place', 'date'], [], {}],
          'RE': [[], ['works in', 'born in', 'owns', 'founded', 'left'], {}],
          'EE': [['opening', 'closing'], ['owner', 'place'],
                 {'opening': ['owner', 'place'], 'closing': ['owner']}]}


def annotations(task, language):
    "The one annotation of a text."
    person, place, word = NAMES[language]
    return {'NER': {'entity': [{'entity': person, 'entity_type': 'person'}]},
            'RE': {'relation': [{'head': person, 'relation': 'works in', 'tail': place}]},
            'EE': {'event': [{'event_type': 'opening', 'event_trigger': word,
                              'arguments': [{'role': 'place', 'argument': place}]}]}}[task]


def write_layout(root, folders=TWELVE, parts=('test',), n=2):
    "Datasets of `n` records each below `root`."
    for folder, task in folders.items():
        language = folder[3:5]
        records = [{'text': f'{TEXTS[language]} {i}', **annotations(task, language)} for i in range(n)]
        (root/folder).mkdir(parents=True, exist_ok=True)
        for part in parts: write_jsonl(root/folder/f'{part}.json', records)
        lines = [json.dumps(line, ensure_ascii=False) for line in SCHEMA_LINES[task]]
        (root/folder/'schema.json').write_text('\n'.join(lines) + '\n', encoding='utf-8')
    return root
