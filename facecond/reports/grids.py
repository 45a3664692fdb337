"""Labelled grids of pictures: titles, column heads, row names, captions, coloured label maps with a legend.

Drawn with Pillow alone. The paper's figures (section 4) are such grids; their layouts are in `layouts.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from facecond.faces.labels import CLASSES, NUM_CLASSES, PALETTE, UNSPECIFIED
from facecond.reports.lettering import INK, PAPER, QUIET, RULE, Colour, line_height, width, wrap, write

MARGIN = 24
GAP = 6
TITLE, HEAD, TEXT, SMALL = 22, 15, 14, 12
"""Sizes of letters in pixels."""

UNSPECIFIED_COLOUR: Colour = (236, 236, 240)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Cell:
    """One picture of a grid."""

    picture: NDArray[np.uint8] | None
    """uint8 (H, W, 3), or a label map uint8 (H, W) that will be coloured, or None for an empty place."""
    caption: str = ""
    """Small words below it."""
    emphasis: Sequence[int] | None = None
    """For a label map: the classes shown in full colour, all others faded; None shows all in full colour."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Heads:
    """The words above the columns."""

    columns: Sequence[str] = ()
    """One for each column; may be empty strings."""
    groups: Sequence[tuple[str, int]] = field(default=())
    """(words, number of columns they stand over), from left to right, above the column heads."""


def grid(
    rows: Sequence[Sequence[Cell | NDArray[np.uint8] | None]],
    *,
    title: str = "",
    text: str = "",
    heads: Heads | None = None,
    names: Sequence[str] = (),
    cell: int = 144,
    breaks: Sequence[int] = (),
    legend: bool = False,
) -> NDArray[np.uint8]:
    """Return rows of pictures as one picture, uint8 (H, W, 3), on white.

    Every cell is `cell` pixels wide and as high as its picture's proportions ask; photographs are resampled smoothly,
    label maps by picking pixels. `names` stand left of the rows, `text` under the title, `breaks` are rows before which
    there is more room, `legend` explains the colours of the label maps shown. ValueError for no cells, or for more
    names or heads than there are rows or columns.
    """
    cells = [[item if isinstance(item, Cell) else Cell(picture=item) for item in row] for row in rows]
    count = max((len(row) for row in cells), default=0)
    heads = heads or Heads()
    if count == 0:
        raise ValueError("a grid needs at least one cell")
    if len(heads.columns) > count or len(names) > len(cells) or sum(span for _, span in heads.groups) > count:
        raise ValueError(f"more names or heads than the {len(cells)} rows and {count} columns")

    name_width = max((min(150, width(line, TEXT)) for name in names for line in name.split("\n")), default=0)
    left = MARGIN + (name_width + 12 if name_width else 0)
    inside = left - MARGIN + count * (cell + GAP) - GAP
    title_lines, text_lines = wrap(title, TITLE, inside), wrap(text, TEXT, inside)
    column_lines = [wrap(words, HEAD, cell) for words in heads.columns]
    head_height = max((len(lines) for lines in column_lines), default=0) * line_height(HEAD)
    head_height += 8 if head_height else 0
    group_height = line_height(HEAD) + 12 if heads.groups else 0
    captions = [[wrap(item.caption, SMALL, cell) for item in row] for row in cells]
    row_heights = [_row_height(row, cell) for row in cells]
    caption_heights = [
        max((len(lines) for lines in row), default=0) * line_height(SMALL) + (5 if any(row) else 0) for row in captions
    ]
    classes = _classes_shown(cells) if legend else []
    legend_lines = _legend_lines(classes, inside)
    top = MARGIN + len(title_lines) * line_height(TITLE) + len(text_lines) * line_height(TEXT)
    top += 14 if title_lines or text_lines else 0
    body = sum(row_heights) + sum(caption_heights) + GAP * (len(cells) - 1) + 4 * GAP * len(set(breaks) - {0})
    bottom = len(legend_lines) * 24 + 14 if legend_lines else 0
    canvas = Image.new("RGB", (inside + 2 * MARGIN, top + group_height + head_height + body + bottom + MARGIN), PAPER)
    draw = ImageDraw.Draw(canvas)

    write(draw, title_lines, MARGIN, MARGIN, TITLE)
    write(draw, text_lines, MARGIN, MARGIN + len(title_lines) * line_height(TITLE) + 2, TEXT, colour=QUIET)
    _draw_groups(draw, heads.groups, left, top, cell)
    for column, lines in enumerate(column_lines):
        y_head = top + group_height + head_height - 8 - len(lines) * line_height(HEAD)
        write(draw, lines, left + column * (cell + GAP) + cell / 2, y_head, HEAD, align="centre")

    y = top + group_height + head_height
    for number, row in enumerate(cells):
        y += 4 * GAP if number in breaks and number else 0
        if number < len(names):
            lines = wrap(names[number], TEXT, name_width)
            y_name = y + (row_heights[number] - len(lines) * line_height(TEXT)) / 2
            write(draw, lines, left - 12, y_name, TEXT, align="right")
        for column, item in enumerate(row):
            x = left + column * (cell + GAP)
            if item.picture is not None:
                canvas.paste(_fit(item, cell), (x, y))
            y_caption = y + row_heights[number] + 4
            write(draw, captions[number][column], x + cell / 2, y_caption, SMALL, colour=QUIET, align="centre")
        y += row_heights[number] + caption_heights[number] + GAP
    _draw_legend(draw, legend_lines, MARGIN, y + 10)
    return np.asarray(canvas)


def paint(labels_HW: NDArray[np.uint8], emphasis: Sequence[int] | None = None) -> NDArray[np.uint8]:
    """Return a label map in CelebAMask-HQ's colours, uint8 (H, W, 3); light grey where it is unspecified (255).

    With `emphasis`, every class not in it is faded towards white. ValueError for values that are no class.
    """
    if ((labels_HW >= NUM_CLASSES) & (labels_HW != UNSPECIFIED)).any():
        raise ValueError(f"label values up to {labels_HW.max()}, expected 0..{NUM_CLASSES - 1} or {UNSPECIFIED}")
    colours = np.full((256, 3), UNSPECIFIED_COLOUR, dtype=np.float64)
    colours[:NUM_CLASSES] = PALETTE
    if emphasis is not None:
        faded = np.setdiff1d(np.arange(NUM_CLASSES), list(emphasis))
        colours[faded] = 0.22 * colours[faded] + 0.78 * 255
    painted: NDArray[np.uint8] = np.rint(colours).astype(np.uint8)[labels_HW]
    return painted


def _fit(item: Cell, size: int) -> Image.Image:
    picture: Any = item.picture
    labels = picture.ndim == 2
    image = Image.fromarray(paint(picture, item.emphasis) if labels else np.ascontiguousarray(picture))
    target = (size, _height(picture, size))
    if image.size == target:
        return image
    return image.resize(target, Image.Resampling.NEAREST if labels else Image.Resampling.LANCZOS)


def _height(picture: NDArray[np.uint8], size: int) -> int:
    return max(1, round(size * picture.shape[0] / picture.shape[1]))


def _row_height(row: Sequence[Cell], size: int) -> int:
    return max((_height(item.picture, size) for item in row if item.picture is not None), default=size)


def _classes_shown(cells: Sequence[Sequence[Cell]]) -> list[int]:
    shown: set[int] = set()
    for row in cells:
        for item in row:
            if item.picture is not None and item.picture.ndim == 2:
                shown.update(int(value) for value in np.unique(item.picture))
    return sorted(shown)


def _legend_lines(classes: Sequence[int], limit: int) -> list[list[tuple[int, int]]]:
    """Lay out the legend: lines of (class, x)."""
    lines: list[list[tuple[int, int]]] = []
    x = limit + 1
    for value in classes:
        room = 20 + width(_class_name(value), SMALL) + 16
        if x + room - 16 > limit:
            lines.append([])
            x = 0
        lines[-1].append((value, x))
        x += room
    return lines


def _class_name(value: int) -> str:
    return CLASSES[value] if value < NUM_CLASSES else "not specified"


def _draw_legend(draw: ImageDraw.ImageDraw, lines: Sequence[Sequence[tuple[int, int]]], x0: int, y0: int) -> None:
    for number, line in enumerate(lines):
        for value, x in line:
            colour = tuple(int(part) for part in PALETTE[value]) if value < NUM_CLASSES else UNSPECIFIED_COLOUR
            y = y0 + number * 24
            draw.rounded_rectangle((x0 + x, y, x0 + x + 13, y + 13), radius=3, fill=colour, outline=RULE)
            write(draw, [_class_name(value)], x0 + x + 20, y - 1, SMALL, colour=QUIET)


def _draw_groups(draw: ImageDraw.ImageDraw, groups: Sequence[tuple[str, int]], left: int, top: int, cell: int) -> None:
    column = 0
    for words, span in groups:
        x0, x1 = left + column * (cell + GAP), left + (column + span) * (cell + GAP) - GAP
        if words:
            write(draw, wrap(words, HEAD, x1 - x0)[:1], (x0 + x1) / 2, top, HEAD, colour=INK, align="centre")
            draw.line((x0 + 2, top + line_height(HEAD) + 3, x1 - 2, top + line_height(HEAD) + 3), fill=RULE, width=2)
        column += span
