"""Shapes as signed distances: negative inside, zero on the edge, in units of half the picture's width.

Distances need to be right near the edge only: there they become coverage without supersampling.
All functions take float32 arrays that broadcast and are pointwise, so a batch may be cut anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

F = np.ndarray
"""float32 array that broadcasts against (B, H, W)."""

Size = np.ndarray | np.float32 | float
"""A length: one for all faces, or (B, 1, 1)."""

SMALL = np.float32(1e-4)


def floats(values: Sequence[float] | Sequence[Sequence[float]]) -> F:
    """Numbers as a float32 array."""
    return np.array(values, np.float32)


def coverage(distance: F, width: Size) -> F:
    """How much of a pixel of this width the shape covers, 0..1; a larger width gives a softer edge."""
    result: F = distance * (-1 / width)
    result += np.float32(0.5)
    return np.clip(result, 0, 1, out=result)


def ellipse(x: F, y: F, a: Size, b: Size) -> F:
    """Distance to the ellipse with half axes a and b about the origin."""
    across, down = 1 / a, 1 / b
    xa, yb = x * across, y * down
    value = xa * xa
    value += yb * yb
    xa *= across
    yb *= down
    xa *= xa
    yb *= yb
    xa += yb
    slope = np.sqrt(xa, out=xa)
    slope += SMALL
    value -= 1
    value /= slope
    value *= np.float32(0.5)
    return value


def circle(x: F, y: F, radius: Size) -> F:
    """Distance to a circle about the origin."""
    return np.sqrt(x * x + y * y) - radius


def ring(distance: F, half_width: Size) -> F:
    """The band of this half width about another shape's edge."""
    return np.abs(distance) - half_width


def bump(x: F, y: F, a: Size, b: Size) -> F:
    """exp(-(x/a)^2 - (y/b)^2): a soft hill of height 1."""
    value = x * (1 / a)
    value *= value
    other = y * (1 / b)
    other *= other
    value = np.add(value, other, out=value if value.shape == np.broadcast_shapes(value.shape, other.shape) else None)
    np.negative(value, out=value)
    return np.exp(value, out=value)


def ridge(x: F, a: Size) -> F:
    """exp(-(x/a)^2): a soft line of height 1 where x is 0."""
    value = x * np.float32(1 / a) if isinstance(a, float) else x * (1 / a)
    value *= value
    np.negative(value, out=value)
    return np.exp(value, out=value)


def fade(distance: F, rate: float) -> F:
    """exp(-rate x max(distance, 0)): 1 inside a shape, falling off outside it."""
    value = np.maximum(distance, 0)
    value *= np.float32(-rate)
    return np.exp(value, out=value)


def ramp(x: F, start: Size, end: Size) -> F:
    """0 before start, 1 after end, smooth between (start may lie after end)."""
    t = x - start
    t *= 1 / (end - start)
    np.clip(t, 0, 1, out=t)
    result = t * t
    t *= np.float32(-2)
    t += np.float32(3)
    result *= t
    return result


def arch(r: F) -> F:
    """(1 - r^2) where |r| < 1, else 0: the profile of lips and lids."""
    return np.maximum(1 - r * r, 0)
