"One's own scores beside the published ones."
import json

from helpers.reports import hostile
from iepile_nb.evaluate import evaluate
from iepile_nb.lib.published import compare_published, load_zero_shot, published, zero_shot
from iepile_nb.report import report


def test_the_published_scores_are_those_of_the_facts(shared):
    facts, ours = json.loads((shared/'spec/paper_results.json').read_text(encoding='utf-8')), published()
    keys = 'table', 'task', 'dataset', 'language', 'model', 'metric', 'value'
    assert len(ours) == len(facts) == 658
    assert [[r[k] for k in keys] for r in ours] == [[r[k] for k in keys] for r in facts]
    assert all(r['source'] and r['setting'] in ('supervised', 'zero-shot') for r in ours)


def test_compare_puts_like_beside_like():
    rows = hostile(3)
    sources = {'NER': 'Boson', 'RE': 'IPRE', 'EE': 'FewFC'}
    c = compare_published(evaluate([{**r, 'source': sources[r['task']]} for r in rows]))
    per = {(r['dataset'], r['score']) for r in c}
    assert per == {('Boson', 'NER entity F1'), ('IPRE', 'RE triple F1'),
                   ('FewFC', 'EE trigger F1'), ('FewFC', 'EE argument F1')}
    boson = [r['F1'] for r in c if r['dataset'] == 'Boson']
    assert sum(r['system'] == 'yours' for r in c) == 4 and boson == sorted(boson, reverse=True)
    assert any('Best of five' in n for n in c.notes) and 'Best of five' in c._repr_markdown_()
    assert not any('Offsets' in n for n in c.notes)
    assert {r['system'] for r in c if r['dataset'] == 'IPRE'} >= {'OneKE', 'yours'}
    phee = compare_published({'PHEE': evaluate([r for r in rows if r['task'] == 'EE'])})
    assert any('Offsets' in n for n in phee.notes)
    assert {r['score'] for r in phee} == {'EE trigger F1', 'EE argument F1'}
    nothing = compare_published(evaluate(rows))
    assert nothing == [] and str(nothing) == '(none)'


def test_the_report_stands_beside_the_paper(tmp_path):
    result = evaluate([{**r, 'source': 'Boson'} for r in hostile() if r['task'] == 'NER'])
    page = report(result, tmp_path/'r.html').read_text(encoding='utf-8')
    assert 'Beside published scores' in page and '<b>yours</b>' in page and 'YAYI-UIE' in page


def test_zero_shot_sets_are_loaded_where_they_are(shared, tmp_path):
    found = {name: (task, schema, records) for name, task, schema, records in load_zero_shot(shared/'data')}
    assert set(found) == {'CrossNER_AI', 'CrossNER_literature', 'CrossNER_science', 'FewFC', 'CrudeOilNews'}
    assert len(found['CrossNER_AI'][2]) == 431 and len(found['CrossNER_AI'][1].labels) == 14
    assert found['FewFC'][0].name == 'EE'
    assert len(zero_shot()) == 17
