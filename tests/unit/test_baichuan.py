"Baichuan 2 in use: its published folder, 4 bits, a cache, packing, training, merging, spans; families that are gone."
import json

import pytest
import torch
from helpers.baichuan import LAYERS, POSITIONS, published_folder
from helpers.models import lively_adapter

from iepile_nb.base import SUCCESSORS, check_family, load_base
from iepile_nb.infer import Extractor, generate
from iepile_nb.lib.baichuan import BaichuanConfig, BaichuanForCausalLM, NormHead, alibi_slopes
from iepile_nb.lib.engine import takes_slots
from iepile_nb.lib.io import UserError
from iepile_nb.lib.memory import shape_of
from iepile_nb.lib.publish import merged
from iepile_nb.lora import add_lora, answer_loss, load_model, packs_exactly
from iepile_nb.prompt import Encoded, collate, encode_prompt, get_template, pack

KINDS = [*POSITIONS]


@pytest.fixture(scope='module')
def folders(tmp_path_factory):
    "A published folder of each kind."
    return {k: published_folder(tmp_path_factory.mktemp(k), k) for k in KINDS}
