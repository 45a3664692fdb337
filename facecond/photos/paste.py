"""An edited face put back into its photograph: every byte stays that no part of the edit lies on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facecond.photos.frame import Frame


def paste(
    photo_HWC: NDArray[np.uint8], edited_HWC: NDArray[np.uint8], shown_HW: NDArray[np.float32], frame: Frame
) -> NDArray[np.uint8]:
    """Return a photograph, uint8 (H, W, 3), with `edited_HWC`, uint8 (s, s, 3), in `frame`, as far as `shown_HW` shows it.

    `shown_HW` is float32 (s, s) in [0, 1]. Where it is 0 at all pixels around, and outside of the frame, the photograph keeps its
    bytes. Between pixels, both are interpolated linearly.
    """
    from scipy.ndimage import map_coordinates

    size = len(edited_HWC)
    made_HWC = photo_HWC.copy()
    corners = frame.corners()
    height, width = photo_HWC.shape[:2]
    top, bottom = _within(corners[:, 1], height)
    left, right = _within(corners[:, 0], width)
    if top >= bottom or left >= right:
        return made_HWC
    affine = np.vstack([frame.affine(size), [0, 0, 1]])
    y, x = np.mgrid[top:bottom, left:right] + 0.5
    inner = np.linalg.inv(affine) @ np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
    places = np.stack([inner[1], inner[0]]) - 0.5
    inside = ((places > -0.5 - 1e-6) & (places < size - 0.5 + 1e-6)).all(axis=0)
    share_P = np.where(inside, map_coordinates(shown_HW, places, order=1, mode="nearest"), 0)
    there = share_P > 0
    if not there.any():
        return made_HWC
    colours_P3 = np.stack(
        [
            map_coordinates(edited_HWC[..., k].astype(np.float32), places[:, there], order=1, mode="nearest")
            for k in range(3)
        ],
        axis=1,
    )
    around = made_HWC[top:bottom, left:right].reshape(-1, 3).astype(np.float32)
    share_P1 = share_P[there, None].astype(np.float32)
    around[there] = share_P1 * colours_P3 + (1 - share_P1) * around[there]
    whole = made_HWC[top:bottom, left:right].reshape(-1, 3).copy()
    whole[there] = np.rint(around[there]).clip(0, 255).astype(np.uint8)
    made_HWC[top:bottom, left:right] = whole.reshape(bottom - top, right - left, 3)
    return made_HWC


def _within(values: NDArray[np.float64], length: int) -> tuple[int, int]:
    return max(int(np.floor(values.min())), 0), min(int(np.ceil(values.max())), length)
