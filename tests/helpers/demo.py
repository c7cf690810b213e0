"The demo, run and looked at."
import json

from iepile_nb.cli.demo import main


def run_demo(out, *args):
    assert main(['--out', str(out), '--epochs', '1', *map(str, args)]) == 0
    results = json.loads((out/'results.json').read_text(encoding='utf-8'))
    page = (out/'report.html').read_text(encoding='utf-8')
    assert page.lower().startswith('<!doctype html>') and ' src="http' not in page and '<link' not in page
    assert results['scores'] and results['losses'] and results['examples']
    for s in results['scores']: assert s['before']['n'] == s['after']['n'] > 0
    return results
