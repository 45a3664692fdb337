"""`facecond train model=maps`, and sampling where no map is given."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import facecond
from facecond.assembly.maps import MapGenerator
from facecond.data.pack import Pack
from facecond.faces.names import NUM_CLASSES
from facecond.io.documents import Record, read_records
from facecond.sampling.folder import digest_of
from facecond.sampling.generation import open_generation
from facecond.workspace.find import read_run
from facecond.workspace.origin import find_maps
from tests.commands.conftest import TINY, Facecond, call

SMALL = [
    "model.denoiser.model_channels=8",
    "model.denoiser.norm_groups=8",
    "model.denoiser.head_channels=8",
    "model.mask.width=8",
    "model.token_width=32",
    "model.standardise_latents=false",  # whoever learnt nothing yet would answer with the commonest class everywhere
]


@pytest.fixture(scope="module")
def here(workspace: Path) -> Path:
    """The workspace with a generator of maps."""
    call("train", f"workspace={workspace}", "model=maps", "name=maps", "sampler.steps=2", *SMALL, *TINY)
    return workspace


def masks(folder: Path) -> list[np.ndarray]:
    """The maps the pictures of a folder were told."""
    return [
        np.array(Image.open(folder / line["told"]["mask"]["value"]))
        for line in read_records(folder / "records.jsonl", Record)
    ]


def test_what_only_a_map_shows_is_said_to_be_missing_without_one(here: Path, facecond: Facecond) -> None:
    place, one = [f"workspace={here}", "run=multicond"], ["--count", "1"]
    for words, said in {
        ("--attr", "+Eyeglasses,+Male,-Wearing_Hat", "maps=none"): "Eyeglasses: learnt from maps, and no map is given",
        ("--attr", "+Eyeglasses"): "",
        ("--attr", "+Male,-Eyeglasses", "maps=none"): "",
        ("--attr", "+Eyeglasses", "items=[0]"): "",
        ("--attr", "+Eyeglasses", "items=[0]", "only=[attributes]", "maps=none"): "Eyeglasses: learnt from maps",
    }.items():
        status, _, heard = facecond("sample", *words, *place, *([] if "items=[0]" in words else one))
        assert status == 0, heard
        assert said in heard
        assert bool(said) == ("learnt from maps" in heard), words


def test_each_picture_without_a_map_gets_one_of_its_own(here: Path, facecond: Facecond) -> None:
    place = f"workspace={here}"
    words = ["sample", "--attr", "+Eyeglasses", place, "run=multicond", "name=drawn"]
    status, _, said = facecond(*words, "--count", "2")
    assert status == 0, said
    assert "maps: " in said
    few = masks(here / "samples" / "drawn")
    assert all((each < NUM_CLASSES).all() for each in few)
    assert (few[0] != few[1]).any()
    status, _, said = facecond(*words, "--count", "4")
    assert status == 0, said
    more = masks(here / "samples" / "drawn")
    assert len(more) == 4
    assert all((one == other).all() for one, other in zip(few, more, strict=False))
    record = read_records(here / "samples" / "drawn" / "records.jsonl", Record)[0]
    assert record["description"] == {"attributes": "+Eyeglasses", "mask": "drawn by maps"}


def test_a_program_gets_records_of_the_maps_its_pictures_followed(here: Path, tmp_path: Path) -> None:
    session = facecond.open("multicond", workspace=here)
    images, records = session.sample(attributes="+Eyeglasses", count=5, steps=2, guidance=1.0)
    for record in records:
        told = record["told"]["mask"]
        assert told["sha256"] == digest_of(told["value"])
        assert told["given"] is None
    assert len({record["told"]["mask"]["sha256"] for record in records}) == 5
    again, kept = session.sample(attributes="+Eyeglasses", count=5, steps=2, guidance=1.0, folder=tmp_path / "kept")
    assert (again == images).all()
    assert [record["told"]["mask"]["sha256"] for record in kept] == [
        record["told"]["mask"]["sha256"] for record in records
    ]
    _, plain = facecond.open("multicond", workspace=here, maps="none").sample(attributes="+Eyeglasses", steps=2)
    assert "mask" not in plain[0]["told"]


def test_what_is_there_is_not_drawn_again(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = [f"workspace={here}", "run=multicond", "attr=+Smiling", "name=once"]
    call("sample", *words, "count=2")
    drawn: list[int] = []
    own = MapGenerator.complete
    monkeypatch.setattr(
        MapGenerator,
        "complete",
        lambda self, values, seeds, *more: drawn.extend(seeds) or own(self, values, seeds, *more),
    )
    call("sample", *words, "count=2")
    assert drawn == []
    call("sample", *words, "count=3")
    assert len(set(drawn)) == 1


def test_a_folder_of_other_maps_is_not_continued(here: Path, facecond: Facecond) -> None:
    words = ["sample", "--attr", "+Bald", f"workspace={here}", "run=multicond", "name=mixed", "--count", "1"]
    assert facecond(*words, "maps=none")[0] == 0
    status, _, err = facecond(*words)
    assert status == 2
    assert "maps" in err.strip().splitlines()[-1]


def test_only_maps_of_the_same_kind_are_drawn(here: Path, tmp_path: Path) -> None:
    """A workspace of photographs does not follow maps of drawn people; a run named is taken."""
    run = read_run(here / "runs" / "multicond")
    assert find_maps(str(here), None, run, here / "packs" / "drawn-64") is not None
    other = dataclasses.replace(run, pack="0" * 64)
    assert find_maps(str(here), None, other, None) is None
    assert find_maps(str(here), "maps", other, None) is not None
    assert find_maps(str(here), "none", run, here / "packs" / "drawn-64") is None


def test_without_it_the_map_stays_open(here: Path) -> None:
    words = [f"workspace={here}", "run=multicond", "attr=+Eyeglasses", "count=1"]
    drawn, left = call("sample", *words), call("sample", *words, "maps=none")
    assert drawn.made["images"] != left.made["images"]
    assert "maps" not in left.used
    (record,) = read_records(left.made["records"], Record)
    assert "mask" not in record["description"]


def test_what_a_map_says_is_kept(here: Path, tmp_path: Path) -> None:
    labels = np.array(Pack.open(here / "packs" / "drawn-64").labels[0])
    labels[:32] = 255
    Image.fromarray(labels).save(tmp_path / "half.png")
    made = call("sample", f"workspace={here}", "run=multicond", f"mask={tmp_path / 'half.png'}", "count=2")
    first, second = masks(made.made["images"].parent)
    assert (first[32:] == labels[32:]).all()
    assert (second[32:] == labels[32:]).all()
    assert (first < NUM_CLASSES).all()


def test_items_keep_their_maps_and_attributes_alone_get_drawn_ones(here: Path) -> None:
    words = [f"workspace={here}", "run=multicond", "count=2"]
    pack = Pack.open(here / "packs" / "drawn-64")
    own = [np.array(pack.labels[place]) for place in pack.indices("validation")[:2]]
    made = call("sample", *words)
    assert all((one == other).all() for one, other in zip(masks(made.made["images"].parent), own, strict=True))
    told = call("sample", *words, "only=[attributes]")
    assert all((one != other).any() for one, other in zip(masks(told.made["images"].parent), own, strict=True))
    assert len(open_generation(told.made["images"].parent).images) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "model=maps", "first_stage=vq"], "'first_stage=vq' has no meaning for a maps model"),
        (["train", "model=maps", "size=tiny", "model.mask.dropout=0", "name=given"], "nothing is left to draw"),
        (["sample", "run=maps"], "is a run of a maps model, expected diffusion"),
        (["sample", "run=multicond", "attr=+Smiling", "maps=parser"], "is a run of a parser model, expected maps"),
        (["sample", "run=attr", "attr=+Smiling", "maps=maps"], "is told no maps"),
    ],
)
def test_what_cannot_be_is_one_line(here: Path, facecond: Facecond, words: list[str], said: str) -> None:
    status, _, err = facecond(*words, f"workspace={here}")
    assert status == 2
    assert said in err.strip().splitlines()[-1]
