"Everything comes from settings.ini, so that each fact stands once."
from configparser import ConfigParser
from pathlib import Path
from setuptools import find_packages, setup

ini = ConfigParser(delimiters=['='])
ini.read('settings.ini', encoding='utf-8')
cfg = ini['DEFAULT']
SAMPLES = f"{cfg['lib_path']}.samples" # the folder `data`, as a package holds it
EXTRAS = 'dev', 'lab', 'data', 'plots', 'docs', 'encoder', 'smollm2', 'gemma3', 'scale'

setup(
    name=cfg['lib_name'], version=cfg['version'], description=cfg['description'], keywords=cfg['keywords'].split(),
    author=cfg['author'], author_email=cfg['author_email'], license='Apache-2.0', url=cfg['git_url'],
    long_description=Path('README.md').read_text(encoding='utf-8'), long_description_content_type='text/markdown',
    packages=[*find_packages(include=[cfg['lib_path'], f"{cfg['lib_path']}.*"]), SAMPLES], package_dir={SAMPLES: 'data'},
    package_data={cfg['lib_path']: ['assets/**/*', 'py.typed'], SAMPLES: ['**/*.json', '*.md']}, include_package_data=True,
    classifiers=['Development Status :: 3 - Alpha', 'Intended Audience :: Developers', 'Programming Language :: Python :: 3'],
    python_requires=f">={cfg['min_python']}", install_requires=cfg['requirements'].split(),
    extras_require={k: cfg[f'{k}_requirements'].split() for k in EXTRAS},
    entry_points={'console_scripts': cfg['console_scripts'].split(), 'nbdev': [f"{cfg['lib_path']}={cfg['lib_path']}._modidx:d"]},
)
