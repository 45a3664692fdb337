"""A damaged folder of samples is one clear line, whatever is damaged."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from facecond.assembly.first_stage import require_finite
from facecond.conditions.table import CONDITIONS
from facecond.errors import DataError
from facecond.io.documents import Record, read_json, write_json, write_records
from facecond.io.images import write_png
from facecond.sampling.folder import read_values
from facecond.sampling.generation import generate, open_generation
from facecond.sampling.plans import Prompt, one_each
from facecond.types import NoiseSource, Values


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
    with pytest.raises(DataError, match=r"images.npy.*delete it"):
        open_generation(folder)
    path.unlink()
    np.testing.assert_array_equal(open_generation(folder).images, np.zeros((2, 8, 8, 3)))


@pytest.mark.parametrize("key", ["made_with", "count", "about"])
def test_manifest(folder: Path, key: str) -> None:
    manifest = read_json(folder / "generation.json", Record)
    del manifest[key]
    write_json(folder / "generation.json", manifest)
    with pytest.raises(DataError, match=f"{key} is missing"):
        open_generation(folder)


@pytest.mark.parametrize("noisy", ["mask", {"mask": 1}, None])
def test_what_is_kept_beside(folder: Path, noisy: Any) -> None:
    manifest = read_json(folder / "generation.json", Record)
    write_json(folder / "generation.json", {**manifest, "about": {"noisy": noisy}})
    with pytest.raises(DataError, match=r"about\.noisy"):
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


def flip(path: Path, place: int) -> None:
    """Change one bit of a file, leaving its times as they are."""
    times = path.stat()
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_an_altered_row_is_made_again_from_its_png(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole = np.array(open_generation(folder).images)
    flip(folder / "images.npy", -1)
    with caplog.at_level("WARNING", "facecond"):
        np.testing.assert_array_equal(open_generation(folder).images, whole)
    assert f"row 1 of {folder / 'images.npy'} was altered" in caplog.text


def test_an_altered_picture_is_named(folder: Path) -> None:
    path = folder / "images" / "000001.png"
    write_png(path, np.full((8, 8, 3), 1, np.uint8))
    (folder / "images.npy").unlink()
    with pytest.raises(DataError, match=r"000001\.png was altered"):
        open_generation(folder)


def test_an_altered_condition_is_named(folder: Path) -> None:
    (path,) = folder.glob("conditions/*.npz")
    with np.load(path) as content:
        channels, shape = content["channels"], content["shape"]
    channels[0, 0, 0] ^= 1
    np.savez_compressed(path, channels=channels, shape=shape)
    record = open_generation(folder).records[1]
    with pytest.raises(DataError, match=r"\.npz was altered: it is not the mask that image 1 was told"):
        read_values(folder, record)


@pytest.mark.parametrize("name", ["generation.json", "records.jsonl"])
def test_an_altered_digit_is_seen(folder: Path, name: str) -> None:
    path = folder / name
    old, new = ('"count": 2', '"count": 1') if name == "generation.json" else ('"source": null', '"source": "a"')
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(DataError, match=rf"{name}.* was altered: its checksum is"):
        open_generation(folder)


def test_latents_that_are_not_finite_name_their_seeds(tmp_path: Path) -> None:
    plan = one_each([Prompt(values={"attributes": np.ones(40, np.int8)})] * 3, seed=0)

    def render(values: Values, noise: Tensor, source: NoiseSource) -> NDArray[np.uint8]:
        latents = torch.zeros(len(noise), 3, 2, 2)
        latents[1, 0, 0, 0], latents[2, 0, 0, 0] = float("nan"), float("inf")
        return require_finite(latents, "latents").numpy().astype(np.uint8)

    said = f"latents of 2 of 3 pictures are not finite, those of seed {plan[1].seed}, {plan[2].seed}"
    with pytest.raises(DataError, match=said):
        generate(
            plan, render, tmp_path / "made", made_with={"weights": "0" * 64, "sampler": {"name": "ddim"}},
            latent_shape=(3, 2, 2), batch_size=3,
        )  # fmt: skip
    assert not list((tmp_path / "made" / "images").iterdir())


def test_an_array_that_cannot_be_made_again_is_not_there(folder: Path) -> None:
    """Not half of it, which later commands would measure."""
    records = [
        {key: value for key, value in record.items() if key != "pixels"} for record in open_generation(folder).records
    ]
    write_records(folder / "records.jsonl", records)
    (folder / "images.npy").unlink()
    (folder / "images" / "000001.png").write_bytes(b"no picture")
    for _ in range(2):
        with pytest.raises(DataError, match=r"000001\.png"):
            open_generation(folder)
    assert not (folder / "images.npy").exists()
