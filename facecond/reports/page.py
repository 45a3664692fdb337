"""One HTML file that shows what was done: figures, pictures, charts, steps, configuration.

The layout is `page.html.jinja`, the look `page.css`. The file needs nothing beside itself: pictures are data URIs, charts
inline SVG, style inline CSS; no script, no fonts or files from elsewhere. It follows the reader's setting of light or dark.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from numpy.typing import NDArray
from PIL import Image

from facecond.io.files import atomic_write
from facecond.io.results import Figure
from facecond.reports.bars import marks, positions
from facecond.reports.curves import Chart, svg
from facecond.reports.tables import circumstances, figure_rows, share, value_text

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
class Section:
    """A heading with words, pictures and curves under it."""

    title: str
    text: str = ""
    """Paragraphs, separated by empty lines."""
    pictures: Sequence[Picture] = ()
    charts: Sequence[Chart] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One step of the work."""

    name: str
    seconds: float
    """How long it took, all its runs together."""
    result: str = ""
    """What came of it: "8192 faces", "PSNR 27.4 dB"."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """Everything on the page."""

    title: str
    lead: str
    """Two or three sentences under the title."""
    figures: Sequence[Figure]
    sections: Sequence[Section]
    steps: Sequence[Step] = ()
    command: str = ""
    """What to type to get this page again."""
    configuration: str = ""
    """The resolved configuration, as YAML."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Programs, hashes of weights, machine."""
    headline: int = 6
    """So many of the figures, from the first, become tiles; all stand in the table."""


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
    environment.filters.update(
        circumstances=circumstances, data_uri=data_uri, duration=duration, number=value_text, svg=svg
    )
    environment.globals.update(figure_rows=figure_rows, marks=marks, positions=positions, share=share)
    return environment
