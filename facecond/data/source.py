"""What every source of faces offers, and the checks every picture with its label map goes through.

A reader never turns "nothing found" into an empty label map: what cannot be read is a problem that makes the item
unusable, and an item that looks wrong is listed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from facecond.data.pack import Finding
from facecond.faces.attributes import NUM_ATTRIBUTES
from facecond.faces.checks import Problem, central_square, check_labels_of_a_face, check_size
from facecond.faces.labels import UNSPECIFIED, resize_labels


class Items(NamedTuple):
    """Some items, read and brought to the resolution asked for."""

    images_NHWC: NDArray[np.uint8]
    """uint8 (N, H, W, 3)."""
    labels_NHW: NDArray[np.uint8]
    """uint8 (N, H, W), 0..18, 255 = nothing said; all 255 for an unusable item."""
    attributes_NA: NDArray[np.int8]
    """int8 (N, 40), -1, +1, 0 = unknown."""
    problems: Sequence[Sequence[Problem]]
    """One sequence per item."""


class Source(Protocol):
    """Faces that can be packed. It must pickle, since worker processes read from it."""

    @property
    def ids(self) -> Sequence[str]:
        """A name for each item, all different."""
        ...

    @property
    def splits(self) -> Sequence[str]:
        """The split of each item: train, validation, or another name."""
        ...

    @property
    def findings(self) -> Sequence[Finding]:
        """What was noticed while looking for items; not about any that is in the arrays."""
        ...

    def __len__(self) -> int:
        """Return the number of items."""
        ...

    def describe(self) -> dict[str, Any]:
        """Return plain JSON values that tell this source from others; a pack is only continued from an equal one."""
        ...

    def read_many(self, indices: Sequence[int], resolution: int) -> Items:
        """Read the items `indices` at `resolution` pixels. What is wrong with single items is in `problems`."""
        ...


class Face(NamedTuple):
    """One item at the resolution asked for."""

    image_HWC: NDArray[np.uint8]
    labels_HW: NDArray[np.uint8]
    attributes_A: NDArray[np.int8]
    problems: list[Problem]


def stack(faces: Sequence[Face]) -> Items:
    """Put single faces together."""
    return Items(
        np.stack([face.image_HWC for face in faces]),
        np.stack([face.labels_HW for face in faces]),
        np.stack([face.attributes_A for face in faces]),
        [face.problems for face in faces],
    )


def unusable_face(resolution: int, problems: list[Problem]) -> Face:
    """Return the stand-in for an item that cannot be read: a black picture, a map that says nothing, unknown
    attributes.
    """
    return Face(
        np.zeros((resolution, resolution, 3), dtype=np.uint8),
        np.full((resolution, resolution), UNSPECIFIED, dtype=np.uint8),
        np.zeros(NUM_ATTRIBUTES, dtype=np.int8),
        problems,
    )


def prepare(
    image_HWC: NDArray[np.uint8], labels_HW: NDArray[np.uint8], attributes_A: NDArray[np.int8], resolution: int
) -> Face:
    """Check one picture (any size) with its label map (CelebAMask-HQ order, any size), and bring both to `resolution`.

    Pictures are averaged down with PIL's LANCZOS, which widens its filter with the ratio, so that nothing aliases;
    label maps are never averaged (NEAREST). A pair that is not square is cut to its central square.
    """
    height, width = image_HWC.shape[:2]
    map_height, map_width = labels_HW.shape
    problems = check_labels_of_a_face(labels_HW)
    if abs(width * map_height - height * map_width) > max(map_height, map_width):
        detail = f"picture {width}x{height}, label map {map_width}x{map_height}"
        problems.append(Problem("sizes_disagree", detail, unusable=True))
    if any(problem.unusable for problem in problems):
        return unusable_face(resolution, problems)
    problems += check_size(height, width, resolution)
    image, labels = central_square(image_HWC), central_square(labels_HW)
    return Face(resize_picture(image, resolution), resize_labels(labels, resolution), attributes_A, problems)


def resize_picture(image_HWC: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Bring a square picture, uint8 (H, W, 3), to (size, size, 3) with PIL's LANCZOS, antialiased."""
    from PIL import Image

    if image_HWC.shape[:2] == (size, size):
        return image_HWC
    picture = Image.fromarray(np.ascontiguousarray(image_HWC))
    return np.array(picture.resize((size, size), Image.Resampling.LANCZOS))


def digest_of(ids: Sequence[str]) -> str:
    """Return 16 hexadecimal digits that stand for a list of ids."""
    return hashlib.sha256("\n".join(ids).encode()).hexdigest()[:16]
