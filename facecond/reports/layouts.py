"""The paper's comparisons (section 4) as grids: conditions beside samples, attribute sets, checkpoints, swapped masks.

All functions return one picture, uint8 (H, W, 3). Pictures are uint8 (H, W, 3), label maps uint8 (H, W).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from facecond.faces.labels import CLASSES
from facecond.quantities import grouped
from facecond.reports.grids import Cell, Heads, grid, paint
from facecond.reports.lettering import PAPER, Colour

Picture = NDArray[np.uint8]

FRAME: Colour = (230, 0, 100)
"""Outline of the frame in a photograph."""

MOST_ROWS, MOST_COLUMNS = 24, 16
"""Size of the largest grid that is drawn, in pictures; what is beyond stands in the folder only."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Shown:
    """A condition and what was made of it: one row of `samples_figure`, or one person of `swap_figure`."""

    name: str
    """Words left of the row: an id, attributes."""
    image: Picture | None
    """The real picture the condition comes from; None when there is none."""
    samples: Sequence[Picture]
    given: Mapping[str, Picture] = field(default_factory=dict)
    """What the model was told, as far as there is something to see, by heading: RGB (H, W, 3) or a label map (H, W)."""


def contact_sheet(
    images: Sequence[Picture],
    labels: Sequence[Picture] | None,
    captions: Sequence[str] = (),
    *,
    title: str = "",
    text: str = "",
    columns: int = 8,
    cell: int = 128,
) -> Picture:
    """Pictures in reading order, each above its coloured label map, with a caption; the legend names the colours."""
    rows: list[list[Cell]] = []
    breaks: list[int] = []
    for first in range(0, len(images), columns):
        places = range(first, min(first + columns, len(images)))
        words = [captions[place] if place < len(captions) else "" for place in places]
        breaks.append(len(rows))
        if labels is None:
            rows.append([Cell(picture=images[place], caption=word) for place, word in zip(places, words, strict=True)])
        else:
            rows.append([Cell(picture=images[place]) for place in places])
            rows.append([Cell(picture=labels[place], caption=word) for place, word in zip(places, words, strict=True)])
    return grid(rows, title=title, text=text, cell=cell, breaks=breaks if labels else (), legend=labels is not None)


def samples_figure(shown: Sequence[Shown], *, title: str = "", text: str = "", cell: int = 128) -> Picture:
    """A row per condition: the real picture, what the model was told, the samples (the paper's ten per condition)."""
    with_image = any(row.image is not None for row in shown)
    headings = list(dict.fromkeys(heading for row in shown for heading in row.given))
    count = max(len(row.samples) for row in shown)
    rows = [
        [
            *([Cell(picture=row.image)] if with_image else []),
            *(Cell(picture=row.given.get(heading)) for heading in headings),
            *(Cell(picture=sample) for sample in row.samples),
        ]
        for row in shown
    ]
    groups = [*([("real", 1)] if with_image else []), *((heading, 1) for heading in headings)]
    heads = Heads(groups=[*groups, ("samples" if count > 1 else "sample", count)])
    names = [row.name for row in shown]
    legend = _with_map(row.given for row in shown)
    return grid(rows, title=title, text=text, heads=heads, names=names, cell=cell, legend=legend)


def _with_map(given: Iterable[Mapping[str, Picture]]) -> bool:
    return any(picture.ndim == 2 for row in given for picture in row.values())


def attribute_figure(
    samples: Sequence[Sequence[Picture]],
    attributes: Sequence[str],
    *,
    given: Sequence[Mapping[str, Picture]] = (),
    title: str = "Same starting noise, other attributes",
    text: str = "",
    cell: int = 128,
) -> Picture:
    """A row per starting noise, a column per attribute set; what else was `given`, one entry per row, comes first."""
    rows: list[list[Cell]] = [[Cell(picture=sample) for sample in row] for row in samples]
    columns = [words.replace(",", ", ") for words in attributes]
    if given:
        headings = list(given[0])
        told = [[Cell(picture=row[heading]) for heading in headings] for row in given]
        rows = [[*cells, *row] for cells, row in zip(told, rows, strict=True)]
        columns = [*headings, *columns]
    names = [f"noise {number + 1}" for number in range(len(rows))]
    return grid(rows, title=title, text=text, heads=Heads(columns=columns), names=names, cell=cell)


def checkpoint_figure(
    runs: Mapping[str, Sequence[Sequence[Picture]]],
    checkpoints: Sequence[str],
    *,
    title: str = "Same starting noise, later checkpoints",
    text: str = "",
    cell: int = 128,
) -> Picture:
    """For each starting noise a row per run (P2 above the baseline), a column per checkpoint.

    `runs[name][start][checkpoint]` is a picture.
    """
    starts = max(len(pictures) for pictures in runs.values())
    rows: list[list[Cell]] = []
    names: list[str] = []
    breaks: list[int] = []
    for start in range(starts):
        breaks.append(len(rows))
        for name, pictures in runs.items():
            rows.append([Cell(picture=picture) for picture in pictures[start]])
            names.append(name)
    heads = Heads(columns=list(checkpoints))
    return grid(rows, title=title, text=text, heads=heads, names=names, cell=cell, breaks=breaks)


def swap_figure(
    pairs: Sequence[tuple[Shown, Shown]],
    parts: Sequence[int],
    *,
    title: str = "Parts exchanged between two people",
    text: str = "",
    cell: int = 128,
) -> Picture:
    """Two rows per pair of people: picture, map, map with the other's `parts` (class values), samples from that map.

    `given` of each person holds the two maps. In the mixed map the exchanged parts keep their colours and the rest is faded.
    """
    people = [person for pair in pairs for person in pair]
    count = max(len(person.samples) for person in people)
    rows = [
        [
            Cell(picture=person.image),
            *(
                Cell(picture=picture, emphasis=emphasis)
                for picture, emphasis in zip(person.given.values(), (None, parts), strict=True)
            ),
            *(Cell(picture=sample) for sample in person.samples),
        ]
        for person in people
    ]
    words = ", ".join(CLASSES[value] for value in parts)
    heads = Heads(
        groups=[
            ("person", 1),
            *((heading, 1) for heading in people[0].given),
            ("samples" if count > 1 else "sample", count),
        ]
    )
    text = text or f"Exchanged: {words}. Nothing was aligned or cleaned up before the exchange."
    breaks = range(0, len(rows), 2)
    names = [person.name for person in people]
    return grid(rows, title=title, text=text, heads=heads, names=names, cell=cell, breaks=breaks, legend=True)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Photograph:
    """One photograph and what was made of it."""

    name: str
    photo: Picture | None
    """As given, any size; None when it is not there any more."""
    corners: NDArray[np.float64]
    """(4, 2): corners (x, y) of the frame in the photograph's pixels."""
    image: Picture
    """Aligned."""
    labels: Picture
    remark: str = ""
    """What looks wrong."""


def photographs_figure(
    shown: Sequence[Photograph], *, title: str = "Photographs", text: str = "", cell: int = 160
) -> Picture:
    """Photograph with its frame, aligned picture, label map, map over picture; two photographs a row if there are many."""
    beside = 1 if len(shown) <= 3 else 2
    rows = []
    for first in range(0, len(shown), beside):
        row: list[Cell] = []
        for each in shown[first : first + beside]:
            row += [
                Cell(
                    picture=None if each.photo is None else _framed(each.photo, each.corners, cell), caption=each.name
                ),
                Cell(picture=each.image, caption=each.remark),
                Cell(picture=each.labels),
                Cell(picture=_overlay(each.image, each.labels)),
            ]
        rows.append(row)
    heads = Heads(columns=["photograph", "aligned", "label map", "both"] * beside)
    return grid(rows, title=title, text=text, heads=heads, cell=cell, legend=True)


def _framed(photo: Picture, corners: NDArray[np.float64], size: int) -> Picture:
    """The photograph inside a square of `size` pixels, on white, with the frame drawn on it."""
    height, width = photo.shape[:2]
    scale = size / max(height, width)
    small = Image.fromarray(photo).resize(
        (max(1, round(width * scale)), max(1, round(height * scale))), Image.Resampling.LANCZOS
    )
    left, top = (size - small.width) // 2, (size - small.height) // 2
    canvas = Image.new("RGB", (size, size), PAPER)
    canvas.paste(small, (left, top))
    edges = np.clip(
        corners * scale + [left, top], 1, size - 2
    )  # a frame that reaches beyond the square is drawn at its edge
    outline = [(float(x), float(y)) for x, y in [*edges, edges[0]]]
    draw = ImageDraw.Draw(canvas)
    for colour, thickness in ((PAPER, 4), (FRAME, 2)):
        draw.line(outline, fill=colour, width=thickness, joint="curve")
    return np.asarray(canvas)


def _overlay(image: Picture, labels: Picture) -> Picture:
    """The picture with the colours of its map laid over it, background left as it is."""
    mixed = np.where((labels == 0)[..., None], image, 0.55 * image + 0.45 * paint(labels))
    return np.rint(mixed).astype(np.uint8)


def first_of(shown: int, count: int) -> str:
    """Words behind a grid's title: how many of `count` pictures it shows; "" when it shows all."""
    return "" if shown == count else f": the first {shown} of {grouped(count, ' ')}"
