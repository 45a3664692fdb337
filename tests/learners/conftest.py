import pytest
import torch

from facecond.conditions.table import CONDITIONS
from facecond.data.batches import ResidentData
from tests.learners.faces import make_latents, make_pack


@pytest.fixture(scope="package")
def pack(tmp_path_factory):
    torch.set_num_threads(1)  # tests share the machine; threads that wait for one another would take minutes
    return make_pack(tmp_path_factory.mktemp("packs") / "faces")


@pytest.fixture(scope="package")
def pictures(pack):
    """(train, validation) with pictures."""
    return tuple(ResidentData(pack, split=split, images=True) for split in ("train", "validation"))


@pytest.fixture(scope="package")
def latents(pack):
    """(train, validation) with latents."""
    store = make_latents(pack)
    told = list(CONDITIONS.values())
    return tuple(ResidentData(pack, split=split, latents=store, conditions=told) for split in ("train", "validation"))
