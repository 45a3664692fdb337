"""One HTML file that shows what was done, as sections of blocks: figures, tables, pictures, charts, configuration.

The layout is `page.html.jinja`, the look `page.css`. The file needs nothing beside itself: pictures are data URIs, charts
inline SVG, style inline CSS; no script, no fonts or files from elsewhere. It follows the reader's setting of light or dark.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from numpy.typing import NDArray
from PIL import Image

from facecond.io.files import atomic_write
from facecond.io.results import ClassValue, Figure
from facecond.reports.bars import marks, positions
from facecond.reports.curves import COLOURS, Chart, style_sheet, svg
from facecond.reports.tables import share, value_text

PNG_LIMIT = 300_000
"""Bytes above which a picture is stored as JPEG of high quality instead of as PNG."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Picture:
    """A picture with its words."""

    image: NDArray[np.uint8]
    """uint8 (H, W, 3), for example from `facecond.reports.layouts`."""
    caption: str
    """What there is to see in it; also its text for those who cannot see it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Charts:
    """Line charts, as many beside one another as there is room for."""

    charts: Sequence[Chart]
    title: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """A value as a bar, with marks for what it is compared with."""

    item: Figure | ClassValue
    better: str
    """"higher" or "lower"."""
    among: Sequence[float] = ()
    """Values of the bars beside it, which have the same scale."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """A place in a table that holds more than words."""

    text: str = ""
    small: str = ""
    """Quiet words below."""
    line: int | None = None
    """Place in `facecond.reports.curves.COLOURS`, shown before the text."""
    bar: Bar | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """A row of a table that says what those below it have in common."""

    text: str
    small: str = ""
    """Quiet words below."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """Rows of cells, the first row the head, the first column what its row is about; groups of rows."""

    rows: Sequence[Sequence[str | Cell] | Group]
    title: str = ""
    note: str = ""
    """Quiet words under the table."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tiles:
    """Figures in large letters, each with its bar and what it is compared with."""

    figures: Sequence[Figure]


@dataclass(frozen=True, kw_only=True, slots=True)
class Classes:
    """The values per class of those figures that have them."""

    figures: Sequence[Figure]


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """Words and what is said of them."""

    terms: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Code:
    """Text as it is, such as YAML."""

    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Words:
    """Paragraphs, separated by empty lines."""

    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One of several things that stand beside one another."""

    title: str
    blocks: Sequence[Block]
    line: int | None = None
    """Place in `facecond.reports.curves.COLOURS`, shown before the title."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Columns:
    """Things beside one another, below one another where there is no room."""

    columns: Sequence[Column]


@dataclass(frozen=True, kw_only=True, slots=True)
class Folded:
    """Blocks that are shown when their title is chosen."""

    title: str
    blocks: Sequence[Block]


Block = Picture | Charts | Table | Tiles | Classes | Terms | Code | Words | Columns | Folded
"""What stands in a section; the template has a macro for each."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """A heading with words and blocks under it."""

    title: str
    text: str = ""
    """Paragraphs, separated by empty lines."""
    blocks: Sequence[Block] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """Everything on the page."""

    title: str
    lead: str
    """Two or three sentences under the title."""
    sections: Sequence[Section]
    """No two have one title."""
    command: str = ""
    """What to type to get this page again."""
    refresh: float | None = None
    """Seconds after which a browser shows it again; None for a page that is done."""


def write_page(path: Path, page: Page) -> None:
    """Write the page as one HTML file, whole or not at all."""
    with atomic_write(path) as temporary:
        temporary.write_text(html(page), encoding="utf-8")


def html(page: Page) -> str:
    """Return the page as HTML text; every word of `page` is escaped."""
    return _environment().get_template("page.html.jinja").render(page=page)


def duration(seconds: float) -> str:
    """Write a duration for people: 8.2 s, 3 min 05 s, 2 h 10 min."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def data_uri(image: NDArray[np.uint8]) -> str:
    """Return a picture (H, W, 3) uint8 as data URI: PNG, or JPEG with hardly visible loss when PNG is large."""
    picture = Image.fromarray(np.ascontiguousarray(image))
    content, kind = io.BytesIO(), "png"
    picture.save(content, "PNG")
    if content.tell() > PNG_LIMIT:
        content, kind = io.BytesIO(), "jpeg"
        picture.save(content, "JPEG", quality=92, subsampling=0)  # full colour resolution: label maps have hard edges
    return f"data:image/{kind};base64,{base64.b64encode(content.getvalue()).decode()}"


def _environment() -> Environment:
    """Return templates of this folder with the functions they call."""
    environment = Environment(
        loader=PackageLoader("facecond.reports", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(data_uri=data_uri, kind=_kind, number=value_text, svg=svg)
    environment.globals.update(
        lines=len(COLOURS), marks=marks, positions=positions, share=share, style_sheet=style_sheet
    )
    return environment


def _kind(block: Block | str) -> str:
    """Name of a block's class, by which the template chooses its macro."""
    return type(block).__name__
