"""Text on pictures: the font that comes with Pillow, lines wrapped to a width."""

from __future__ import annotations

from bisect import bisect_right
from functools import cache

from PIL import ImageDraw, ImageFont

Colour = tuple[int, int, int]

INK: Colour = (28, 30, 38)
QUIET: Colour = (98, 103, 116)
PAPER: Colour = (255, 255, 255)
RULE: Colour = (214, 217, 224)


@cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return Pillow's own font at `size` pixels: no font file is needed on any machine."""
    return ImageFont.load_default(size=size)


def width(text: str, size: int) -> int:
    """Return the width of one line in pixels."""
    return int(font(size).getlength(text)) + 1


def line_height(size: int) -> int:
    """Return the distance between two lines in pixels."""
    return round(size * 1.3)


def wrap(text: str, size: int, limit: int) -> list[str]:
    """Break `text` into lines of at most `limit` pixels, at spaces, else after `_`, `,` or `/`, else anywhere."""
    lines: list[str] = []
    for paragraph in text.splitlines():
        line = ""
        for word in paragraph.split():
            joined = f"{line} {word}" if line else word
            if width(joined, size) <= limit:
                line = joined
                continue
            lines += [line] if line else []
            line = word
            while len(line) > 1 and width(line, size) > limit:
                fits = _fitting(line, size, limit)
                cut = max(line.rfind(mark, 0, fits) for mark in "_,/") + 1 or fits
                lines.append(line[:cut])
                line = line[cut:]
        lines.append(line)
    return lines


def _fitting(text: str, size: int, limit: int) -> int:
    """Return how many letters of `text`, at least one, stand on `limit` pixels.

    Measured are halves of halves: a long word has hundreds of letters, those of 40 attributes, and measuring takes long.
    """
    fits = bisect_right(range(1, len(text) + 1), limit, key=lambda count: width(text[:count], size))
    return max(1, fits)


def write(
    draw: ImageDraw.ImageDraw,
    lines: list[str],
    x: float,
    y: float,
    size: int,
    *,
    colour: Colour = INK,
    align: str = "left",
) -> None:
    """Write lines downwards from y; x is their left edge, their middle or their right edge, as `align` says."""
    anchor = {"left": "la", "centre": "ma", "right": "ra"}[align]
    for number, line in enumerate(lines):
        draw.text((x, y + number * line_height(size)), line, fill=colour, font=font(size), anchor=anchor)
