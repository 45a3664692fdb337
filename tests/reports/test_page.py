"""The page is one file that needs nothing else, says everything, and shows numbers at their places."""

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facecond.io.results import ClassValue, Figure
from facecond.reports.curves import Chart, Series
from facecond.reports.page import Page, Picture, Section, Step, data_uri, duration, html, write_page
from facecond.reports.tiles import bar, class_table, tile

MIOU = Figure(
    name="miou", title="Mask mIoU <b>", value=0.68, count=1256, ceiling=0.84, floor=0.2,
    marks={"reconstructions": 0.72}, judge="the parser", note="One confusion matrix",
    classes=(ClassValue(name="nose", value=0.9, ceiling=0.95, floor=0.1), ClassValue(name="hat", value=None)),
)  # fmt: skip


def page() -> Page:
    picture = Picture(image=np.zeros((20, 30, 3), np.uint8), caption='black, "quoted"')
    chart = Chart(title="Loss", x_label="images", y_label="loss", series=[Series(name="a", x=[0, 1], y=[1, 0])])
    return Page(
        title="Faces & more",
        lead="What was done.",
        figures=[MIOU, Figure(name="psnr", value=27.4, unit="dB", count=64)],
        sections=[Section(title="Samples", text="First.\n\nSecond.", pictures=[picture], charts=[chart])],
        steps=[Step(name="draw", seconds=9.2, result="8192 faces"), Step(name="train", seconds=3600)],
        command="facecond demo",
        configuration="model: <multicond>",
        versions={"torch": "2.15"},
    )


class Reader(HTMLParser):
    """Collects what a browser would fetch, and checks that elements are closed in order."""

    VOID = frozenset({"meta", "link", "img", "br"})
    SVG_LEAVES = frozenset({"line", "path", "circle"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.words: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.fetched += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    return reader


def test_the_page_fetches_nothing_and_runs_nothing(tmp_path: Path) -> None:
    write_page(tmp_path / "page.html", page())
    text = (tmp_path / "page.html").read_text()
    reader = read(text)
    assert reader.fetched
    assert all(link.startswith(("data:", "#")) for link in reader.fetched)
    assert not re.search(r"url\(|@import|<script|https?://(?!www\.w3\.org/2000/svg)", text)
    targets = {link[1:] for link in reader.fetched if link.startswith("#")}
    assert targets == set(re.findall(r'<h2 id="(\w+)"', text))


def test_everything_given_is_on_the_page() -> None:
    words = " ".join(read(html(page())).words)
    for given in (
        "Faces & more", "What was done.", "facecond demo", "Mask mIoU <b>", "0.680", "reconstructions", "0.720", "27.4",
        "First.", "Second.", 'black, "quoted"', "Loss", "draw", "9.2 s", "8192 faces",
        "1 h 00 min", "model: <multicond>", "2.15",
        "the parser", "One confusion matrix", "nose", "Label map",
    ):  # fmt: skip
        assert given in words, given


def test_parts_without_content_are_left_out() -> None:
    text = html(Page(title="t", lead="l", figures=[], sections=[]))
    assert "<h2" not in text
    read(text)


def test_pictures_keep_their_pixels_when_small_and_their_look_when_large() -> None:
    generator = np.random.default_rng(0)
    small = generator.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    kind, content = data_uri(small).split(";base64,")
    assert kind == "data:image/png"
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(base64.b64decode(content)))), small)
    large = np.repeat(np.repeat(generator.integers(30, 220, (8, 8, 3), dtype=np.uint8), 64, 0), 64, 1)
    large = large + generator.integers(0, 16, large.shape, dtype=np.uint8)
    kind, content = data_uri(large).split(";base64,")
    assert kind == "data:image/jpeg"
    again = np.asarray(Image.open(io.BytesIO(base64.b64decode(content))).convert("RGB")).astype(float)
    assert np.abs(again - large).mean() < 5


def test_the_bar_is_filled_to_the_value_between_its_marks() -> None:
    text = tile(MIOU)
    assert 'style="width:68.0%"' in text
    assert [float(place) for place in re.findall(r"left:([\d.]+)%", text)] == [84.0, 72.0, 20.0]
    assert "75 % of the way from floor to ceiling" in text
    read(text)


def test_bars_of_distances_start_at_zero_and_hold_everything() -> None:
    text = bar(18.0, [("ceiling", "real", 3.0), ("floor", "noise", 140.0)], "lower")
    places = [float(place) for place in re.findall(r"(?:left|width):([\d.]+)%", text)]
    assert places == pytest.approx([100 * value / (1.08 * 140) for value in (18, 3, 140)], abs=0.06)
    assert bar(float("nan"), [("ceiling", "real", 3.0)]) == ""
    assert bar(1.0, []) == ""


def test_classes_are_grouped() -> None:
    classes = [
        ClassValue(name="Male", value=0.9, group="mask-free"),
        ClassValue(name="Bald", value=0.8, group="implied"),
    ]
    text = class_table(Figure(name="a", value=0.5, count=1, classes=classes))
    assert text.index("implied") < text.index("Bald") < text.index("mask-free") < text.index("Male")
    read(text)


@pytest.mark.parametrize(
    ("seconds", "words"), [(8.24, "8.2 s"), (59.99, "1 min 00 s"), (185, "3 min 05 s"), (7800, "2 h 10 min")]
)
def test_durations_for_people(seconds: float, words: str) -> None:
    assert duration(seconds) == words
