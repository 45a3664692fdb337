"""Faces drawn by program: pictures, exact label maps and attributes as pure functions of (seed, index).

The parts are painted from back to front. Whatever covers at least half of a pixel owns its label, so a label map is
what is seen. Every operation is pointwise over the faces of a batch: how a set of faces is cut into batches changes
no bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from facecond.drawn import accessories, backdrop, clothes, features, mouth, skin
from facecond.drawn.canvas import blank
from facecond.drawn.hair import Hair
from facecond.drawn.people import People, people
from facecond.drawn.wardrobe import traits

PIXELS_AT_ONCE = 1 << 17
"""Pixels painted together: about as many as keep the working arrays in the cache."""


class Drawing(NamedTuple):
    """Drawn faces."""

    images: np.ndarray
    """uint8 (N, H, W, 3)."""
    labels: np.ndarray
    """uint8 (N, H, W), classes 0..18 in CelebAMask-HQ order."""
    attributes: np.ndarray
    """int8 (N, 40) in {-1, +1}, CelebA order."""


def draw(seed: int, indices: Sequence[int], resolution: int, wanted: Mapping[str, bool] | None = None) -> Drawing:
    """Draw the faces with these indices (any integers >= 0) at a resolution (pixels, 16 or more).

    `wanted` forces attributes, leaving everything else about each person as it was: {"Eyeglasses": True}.
    """
    if resolution < 16:
        raise ValueError(f"a face needs at least 16 pixels, not {resolution}")
    numbers = [int(index) for index in indices]
    images = np.empty((len(numbers), resolution, resolution, 3), np.uint8)
    labels = np.empty((len(numbers), resolution, resolution), np.uint8)
    attributes = np.empty((len(numbers), 40), np.int8)
    at_once = max(PIXELS_AT_ONCE // resolution**2, 1)
    for start in range(0, len(numbers), at_once):
        some = slice(start, start + at_once)
        group = people(seed, numbers[some], wanted)
        images[some], labels[some] = paint(group, resolution)
        attributes[some] = np.where(group.attributes, 1, -1)
    return Drawing(images, labels, attributes)


def paint(group: People, resolution: int) -> tuple[np.ndarray, np.ndarray]:
    """Paint these people: images uint8 (B, H, W, 3) and labels uint8 (B, H, W)."""
    t = traits(group)
    canvas = blank(len(group.attributes), resolution, (t.head_x, t.head_y, t.scale, t.tilt, t.yaw))
    backdrop.background(canvas, t)
    hair = Hair(canvas, t)
    face = skin.face_outline(canvas, t)
    hair.paint_back(canvas, t)
    skin.neck(canvas, t, face)
    clothes.clothes(canvas, t)
    clothes.necklace(canvas, t)
    skin.ears(canvas, t)
    skin.head(canvas, t, face)
    features.nose(canvas, t)
    mouth.beard(canvas, t)
    mouth.mouth(canvas, t)
    features.eyes(canvas, t, face)
    features.brows(canvas, t, face)
    accessories.glasses(canvas, t)
    hair.paint_front(canvas, t)
    accessories.hat(canvas, t)
    accessories.earrings(canvas, t)
    backdrop.light_from_a_side(canvas, t)
    backdrop.out_of_focus(canvas, t)
    return backdrop.finish(canvas, t), canvas.labels
