"""Parts as others have them: who is asked for what, and what the parser sees of it, by hand."""

from pathlib import Path

import numpy as np
import pytest

from facecond.data.pack import Pack
from facecond.errors import DataError
from facecond.experiments.edited import Made
from facecond.experiments.exchanges import exchanges, judged
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
