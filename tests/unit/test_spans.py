"Spans of every task, and how they are named in a picture."
import re

from iepile_nb.lib.spans import Span, find_spans, highlight
from iepile_nb.tasks import TASKS


def test_spans_of_every_task():
    text = '😀公司 X 于 Odda 裁员, BUS 和 US'
    event = {'e': [{'trigger': '裁员', 'arguments': {'who': ['X', '公司'], 'where': 'NAN', 'when': 'never'}}]}
    cases = {'NER': ({'c': ['公司', 'Mars']}, [('公司', '')]),
             'RE': ({'r': [{'subject': 'X', 'object': 'Odda'}]}, [('X', 'subject'), ('Odda', 'object')]),
             'SPO': ({'r': [{'head': 'US', 'tail': 'X'}]}, [('X', 'object'), ('US', 'subject')]),
             'EE': (event, [('公司', 'who'), ('X', 'who'), ('裁员', 'trigger')]),
             'EET': ({'e': ['裁员']}, [('裁员', 'trigger')]),
             'EEA': ({'e': [{'where': 'Odda'}]}, [('Odda', 'where')]),
             'KG': ({'c': {'公司': {'place': 'Odda'}}}, [('公司', ''), ('Odda', 'place')])}
    for name, (answer, expected) in cases.items():
        spans = find_spans(TASKS[name], answer, text)
        assert [(s.text, s.part) for s in spans] == expected, name
        assert all(text[s.start:s.end] == s.text for s in spans)
    span = find_spans(TASKS['NER'], {'c': ['US']}, text)[0]
    assert text[span.start - 1] == ' ' # the word, not the end of BUS


def test_the_first_span_of_a_label_names_it():
    html = highlight('a b', [Span('e', 0, 1, 'a', 'who'), Span('e', 2, 3, 'b', 'where')])
    assert re.findall(r'left:.35em">(.*?)<', html) == ['e · who', 'where']
    hue = lambda label: re.findall(r'hsl\((\S+)', highlight('a', [Span(label, 0, 1, 'a')], ['d', 'e']))[0]
    with_labels = [hue(l) for l in 'de']
    assert len(set(with_labels)) == 2
