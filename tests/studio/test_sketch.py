"""Sketches: what is made of them is what `facecond sample --sketch` makes, files are read as there, the rest is one line."""

import base64
import io
import logging
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from facecond.conditions.table import CONDITIONS
from facecond.data.pack import Pack
from facecond.faces.names import ATTRIBUTES, NUM_ATTRIBUTES
from facecond.io.images import write_label_map
from facecond.studio.about import about
from facecond.studio.requests import labels_of, runs_of, sketch_of
from tests.commands.conftest import call
from tests.studio.conftest import TOKEN, Served, Sketching, asking, events

HEADERS = {"X-Facecond-Token": TOKEN}
SIZE = 64
SKETCH = CONDITIONS["sketch"]


@pytest.fixture
def client(sketch_served: Served) -> Any:
    with httpx.Client(base_url=sketch_served.address, headers=HEADERS, timeout=60) as client:
        yield client


def drawing(opened: int = 0) -> np.ndarray:
    """A cross on paper, nothing said about `opened` rows; uint8 (64, 64) of 0, 1 and 255."""
    values = np.zeros((SIZE, SIZE), dtype=np.uint8)
    values[30:32, 8:56] = values[8:56, 30] = 1
    values[SIZE - opened :] = 255
    return values


def picture(values: np.ndarray, scale: int = 1) -> Image.Image:
    """As a person would save it: black on white, transparent where nothing is said."""
    grey, alpha = np.where(values == 1, 0, 255), np.where(values == 255, 0, 255)
    pixels = np.stack([grey, grey, grey, alpha], axis=-1).astype(np.uint8)
    return Image.fromarray(np.kron(pixels, np.ones((scale, scale, 1), dtype=np.uint8)))


def content_of(image: Image.Image, kind: str = "PNG") -> bytes:
    content = io.BytesIO()
    image.save(content, format=kind)
    return content.getvalue()


# What is made


@pytest.mark.parametrize(("opened", "said"), [(0, "sketch"), (20, "sketch"), (0, "all")])
def test_pictures_are_those_of_facecond_sample(
    opened: int, said: str, sketching: Sketching, client: httpx.Client, tmp_path: Path
) -> None:
    """Byte for byte, the files included."""
    person, values = sketching.about["people"][1], drawing(opened)
    alone = said == "sketch"
    asked = asking(
        sketching.about, seed=5, steps=2, sketch=runs_of(values), map=None if alone else person["map"],
        signs=[0] * NUM_ATTRIBUTES if alone else person["signs"],
        guidance={"sketch": 1.5, "mask": 2.5, "attributes": 3.0},
    )  # fmt: skip
    *_, done = events(client.post("/api/sample", json=asked).text)
    picture(values).save(tmp_path / "sketch.png")
    words = [
        "run=lines", "device=cpu", f"workspace={sketching.workspace}", "seed=5", "count=1", "sampler=ddim", "sampler.steps=2",
        "sampler.eta=0", "guidance.sketch=1.5", "guidance.mask=2.5", "guidance.attributes=3", "maps=none",
        f"sketch={tmp_path / 'sketch.png'}", f"name=same-{opened}-{said}",
    ]  # fmt: skip
    if not alone:
        write_label_map(tmp_path / "map.png", labels_of(person["map"], SIZE))
        signed = zip(person["signs"], ATTRIBUTES, strict=True)
        told = ",".join(f"{'-0+'[sign + 1]}{name}" for sign, name in signed if sign)
        words += [f"mask={tmp_path / 'map.png'}", f"attr='{told}'"]
    (file,) = call("sample", *words).made["images"].glob("*.png")
    assert base64.b64decode(done["pictures"][0]["png"]) == file.read_bytes()
    record = done["pictures"][0]["record"]
    np.testing.assert_array_equal(sketch_of(record["told"]["sketch"]["value"], SIZE), values)


def test_the_sketch_decides_the_picture(sketching: Sketching, client: httpx.Client) -> None:
    made = [
        events(client.post("/api/sample", json=asking(sketching.about, sketch=sketch, steps=2)).text)[-1]["pictures"][0]
        for sketch in (None, [255, SIZE**2], runs_of(drawing()), runs_of(drawing().T.copy()))
    ]
    assert made[0]["png"] == made[1]["png"]
    assert made[1]["record"]["asked"]["sketch"] is None
    assert len({each["png"] for each in made}) == 3


def test_a_record_says_what_to_ask_for_again(sketching: Sketching, client: httpx.Client) -> None:
    asked = asking(sketching.about, sketch=runs_of(drawing(9)), steps=2)
    (first,) = events(client.post("/api/sample", json=asked).text)[-1]["pictures"]
    kept = dict(first["record"]["asked"])
    assert kept["sketch"] == asked["sketch"]
    del kept["index"], kept["attributes"]
    (again,) = events(client.post("/api/sample", json={**kept, "page": "b", "run": 0}).text)[-1]["pictures"]
    assert again == first


# What is refused


WRONG: list[tuple[Any, str]] = [
    ([0, 64], "a sketch of 64 pixels, expected 4096 with values 0, 1 and 255"),
    ([0, 4096, 1], "a sketch of 3 numbers, expected pairs of value and length"),
    ([0, 1] * 5000, "a sketch of 10000 numbers, expected pairs"),
    ([2, 4096], "the sketch has 2, expected values 0, 1 and 255"),
    ([0, 4000, 1, 90, 128, 6], "the sketch has 128, expected"),
    ([256, 4096], "a sketch of 4096 pixels"),
    ([0, 4095, 1, 0, 0, 1], "a sketch of 4096 pixels"),
    ([0, 4096], "the sketch has no dark line"),
    ([0, 4000, 255, 96], "the sketch has no dark line"),
    ([0, 1 << 40], "sketch"),
    ([0, -1, 1, 4097], "sketch"),
    ([0.5, 4096], "sketch"),
    ([True, 4096], "sketch"),
    ("../../etc/passwd", "sketch"),
    ({"0": 4096}, "sketch"),
    (4096, "sketch"),
]


@pytest.mark.parametrize(("sketch", "words"), WRONG, ids=lambda value: str(value)[:40])
def test_a_sketch_that_is_none_is_one_line(sketch: Any, words: str, sketching: Sketching, client: httpx.Client) -> None:
    answer = client.post("/api/sample", json=asking(sketching.about, sketch=sketch))
    assert answer.status_code == 400
    assert len(answer.text.splitlines()) == 1
    assert words in answer.text
    assert sketching.engine.state()["running"] == 0


def test_the_longest_request_is_taken(sketching: Sketching, client: httpx.Client) -> None:
    """Every pixel another than the one before it, in map and sketch."""
    asked = asking(
        sketching.about, map=[255, 1, 18, 1] * (SIZE**2 // 2), sketch=[255, 1, 1, 1] * (SIZE**2 // 2), steps=1
    )
    assert events(client.post("/api/sample", json=asked).text)[-1]["kind"] == "done"


# Files of sketches


FILES = {
    "same size": content_of(picture(drawing(7))),
    "larger": content_of(picture(drawing(7), 3)),
    "grey jpeg": content_of(picture(drawing(), 2).convert("L"), "JPEG"),
    "bits": content_of(picture(drawing()).convert("1")),
    "half transparent": content_of(Image.fromarray(np.random.default_rng(0).integers(0, 256, (130, 130, 4), np.uint8))),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_read_as_facecond_sample_reads_it(name: str, client: httpx.Client, tmp_path: Path) -> None:
    answer = client.post("/api/sketch", content=FILES[name], headers={"Content-Type": "image/png"})
    (done,) = events(answer.text)
    (tmp_path / "sketch").write_bytes(FILES[name])
    np.testing.assert_array_equal(sketch_of(done["sketch"], SIZE), SKETCH.read(str(tmp_path / "sketch"), SIZE))
    if name in ("same size", "larger"):
        np.testing.assert_array_equal(sketch_of(done["sketch"], SIZE), drawing(7))


HOSTILE = {
    "small": (content_of(picture(drawing()).resize((32, 32))), "32 px wide"),
    "not square": (content_of(Image.new("L", (64, 96), 255)), "64x96"),
    "white": (content_of(Image.new("L", (64, 64), 255)), "no dark line"),
    "bomb": (content_of(Image.new("1", (12000, 12000))), "12000 x 12000"),
    "text": (b"#!/bin/sh\n", "not a picture"),
    "nothing": (b"", "not a picture"),
    "cut": (content_of(picture(drawing()))[:60], "picture"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_files_that_are_no_sketch_are_one_line(
    name: str, client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    content, words = HOSTILE[name]
    with caplog.at_level(logging.ERROR):
        answer = client.post("/api/sketch", content=content, headers={"Content-Type": "image/png"})
        (event,) = events(answer.text)
    assert event["kind"] == "error"
    assert event["message"].startswith("the sketch")
    assert words in event["message"]
    assert "\n" not in event["message"]
    assert not caplog.records


def test_other_kinds_and_sizes_are_refused(client: httpx.Client) -> None:
    for kind in ("text/plain", "multipart/form-data", "application/json", ""):
        assert client.post("/api/sketch", content=b"{}", headers={"Content-Type": kind}).status_code == 415
    large = client.post("/api/sketch", content=b" " * ((24 << 20) + 1), headers={"Content-Type": "image/png"})
    assert large.status_code == 413
    assert len(large.text.splitlines()) == 1
    stranger = {"Content-Type": "image/png", "X-Facecond-Token": "wrong"}
    assert client.post("/api/sketch", content=FILES["bits"], headers=stranger).status_code == 403


# What the page is told


def test_who_is_told_sketches_and_people_who_have_them(sketching: Sketching) -> None:
    pack = Pack.open(sketching.workspace / "packs" / "drawn-64")
    (run,) = sketching.about["runs"]
    assert (run["map"], run["sketch"], run["signs"]) == (True, True, True)
    assert set(run["guidance"]) == {"attributes", "mask", "sketch"}
    for person in sketching.about["people"]:
        place = list(pack.ids).index(person["name"])
        np.testing.assert_array_equal(sketch_of(person["sketch"], SIZE), pack.arrays["sketches"][place])


def test_a_page_whose_engine_takes_none_is_told_so(sketching: Sketching) -> None:
    """As that of `facecond export web`."""
    told = about(sketching.engine.sessions, engine="browser", steps=2, people=2, parse=False, sketches=False)
    assert told["runs"][0]["sketch"] is False
    assert set(told["runs"][0]["guidance"]) == {"attributes", "mask"}
    assert all("sketch" not in person for person in told["people"])


def test_a_run_that_is_told_no_sketch_offers_none(loaded: tuple[Any, dict[str, Any]]) -> None:
    assert [run["sketch"] for run in loaded[1]["runs"]] == [False]
    assert all("sketch" not in person for person in loaded[1]["people"])
