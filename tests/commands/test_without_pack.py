"""A run whose pack is gone is sampled by hand and edits photographs; what needs the pack's people is refused in one line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facecond.io.images import read_image
from tests.commands.conftest import Facecond, call

BY_HAND = ["run=multicond", "attr='+Smiling,+Male'", "count=2", "sampler.steps=2", "precision=float32"]


@pytest.fixture(scope="module")
def bare(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs of a workspace, moved to where no pack is, and what lies beside them gone from where it was."""
    place = tmp_path_factory.mktemp("bare") / "workspace"
    shutil.copytree(workspace / "runs", place / "runs")
    for file in place.glob("runs/*/run.json"):
        content = json.loads(file.read_text())
        content.pop("checksum", None)
        file.write_text(json.dumps(content | {"pack_path": str(place / "gone")}))
    return place


def test_pictures_by_hand_are_those_with_the_pack(bare: Path, workspace: Path) -> None:
    made, expected = (
        call("sample", f"workspace={place}", *BY_HAND, "maps=none").made["images"] for place in (bare, workspace)
    )
    for name in ("000000.png", "000001.png"):
        np.testing.assert_array_equal(read_image(made / name), read_image(expected / name))


def test_photographs_are_edited(bare: Path, tmp_path: Path) -> None:
    photo = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    Image.fromarray(photo).save(tmp_path / "photo.png")
    words = ["run=multicond", "attr='+Smiling,-Young'", "align=never", "sampler.steps=2", "maps=none"]
    made = call("edit", f"workspace={bare}", f"photos=[{tmp_path / 'photo.png'}]", *words).made["pictures"]
    assert read_image(next(made.glob("*.png"))).shape == photo.shape


@pytest.mark.parametrize(
    "words",
    [
        "sample run=multicond",
        "sample run=multicond items=[0]",
        "edit run=multicond items=[0] --attr +Smiling",
        "eval miou run=multicond",
        "swap-masks run=multicond",
        "synthesize run=multicond",
    ],
)
def test_what_needs_people_is_refused(words: str, bare: Path, facecond: Facecond) -> None:
    before = sorted(bare.rglob("*"))
    status, _, err = facecond(*words.split(), f"workspace={bare}")
    assert status == 2
    assert err.strip().splitlines()[-1].startswith("facecond: the pack that multicond was trained on is gone")
    assert sorted(bare.rglob("*")) == before


def test_a_pack_of_another_size_takes_no_part(bare: Path, tmp_path: Path, facecond: Facecond) -> None:
    place = shutil.copytree(bare, tmp_path / "workspace")
    call("data draw", f"workspace={place}", "name=large", "data.count=8", "data.validation=2", "resolution=128")
    call("sample", f"workspace={place}", *BY_HAND, "maps=none")
    status, _, err = facecond("sample", "run=multicond", f"workspace={place}")
    assert (status, "pack=" in err) == (2, True)
