"""Words on pictures: the font that comes with Pillow, wrapped to a width, with fallbacks for signs it lacks."""

from __future__ import annotations

from functools import cache

from PIL import ImageDraw, ImageFont

Colour = tuple[int, int, int]

INK: Colour = (28, 30, 38)
QUIET: Colour = (98, 103, 116)
PAPER: Colour = (255, 255, 255)
RULE: Colour = (214, 217, 224)

_REPLACED = str.maketrans({"→": "->", "←": "<-", "≥": ">=", "≤": "<=", "\u2212": "-", "✓": "+", "\u2009": " "})


@cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return Pillow's own font at `size` pixels: no font file is needed on any machine."""
    return ImageFont.load_default(size=size)


def width(text: str, size: int) -> int:
    """Return the width of one line in pixels."""
    return int(font(size).getlength(text.translate(_REPLACED))) + 1


def line_height(size: int) -> int:
    """Return the distance between two lines in pixels."""
    return round(size * 1.3)


def wrap(text: str, size: int, limit: int) -> list[str]:
    """Break `text` into lines of at most `limit` pixels, at spaces, else after `_`, `,` or `/`, else anywhere."""
    lines: list[str] = []
    for paragraph in text.translate(_REPLACED).split("\n"):
        line = ""
        for word in paragraph.split():
            for piece, joint in _pieces(word, size, limit):
                candidate = f"{line}{joint if line else ''}{piece}"
                if line and width(candidate, size) > limit:
                    lines.append(line)
                    line = piece
                else:
                    line = candidate
        lines.append(line)
    return lines if text else []


def _pieces(word: str, size: int, limit: int) -> list[tuple[str, str]]:
    """Split a word that is too wide; every piece comes with what joins it to the text before it."""
    if width(word, size) <= limit:
        return [(word, " ")]
    parts: list[str] = [""]
    for letter in word:
        if width(parts[-1] + letter, size) > limit:
            cut = max(parts[-1].rfind(mark) for mark in "_,/") + 1
            parts[-1:] = [parts[-1][:cut], parts[-1][cut:]] if cut else [parts[-1], ""]
        parts[-1] += letter
    return [(part, "" if number else " ") for number, part in enumerate(parts)]


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
