"""The page is one file that needs nothing else, says everything, and shows numbers at their places."""

import base64
import dataclasses
import io
import itertools
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facecond.io.results import ClassValue, Figure
from facecond.reports.bars import marks, positions
from facecond.reports.curves import Chart, Series
from facecond.reports.page import (
    Cell,
    Charts,
    Classes,
    Code,
    Column,
    Columns,
    Folded,
    Group,
    Page,
    Picture,
    Section,
    Table,
    Terms,
    Tiles,
    Words,
    data_uri,
    duration,
    html,
    write_page,
)
from facecond.reports.sections import Step, all_figures, in_numbers, steps_taken, versions_used

MIOU = Figure(
    name="miou", title="Mask mIoU <b>", value=0.68, count=1256, ceiling=0.84, floor=0.2,
    marks={"reconstructions": 0.72}, judge="the parser", note="One confusion matrix",
    classes=(ClassValue(name="nose", value=0.9, ceiling=0.95, floor=0.1), ClassValue(name="hat", value=None)),
)  # fmt: skip


BLACK = np.zeros((20, 30, 3), np.uint8)


def page() -> Page:
    """One of every block and every section."""
    figures = [MIOU, Figure(name="psnr", value=27.4, unit="dB", count=64)]
    column = Column(title="one run", line=7, blocks=[Picture(image=BLACK, caption="grid"), Words(text="Below.")])
    table = Table(
        rows=[["name", Cell(text="value", line=1)], Group(text="group", small="what"), ["row", "0.5"]], note="Why."
    )
    return Page(
        title="Faces & more",
        lead="What was done.",
        sections=[
            in_numbers(figures),
            Section(title="Samples", text="First.\n\nSecond.", blocks=[
                Picture(image=BLACK, caption='black, "quoted"'),
                Charts(charts=[line_chart("Loss"), line_chart("Error")], title="Of all"),
                Columns(columns=[column, column]),
                table,
                Folded(title="Configuration", blocks=[Code(text="model: <multicond>")]),
            ]),
            all_figures(figures),
            steps_taken([Step(name="draw", seconds=9.2, result="8192 faces"), Step(name="train", seconds=3591)]),
            versions_used({"torch": "2.15"}),
        ],
        command="facecond demo",
    )  # fmt: skip


def page_of(*figures: Figure) -> Page:
    return Page(
        title="t", lead="l", sections=[Section(title="s", blocks=[Tiles(figures=figures), Classes(figures=figures)])]
    )


def line_chart(title: str, name: str = "a") -> Chart:
    two = [Series(name=name, x=[0, 1], y=[1, 0]), Series(name="b", x=[0, 1], y=[0, 1])]
    return Chart(title=title, x_label="images", y_label="loss", series=two)


class Reader(HTMLParser):
    """Collects elements and words, and checks that elements are closed in order."""

    VOID = frozenset({"meta", "link", "img", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def all(self, attribute: str, tag: str = "") -> list[str]:
        """Values of one attribute, in the order of the page, of one kind of element or of all."""
        return [values[attribute] for kind, values in self.elements if attribute in values and tag in ("", kind)]


def test_the_page_fetches_nothing_and_runs_nothing(tmp_path: Path) -> None:
    write_page(tmp_path / "page.html", page())
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    reader = Reader(text)
    links = [link for name in ("src", "href", "xlink:href", "srcset", "data") for link in reader.all(name)]
    assert links
    assert all(link.startswith(("data:", "#")) for link in links)
    assert not re.search(r"url\((?!#)|@import|<script|https?://(?!www\.w3\.org/(2000/svg|1999/xlink)\")", text)
    assert not [name for _, values in reader.elements for name in values if name.startswith("on")]


def test_links_inside_the_page_lead_to_its_headings_and_names_are_given_once() -> None:
    reader = Reader(html(page()))
    assert reader.all("href", "a") == [f"#{name}" for name in reader.all("id", "h2")]
    assert len(reader.all("id", "h2")) == 5
    levels = [int(tag[1]) for tag, _ in reader.elements if tag in ("h1", "h2", "h3")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(lower - upper <= 1 for upper, lower in itertools.pairwise(levels))
    assert len(set(reader.all("id"))) == len(reader.all("id"))


def test_everything_given_is_on_the_page() -> None:
    words = " ".join(Reader(html(page())).words)
    for given in (
        "Faces & more", "What was done.", "facecond demo", "Mask mIoU <b>", "0.680", "reconstructions", "0.720", "27.4",
        "First.", "Second.", 'black, "quoted"', "Loss", "Error", "draw", "9.2 s", "8192 faces",
        "59 min 51 s", "1 h 00 min", "model: <multicond>", "2.15",
        "Of all", "one run", "Below.", "group", "Why.", "the parser", "One confusion matrix", "nose", "Label map",
    ):  # fmt: skip
        assert given in words, given


def test_words_cannot_become_elements() -> None:
    """Each given text carries an element of its own, which must come back as words."""

    def bad(place: str) -> str:
        places.append(f'{place}"><u onclick="{place}">')
        return places[-1]

    places: list[str] = []
    figure = Figure(
        name="a", title=bad("title"), value=0.5, unit=bad("unit"), count=1, ceiling=1, ceiling_of=bad("ceiling"),
        marks={bad("mark"): 0.5}, reference=bad("reference"), judge=bad("judge"), note=bad("note"),
        classes=[ClassValue(name=bad("class"), value=0.1, group=bad("group"))],
    )  # fmt: skip
    picture = Picture(image=BLACK, caption=bad("caption"))
    cell = Cell(text=bad("cell"), small=bad("small"))
    section = Section(title=bad("section"), text=bad("text"), blocks=[
        Charts(charts=[line_chart(bad("chart"), bad("series"))], title=bad("charts")),
        Columns(columns=[Column(title=bad("column"), blocks=[picture])]),
        Table(rows=[[bad("head")], Group(text=bad("rows"), small=bad("rows, small")), [cell]], title=bad("table"),
              note=bad("below")),
        Folded(title=bad("folded"), blocks=[Code(text=bad("code")), Words(text=bad("words")),
                                            Terms(terms={bad("term"): bad("of")})]),
    ])  # fmt: skip
    reader = Reader(html(Page(
        title=bad("page"), lead=bad("lead"), command=bad("command"), sections=[
            section, in_numbers([figure]), all_figures([figure]),
            steps_taken([Step(name=bad("step"), seconds=1, result=bad("result"))]), versions_used({bad("program"): bad("version")}),
        ],
    )))  # fmt: skip
    assert "u" not in {tag for tag, _ in reader.elements}
    words = " ".join(reader.words)
    assert [place for place in places if place not in words] == []
    assert reader.all("alt") == [place for place in places if place.startswith("caption")]


def test_parts_without_content_are_left_out() -> None:
    reader = Reader(html(Page(title="t", lead="l", sections=[])))
    assert not {"h2", "table", "img", "svg"} & {tag for tag, _ in reader.elements}
    bare = Page(title="t", lead="l", sections=[all_figures([Figure(name="psnr", value=27.4, count=64)])])
    assert "How each was measured" not in html(bare)
    assert "How each was measured" in html(page())


def test_pictures_on_the_page_are_the_given_ones() -> None:
    images = np.random.default_rng(1).integers(0, 256, (2, 9, 7, 3), dtype=np.uint8)
    section = Section(title="s", blocks=[Picture(image=image, caption="c") for image in images])
    reader = Reader(html(Page(title="t", lead="l", sections=[section])))
    shown = [np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1])))) for uri in reader.all("src")]
    assert np.array_equal(shown, images)
    assert (reader.all("width", "img"), reader.all("height", "img")) == (["7", "7"], ["9", "9"])


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


def styles(figure: Figure, tag: str) -> list[str]:
    """CSS of the bars' fillings (i) or marks (b) on the page of one figure."""
    return Reader(html(page_of(figure))).all("style", tag)


def test_the_bar_is_filled_to_the_value_between_its_marks() -> None:
    figure = dataclasses.replace(MIOU, classes=())
    assert styles(figure, "i") == ["width:68.0%"]
    assert styles(figure, "b") == ["left:84.0%", "left:72.0%", "left:20.0%"]
    words = "".join(Reader(html(page())).words)
    assert "75 % of the way from floor to ceiling" in words
    assert "1\u202f256 images" in words


def test_classes_have_bars_of_their_own() -> None:
    figure = dataclasses.replace(MIOU, ceiling=None, floor=None, marks={})
    assert styles(figure, "i") == ["width:90.0%"]  # nose; nothing for the hat, which has no value, nor for the tile
    assert styles(figure, "b") == ["left:95.0%", "left:10.0%"]


def test_bars_of_distances_start_at_zero_and_hold_everything() -> None:
    fid = Figure(name="fid", value=18.0, count=1, better="lower", ceiling=3.0, floor=140.0, marks={"a": math.nan})
    assert [(mark.kind, mark.value) for mark in marks(fid)] == [("ceiling", 3.0), ("floor", 140.0)]
    expected = [f"{100 * value / (1.08 * 140):.1f}%" for value in (18, 3, 140)]
    assert positions(fid.value, marks(fid), "lower") == expected
    assert positions(math.nan, marks(fid), "lower") == positions(None, marks(fid), "lower") == []
    assert positions(0.0, [], "lower") == ["0.0%"]
    assert positions(18.0, [], "lower", among=[140.0, math.nan]) == expected[:1]  # the scale of a bar beside it


def test_classes_are_grouped() -> None:
    classes = [
        ClassValue(name="Male", value=0.9, group="mask-free"),
        ClassValue(name="Bald", value=0.8, group="implied"),
        ClassValue(name="Young", value=0.7, group="mask-free"),
    ]
    figure = Figure(name="a", value=0.5, count=1, classes=classes)
    words = Reader(html(page_of(figure))).words
    order = ["implied", "Bald", "mask-free", "Male", "Young"]
    assert [word for word in words if word in order] == order


@pytest.mark.parametrize(
    ("seconds", "words"), [(8.24, "8.2 s"), (59.99, "1 min 00 s"), (185, "3 min 05 s"), (7800, "2 h 10 min")]
)
def test_durations_for_people(seconds: float, words: str) -> None:
    assert duration(seconds) == words
