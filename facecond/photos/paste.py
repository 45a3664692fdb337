"""An edited face put back into its photograph: every byte stays whose nearest pixel of the face lies outside of the region."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from facecond.photos.frame import Frame

STRIP = 1 << 17
"""Pixels of a photograph that are worked on at once, or one row; each takes about 140 bytes meanwhile."""


def paste(
    photo_HWC: NDArray[np.uint8], edited_HWC: NDArray[np.uint8], shown_HW: NDArray[np.float32], frame: Frame
) -> NDArray[np.uint8]:
    """Return a photograph, uint8 (H, W, 3), with `edited_HWC`, uint8 (s, s, 3), in `frame`, as far as `shown_HW` shows it.

    `shown_HW` is float32 (s, s) in [0, 1]; where it is above 0 is the region. A pixel of the photograph keeps its bytes where
    `region_in` says no: outside of the frame, and where the pixel of the face that is nearest to its centre is outside of the
    region. Elsewhere face and share are interpolated linearly, and the share falls to 0 at the region's border, unless that is
    the photograph's own edge.
    """
    from scipy.ndimage import map_coordinates

    size, made_HWC, region_HW = len(edited_HWC), photo_HWC.copy(), shown_HW > 0
    height, width = photo_HWC.shape[:2]
    beyond = frame.beyond(height, width, size)
    shares, insides = (np.pad(each.astype(np.float32), 1, mode="edge") for each in (shown_HW, region_HW))
    shares[beyond], insides[beyond] = 0, 0
    colours_3HW = np.moveaxis(edited_HWC, -1, 0).astype(np.float32)
    for rows, columns, places_2HW in _strips(height, width, frame, size):
        there_HW = _nearest(region_HW, places_2HW)
        if not there_HW.any():
            continue
        places_2P = places_2HW[:, there_HW]
        inside_P = map_coordinates(insides, places_2P + 1, order=1)  # between two pixels of which one is outside: 0.5
        share_P = map_coordinates(shares, places_2P + 1, order=1) * np.clip(2 * inside_P - 1, 0, 1)
        part_HWC = made_HWC[rows, columns]
        for k, colour_HW in enumerate(colours_3HW):
            own_P = part_HWC[there_HW, k].astype(np.float32)
            new_P = map_coordinates(colour_HW, places_2P, order=1, mode="nearest")
            part_HWC[there_HW, k] = np.rint(share_P * new_P + (1 - share_P) * own_P).clip(0, 255).astype(np.uint8)
    return made_HWC


def region_in(height: int, width: int, region_HW: NDArray[np.bool_], frame: Frame) -> NDArray[np.bool_]:
    """Return where a photograph of `height` x `width` pixels may change, bool (height, width): the pixels in `frame` to whose
    centre one of `region_HW`, bool (s, s), is nearest of all the pixels of the face.
    """
    found_HW = np.zeros((height, width), dtype=bool)
    for rows, columns, places_2HW in _strips(height, width, frame, len(region_HW)):
        found_HW[rows, columns] = _nearest(region_HW, places_2HW)
    return found_HW


def _nearest(region_HW: NDArray[np.bool_], places_2HW: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether the pixel nearest to each place is one of the region; no pixel is near to a place outside of the frame."""
    size = len(region_HW)
    rows, columns = np.floor(places_2HW + 0.5).astype(np.int64)
    there = (rows >= 0) & (rows < size) & (columns >= 0) & (columns < size)
    return there & region_HW[rows.clip(0, size - 1), columns.clip(0, size - 1)]


def _strips(height: int, width: int, frame: Frame, size: int) -> Iterator[tuple[slice, slice, NDArray[np.float64]]]:
    """Rows and columns of the photograph that may lie in the frame, and where in the face the centres of their pixels are: row and
    column, in pixels of the face from the centre of its first.
    """
    corners = frame.corners()
    top, bottom = _within(corners[:, 1], height)
    left, right = _within(corners[:, 0], width)
    if top >= bottom or left >= right:
        return
    (xx, xy, x0), (yx, yy, y0), _ = np.linalg.inv(np.vstack([frame.affine(size), [0, 0, 1]]))
    x_W, count = np.arange(left, right) + 0.5, max(1, STRIP // (right - left))
    for first in range(top, bottom, count):
        last = min(first + count, bottom)
        y_H1 = (np.arange(first, last) + 0.5)[:, None]
        places_2HW = np.stack([yx * x_W + yy * y_H1 + (y0 - 0.5), xx * x_W + xy * y_H1 + (x0 - 0.5)])
        yield slice(first, last), slice(left, right), places_2HW


def _within(values: NDArray[np.float64], length: int) -> tuple[int, int]:
    return max(int(np.floor(values.min())), 0), min(int(np.ceil(values.max())), length)
