"""What is painted on: a batch of pictures and label maps, the coordinates of the heads on them, and windows into
all of these.

Coordinates. x to the right and y downwards run over the picture from -1 to 1. (u, v) are the same, moved, turned and
scaled with the head. p is the place on the face that is seen at u: the head is a cylinder of radius `TURN_RADIUS`
that turns by the yaw angle, so features given at (p, v) slide and shrink as they do on a turned head, and p = u when
it looks straight ahead.
"""

from __future__ import annotations

import numpy as np

from facecond.drawn.shapes import F, coverage

TURN_RADIUS = np.float32(0.66)


class Window:
    """A rectangle of the picture in x and y, the same for every face, that holds a part wherever it may lie."""

    def __init__(self, left: float, right: float, top: float, bottom: float) -> None:
        self.bounds = (left, right, top, bottom)

    def slices(self, resolution: int) -> tuple[slice, slice]:
        """Rows and columns of the window at a resolution."""
        left, right, top, bottom = (min(max(round((edge + 1) / 2 * resolution), 0), resolution) for edge in self.bounds)
        return slice(top, bottom), slice(left, right)


class Canvas:
    """Pictures `rgb` float32 (B, 3, H, W) in 0..1, `labels` uint8 (B, H, W), and the coordinates x, y, u, v, p (B, H, W)."""

    def __init__(self, rgb: F, labels: np.ndarray, x: F, y: F, u: F, v: F, p: F, pixel: float) -> None:
        self.rgb, self.labels = rgb, labels
        self.x, self.y, self.u, self.v, self.p = x, y, u, v, p
        self.pixel = pixel
        """Width of one pixel in units of x."""

    def view(self, window: Window) -> Canvas:
        """The same canvas, seen through a window: what is painted there is painted here."""
        rows, columns = window.slices(self.labels.shape[-1])
        planes = (self.rgb, self.labels, self.x, self.y, self.u, self.v, self.p)
        rgb, labels, x, y, u, v, p = (plane[..., rows, columns] for plane in planes)
        return Canvas(rgb, labels, x, y, u, v, p, self.pixel)

    def pick(self, faces: np.ndarray, window: Window) -> Canvas:
        """A copy of a window of some faces only; give it back with `put`."""
        part = self.view(window)
        return Canvas(
            part.rgb[faces], part.labels[faces], part.x, part.y, part.u[faces], part.v[faces], part.p[faces], self.pixel
        )  # fmt: skip

    def put(self, part: Canvas, faces: np.ndarray, window: Window) -> None:
        """Write back what `pick` gave."""
        rows, columns = window.slices(self.labels.shape[-1])
        self.rgb[faces, :, rows, columns] = part.rgb
        self.labels[faces, rows, columns] = part.labels

    def cover(self, distance: F, soft: float = 0.0) -> F:
        """Coverage of a shape, with an edge one pixel wide, or `soft` wide where that is more."""
        return coverage(distance, max(self.pixel, soft))

    def paint(self, alpha: F, colour: F, label: int | np.ndarray | None = None) -> None:
        """Lay a colour ((B, 3, 1, 1) or (B, 3, H, W)) over the pictures; a label goes where the colour covers at least half."""
        change = colour - self.rgb
        change *= alpha[:, None]
        self.rgb += change
        if label is not None:
            self.mark(alpha, label)

    def mark(self, alpha: F, label: int | np.ndarray) -> None:
        """Give a label (one, or uint8 (B, H, W)) to the pixels that are covered at least half."""
        covered = (alpha >= np.float32(0.5)).view(np.uint8)
        self.labels *= np.uint8(1) - covered
        self.labels += covered * np.asarray(label, np.uint8)

    def multiply(self, factor: F) -> None:
        """Darken (or lighten) by a factor (B, H, W)."""
        self.rgb *= factor[:, None]


def blank(count: int, resolution: int, head: tuple[F, F, F, F, F]) -> Canvas:
    """A canvas for `count` faces; `head` is (x, y, scale, tilt, yaw) of each head, (B, 1, 1) each, angles in radians."""
    centres = ((np.arange(resolution, dtype=np.float32) * 2 + 1) / resolution - 1).astype(np.float32)
    x, y = (
        np.broadcast_to(centres, (1, resolution, resolution)),
        np.broadcast_to(centres[:, None], (1, resolution, resolution)),
    )
    head_x, head_y, scale, tilt, yaw = head
    cos, sin = np.cos(tilt) / scale, np.sin(tilt) / scale
    dx, dy = centres[None, None, :] - head_x, centres[None, :, None] - head_y
    u, v = dx * cos + dy * sin, dy * cos - dx * sin
    depth = u * u
    np.subtract(TURN_RADIUS * TURN_RADIUS, depth, out=depth)
    np.maximum(depth, 0, out=depth)
    np.sqrt(depth, out=depth)
    depth *= np.sin(yaw)
    p = u * np.cos(yaw)
    p -= depth
    rgb = np.zeros((count, 3, resolution, resolution), np.float32)
    return Canvas(rgb, np.zeros((count, resolution, resolution), np.uint8), x, y, u, v, p, 2 / resolution)
