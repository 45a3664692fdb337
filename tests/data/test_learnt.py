"""A judge's faces are found again in other packs, whatever their resolution, and take little room."""

import json
from pathlib import Path

import numpy as np
import pytest

from facecond.data.learnt import count_learnt, learnt_from
from facecond.data.pack import Pack, PackWriter


def make(path: Path, numbers: range, held_out: int, source: dict[str, object], size: int = 16) -> Pack:
    """A pack of noise; the picture of an item is a function of its number."""
    count = len(numbers)
    images = np.stack([np.random.default_rng(n).integers(0, 256, (size, size, 3), np.uint8) for n in numbers])
    writer = PackWriter(path, count=count, resolution=size, source=source)
    writer.write(
        slice(0, count), images, np.zeros((count, size, size), np.uint8), np.zeros((count, 40), np.int8)
    )  # fmt: skip
    return writer.finish([f"{n:05d}" for n in numbers], ["train"] * (count - held_out) + ["validation"] * held_out)


@pytest.mark.parametrize("source", [{"kind": "drawn", "seed": 3}, {"kind": "celebamask_hq"}, {"kind": "label_maps"}])
def test_faces_of_another_pack_are_recognised(tmp_path: Path, source: dict[str, object]) -> None:
    judge = json.loads(json.dumps(learnt_from(make(tmp_path / "large", range(40), 8, source))))
    small = make(tmp_path / "small", range(24), 8, source)
    assert judge["count"] == 32
    assert count_learnt([judge], small, small.indices("validation")) == 8
    later = make(tmp_path / "later", range(20, 60), 30, source)  # 20 to 29 to learn from, 30 to 59 held out
    assert count_learnt([judge], later, later.indices("validation")) == 2
    assert count_learnt([judge], later, np.repeat(later.indices("validation"), 3)) == 2
    assert count_learnt([judge, learnt_from(later, "validation")], later, later.indices("validation")) == 30
    assert count_learnt([], later, later.indices("validation")) == 0


def test_faces_of_another_seed_or_source_are_others(tmp_path: Path) -> None:
    judge = learnt_from(make(tmp_path / "a", range(20), 4, {"kind": "drawn", "seed": 3}))
    for name, source in (("b", {"kind": "drawn", "seed": 4}), ("c", {"kind": "celebamask_hq"})):
        pack = make(tmp_path / name, range(20), 10, source)
        assert count_learnt([judge], pack, pack.indices("validation")) == 0


def test_numbers_are_known_at_any_resolution_and_pictures_by_content(tmp_path: Path) -> None:
    drawn = {"kind": "drawn", "seed": 3}
    judge = learnt_from(make(tmp_path / "a", range(20), 4, drawn))
    larger = make(tmp_path / "b", range(20), 10, drawn, size=32)
    assert count_learnt([judge], larger, larger.indices("validation")) == 6
    judge = learnt_from(make(tmp_path / "c", range(20), 4, {"kind": "label_maps"}))
    renamed = make(tmp_path / "d", range(20), 10, {"kind": "label_maps"})
    renamed.ids = [f"other-{name}" for name in renamed.ids]
    assert count_learnt([judge], renamed, renamed.indices("validation")) == 6


def test_a_face_takes_eleven_bytes(tmp_path: Path) -> None:
    pack = make(tmp_path / "pack", range(10), 2, {"kind": "label_maps"})
    assert len(json.dumps(learnt_from(pack)["faces"])) == 2 + 4 * -(-8 * 8 // 3)  # base64 of 8 bytes a face
