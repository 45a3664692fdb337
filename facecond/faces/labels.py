"""The 19 classes of a label map: names, orders, sides, colours (CelebAMask-HQ; the paper, section 4).

A label map is uint8 (..., H, W): the value is the class, 0..18 in CelebAMask-HQ's order, and 255 where nothing is said.
Label maps are only ever indexed, mirrored and shrunk by picking pixels; no function here averages two labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from facecond.errors import ConfigError, DataError, nearest
from facecond.faces.names import CLASSES, NUM_CLASSES, PARTS
from facecond.types import UNSPECIFIED_LABEL

if TYPE_CHECKING:
    import torch
    from torch import Tensor

UNSPECIFIED = UNSPECIFIED_LABEL
"""Label of a pixel about which nothing is said."""

ORDERS: dict[str, tuple[str, ...]] = {
    "celebamaskhq": CLASSES,
    "face_parsing": (
        "background", "skin", "l_brow", "r_brow", "l_eye", "r_eye", "eye_g", "l_ear", "r_ear", "ear_r",
        "nose", "mouth", "u_lip", "l_lip", "neck", "neck_l", "cloth", "hair", "hat",
    ),
}  # fmt: skip
"""Published class orders: CelebAMask-HQ's own and that of face-parsing.PyTorch, under whose ids its parser answers."""

FLIP_PAIRS: tuple[tuple[int, int], ...] = ((4, 5), (6, 7), (8, 9))
"""Classes that change places when a face is mirrored: eyes, brows, ears."""

PALETTE: NDArray[np.uint8] = np.array(
    [
        (0, 0, 0), (204, 0, 0), (76, 153, 0), (204, 204, 0), (51, 51, 255), (204, 0, 204), (0, 255, 255),
        (255, 204, 204), (102, 51, 0), (255, 0, 0), (102, 204, 0), (255, 255, 0), (0, 0, 153), (0, 0, 204),
        (255, 51, 153), (0, 204, 204), (0, 51, 0), (255, 153, 51), (0, 204, 0),
    ],
    dtype=np.uint8,
)  # fmt: skip
"""uint8 (19, 3): the colours CelebAMask-HQ paints its classes in."""

UNSPECIFIED_COLOUR = (128, 128, 128)

PART_GROUPS: dict[str, tuple[str, ...]] = {
    "eyes": ("l_eye", "r_eye"),
    "brows": ("l_brow", "r_brow"),
    "eyebrows": ("l_brow", "r_brow"),
    "ears": ("l_ear", "r_ear"),
    "lips": ("u_lip", "l_lip"),
    "whole_mouth": ("mouth", "u_lip", "l_lip"),
    "glasses": ("eye_g",),
    "eyeglasses": ("eye_g",),
    "earrings": ("ear_r",),
    "necklace": ("neck_l",),
    "clothes": ("cloth",),
}
"""Everyday names for one or more parts. A class name always means that class alone, so `mouth` is the inside of an open
mouth and `whole_mouth` adds both lips."""


def reorder_table(source: str, target: str) -> NDArray[np.uint8]:
    """Return uint8 (256,): `table[labels]` turns class ids of order `source` into those of order `target`.

    255 stays 255. Values that are no class (19..254) stay what they are, so that a later range check still sees them.
    Raises ConfigError for an order that is not in ORDERS.
    """
    for name in (source, target):
        if name not in ORDERS:
            raise ConfigError(f"unknown class order {name!r}", hint=nearest(name, ORDERS))
    table = np.arange(256, dtype=np.uint8)
    table[:NUM_CLASSES] = [ORDERS[target].index(name) for name in ORDERS[source]]
    return table


def flip_table() -> NDArray[np.uint8]:
    """Return uint8 (256,) that exchanges the classes of FLIP_PAIRS and leaves other values alone; its own inverse."""
    table = np.arange(256, dtype=np.uint8)
    for left, right in FLIP_PAIRS:
        table[[left, right]] = right, left
    return table


def flip_labels(labels_HW: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Mirror label maps, uint8 (..., H, W), left to right and exchange the subject's left and right parts."""
    return flip_table()[labels_HW[..., ::-1]]


def mirror_labels(labels_BHW: Tensor) -> Tensor:
    """`flip_labels` for a tensor, uint8 (..., H, W), on its device."""
    turned = labels_BHW.flip(-1)
    # index_select with int32 is six times faster than table[labels] on a CPU.
    return _flip_table_on(turned.device).index_select(0, turned.flatten().int()).view_as(turned)


@cache
def _flip_table_on(device: torch.device) -> Tensor:
    import torch

    return torch.from_numpy(flip_table()).to(device)


def colourise(labels_HW: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Paint label maps, uint8 (..., H, W), in PALETTE: uint8 (..., H, W, 3); unspecified pixels become grey.

    Raises DataError when a value is neither a class nor 255.
    """
    check_labels(labels_HW)
    colours = np.empty((256, 3), dtype=np.uint8)
    colours[:] = UNSPECIFIED_COLOUR
    colours[:NUM_CLASSES] = PALETTE
    return colours[labels_HW]


def check_labels(labels_HW: NDArray[np.uint8], *, origin: str = "the label map") -> None:
    """Raise DataError, naming `origin`, when a value of the map is neither a class (0..18) nor 255."""
    foreign = foreign_values(labels_HW)
    if foreign:
        raise DataError(
            f"{origin} holds the values {foreign[:5]}, which are no classes (0..{NUM_CLASSES - 1}, or {UNSPECIFIED})",
            hint="a label map is a greyscale or palette picture whose pixel value is the class number",
        )


def foreign_values(labels_HW: NDArray[np.uint8]) -> list[int]:
    """Return the values of uint8 label maps that are neither a class nor 255, in rising order."""
    counts = np.bincount(np.asarray(labels_HW, dtype=np.uint8).ravel(), minlength=256)
    return [int(value) for value in np.flatnonzero(counts[NUM_CLASSES:UNSPECIFIED]) + NUM_CLASSES]


def part_indices(names: Sequence[str]) -> list[int]:
    """Return the classes (1..18, rising, each once) that `names` mean: names of PARTS or of PART_GROUPS, in any case.

    Channel k of a stack of 18 part masks is class k + 1. Raises ConfigError, with the nearest name, for an unknown one.
    """
    known: Mapping[str, tuple[str, ...]] = PART_GROUPS | {part: (part,) for part in PARTS}
    found: set[int] = set()
    for name in names:
        key = name.strip().lower()
        if key not in known:
            raise ConfigError(f"unknown part {name.strip()!r}", hint=nearest(key, known))
        found.update(CLASSES.index(part) for part in known[key])
    return sorted(found)


def resize_labels(labels_HW: NDArray[np.uint8], size: int | tuple[int, int]) -> NDArray[np.uint8]:
    """Bring one label map, uint8 (H, W), to `size` (square, or (height, width)) by picking pixels (PIL's NEAREST).

    No value appears that was not there. At whole ratios the pixels picked are those of torch's
    `nearest-exact`; 512 to 256 takes every second one, from 1.
    """
    from PIL import Image

    height, width = (size, size) if isinstance(size, int) else size
    if labels_HW.shape == (height, width):
        return np.array(labels_HW, dtype=np.uint8)
    picture = Image.fromarray(np.ascontiguousarray(labels_HW, dtype=np.uint8))
    return np.array(picture.resize((width, height), Image.Resampling.NEAREST))


def part_channels(labels_HW: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return bool (19, H, W) of a uint8 label map: one channel per part, then where nothing is said (255)."""
    return labels_HW == np.array([*range(1, NUM_CLASSES), UNSPECIFIED], dtype=np.uint8)[:, None, None]


def paint(channels_KHW: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return the uint8 label map of bool (18 or 19, H, W), painted in CelebAMask-HQ's order, later over earlier classes."""
    labels_HW = np.zeros(channels_KHW.shape[1:], dtype=np.uint8)
    for unsaid_HW in channels_KHW[NUM_CLASSES - 1 :]:
        labels_HW[unsaid_HW] = UNSPECIFIED
    for channel, part_HW in enumerate(channels_KHW[: NUM_CLASSES - 1]):
        labels_HW[part_HW] = channel + 1
    return labels_HW
