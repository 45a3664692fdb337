"""Photographs to a folder that `data pack` takes; with a parser of sixteen pictures, whose maps are not looked at."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

from facecond.data.pack import Pack
from facecond.io.documents import Record, read_records
from facecond.io.images import read_image, read_label_map
from tests.commands.conftest import Facecond, all_but_locks, call


@pytest.fixture
def photos(workspace: Path, tmp_path: Path) -> Path:
    """An upright photograph, the same lying on its side with an EXIF note, drawn faces in grey, palette and RGBA, a torn file."""
    folder = tmp_path / "photos"
    folder.mkdir()
    photo = Image.fromarray(astronaut()[:256, 80:400])
    photo.save(folder / "upright.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    photo.rotate(90, expand=True).save(folder / "lying.png", exif=exif)
    pack = Pack.open(workspace / "packs" / "drawn-64")
    for number, mode in enumerate(("L", "P", "RGBA")):
        Image.fromarray(pack.images[number]).convert(mode).save(folder / f"drawn, {mode}.png")
    (folder / "torn.jpg").write_bytes(b"torn")
    return folder


def test_the_folder_can_be_packed_as_it_is(photos: Path, workspace: Path, tmp_path: Path, facecond: Facecond) -> None:
    words = ["parse", photos, f"workspace={workspace}", "align=never", "--json"]
    status, out, err = facecond(*words)
    assert status == 0, err
    result = json.loads(out)
    assert (result["facts"]["parsed now"], result["facts"]["skipped"]) == (5, 1)
    assert [line for line in err.splitlines() if "torn.jpg" in line and "skipped" in line]
    folder = Path(result["made"]["records"]).parent
    records = {record["name"]: record for record in read_records(folder / "records.jsonl", Record)}
    assert list(records) == ["drawn_ L", "drawn_ P", "drawn_ RGBA", "lying", "upright"]
    np.testing.assert_array_equal(read_image(folder / "images/lying.png"), read_image(folder / "images/upright.png"))
    np.testing.assert_array_equal(
        read_image(folder / "images/drawn_ RGBA.png"), Pack.open(workspace / "packs" / "drawn-64").images[2]
    )
    for name, record in records.items():
        labels = read_label_map(folder / "labels" / f"{name}.png")
        assert labels.shape == (64, 64)
        assert sum(record["shares"].values()) == pytest.approx(1, abs=1e-3)
        assert record["confidence"] > 1 / 19
    assert Image.open(folder / "labels" / "upright.png").mode == "P"

    packed = call(
        "data pack",
        f"workspace={tmp_path}",
        "data=label_maps",
        f"data.root={folder}",
        f"data.attributes={folder / 'attributes.csv'}",
        "resolution=64",
        "workers=1",
    )
    pack = Pack.open(packed.made["pack"])
    assert pack.ids == list(records)
    for number, (name, record) in enumerate(records.items()):
        np.testing.assert_array_equal(pack.images[number], read_image(folder / "images" / f"{name}.png"))
        present = {pack.manifest["attribute_names"][k] for k in np.flatnonzero(pack.attributes[number] == 1)}
        assert present == set(record["present"])
        assert (pack.attributes[number] != 0).all()


def test_what_is_finished_is_not_done_again(photos: Path, workspace: Path) -> None:
    words = [f"photos=['{photos}']", f"workspace={workspace}", "align=never", "name=again", "sheet=0"]
    folder = call("parse", *words).made["records"].parent
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.png")}
    (folder / "labels" / "upright.png").unlink()
    moved = shutil.move(photos / "drawn, L.png", photos / "renamed.png")
    facts = call("parse", *words).facts
    assert (facts["parsed now"], facts["finished before"]) == (1, 4)
    after = {path: path.stat().st_mtime_ns for path in folder.rglob("*.png")}
    assert {path for path in before if before[path] != after[path]} == {
        folder / "images" / "upright.png", folder / "labels" / "upright.png"
    }  # fmt: skip
    Image.new("RGB", (64, 64), "red").save(photos / "drawn, L.png")  # another picture under a name that is taken
    call("parse", *words)
    names = [record["name"] for record in read_records(folder / "records.jsonl", Record)]
    assert len(names) == len(set(names)) == 6
    assert sum(name.startswith("drawn_ L") for name in names) == 2
    assert moved.exists()


def test_a_face_in_a_larger_picture_is_framed_and_shown(photos: Path, workspace: Path) -> None:
    made = call(
        "parse", f"photos=['{photos / 'upright.png'}']", f"workspace={workspace}", "resolution=32", "align=always"
    )
    (record,) = read_records(made.made["records"], Record)
    x, y, side = (record["frame"][key] for key in ("x", "y", "side"))
    assert (x, y) == pytest.approx((225 - 80, 109), abs=30)
    assert 100 < side < 220
    corner = np.array(record["affine"]) @ (0, 0, 1)
    if record["framed_by"] == "box of the face":
        assert corner == pytest.approx((x - side / 2, y - side / 2))
    assert read_image(made.made["contact sheet"]).shape[1] > 4 * 160


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "no photograph is named"),
        (["nowhere.jpg"], "nowhere.jpg: no such file or folder"),
        (["{photos}/empty"], "holds no file ending in"),
        (["{photos}/torn.jpg"], "none of the 1 photographs can be used"),
        (["{photos}/blank.png"], "no face found"),
        (["{photos}", "parser=classifier"], "expected parser"),
        (["{photos}", "parsr=x"], "did you mean 'parser'"),
        (["{photos}", "align=sometimes"], "auto"),
        (["{photos}/upright.png", "name=half"], "no parsed.json"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_wrong_is_one_line(
    words: list[str], expected: str, photos: Path, workspace: Path, facecond: Facecond
) -> None:
    (photos / "empty").mkdir()
    Image.new("RGB", (96, 96), "white").save(photos / "blank.png")
    (workspace / "parsed" / "half").mkdir(parents=True, exist_ok=True)
    (workspace / "parsed" / "half" / "note.txt").write_text("mine")
    before = all_but_locks(workspace)
    status, out, err = facecond("parse", *(word.format(photos=photos) for word in words), f"workspace={workspace}")
    said = [line for line in err.splitlines() if line.startswith("facecond:")]
    assert (status, out, len(said)) == (2, "", 1), err
    assert expected in said[0]
    assert all_but_locks(workspace) == before


def test_another_parser_or_size_needs_another_name(photos: Path, workspace: Path, facecond: Facecond) -> None:
    words = ["parse", photos / "upright.png", f"workspace={workspace}", "align=never", "name=kept", "classifier=none"]
    assert facecond(*words)[0] == 0
    status, _, err = facecond(*words, "resolution=32")
    assert status == 2
    assert "resolution=64, not resolution=32" in err
