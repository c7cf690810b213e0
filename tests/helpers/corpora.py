"The synthetic corpus in tests: records of it, names of its labels, and the embedded model's tokenizer."
import json
from functools import lru_cache
from itertools import islice

import pytest

from iepile_nb.corpus import sentences
from iepile_nb.lib.patterns import ASSETS, domain_names, load_grammar
from iepile_nb.questions import LANGUAGES

each_language = pytest.mark.parametrize('language', LANGUAGES)


def records(language, n=300, heldout=False, **kw):
    return list(islice(sentences(language, domain_names(language, heldout), **kw), n))


def names_of(language, domains, pools):
    "All names that labels and roles of some domains go by."
    found = [load_grammar(language)['domains'][d] for d in domains]
    entries = [e for d in found for kind in ('entities', 'relations', 'events') for e in d[kind].items()]
    entries += [r for _, e in entries for r in e.get('roles', {}).items()]
    return {n for l, e in entries for n in (l, *(a for p in pools for a in e[p]))}


def strings_in(value):
    "All strings in a JSON value, but the keys of objects."
    if isinstance(value, str): return {value}
    if isinstance(value, dict): value = [*value.values()]
    return set().union(*map(strings_in, value)) if isinstance(value, list) else set()


def asked_names(row):
    "Every name in a row's schema."
    return strings_in(json.loads(row['instruction'])['schema'])


@lru_cache
def embedded_tokenizer():
    from transformers import AutoTokenizer
    return AutoTokenizer.from_pretrained(str(ASSETS/'model'))
