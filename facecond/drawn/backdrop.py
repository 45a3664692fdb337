"""What lies behind the head, and what the camera does at the end: backgrounds, light fall-off, blur, grain."""

from __future__ import annotations

import numpy as np

from facecond.drawn.canvas import Canvas
from facecond.drawn.shapes import F, coverage
from facecond.drawn.traits import Traits

GRAIN = 0.006
"""Standard deviation of the grain, in units of full white."""


def background(canvas: Canvas, t: Traits) -> None:
    """A gradient, a wall in two tones, or lights out of focus, all a little darker to the corners."""
    cos, sin = np.cos(t.ground_angle), np.sin(t.ground_angle)
    across = canvas.x * cos + canvas.y * sin
    soft = np.where((t.ground_kind == 1)[:, None, None], np.float32(0.06), np.float32(1.5))
    blend = coverage(across - t.ground_edge, soft)
    np.multiply(t.ground2 - t.ground, blend[:, None], out=canvas.rgb)
    canvas.rgb += t.ground
    rows = np.flatnonzero(t.ground_kind == 2)
    if len(rows):
        bokeh(canvas, t.pick(rows), rows)
    falloff = np.float32(1.0) - np.float32(0.22) * (canvas.x * canvas.x + canvas.y * canvas.y) * np.float32(0.5)
    canvas.multiply(falloff)


def bokeh(canvas: Canvas, t: Traits, rows: np.ndarray) -> None:
    """Six discs of light out of focus."""
    rgb = canvas.rgb[rows] * np.float32(0.8)
    for number in range(6):
        x, y, radius, warmth, strength = (t.bokeh[:, number * 5 + k][:, None, None] for k in range(5))
        dx, dy = canvas.x - (x * 2 - 1), canvas.y - (y * 1.7 - 1)
        size = 0.12 + 0.22 * radius
        disc = coverage(np.sqrt(dx * dx + dy * dy) - size, 0.07) * (0.2 + 0.45 * strength)
        colour = np.concatenate([0.75 + 0.25 * warmth, 0.70 + 0.15 * warmth, 0.95 - 0.45 * warmth], axis=1)[..., None]
        rgb += (colour - rgb) * disc[:, None]
    canvas.rgb[rows] = rgb


def light_from_a_side(canvas: Canvas, t: Traits) -> None:
    """The whole picture is a little brighter towards the lamp."""
    canvas.multiply(1 + np.float32(0.13) * t.light_x * canvas.x - np.float32(0.05) * canvas.y)


def blurred(rgb: F, radius: float) -> F:
    """Pictures (B, 3, H, W) out of focus: a Gaussian of this standard deviation in pixels, edges repeated."""
    reach = max(int(np.ceil(2.5 * radius)), 1)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / radius) ** 2).astype(np.float32)
    weights /= weights.sum()
    for axis in (2, 3):
        margins = [(0, 0)] * 4
        margins[axis] = (reach, reach)
        padded = np.pad(rgb, margins, mode="edge")
        size = rgb.shape[axis]
        moved = (np.take(padded, range(k, k + size), axis=axis) for k in range(2 * reach + 1))
        rgb = np.zeros_like(rgb)
        for weight, plane in zip(weights, moved, strict=True):
            rgb += weight * plane
    return rgb


def out_of_focus(canvas: Canvas, t: Traits) -> None:
    """Blur the pictures of whoever is Blurry; label maps stay exact."""
    rows = np.flatnonzero(t.blurry)
    if len(rows):
        canvas.rgb[rows] = blurred(canvas.rgb[rows], 0.034 / canvas.pixel)


def _noise_tile() -> F:
    return np.random.Generator(np.random.PCG64(2306)).standard_normal((256, 256), dtype=np.float32)


NOISE = _noise_tile()


def finish(canvas: Canvas, t: Traits) -> np.ndarray:
    """Grain and rounding: uint8 (B, H, W, 3)."""
    size = canvas.labels.shape[-1]
    repeats = -(-(size + 251) // 256)
    tile = np.tile(NOISE, (repeats, repeats)) * np.float32(GRAIN)
    for face, (row, column) in enumerate(zip(t.grain_y, t.grain_x, strict=True)):
        canvas.rgb[face] += tile[row : row + size, column : column + size]
    np.clip(canvas.rgb, 0, 1, out=canvas.rgb)
    canvas.rgb *= np.float32(255)
    canvas.rgb += np.float32(0.5)
    return np.ascontiguousarray(canvas.rgb.astype(np.uint8).transpose(0, 2, 3, 1))
