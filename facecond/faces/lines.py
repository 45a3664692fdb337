"""Lines of a face: edges of a picture, and outlines of the parts of a label map."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def edges(image_HWC: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return bool (H, W): the edges of a picture, uint8 (H, W, 3), one pixel wide; finer ones at higher resolutions."""
    from skimage.color import rgb2gray
    from skimage.feature import canny

    return canny(rgb2gray(image_HWC), sigma=0.75 + image_HWC.shape[0] / 256, low_threshold=0.05, high_threshold=0.12)


def outlines(labels_HW: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return bool (H, W): pixels of a label map beside a part painted earlier, so that lines are one pixel wide."""
    padded = np.pad(labels_HW, 1, mode="edge")
    neighbours = (padded[1:-1, :-2], padded[1:-1, 2:], padded[:-2, 1:-1], padded[2:, 1:-1])
    return np.logical_or.reduce([labels_HW > neighbour for neighbour in neighbours])
