"""`facecond.open`: the pictures of `facecond sample` without a command, and its refusals."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import facecond as package
from facecond.errors import ConfigError, DataError, FacecondError
from facecond.faces.labels import CLASSES
from facecond.io.checkpoint import load_weights, save_weights
from facecond.io.documents import Record, read_json, write_json
from facecond.io.images import read_image
from facecond.sampling.generation import open_generation
from tests.commands.conftest import MODEL, TINY, call


@pytest.fixture(scope="module")
def home(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the workspace whose model has other weights: after two steps it does not yet heed what it is told."""
    folder = tmp_path_factory.mktemp("entry") / "workspace"
    shutil.copytree(workspace, folder)
    file = folder / "runs" / "multicond" / "weights.safetensors"
    weights = load_weights(file)
    source = torch.Generator().manual_seed(0)
    tensors = {
        name: each + 0.05 * torch.randn(each.shape, generator=source) if each.is_floating_point() else each
        for name, each in weights.tensors.items()
    }
    save_weights(file, tensors, weights.config)
    return folder


@pytest.fixture(scope="module")
def generator(home: Path) -> Any:
    return package.open(home / "runs" / "multicond")


@pytest.fixture(scope="module")
def labels(home: Path) -> np.ndarray:
    from facecond.data.pack import Pack

    return np.array(Pack.open(home / "packs" / "drawn-64").labels[0])


@pytest.fixture(scope="module")
def files(home: Path, labels: np.ndarray) -> dict[str, Path]:
    from PIL import Image

    path = home / "entry.png"
    Image.fromarray(labels).save(path)
    return {"map": path}


ALIKE: dict[str, tuple[list[str], dict[str, Any]]] = {
    "a map and attributes by hand": (
        ["mask=MAP", "attr='+Smiling,-Male'", "count=3", "seed=5", "sampler.eta=1", "sampler.steps=3", "guidance.mask=3"],
        {"mask": "MAP", "attributes": "+Smiling,-Male", "count": 3, "seed": 5, "eta": 1.0, "steps": 3,
         "guidance": {"mask": 3.0}},
    ),
    "one thing, the rest unsaid": (
        ["attr=+Smiling", "count=2", "guidance.scale=1.5"],
        {"attributes": "+Smiling", "count": 2, "guidance": 1.5},
    ),
    "an item and another sampler": (
        ["items=[0]", "sampler=dpmpp"],
        {"item": 0, "sampler": "dpmpp"},
    ),
    "an item whose map denies an attribute": (
        ["items=[ITEM]", "attr=+Mouth_Slightly_Open"],
        {"item": "ITEM", "attributes": "+Mouth_Slightly_Open"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", ALIKE)
def test_pictures_are_those_of_the_command(what: str, home: Path, generator: Any, files: dict[str, Path]) -> None:
    """Byte for byte: the PNGs of `facecond sample`, and what it records of them."""
    mouths = [bool((generator.prompt(i).values["mask"] == CLASSES.index("mouth")).any()) for i in range(16)]
    put = {"MAP": str(files["map"]), "ITEM": mouths.index(False)}
    words, told = ALIKE[what]
    for name, value in put.items():
        words = [word.replace(name, str(value)) for word in words]
    told = {key: put.get(value, value) if isinstance(value, str) else value for key, value in told.items()}
    made = call("sample", f"workspace={home}", "run=multicond", *words).made
    images, records = generator.sample(**told)
    generation = open_generation(made["records"].parent)
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images, [read_image(path) for path in sorted(made["images"].glob("*.png"))])
    for record, by_command in zip(records, generation.records, strict=True):
        for key in ("index", "seed", "source", "description", "sampler"):
            assert record[key] == by_command[key]
        assert {name: each["sha256"] for name, each in record["told"].items()} == {
            name: each["sha256"] for name, each in by_command["told"].items()
        }
        assert {key: record[key] for key in generation.made_with} == generation.made_with


def test_an_array_is_what_its_file_and_its_words_are(
    generator: Any, labels: np.ndarray, files: dict[str, Path]
) -> None:
    attributes = np.zeros(40, np.int8)
    attributes[31] = 1  # Smiling
    arrays = generator.sample(mask=labels, attributes=attributes, count=2)
    texts = generator.sample(mask=files["map"], attributes="Smiling", count=2)
    np.testing.assert_array_equal(arrays.images, texts.images)
    assert arrays.records[0]["description"] == {"attributes": "+Smiling", "mask": "an array"}
    np.testing.assert_array_equal(arrays.records[0]["told"]["mask"]["value"], labels)
    assert not np.array_equal(arrays.images, generator.sample(attributes="Smiling", count=2).images)


def test_a_map_by_hand_replaces_that_of_the_item_and_stays(generator: Any, labels: np.ndarray) -> None:
    closed = np.where(labels == CLASSES.index("mouth"), 1, labels).astype(np.uint8)
    told = generator.sample(item=1, mask=closed, attributes="+Mouth_Slightly_Open").records[0]["told"]
    np.testing.assert_array_equal(told["mask"]["value"], closed)
    assert (told["attributes"]["value"] != 0).all()  # of the item, with the one that was named


def test_only_a_folder_that_is_named_is_written(
    generator: Any, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(home.rglob("*"))
    plain = generator.sample(attributes="+Young", count=3)
    assert sorted(home.rglob("*")) == before
    assert not list(tmp_path.iterdir())
    folder = tmp_path / "kept"
    generator.sample(attributes="+Young", count=2, folder=folder)
    first = (folder / "images" / "000000.png").stat().st_mtime_ns
    kept = generator.sample(attributes="+Young", count=3, folder=folder)
    assert (folder / "images" / "000000.png").stat().st_mtime_ns == first
    np.testing.assert_array_equal(kept.images, plain.images)
    np.testing.assert_array_equal(open_generation(folder).images, plain.images)
    assert [record["seed"] for record in kept.records] == [record["seed"] for record in plain.records]
    with pytest.raises(DataError, match="sampler\\.steps"):
        generator.sample(attributes="+Young", count=3, steps=1, folder=folder)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no such condition": ({"masks": "map.png"}, "did you mean 'mask'"),
    "no such setting": ({"cout": 3}, "did you mean 'count'"),
    "not conditioned on it": ({"sketch": "map.png"}, "is not conditioned on it"),
    "unknown attribute": ({"attributes": "+Smilin"}, "did you mean 'Smiling'"),
    "no file": ({"mask": "nowhere.png"}, "nowhere.png"),
    "another shape": ({"mask": np.zeros((32, 32), np.uint8)}, "uint8 (64, 64)"),
    "no text and no array": ({"mask": [[1]]}, "is a list"),
    "no such item": ({"item": 99}, "has 0 to 15"),
    "no such sampler": ({"sampler": "ddin"}, "did you mean 'ddim'"),
    "too many steps": ({"steps": 5000}, "at most"),
    "eta beyond 1": ({"eta": 2.0}, "eta"),
    "guidance of nothing": ({"guidance": {"masks": 2.0}}, "did you mean 'guidance.mask'"),
    "guidance of another model": ({"guidance": {"sketch": 2.0}}, "not conditioned on sketch"),
    "no pictures": ({"count": 0}, "count"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_mistake_is_one_line(what: str, generator: Any) -> None:
    told, words = WRONG[what]
    with pytest.raises(FacecondError) as caught:
        generator.sample(**told)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("told", "words"),
    [({"run": "multicon"}, "did you mean 'multicond'"), ({"run": "parser"}, "expected diffusion"),
     ({"device": "xpu"}, "xpu"), ({"run": "multicond", "pack": "drawn"}, "did you mean 'drawn-64'"),
     ({"run": "multicond", "first_stage": "parser"}, "expected vq")],
)  # fmt: skip
def test_what_cannot_be_opened_is_refused(told: dict[str, Any], words: str, home: Path) -> None:
    with pytest.raises(FacecondError) as caught:
        package.open(**told, workspace=home)
    assert words in str(caught.value)


def test_a_model_samples_by_hand_without_a_pack(generator: Any, home: Path, tmp_path: Path) -> None:
    """The workspace is the one the run lies in, wherever that has moved."""
    moved = tmp_path / "moved"
    for name in ("multicond", "vq"):
        shutil.copytree(home / "runs" / name, moved / "runs" / name)
    file = moved / "runs" / "multicond" / "run.json"
    write_json(file, read_json(file, Record) | {"pack_path": "/nowhere"})
    alone = package.open(moved / "runs" / "multicond")
    images = alone.sample(attributes="+Smiling").images
    np.testing.assert_array_equal(images, generator.sample(attributes="+Smiling").images)
    with pytest.raises(DataError, match="is not in"):
        alone.sample(item=0)
    named = package.open(moved / "runs" / "multicond", pack=home / "packs" / "drawn-64")
    np.testing.assert_array_equal(named.sample(item=0).images, generator.sample(item=0).images)


def test_a_model_that_must_be_told_everything_refuses_less(home: Path) -> None:
    told_all = [f"model.{kind}_dropout=0" for kind in ("condition", "joint", "partial")]
    call("train", f"workspace={home}", "model=attr", "name=told-all", *told_all, "guidance.scale=1", *MODEL, *TINY)
    generator = package.open("told-all", workspace=home)
    with pytest.raises(ConfigError, match="some attributes are not specified"):
        generator.sample(attributes="+Smiling")
    assert generator.sample(item=0).images.shape == (1, 64, 64, 3)
