"""One HTML file that shows what was done: figures, pictures, curves, steps, configuration.

It needs nothing beside itself: pictures are data URIs, curves inline SVG, style inline CSS; no script, no fonts or
files from elsewhere. It follows the reader's setting of light or dark.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facecond.io.files import atomic_write
from facecond.io.results import Figure
from facecond.reports.curves import Chart, svg
from facecond.reports.tables import class_rows, figure_rows
from facecond.reports.tiles import class_table, table, tile

PNG_LIMIT = 300_000
"""Bytes above which a picture is stored as JPEG of high quality instead of as PNG."""

EXPLANATION: Mapping[str, str] = {
    "Label map": "A drawing by numbers: every pixel says which part of the face it belongs to (skin, nose, hair, ...;"
    " 19 kinds). The model is given such a map and should put each part exactly there.",
    "Attributes": "Forty yes-or-no statements about the face (Smiling, Male, Eyeglasses, ...). They say what the map"
    " cannot, such as the colour of the hair.",
    "Diffusion": "The model starts from pure noise and removes a little of it, many times, each time looking at the map"
    " and the attributes. The same starting noise with another condition gives a comparable picture.",
    "First stage": "The diffusion happens in a small, compressed picture; the first stage compresses and restores. What"
    " it cannot restore no sample can show: its reconstructions are about the best score a sample can hope for.",
    "mIoU": "How well the parts of a generated face, as found by a separate network, cover the parts of the map that"
    " was asked for: overlap divided by union, averaged over parts. 1 is perfect.",
    "Ceiling and floor": "A judge is not perfect either. The ceiling is what it says about real pictures; the floor is"
    " the score of a model that ignores what it was told. Read every number between these two.",
}
"""Words for people who see such a page for the first time."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Picture:
    """A picture with its words."""

    image: NDArray[np.uint8]
    """uint8 (H, W, 3), for example from `facecond.reports.layouts`."""
    caption: str
    """What there is to see in it."""
    alt: str = ""
    """For people who cannot see it; the caption when empty."""


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
    """Return the page as HTML text."""
    style = resources.files("facecond.reports").joinpath("page.css").read_text(encoding="utf-8")
    parts: list[tuple[str, str]] = []
    if page.figures:
        tiles = "".join(tile(figure) for figure in page.figures[: page.headline])
        parts.append(("In numbers", f'<div class="tiles">{tiles}</div>'))
    parts += [(section.title, _section(section)) for section in page.sections]
    if page.figures:
        parts.append(("All figures", _figures(page.figures)))
    if page.steps:
        parts.append(("Steps", _steps(page.steps)))
    if page.configuration or page.versions:
        parts.append(("Configuration and versions", _origin(page)))
    links = "".join(f'<a href="#s{number}">{escape(title)}</a>' for number, (title, _) in enumerate(parts))
    body = "".join(
        f'<section><h2 id="s{number}">{escape(title)}</h2>{content}</section>'
        for number, (title, content) in enumerate(parts)
    )
    command = f'<pre class="command">{escape(page.command)}</pre>' if page.command else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<title>{escape(page.title)}</title><link rel="icon" href="data:,"><style>{style}</style></head><body><main>'
        f'<header><h1>{escape(page.title)}</h1><p class="lead">{escape(page.lead)}</p>{command}<nav>{links}</nav>'
        f"</header>{_explanation()}{body}"
        "<footer>Made by facecond. This file needs no network and no other file.</footer>"
        "</main></body></html>\n"
    )


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


def _explanation() -> str:
    terms = "".join(f"<dt>{escape(term)}</dt><dd>{escape(words)}</dd>" for term, words in EXPLANATION.items())
    return f"<details><summary>New to this? The words used on this page</summary><dl>{terms}</dl></details>"


def _section(section: Section) -> str:
    parts = [f"<p>{escape(paragraph)}</p>" for paragraph in section.text.split("\n\n") if paragraph.strip()]
    parts += [_picture(picture) for picture in section.pictures]
    if section.charts:
        charts = "".join(f'<div class="card">{svg(chart)}</div>' for chart in section.charts)
        parts.append(f'<div class="charts">{charts}</div>')
    return "".join(parts)


def _picture(picture: Picture) -> str:
    height, width = picture.image.shape[:2]
    alt = escape(picture.alt or picture.caption, quote=True)
    size = f'width="{width}" height="{height}" style="min-width:{min(width, 720)}px"'  # a phone scrolls sideways
    image = f'<img src="{data_uri(picture.image)}" {size} alt="{alt}">'
    caption = f"<figcaption>{escape(picture.caption)}</figcaption>" if picture.caption else ""
    return f'<figure class="picture"><div class="frame">{image}</div>{caption}</figure>'


def _figures(figures: Sequence[Figure]) -> str:
    parts = [f'<div class="card">{table(figure_rows(figures))}</div>']
    facts = []
    for figure in figures:
        judge = f"{figure.judge} ({figure.judge_hash[:12]})" if figure.judge_hash else figure.judge
        words = [figure.note, figure.reference and f"Reference: {figure.reference}", judge and f"Judge: {judge}"]
        words.append(figure.preprocessing and f"Preprocessing: {figure.preprocessing}")
        text = " ".join(f"{word.rstrip('.')}." for word in words if word)
        if text:
            facts.append(f"<dt>{escape(figure.heading)}</dt><dd>{escape(text)}</dd>")
    if facts:
        parts.append(f"<details><summary>How each was measured</summary><dl>{''.join(facts)}</dl></details>")
    tables = [
        f'<div class="card"><h3>{escape(figure.heading)} per class</h3>'
        f"{class_table(figure) if len(class_rows(figure.classes)) > 1 else ''}</div>"
        for figure in figures
        if figure.classes
    ]
    if tables:
        parts.append(f'<div class="tables">{"".join(tables)}</div>')
    return "".join(parts)


def _steps(steps: Sequence[Step]) -> str:
    rows = [["step", "time", "result"], *([step.name, duration(step.seconds), step.result] for step in steps)]
    rows.append(["together", duration(sum(step.seconds for step in steps)), ""])
    return f'<div class="card">{table(rows)}</div>'


def _origin(page: Page) -> str:
    parts = []
    if page.versions:
        rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in page.versions.items())
        parts.append(f"<details><summary>Versions and hashes</summary><dl>{rows}</dl></details>")
    if page.configuration:
        summary = "<summary>The exact configuration</summary>"
        parts.append(f"<details>{summary}<pre>{escape(page.configuration)}</pre></details>")
    return "".join(parts)
