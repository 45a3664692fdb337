"""Checks that every label map goes through, whether it is packed or given by hand, and how a map is brought to a resolution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

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


def prepare_labels(labels_HW: NDArray[np.uint8], resolution: int) -> tuple[NDArray[np.uint8], list[Problem]]:
    """Check one label map without a picture (uint8, any size) and bring it to `resolution`, as `prepare` does.

    Where a map leaves pixels unspecified (255), parts that are not on it are not missed.
    """
    problems = check_labels_of_a_face(labels_HW)
    if (labels_HW == UNSPECIFIED).any():
        problems = [problem for problem in problems if problem.name != "missing_part"]
    height, width = labels_HW.shape
    return resize_labels(central_square(labels_HW), resolution), problems + check_size(height, width, resolution)


def check_size(height: int, width: int, resolution: int) -> list[Problem]:
    """Return what is to be said of bringing a map or picture of `height` x `width` pixels to a square of `resolution`."""
    problems = [Problem("not_square", f"{width}x{height}")] if height != width else []
    return [
        *problems,
        *([Problem("enlarged", f"{width}x{height} to {resolution}")] if min(height, width) < resolution else []),
    ]


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


def central_square(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Cut pictures (H, W, 3) or maps (H, W) to their central square."""
    side = min(array.shape[:2])
    top, left = (array.shape[0] - side) // 2, (array.shape[1] - side) // 2
    return array[top : top + side, left : left + side]
