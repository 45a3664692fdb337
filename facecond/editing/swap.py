"""Parts exchanged between two faces (the paper, section 4: mask swapping), and pairs of heads that look different ways.

The paper exchanges channels of two people's part masks as they are: nothing is moved, scaled or cleaned, also between
differently turned heads. The mixed masks may therefore overlap or leave holes; both are shown to the model as they are.
Label maps of them are for looking at only. Where nothing is said about a person (255), nothing is said after the
exchange, unless a part of the other person comes to lie there.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from facecond.errors import ConfigError, DataError
from facecond.faces.labels import check_labels, paint, part_channels, part_indices

_NOSE, _EYES = 2, (4, 5)
_FACE = np.isin(np.arange(256), (1, 2, 3, 4, 5, 6, 7, 10, 11, 12))
"""Classes inside the outline of a face: skin and what lies on it."""


class Swap(NamedTuple):
    """Two faces after the exchange."""

    labels_a_HW: NDArray[np.uint8]
    """Label map to look at: parts painted in class order, later over earlier, holes as background; 255 = nothing said."""
    labels_b_HW: NDArray[np.uint8]
    channels_a_KHW: NDArray[np.bool_]
    """What the model is given: bool (19, H, W), channel k is class k + 1 and the last one where nothing is said."""
    channels_b_KHW: NDArray[np.bool_]


def swap_channels(
    channels_a_KHW: NDArray[np.bool_], channels_b_KHW: NDArray[np.bool_], classes: Sequence[int]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return copies of two stacks of part channels with those of `classes` (1..18) exchanged; its own inverse."""
    channels = [part - 1 for part in classes]
    mixed_a_KHW, mixed_b_KHW = channels_a_KHW.copy(), channels_b_KHW.copy()
    mixed_a_KHW[channels] = channels_b_KHW[channels]
    mixed_b_KHW[channels] = channels_a_KHW[channels]
    return mixed_a_KHW, mixed_b_KHW


def swap_parts(labels_a_HW: NDArray[np.uint8], labels_b_HW: NDArray[np.uint8], parts: Sequence[str]) -> Swap:
    """Exchange the named parts ("hair", "eyes", ...; see `faces.labels.part_indices`) between two label maps.

    Raises ConfigError for an unknown part or none at all, DataError for maps of different sizes or foreign values.
    """
    if labels_a_HW.shape != labels_b_HW.shape:
        sizes = f"{labels_a_HW.shape} and {labels_b_HW.shape}"
        raise DataError(f"parts can be exchanged between label maps of one size, these are {sizes}")
    for labels_HW in (labels_a_HW, labels_b_HW):
        check_labels(labels_HW)
    classes = part_indices(parts)
    if not classes:
        raise ConfigError("no parts to exchange", hint="name some, for example parts=hair,nose")
    mixed_a_KHW, mixed_b_KHW = swap_channels(part_channels(labels_a_HW), part_channels(labels_b_HW), classes)
    for mixed_KHW in (mixed_a_KHW, mixed_b_KHW):
        mixed_KHW[-1] &= ~mixed_KHW[:-1].any(axis=0)
    return Swap(paint(mixed_a_KHW), paint(mixed_b_KHW), mixed_a_KHW, mixed_b_KHW)


def head_turn(labels_HW: NDArray[np.uint8]) -> float:
    """Estimate how far a head is turned, from its label map: 0 frontal, > 0 towards the right edge of the picture.

    Mean of two offsets of the nose: from the middle of the face outline at the nose's height, in half widths of the
    face, and from the middle between the eyes, in distances of the eyes (the first alone when an eye is hidden). Values
    lie within about -1..1 (correlation with CelebAMask-HQ's annotated yaw 0.97 on 15 faces). NaN without a nose or with
    hardly a face around it.
    """
    rows, columns = np.nonzero(labels_HW == _NOSE)
    if len(rows) == 0:
        return float("nan")
    nose = columns.mean()
    band_HW = _FACE[labels_HW[rows.min() : rows.max() + 1]]
    left = np.argmax(band_HW, axis=1)
    right = band_HW.shape[1] - 1 - np.argmax(band_HW[:, ::-1], axis=1)
    middle, half_width = np.median((left + right) / 2), np.median((right - left) / 2)
    if half_width < 2:
        return float("nan")
    offsets = [(nose - middle) / half_width]
    eyes = [np.nonzero(labels_HW == eye)[1] for eye in _EYES]
    if all(len(eye) for eye in eyes):
        a, b = (eye.mean() for eye in eyes)
        if abs(a - b) >= 2:
            offsets.append((nose - (a + b) / 2) / abs(a - b))
    return float(np.clip(np.mean(offsets), -1.5, 1.5))


def turned_pairs(labels_NHW: NDArray[np.uint8], count: int, *, parts: Sequence[str] = ()) -> NDArray[np.int64]:
    """Choose pairs of faces turned differently: int64 (count, 2), the face turned left first, the widest pair on top.

    No face appears twice. Only faces that have every class of `parts` somewhere are taken, so that there is something
    to exchange. Raises DataError when fewer than 2 * `count` faces qualify.
    """
    classes = part_indices(parts)
    turns = np.array([head_turn(labels_HW) for labels_HW in labels_NHW])
    usable = np.isfinite(turns)
    for index in np.flatnonzero(usable):
        present = np.bincount(labels_NHW[index].ravel(), minlength=256)
        usable[index] = all(present[part] for part in classes)
    order = np.flatnonzero(usable)[np.argsort(turns[usable], kind="stable")]
    if len(order) < 2 * count:
        raise DataError(
            f"{count} pairs take {2 * count} faces with a nose and every part asked for, found {len(order)}",
            hint="ask for fewer pairs or other parts, or name pairs yourself",
        )
    return np.stack([order[:count], order[::-1][:count]], axis=1).astype(np.int64)
