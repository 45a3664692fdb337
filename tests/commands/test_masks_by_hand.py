"""A label map a person gives is checked as packing checks one, and what looks wrong is said before sampling."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facecond.io.images import read_label_map
from facecond.sampling.generation import open_generation
from tests.commands.conftest import Facecond, call
from tests.data.makers import face_labels

WHOLE = face_labels(128, 1)
PARTLY = np.where(WHOLE == 13, 13, 255).astype(np.uint8)

MAPS = {
    "good": (WHOLE, None),
    "partly": (PARTLY, None),
    "wide": (np.pad(WHOLE, ((0, 0), (20, 20))), "cut to the central square (168x128)"),
    "small": (face_labels(32, 1), "smaller than the resolution it is brought to (32x32 to 64)"),
    "mirrored": (np.ascontiguousarray(WHOLE[:, ::-1]), "left eye lies to the left"),
    "noseless": (np.where(WHOLE == 2, 1, WHOLE).astype(np.uint8), "lacks skin, a nose"),
}


@pytest.mark.parametrize("name", MAPS)
def test_what_looks_wrong_is_a_warning(name: str, workspace: Path, tmp_path: Path, facecond: Facecond) -> None:
    labels, expected = MAPS[name]
    Image.fromarray(labels).save(tmp_path / "map.png")
    words = ["run=multicond", "count=1", f"name=hand-{name}", f"workspace={workspace}", "--mask", tmp_path / "map.png"]
    status, _, err = facecond("sample", *words)
    assert status == 0, err
    warnings = [line for line in err.splitlines() if "map.png: " in line]
    if expected is None:
        assert not warnings
        assert "nothing suspicious" in err
    else:
        assert expected in "".join(warnings)
        assert expected in facecond("sample", *words, "--dry-run")[2]


def test_a_wide_map_is_cut_as_packing_cuts_it(workspace: Path, tmp_path: Path) -> None:
    Image.fromarray(np.pad(WHOLE, ((0, 0), (20, 20)))).save(tmp_path / "map.png")
    made = call(
        "sample", f"workspace={workspace}", "run=multicond", "count=1", "name=cut", f"mask={tmp_path / 'map.png'}"
    )
    folder = open_generation(made.made["records"].parent)
    used = read_label_map(folder.folder / folder.records[0]["told"]["mask"]["value"])
    np.testing.assert_array_equal(used, WHOLE[1::2, 1::2])


def test_a_map_with_nothing_on_it_is_refused(workspace: Path, tmp_path: Path, facecond: Facecond) -> None:
    Image.fromarray(np.zeros((64, 64), np.uint8)).save(tmp_path / "map.png")
    status, out, err = facecond(
        "sample", "run=multicond", f"workspace={workspace}", "--mask", tmp_path / "map.png", "--dry-run"
    )
    assert (status, out) == (2, "")
    assert "nothing but background" in err
