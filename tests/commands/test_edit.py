"""Pictures changed in one respect: not a byte outside of the region, and the very same bytes where nothing is asked for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import binary_dilation

from facecond.assembly import edits
from facecond.assembly.changes import Face
from facecond.assembly.edits import Edited, edit_each
from facecond.assembly.session import Session
from facecond.commands import edit as command
from facecond.config.commands.photographs import EditConfig
from facecond.data.pack import Pack
from facecond.errors import ConfigError
from facecond.faces.attributes import attribute_index
from facecond.faces.names import ATTRIBUTES, CLASSES
from facecond.io.documents import read_records
from facecond.io.images import read_image, write_label_map
from facecond.photos.edited import EditedFolder, EditRecord
from facecond.photos.frame import central_frame
from tests.commands.conftest import Facecond, call

NOSE, HAT = CLASSES.index("nose"), CLASSES.index("hat")
QUICK = ["sampler.steps=2", "precision=float32"]


def edited(workspace: Path, *words: str) -> tuple[dict[str, EditRecord], dict[str, np.ndarray]]:
    """Records and pictures by source."""
    folder = call("edit", f"workspace={workspace}", "run=multicond", *QUICK, *words).made["pictures"].parent
    records = {record["source"]: record for record in read_records(folder / "records.jsonl", EditRecord)}
    return records, {source: read_image(folder / "images" / f"{each['name']}.png") for source, each in records.items()}


def held_out(workspace: Path, *items: int) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Picture, map and attributes of validation items, by id."""
    pack = Pack.open(workspace / "packs" / "drawn-64")
    places = pack.indices("validation")[list(items)]
    return {str(pack.ids[k]): (pack.images[k], pack.labels[k], pack.attributes[k]) for k in places}


@pytest.mark.parametrize(("method", "blend"), [("friendly", "true"), ("ddim", "false"), ("sdedit", "true")])
def test_not_a_byte_changes_outside_of_the_region(
    method: str, blend: str, workspace: Path, caplog: pytest.LogCaptureFixture
) -> None:
    records, pictures = edited(workspace, "items=[0,3,5]", "region=[nose]", f"method={method}", f"blend={blend}")
    assert len(pictures) == 3
    assert ("region alone" in caplog.text) == (method != "sdedit")  # those lead back to the picture
    for source, (own, labels, _) in held_out(workspace, 0, 3, 5).items():
        near = binary_dilation(labels == NOSE)  # 0.02 of 64 pixels: one pixel, and no diagonal one
        changed = (pictures[source] != own).any(axis=-1)
        assert changed.any()
        assert not changed[~near].any()
        assert records[source]["region"] == pytest.approx(near.mean(), abs=1e-6)
        assert records[source]["changed"] == pytest.approx(changed.mean(), abs=1e-6)


def test_nothing_asked_for_leaves_every_byte(workspace: Path) -> None:
    ((source, (own, _, attributes)),) = held_out(workspace, 2).items()
    sign = "+" if attributes[attribute_index("Young")] > 0 else "-"
    for words in ([f"attr={sign}Young"], ["region=[all]", "strength=0"]):
        records, pictures = edited(workspace, "items=[2]", *words)
        assert np.array_equal(pictures[source], own)
        assert (records[source]["region"], records[source]["changed"]) == (0, 0)


def test_a_picture_does_not_depend_on_those_beside_it(workspace: Path) -> None:
    _, together = edited(workspace, "items=[0,1,2,3,4]", "attr=+Smiling", "batch_size=4", "name=together")
    _, alone = edited(workspace, "items=[3,1]", "attr=+Smiling", "batch_size=1", "name=alone")
    for source, picture in alone.items():
        assert np.abs(picture.astype(int) - together[source]).max() <= 1


def test_what_is_finished_is_left_and_what_is_gone_is_made_again(workspace: Path, facecond: Facecond) -> None:
    words = [
        "edit",
        f"workspace={workspace}",
        "run=multicond",
        *QUICK,
        "--attr",
        "+Male,-Young",
        "--items",
        "0,1,2",
        "--json",
    ]

    def made() -> dict:
        status, out, err = facecond(*words)
        assert status == 0, err
        return json.loads(out)

    first = made()
    pictures = sorted(Path(first["made"]["pictures"]).iterdir())
    before = [picture.read_bytes() for picture in pictures]
    assert (first["facts"]["edited now"], len(pictures)) == (3, 3)
    assert Path(first["made"]["sheet"]).is_file()
    assert made()["facts"]["finished before"] == 3
    words[words.index("0,1,2")] = "2,0,1,2"  # one of them twice
    assert made()["facts"]["finished before"] == 4
    assert len(list(pictures[0].parent.iterdir())) == 3
    regions = sorted(Path(first["made"]["regions"]).iterdir())
    assert [region.name for region in regions] == [picture.name for picture in pictures]
    pictures[1].unlink()
    pictures[2].write_bytes(before[0])
    regions[0].unlink()
    assert made()["facts"]["edited now"] == 3
    assert [picture.read_bytes() for picture in pictures] == before
    assert all(region.is_file() for region in regions)
    records = pictures[0].parents[1] / "records.jsonl"
    old = [json.loads(line) for line in records.read_text().splitlines()]
    for record in old:  # of a time when an edit reached beyond its region, and no region was written
        for key in ("outside", "region_pixels", "checksum"):
            del record[key]
    records.write_text("".join(json.dumps(record) + "\n" for record in old))
    assert facecond("verify", records.parent, f"workspace={workspace}")[0] == 0
    assert made()["facts"]["edited now"] == 3


def test_an_altered_picture_is_found(workspace: Path, facecond: Facecond) -> None:
    made = call(
        "edit", f"workspace={workspace}", "run=multicond", *QUICK, "items=[6]", "region=[hair]", "name=altered"
    ).made
    (picture,) = made["pictures"].iterdir()
    status, out, err = facecond("verify", picture.parents[1], f"workspace={workspace}", "--json")
    assert status == 0, out + err
    pixels = read_image(picture)
    pixels[0, 0, 0] ^= 1
    Image.fromarray(pixels).save(picture)
    status, out, err = facecond("verify", picture.parents[1], f"workspace={workspace}", "--json")
    assert status != 0
    assert picture.name in out + err
    assert "regions" not in out + err
    (region,) = made["regions"].iterdir()
    marked = np.array(Image.open(region))
    marked[0, 0] ^= 255
    Image.fromarray(marked).save(region)
    _, out, err = facecond("verify", picture.parents[1], f"workspace={workspace}", "--json")
    assert f"regions/{region.name}" in out + err


@pytest.fixture
def photos(workspace: Path, tmp_path: Path) -> Path:
    """A drawn face in the middle of a noisy picture, one that fills its picture, and a file that is none."""
    folder = tmp_path / "photos"
    folder.mkdir()
    pack = Pack.open(workspace / "packs" / "drawn-64")
    around = np.random.default_rng(0).integers(0, 256, (128, 200, 3), dtype=np.uint8)
    around[:, 36:164] = np.array(Image.fromarray(pack.images[0]).resize((128, 128), Image.Resampling.LANCZOS))
    Image.fromarray(around).save(folder / "wide.png")
    Image.fromarray(pack.images[1]).save(folder / "whole.png")
    (folder / "torn.png").write_bytes(b"torn")
    (folder / "again.png").write_bytes((folder / "wide.png").read_bytes())
    return folder


def test_photographs_keep_their_size_and_what_is_around(
    photos: Path, workspace: Path, facecond: Facecond, caplog: pytest.LogCaptureFixture
) -> None:
    words = ["edit", photos, f"workspace={workspace}", "run=multicond", *QUICK, "align=never", "--attr", "+Young,-Male"]
    status, out, err = facecond(*words, "parser=parser", "classifier=classifier", "--json")
    assert status == 0, err
    made = json.loads(out)
    assert (made["facts"]["pictures"], made["facts"]["edited now"], made["facts"]["skipped"]) == (4, 2, 1)
    assert made["facts"]["finished before"] == 1  # the same photograph under another name
    assert "torn.png" in err
    folder = Path(made["made"]["pictures"])
    wide, own = read_image(folder / "again.png"), read_image(photos / "wide.png")
    assert wide.shape == own.shape
    assert np.array_equal(np.delete(wide, slice(36, 164), axis=1), np.delete(own, slice(36, 164), axis=1))
    assert read_image(folder / "whole.png").shape == (64, 64, 3)
    changed = np.abs(wide.astype(int) - own)[:, 36:164]  # two pixels of the photograph for each that the model sees
    edge = np.concatenate([changed[:1].ravel(), changed[-1:].ravel(), changed[:, :1].ravel(), changed[:, -1:].ravel()])
    middle = changed[32:96, 32:96]
    assert middle.mean() > 2
    assert edge.mean() < 0.6 * middle.mean()  # it fades in from the frame's edge: no seam
    told = {record["source"]: record for record in read_records(folder.parent / "records.jsonl", EditRecord)}
    for record in told.values():
        assert "-Male" in record["after"]["attributes"]
        assert "+Young" in record["after"]["attributes"]


def test_a_photograph_changes_where_its_region_says_and_nowhere_else(
    photos: Path, workspace: Path, tmp_path: Path
) -> None:
    """Two pixels of the photograph for each of the model, whose region is a square and the pixels beside it."""
    labels = np.full((64, 64), 255, dtype=np.uint8)
    labels[20:40, 20:40] = HAT
    write_label_map(tmp_path / "square.png", labels)
    words = [
        f"photos=[{photos / 'wide.png'}]",
        "parser=parser",
        "classifier=classifier",
        "align=never",
        "method=sdedit",
    ]
    result = call(
        "edit",
        f"workspace={workspace}",
        "run=multicond",
        *QUICK,
        *words,
        "strength=1",
        f"mask={tmp_path / 'square.png'}",
    )
    (record,) = read_records(result.made["records"], EditRecord)
    own, made = read_image(photos / "wide.png"), read_image(result.made["pictures"] / "wide.png")
    stated = np.array(Image.open(result.made["regions"] / "wide.png"))
    near = np.kron(binary_dilation(labels == HAT), np.ones((2, 2), dtype=bool))
    might = np.zeros(own.shape[:2], dtype=bool)
    might[:, 36:164] = near
    changed = (made != own).any(axis=-1)
    assert stated.shape == own.shape[:2]
    assert set(np.unique(stated)) == {0, 255}
    assert changed.sum() > 500
    assert not changed[~might].any()
    assert not changed[stated == 0].any()
    assert not (stated == 255)[~might].any()
    assert record["outside"] == result.facts["pixels changed outside of their region"] == 0
    assert record["region"] == pytest.approx((stated == 255)[:, 36:164].mean(), abs=1e-6)


def test_what_changes_outside_is_counted(tmp_path: Path) -> None:
    own, region = np.zeros((6, 8, 3), dtype=np.uint8), np.zeros((6, 8), dtype=bool)
    region[:3] = True
    made = own.copy()
    made[2:4, 1:4, 0] = 1  # three pixels in it, three outside
    folder = EditedFolder(tmp_path / "edits", made_with={})
    record = folder.write(
        made, own, source="a.png", digest="0" * 64, frame=central_frame(6, 8), region=0.5, region_HW=region, seed=0, told=({}, {})
    )  # fmt: skip
    assert (record["outside"], record["changed"]) == (3, 0.125)
    assert np.array_equal(np.array(Image.open(tmp_path / "edits" / "regions" / "a.png")), region * np.uint8(255))


def test_what_needs_no_change_comes_back_as_it_is_read(workspace: Path, tmp_path: Path) -> None:
    """Turned as EXIF says, on white, of 16 bits the upper eight: held against Pillow's own conversions."""
    noise = np.random.default_rng(0).integers(0, 256, (40, 48, 4), dtype=np.uint8)
    folder = tmp_path / "kinds"
    folder.mkdir()
    see_through, grey = Image.fromarray(noise), noise[..., 0].astype(np.uint16) * 257
    see_through.save(folder / "see-through.png")
    Image.fromarray(grey).save(folder / "sixteen.png")
    turned, exif = Image.fromarray(noise[..., :3]), Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    turned.save(folder / "turned.png", exif=exif)
    white = Image.new("RGBA", see_through.size, "white")
    expected = {
        "see-through": np.array(Image.alpha_composite(white, see_through).convert("RGB")),
        "sixteen": np.repeat(noise[..., :1], 3, axis=-1),
        "turned": np.rot90(noise[..., :3], -1),
    }
    words = ["parser=parser", "classifier=classifier", "align=never", "strength=0", "region=[all]"]
    result = call("edit", f"workspace={workspace}", "run=multicond", *QUICK, f"photos=[{folder}]", *words)
    for name, pixels in expected.items():
        with Image.open(result.made["pictures"] / f"{name}.png") as picture:
            assert (picture.mode, picture.format) == ("RGB", "PNG")
            assert np.array_equal(np.array(picture), pixels)
        assert not np.array(Image.open(result.made["regions"] / f"{name}.png")).any()


def test_photographs_that_are_large_are_edited_a_few_at_once(
    photos: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing of them is kept for the sheet but what is on it."""
    made, at_once = {}, []
    words = [f"photos=[{photos}]", "parser=parser", "classifier=classifier", "align=never", "attr=-Male"]

    def counted(session: Session[EditConfig], faces: list[Face]) -> Iterator[Edited]:
        at_once.append(len(faces))
        for each in edit_each(session, faces):
            row = command._shown(each)
            assert [cell.shape[:2] for cell in row.cells] == [(64, 64)] * 5
            assert not any(
                np.shares_memory(cell, each.picture_HWC) for cell in row.cells if each.picture_HWC.shape[0] > 64
            )
            yield each

    monkeypatch.setattr(edits, "edit_each", counted)
    for most in (1 << 28, 1):
        monkeypatch.setattr(command, "MOST_WAITING", most)
        result = call("edit", f"workspace={workspace}", "run=multicond", *QUICK, *words, f"name=waiting-{most}")
        made[most] = {file.name: read_image(file).astype(int) for file in result.made["pictures"].iterdir()}
    assert at_once == [2, 1, 1]
    for name, picture in made[1].items():
        assert np.abs(picture - made[1 << 28][name]).max() <= 1


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 20, 50, 64, 250, 1000])
def test_a_strength_takes_a_step_or_is_refused(steps: int) -> None:
    config = EditConfig()
    config.sampler.steps, config.strength = steps, 0.49 / steps
    with pytest.raises(ConfigError, match=r"strength=.* takes none of sampler.steps=") as refused:
        config.steps_back()
    least = re.match(r"at least ([\d.e-]+) takes one; 0 ", str(refused.value.hint))
    assert least
    config.strength = float(least[1])
    assert config.steps_back() == 1
    config.strength *= 0.99
    with pytest.raises(ConfigError):
        config.steps_back()
    config.strength = 0.0
    assert config.steps_back() == 0
    config.strength = 1.0
    assert config.steps_back() == steps


def test_a_map_and_a_painted_part_are_told(workspace: Path, tmp_path: Path) -> None:
    ((source, (own, labels, _)),) = held_out(workspace, 4).items()
    ((_, (_, other, _)),) = held_out(workspace, 7).items()
    write_label_map(tmp_path / "other.png", other)
    open_map = np.where(other == NOSE, other, 255).astype(np.uint8)
    write_label_map(tmp_path / "nose.png", open_map)
    for words in ([f"mask={tmp_path / 'nose.png'}"], [f"paint=['nose={tmp_path / 'other.png'}']"]):
        records, pictures = edited(workspace, "items=[4]", *words)
        concerned = binary_dilation((labels == NOSE) | (other == NOSE))
        changed = (pictures[source] != own).any(axis=-1)
        assert changed.any()
        assert not changed[~concerned].any()
        assert ".png" in records[source]["after"]["mask"]


def test_attributes_follow_a_map_that_is_painted(workspace: Path, tmp_path: Path) -> None:
    """A hat in the map is a hat in words, unless words are given."""
    pack = Pack.open(workspace / "packs" / "drawn-64")
    bare = [
        k for k, place in enumerate(pack.indices("validation"))
        if not (pack.labels[place] == HAT).any() and pack.attributes[place][attribute_index("Wearing_Hat")] < 0
    ]  # fmt: skip
    labels = np.full((64, 64), 255, dtype=np.uint8)
    labels[:12, 16:48] = HAT
    write_label_map(tmp_path / "hat.png", labels)
    for words, told in (([], "+Wearing_Hat"), (["attr=-Wearing_Hat"], "-Wearing_Hat")):
        records, _ = edited(workspace, f"items=[{bare[0]}]", f"mask={tmp_path / 'hat.png'}", *words)
        (record,) = records.values()
        assert "-Wearing_Hat" in record["before"]["attributes"]
        assert told in record["after"]["attributes"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("edit", "no picture is named"),
        ("edit items=[0]", "nothing is asked for"),
        ("edit items=[0] --attr +Smilling", "Smiling"),
        ("edit items=[0] --region hairs", "unknown part 'hairs'"),
        ("edit items=[0] --paint hair", "names no part and map"),
        ("edit items=[0] --paint hair=nowhere.png", "no such label map"),
        ("edit items=[99] --attr +Smiling run=multicond", "validation item 99 does not exist"),
        ("edit items=[0] --mask nowhere.png", "no such label map"),
        ("edit nowhere.jpg --attr +Smiling run=multicond", "no such file or folder"),
        ("edit items=[0] --attr +Smiling run=multicond sampler=dpmpp", "DDIM"),
        ("edit items=[0] --attr +Smiling --strength 1.5", "out of range"),
        ("edit items=[0] --attr +Smiling run=multicond --steps 20 --strength 0.02", "at least 0.0251 takes one"),
        ("edit items=[0] --attr +Smiling run=multicond sampler.eta=1", "sampler.eta has no effect"),
        ("edit items=[0] --region nose run=multicond parser=parser", "parser has no effect"),
        ("edit items=[0] --region nose run=multicond maps=none", "maps has no effect"),
        ("edit items=[0] --sketch drawing.png", "sketch= cannot be read off a picture"),
        ("edit items=[0] --attr +Smiling run=multicond launcher=local", "launcher"),
    ],
)
def test_wrong_words_end_in_one_line(words: str, told: str, workspace: Path, facecond: Facecond) -> None:
    before = sorted((workspace / "edits").glob("*"))
    status, _, err = facecond(*words.split(), f"workspace={workspace}")
    assert status == 2
    assert told in err
    assert sorted((workspace / "edits").glob("*")) == before


@pytest.mark.bundled
@pytest.mark.slow
@pytest.mark.parametrize(("name", "least"), [("Eyeglasses", 12), ("Smiling", 10), ("Blond_Hair", 10)])
def test_the_model_that_came_along_does_what_it_is_asked(name: str, least: int, tmp_path: Path) -> None:
    """The sixteen people that came along, each made the opposite of what they are; read by the classifier that came along."""
    from facecond.assembly.judges import load_classifier
    from facecond.workspace.find import bundled_runs

    judge = load_classifier(bundled_runs("classifier")[0], "cpu")  # type: ignore[arg-type]
    obeyed = 0
    for sign in "+-":
        words = [
            f"workspace={tmp_path}",
            "run=drawn64-multicond",
            f"attr={sign}{name}",
            f"items=[{','.join(map(str, range(16)))}]",
        ]
        folder = call("edit", *words).made["pictures"].parent
        records = read_records(folder / "records.jsonl", EditRecord)
        for record in records:
            if record["region"] > 0:
                picture = read_image(folder / "images" / f"{record['name']}.png")
                obeyed += bool(judge(picture[None])[0][ATTRIBUTES.index(name)]) == (sign == "+")
    assert obeyed >= least
