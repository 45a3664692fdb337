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
from facecond.faces.labels import CLASSES, NUM_CLASSES, UNSPECIFIED, resize_labels


class Problem(NamedTuple):
    """Something wrong with one item."""

    name: str
    """One of PROBLEMS."""
    detail: str
    unusable: bool = False
    """The item must not be used: it keeps its place in the arrays but belongs to no split."""


PROBLEMS: dict[str, str] = {
    "unreadable_picture": "the picture is missing or damaged",
    "unreadable_labels": "the label map, or one of its parts, is missing or damaged",
    "missing_labels": "a picture without a label map",
    "missing_picture": "a label map without a picture",
    "missing_attributes": "the attribute file does not name the item",
    "foreign_labels": "the label map holds values that are no classes",
    "empty_labels": "the label map holds nothing but background",
    "sizes_disagree": "picture and label map, or two parts, are not of the same shape",
    "wrong_size": "the picture or a part is of another size than the first one",
    "not_square": "cut to the central square",
    "enlarged": "smaller than the resolution it is brought to",
    "empty_part": "a part has a file with nothing in it",
    "missing_part": "the face lacks skin, a nose, eyes (without glasses) or a mouth",
    "misplaced_parts": "the nose does not lie between eyes and mouth",
    "swapped_sides": "the subject's left eye lies to the left of the right one",
}
"""Every problem an item can have, with its meaning."""


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
    problems += _check_size(height, width, resolution)
    image, labels = _central_square(image_HWC), _central_square(labels_HW)
    return Face(resize_picture(image, resolution), resize_labels(labels, resolution), attributes_A, problems)


def prepare_labels(labels_HW: NDArray[np.uint8], resolution: int) -> tuple[NDArray[np.uint8], list[Problem]]:
    """Check one label map without a picture (uint8, any size) and bring it to `resolution`, as `prepare` does.

    Where a map leaves pixels unspecified (255), parts that are not on it are not missed.
    """
    problems = check_labels_of_a_face(labels_HW)
    if (labels_HW == UNSPECIFIED).any():
        problems = [problem for problem in problems if problem.name != "missing_part"]
    height, width = labels_HW.shape
    return resize_labels(_central_square(labels_HW), resolution), problems + _check_size(height, width, resolution)


def _check_size(height: int, width: int, resolution: int) -> list[Problem]:
    problems = [Problem("not_square", f"{width}x{height}")] if height != width else []
    return [
        *problems,
        *([Problem("enlarged", f"{width}x{height} to {resolution}")] if min(height, width) < resolution else []),
    ]


def resize_picture(image_HWC: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Bring a square picture, uint8 (H, W, 3), to (size, size, 3) with PIL's LANCZOS, antialiased."""
    from PIL import Image

    if image_HWC.shape[:2] == (size, size):
        return image_HWC
    picture = Image.fromarray(np.ascontiguousarray(image_HWC))
    return np.array(picture.resize((size, size), Image.Resampling.LANCZOS))


def check_labels_of_a_face(labels_HW: NDArray[np.uint8]) -> list[Problem]:
    """Return what looks wrong in one label map in CelebAMask-HQ's order, at its own size."""
    counts = np.bincount(labels_HW.ravel(), minlength=256)
    if counts[NUM_CLASSES:UNSPECIFIED].any():
        foreign = (np.flatnonzero(counts[NUM_CLASSES:UNSPECIFIED]) + NUM_CLASSES).tolist()
        return [Problem("foreign_labels", f"values {foreign[:8]}", unusable=True)]
    if not counts[1:NUM_CLASSES].any():
        return [Problem("empty_labels", f"{counts[UNSPECIFIED]} of {labels_HW.size} pixels unspecified", unusable=True)]
    problems = []
    eyes, mouth = ("l_eye", "r_eye", "eye_g"), ("mouth", "u_lip", "l_lip")
    expected = {"skin": ("skin",), "nose": ("nose",), "eyes": eyes, "mouth": mouth}
    absent = [name for name, parts in expected.items() if not any(counts[CLASSES.index(part)] for part in parts)]
    if absent:
        problems.append(Problem("missing_part", ", ".join(absent)))
    if not {"nose", "eyes", "mouth"} & {*absent}:
        rows = [_centre(labels_HW, parts, axis=0) for parts in (eyes, ("nose",), mouth)]
        if not rows[0] < rows[1] < rows[2]:
            detail = "eyes around row {:.0f}, nose {:.0f}, mouth {:.0f}".format(*rows)
            problems.append(Problem("misplaced_parts", detail))
    if counts[CLASSES.index("l_eye")] and counts[CLASSES.index("r_eye")]:
        left, right = (_centre(labels_HW, (eye,), axis=1) for eye in ("l_eye", "r_eye"))
        if left < right:
            problems.append(Problem("swapped_sides", f"l_eye around column {left:.0f}, r_eye around {right:.0f}"))
    return problems


def _centre(labels_HW: NDArray[np.uint8], parts: Sequence[str], axis: int) -> float:
    """Mean of the rows (axis 0) or columns (axis 1) in which one of `parts` occurs."""
    chosen = np.zeros(256, dtype=bool)
    chosen[[CLASSES.index(part) for part in parts]] = True
    return float(np.flatnonzero(chosen[labels_HW].any(1 - axis)).mean())


def digest_of(ids: Sequence[str]) -> str:
    """Return 16 hexadecimal digits that stand for a list of ids."""
    return hashlib.sha256("\n".join(ids).encode()).hexdigest()[:16]


def _central_square(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    side = min(array.shape[:2])
    top, left = (array.shape[0] - side) // 2, (array.shape[1] - side) // 2
    return array[top : top + side, left : left + side]
