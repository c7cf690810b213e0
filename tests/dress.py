"Give every lesson its Colab badge, install cell and GPU metadata (`core.dress_lesson`); run by `make export`."
import json
from configparser import ConfigParser
from pathlib import Path

from iepile_nb.core import dress_lesson

ROOT = Path(__file__).parent.parent


def repo():
    "The repository's address stands once, in settings.ini."
    ini = ConfigParser(delimiters=['='])
    ini.read(ROOT/'settings.ini', encoding='utf-8')
    return f"{ini['DEFAULT']['user']}/{ini['DEFAULT']['repo']}"


def dressed(path):
    return json.dumps(dress_lesson(json.loads(path.read_text(encoding='utf-8')), path.name, repo()), ensure_ascii=False, indent=1) + '\n'


if __name__ == '__main__':
    for path in sorted((ROOT/'nbs').glob('[0-9]*.ipynb')): path.write_text(dressed(path), encoding='utf-8')
