"""A damaged folder of samples is one clear line, whatever is damaged."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from facecond.conditions.table import CONDITIONS
from facecond.errors import DataError
from facecond.sampling.generation import generate, open_generation
from facecond.sampling.plans import Prompt, one_each


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pictures told attributes and overlapping parts."""
    values = {
        "attributes": np.ones(40, np.int8),
        "mask": np.random.default_rng(0).random((18, 8, 8)) < 0.5,
    }
    made = {"weights": "0" * 64, "sampler": {"name": "ddim"}}
    plan = one_each([Prompt(values=values)] * 2, seed=0)
    generate(
        plan, lambda values, noise, source: np.zeros((len(noise), 8, 8, 3), np.uint8), tmp_path / "made",
        made_with=made, latent_shape=(3, 2, 2), batch_size=2, device=torch.device("cpu"),
    )  # fmt: skip
    return tmp_path / "made"


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY\x01\x00", None])
def test_pictures(folder: Path, content: bytes | None) -> None:
    path = folder / "images.npy"
    whole = path.read_bytes()
    path.write_bytes(whole[:-10] if content is None else content)
    with pytest.raises(DataError, match=r"images.npy is damaged: .*delete it"):
        open_generation(folder)
    path.unlink()
    np.testing.assert_array_equal(open_generation(folder).images, np.zeros((2, 8, 8, 3)))


@pytest.mark.parametrize("key", ["made_with", "count", "about"])
def test_manifest(folder: Path, key: str) -> None:
    manifest = json.loads((folder / "generation.json").read_text())
    del manifest[key]
    (folder / "generation.json").write_text(json.dumps(manifest))
    with pytest.raises(DataError, match=f"{key} is missing"):
        open_generation(folder)


def test_overlapping_parts(folder: Path) -> None:
    (path,) = folder.glob("conditions/*.npz")
    whole = path.read_bytes()
    name = str(path.relative_to(folder))
    assert CONDITIONS["mask"].recall(name, folder).shape == (18, 8, 8)
    flipped = bytearray(whole)
    flipped[len(whole) // 3] ^= 255
    for content in (b"", whole[: len(whole) // 2], bytes(flipped)):
        path.write_bytes(content)
        with pytest.raises(DataError, match="cannot be read"):
            CONDITIONS["mask"].recall(name, folder)


@pytest.mark.parametrize("text", ["+" * 39, "+-x" + "0" * 37, ""])
def test_attributes(text: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not 40 signs"):
        CONDITIONS["attributes"].recall(text, tmp_path)
