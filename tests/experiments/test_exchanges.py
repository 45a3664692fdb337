"""Parts as others have them: who is asked for what, and what the parser sees of it, by hand."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from facecond.data.pack import Pack
from facecond.errors import DataError
from facecond.experiments.edited import Made
from facecond.experiments.exchanges import Judged, columns, exchanges, judged, of_parts, overview
from facecond.faces.names import CLASSES
from tests.commands.conftest import call

HAIR, SKIN = CLASSES.index("hair"), CLASSES.index("skin")


def test_overlap_is_of_the_part_and_agreement_of_the_region() -> None:
    asked, seen = np.full((2, 4, 4), SKIN, np.uint8)
    asked[0] = HAIR
    seen[0, 1:] = seen[1, 0] = HAIR  # three of four pixels, and one that is none
    region = np.zeros((4, 4), dtype=bool)
    region[:2] = True
    found = judged("hair", asked, seen, region, 0.3)
    assert found.overlap == pytest.approx(3 / 5)
    assert found.agrees == pytest.approx(6 / 8)
    assert found.apart == 0.3
    assert judged("hat", asked, seen, region, None).overlap == 1  # neither asked for nor seen


def test_a_leak_is_a_byte_outside_of_the_region() -> None:
    before = np.zeros((2, 4, 4, 3), dtype=np.uint8)
    after, region = before.copy(), np.zeros((2, 4, 4), dtype=bool)
    region[:, 0] = True
    after[:, 0] = 9
    assert Made(after, region, 1.0).leaks(before) == 0
    after[1, 3, 3, 2] = 1
    assert Made(after, region, 1.0).leaks(before) == 1


def test_edits_of_one_face_are_one_draw() -> None:
    found, faces = [], []
    for face, overlap in enumerate([0.2, 0.5, 0.9, 0.6]):
        for part in ("hair", "nose", "hat"):
            found.append(Judged(part, overlap, 0.5, 0.1 if face else 0.9))
            faces.append(face)
    (_, row) = overview({"way": columns(found, 0.6)}, {}, faces)
    low, high = stats.t.interval(0.95, 3, loc=0.55, scale=stats.sem([0.2, 0.5, 0.9, 0.6]))
    assert row[1] == f"55.0 ± {50 * (high - low):.1f}"
    of = stats.binomtest(3, 4).proportion_ci(method="wilson")
    assert row[4] == f"75.0 ({100 * of.low:.1f} to {100 * of.high:.1f})"
    assert of_parts({"way": found})[1][1] == row[1]  # of one part each face has one


def test_everybody_is_asked_for_a_part_of_somebody_else(tmp_path: Path) -> None:
    call("data draw", f"workspace={tmp_path}", "name=faces", "data.count=12", "data.validation=4", "resolution=64")
    pack = Pack.open(tmp_path / "packs" / "faces")
    found = exchanges(pack, ["hair", "nose"], 3)
    assert [(each.place, each.part) for each in found] == [(k, part) for part in ("hair", "nose") for k in range(3)]
    for each in found:
        own_item = pack.indices("validation")[each.place]
        assert each.other != own_item
        own, part = pack.labels[own_item], CLASSES.index(each.part)
        concerned = (own == part) | (each.labels_HW == part)
        assert (each.labels_HW != own).sum() >= 4
        if each.part == "nose":  # noses meet, so that all that differs is one of the two or was under it
            assert concerned[each.labels_HW != own].mean() > 0.5
    with pytest.raises(DataError, match="no face"):
        exchanges(pack, [], 3)
