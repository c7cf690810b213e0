"What extractions are written as: tables for spreadsheets, JSON Lines, graphs."
import csv
from xml.dom.minidom import parseString

import pytest
from helpers.predicting import extraction

from iepile_nb.infer import Extractions
from iepile_nb.lib.io import UserError, read_jsonl


def test_a_table_for_spreadsheets(tmp_path):
    events = [{'trigger': '甲', 'arguments': {'x': ['-1', 'y\n"z"'], 'w': 'NAN'}},
              {'trigger': '+', 'arguments': {}}]
    es = Extractions([extraction('EE', '=cmd("x"), 甲', {'e': events}),
                      extraction('EE', 'nothing', {'e': []})])
    es.to_csv(tmp_path/'t.csv')
    data = (tmp_path/'t.csv').read_bytes()
    assert data.startswith(b'\xef\xbb\xbf')
    text, table = '\'=cmd("x"), 甲', list(csv.reader(data.decode('utf-8-sig').splitlines(keepends=True)))
    assert table == [['text', 'event_type', 'trigger', 'role', 'argument'], [text, 'e', '甲', 'x', "'-1"],
                     [text, 'e', '甲', 'x', 'y\n"z"'], [text, 'e', "'+", '', '']]
    assert es.to_jsonl(tmp_path/'t.jsonl') == 2
    first = next(read_jsonl(tmp_path/'t.jsonl'))[1]
    assert first['answer'] == es[0]
    assert first['spans'][0] == {'label': 'e', 'start': 11, 'end': 12, 'text': '甲', 'part': 'trigger'}


def test_half_characters_are_written_as_question_marks(tmp_path):
    e = extraction('NER', 'Ines \ud83d', {'a': ['\ud83d', 'Ines']})
    e.to_csv(tmp_path/'x.csv')
    e.to_jsonl(tmp_path/'x.jsonl')
    assert '?' in (tmp_path/'x.csv').read_text('utf-8-sig')
    assert next(read_jsonl(tmp_path/'x.jsonl'))[1]['answer'] == {'a': ['?', 'Ines']}


def test_graphs():
    es = Extractions([extraction('KG', '', {'t': {'<b>': {'p': ['甲', 'x'], 'q': '甲'}}}),
                      extraction('KG', '', {'t': {'x': {'p': 'x'}}})])
    g = es.graph()
    edges = {('<b>', '甲', 'p'), ('<b>', 'x', 'p'), ('<b>', '甲', 'q'), ('x', 'x', 'p')}
    assert set(g.edges(keys=True)) == edges
    svg = g._repr_html_()
    assert '<b>' not in svg and '&lt;b&gt;' in svg and 'p · q' in svg and 'nan' not in svg
    assert len(parseString(svg).getElementsByTagName('rect')) == 6
    assert extraction('RE', '', {'r': []}).graph()._repr_html_() == '<i>nothing to draw</i>'
    with pytest.raises(UserError, match='NER answers hold no triples; those of RE'):
        extraction('NER', '', {'a': ['x']}).triples()


BEGINNINGS = ['=A1', '+1', '-1', '@f', '\t=A1', '\r=A1', '\n=A1', ' =A1', '\0=A1', '\ufeff=A1', '\u3000=A1',
              '\u200b=A1', '＝A1', '＋1', '－1', '＠f', '﹦A1', '\x0b+1',
              '\ufe0f=A1', '\u3164=A1', '\u034f=A1', '\u2212=A1']

@pytest.mark.parametrize('cell', BEGINNINGS)
def test_whatever_may_begin_a_formula_is_marked(cell, tmp_path):
    extraction('NER', 'Ines', {'a': [cell, 'Ines', '1=1']}).to_csv(tmp_path/'x.csv')
    with open(tmp_path/'x.csv', encoding='utf-8-sig', newline='') as f: table = list(csv.reader(f))
    assert table[1:] == [['Ines', 'a', "'" + cell], ['Ines', 'a', 'Ines'], ['Ines', 'a', '1=1']]
