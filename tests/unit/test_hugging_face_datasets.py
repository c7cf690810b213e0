"Datasets of tokens and tags: loaded, on disk, and on a hub that does not answer."
import pytest
from helpers.data_files import INES, ROW, read, save
from iepile_nb.lib.options import settings
from iepile_nb.lib.io import UserError

TOKENS = ['Ines', 'Okafor', 'left', 'Odda', '.']
COLUMNS = {'tokens': [TOKENS], 'ner_tags': [[1, 2, 0, 3, 0]]}


@pytest.fixture(scope='module')
def dataset():
    from datasets import ClassLabel, Dataset, Features, Sequence, Value
    tags = Sequence(ClassLabel(names=['O', 'B-PER', 'I-PER', 'B-LOC']))
    return Dataset.from_dict(COLUMNS, Features({'tokens': Sequence(Value('string')), 'ner_tags': tags}))


def test_loaded_datasets(dataset):
    assert read(dataset, 'hf') == read(dataset.to_iterable_dataset(), 'hf') == ([INES], [])


def test_tags_without_names(dataset):
    from datasets import Dataset
    nameless = read(Dataset.from_dict(COLUMNS), 'hf')[1]
    assert 'holds the number 1, and the dataset does not say what it means' in nameless[0]
    wrong = Dataset.from_dict(COLUMNS | {'ner_tags': [[1, 2, 0, 3, -1]]}).cast(dataset.features)
    assert 'holds the number -1' in read(wrong, 'hf')[1][0] # which is not the last name
    with pytest.raises(UserError, match="no columns 'tokens'"): read(Dataset.from_dict({'a': [1]}), 'hf')


def test_datasets_on_disk(dataset, tmp_path):
    from datasets import DatasetDict
    DatasetDict(test=dataset).save_to_disk(tmp_path/'d')
    assert read(f"{tmp_path/'d'}:test", 'hf') == ([INES], [])
    (tmp_path/'files').mkdir()
    dataset.to_parquet(tmp_path/'files/train.parquet')
    save(tmp_path/'d.jsonl', {'tokens': TOKENS, 'ner_tags': 'B-PER I-PER O B-LOC O'.split()})
    for path in (tmp_path/'files', tmp_path/'files/train.parquet', tmp_path/'d.jsonl'):
        assert read(path, 'hf') == ([INES], [])
    with pytest.raises(UserError, match='d: cannot be read as a dataset .*wanted: split dev'):
        read(f"{tmp_path/'d'}:dev", 'hf')


def test_a_hub_that_does_not_answer(monkeypatch):
    import datasets
    def gone(*a, **k): raise ConnectionError('no route\nto host')
    monkeypatch.setattr(datasets, 'load_dataset', gone)
    with pytest.raises(UserError, match='a/b: .*no route.*wanted: split x.*HF_ENDPOINT.*local path'):
        read('a/b:x', 'hf')
    import huggingface_hub
    monkeypatch.setattr(huggingface_hub, 'hf_hub_download', gone)
    for name in ('zjunlp/iepile/dev.json', 'zjunlp/iepile:dev.json'):
        said = 'no such file here, and dev.json of zjunlp/iepile: cannot be had.*HF_ENDPOINT'
        with pytest.raises(UserError, match=said):
            read(name, 'iepile')


def test_a_file_of_the_hub_is_downloaded_once_and_read(monkeypatch, tmp_path):
    import huggingface_hub
    asked = []
    def download(repo, file, repo_type):
        asked.append((repo, file, repo_type))
        save(tmp_path/'train.json', ROW)
        return str(tmp_path/'train.json')
    monkeypatch.setattr(huggingface_hub, 'hf_hub_download', download)
    assert len(read('zjunlp/iepile', 'iepile')[0]) == 1
    o = settings(train_file='zjunlp/iepile:train.json', output_dir='o')
    assert o.train_file == str(tmp_path/'train.json')
    assert asked == [('zjunlp/iepile', 'train.json', 'dataset')] * 2
