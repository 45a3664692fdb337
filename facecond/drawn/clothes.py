"""Clothes below the neck: necklines, collars, patterns, suit and tie; and the necklace on top of neck or cloth."""

from __future__ import annotations

import numpy as np

from facecond.drawn.canvas import Canvas, Window
from facecond.drawn.shapes import F, circle, fade, ramp, ridge
from facecond.drawn.skin import LABEL, rgb
from facecond.drawn.traits import Traits

BUST = Window(-1, 1, 0.56, 1)
CREW, VEE, SHIRT, BOAT = range(4)


def neckline(t: Traits, x: F) -> F:
    """Height y below which there is cloth, for x about the neck."""
    q = np.abs(x)
    beyond = np.maximum(q - t.neck_w, 0)
    shoulder = t.shoulder - 0.10 + 0.16 * beyond + 0.30 * beyond * beyond
    inside = np.clip(q / t.neck_w, 0, 1)
    kind = t.collar[:, None, None]
    middle = np.where(kind == CREW, np.float32(0.92), np.where(kind == BOAT, np.float32(0.985), np.float32(1.08)))
    power = np.where(kind == CREW, np.float32(4), np.where(kind == BOAT, np.float32(6), np.float32(1)))
    return shoulder + (middle - t.shoulder + 0.10) * (1 - np.power(inside, power))


def clothes(canvas: Canvas, t: Traits) -> None:
    """What is worn, with pattern, folds and collar."""
    part = canvas.view(BUST)
    x = part.x - t.head_x
    y = part.y
    line = neckline(t, x)
    light = (
        0.80
        + 0.22 * t.light_x * np.clip(x * 1.2, -1, 1)
        + 0.07 * np.sin(x * 13 + y * 9 + t.phase)
        + 0.05 * np.sin(x * 29 - y * 14)
    )
    light = light * (1 - 0.35 * fade(y - line, 16))
    kind = t.pattern[:, None, None]
    # Stripes, checks and dots from the same two waves.
    one, two = np.sin(x * 30), np.sin(y * 30)
    mix = ramp(one, -0.25, 0.25) * (kind == 1) + 0.5 * (ramp(one, 0.0, 0.4) + ramp(two, 0.0, 0.4)) * (kind == 2)
    mix += ramp(one * two, 0.35, 0.55) * (kind == 3)
    colour = (t.cloth + (t.cloth2 - t.cloth) * mix[:, None]) * light[:, None]
    part.paint(part.cover((line - y) * 0.85), colour, LABEL["cloth"])
    rows = np.flatnonzero(t.collar == SHIRT)
    if len(rows):
        collar(canvas, t.pick(rows), rows)


def collar(canvas: Canvas, t: Traits, rows: np.ndarray) -> None:
    """A shirt's collar standing about the neck; with a tie, a suit's lapels around a white shirt."""
    part = canvas.pick(rows, BUST)
    x, y = part.x - t.head_x, part.y
    q = np.abs(x)
    tie = t.tie[:, None, None]
    white = np.where(tie[:, None], rgb(238, 240, 244), np.minimum(t.cloth * 0.75 + 0.25, 1)).astype(np.float32)
    inside = np.maximum(0.84 - y, q - 0.02 - (1.12 - y) * 1.05)
    light = (0.94 + 0.10 * t.light_x * np.sign(x) - 0.06 * np.sin(q * 40))[:, None]
    part.paint(part.cover(np.maximum(inside, 0.85 - y)) * tie, white * light, LABEL["cloth"])
    # Two flaps: from the side of the neck down towards the middle.
    top = t.shoulder - 0.15
    dx, dy = 0.12 - t.neck_w, 0.97 - top
    length = np.sqrt(dx * dx + dy * dy)
    down = ((q - t.neck_w) * dx + (y - top) * dy) / length
    beside = ((q - t.neck_w) * dy - (y - top) * dx) / length
    flap = np.maximum(
        np.maximum(-beside - 0.012, beside - 0.045 - 0.22 * down),
        np.maximum(down - length + 0.9 * beside - 0.02, -down),
    )
    part.multiply(1 - 0.28 * fade(flap, 30) * (part.labels == LABEL["cloth"]))
    part.paint(part.cover(flap), white * light, LABEL["cloth"])
    stripes = 1 - 0.40 * t.tie_stripes * (np.sin((x + y) * 52) > 0.2)
    knot = np.maximum(np.abs(y - 0.885) - 0.055, q - 0.078 + (y - 0.885) * 0.35)
    blade = np.maximum(0.93 - y, q - 0.055 - (y - 0.93) * 0.55)
    shade = 0.92 + 0.8 * x * t.light_x
    part.paint(part.cover(blade) * tie, t.tie_colour * (shade * stripes)[:, None], LABEL["cloth"])
    part.paint(
        part.cover(knot) * tie,
        t.tie_colour * (shade * stripes * (1.12 - 2.2 * np.maximum(y - 0.90, 0)))[:, None],
        LABEL["cloth"],
    )
    canvas.put(part, rows, BUST)


def necklace(canvas: Canvas, t: Traits) -> None:
    """A chain with a pendant, pearls, or a broad band, hanging just below the chin."""
    rows = np.flatnonzero(t.necklace)
    if not len(rows):
        return
    part, s = canvas.pick(rows, BUST), t.pick(rows)
    x = part.x - s.head_x - 0.12 * s.sin_yaw
    low = s.head_y + s.scale * s.chin + 0.105 + 0.055 * s.double_chin
    reach = s.neck_w * 1.05
    y = part.y - low + 0.16 * (x / reach) ** 2
    kind = s.necklace_kind[:, None, None]
    band = np.abs(y) - np.where(kind == 2, np.float32(0.048), np.float32(0.026))
    beads = circle((np.mod(x + 0.046, 0.092) - 0.046) * 1.0, y, np.float32(0.047))
    pendant = circle(x, y - 0.045, np.float32(0.062))
    d = np.where(kind == 1, beads, np.where(kind == 0, np.minimum(band, pendant), band))
    d = np.maximum(d, np.abs(x) - reach).astype(np.float32)
    worn = (part.labels == LABEL["neck"]) | (part.labels == LABEL["cloth"])
    part.multiply(1 - 0.35 * fade(d, 34) * ((y > 0) & worn))
    light = 0.80 + 0.35 * ridge(y + 0.015, 0.02) + 0.14 * np.sin(x * 68) - 0.25 * ramp(y, 0.0, 0.05)
    part.paint(part.cover(d) * worn, np.minimum(s.necklace_colour * light[:, None], 1), LABEL["neck_l"])
    canvas.put(part, rows, BUST)
