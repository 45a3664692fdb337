"""`data pack` on folders with something wrong in them, and at sizes that a first stage cannot halve."""

import json
from pathlib import Path

import pytest

from tests.commands.conftest import Facecond, call
from tests.data.makers import write_pairs


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Twelve pictures with their label maps, one picture torn."""
    root = write_pairs(tmp_path / "pairs", 12)
    (root / "images" / "p004.jpg").write_bytes(b"torn")
    return root


def test_one_unusable_file_is_excluded_and_named_at_every_run(pairs: Path, facecond: Facecond, tmp_path: Path) -> None:
    words = ["data=label_maps", f"data.root={pairs}", "resolution=64", "name=one", "workers=1", f"workspace={tmp_path}"]
    for command in (["data", "pack", "--json", *words], ["data", "inspect", "--json", "one", words[-1]]) * 2:
        status, out, err = facecond(*command)
        assert status == 0, err
        result = json.loads(out)
        assert result["facts"]["excluded"] == 1
        assert result["facts"]["train"] + result["facts"]["validation"] == 11
        (_, row) = result["tables"]["excluded"]
        assert row[0] == "p004"
        assert row[1].startswith("unreadable_picture: ")
        assert result["tables"]["suspicious"][1][:2] == ["unreadable_picture", "1"]


def test_many_unusable_files_are_counted_and_some_named(tmp_path: Path) -> None:
    root = write_pairs(tmp_path / "pairs", 40)
    for number in range(10, 40):
        (root / "images" / f"p{number:03d}.jpg").write_bytes(b"torn")
    words = [f"workspace={tmp_path}", "data=label_maps", f"data.root={root}", "resolution=64", "workers=1"]
    result = call("data pack", *words)
    assert result.facts["excluded"] == 30
    assert len(result.tables["excluded"]) == 1 + 20 + 1
    assert result.tables["excluded"][-1][0] == "and 10 more"


def test_drawn_faces_are_counted_in_the_same_words(tmp_path: Path) -> None:
    facts = call("data draw", f"workspace={tmp_path}", "data.count=6", "data.validation=2").facts
    assert facts == {"items": 6, "resolution": 64, "train": 4, "validation": 2, "excluded": 0}
