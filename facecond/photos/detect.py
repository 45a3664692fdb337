"""Where faces are in a photograph, roughly.

The detector is the cascade of local binary patterns for frontal faces (OpenCV's, after Liao et al. 2007) that scikit-image ships
and runs; why it, stands in docs/decisions/0007. It finds upright faces, so that turned copies of a picture are searched when
the upright one shows none.
"""

from __future__ import annotations

from functools import cache
from math import ceil, radians
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from facecond.photos.frame import Frame

if TYPE_CHECKING:
    from PIL import Image
    from skimage.feature import Cascade

LONGEST = 480
"""Pixels of the longer side of the picture that is searched."""

SMALLEST = 32
"""Smallest side of a face's box there, pixels: a fifteenth of the longer side."""

SURE, UNSURE = 8, 4
"""Boxes that must agree on a face. On 30 faces in front of photographs without people, 8 found 29 faces and nothing else, 4 found
30 and 9 things that are no faces."""

COARSE, FINE = 1.15, 1.08
"""Ratio of one size of box to the next: in the first search, and when it has found nothing sure."""

TURNS = (25, -25)
"""Degrees by which turned copies are turned; of faces turned by 25 degrees an upright search finds one in thirty."""

BOX_IN_FRAME = (0.5, 0.55, 0.66)
"""Where the detector's box lies in the frame of CelebA-HQ: centre x, centre y and side, as shares of the frame."""

GREY = (128, 128, 128)
"""What a turned copy shows beyond the edges of the picture."""


class FoundFace(NamedTuple):
    """One face in a photograph."""

    frame: Frame
    """Roughly that of CelebA-HQ: on 176 of its pictures the centre was 2 % of the side off (deviation), the side 8 %."""
    sure: bool
    """Whether the detector is never, or almost never, wrong about such; else something else must show a face there."""


def find_faces(image_HWC: NDArray[np.uint8]) -> list[FoundFace]:
    """Faces in a picture, uint8 (H, W, 3), the largest first; empty when none is found.

    Only when an upright search finds none that is sure, turned copies are looked at as well, and boxes that fewer agree on,
    also in an equalised copy.
    """
    from PIL import Image

    height, width = image_HWC.shape[:2]
    scale = min(1.0, LONGEST / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = Image.fromarray(np.ascontiguousarray(image_HWC)).resize(size, Image.Resampling.LANCZOS)
    found = [FoundFace(frame, True) for frame in _search(small, 0, SURE)]
    if not found:
        found = [FoundFace(frame, False) for turn in TURNS for frame in _search(small, turn, SURE)]
        for copy in (small, _equalised(small)):
            found += [FoundFace(frame, False) for frame in _search(copy, 0, UNSURE, step=FINE)]
    apart: list[FoundFace] = []
    for face in sorted(found, key=lambda face: -face.frame.side):
        if all(
            np.hypot(face.frame.x - other.frame.x, face.frame.y - other.frame.y) > other.frame.side / 3
            for other in apart
        ):
            apart.append(face)
    return [face._replace(frame=face.frame.scaled(1 / scale)) for face in apart]


def _search(picture: Image.Image, turn: float, agreeing: int, step: float = COARSE) -> list[Frame]:
    """Frames of the faces in `picture` turned by `turn` degrees, in its own pixels."""
    from PIL import Image

    whole = Frame(picture.width / 2, picture.height / 2, max(picture.size), 0.0)
    if turn:
        whole = Frame(whole.x, whole.y, ceil(np.hypot(*picture.size)), radians(turn))
    side = round(whole.side)
    coefficients = tuple(float(value) for value in whole.affine(side).ravel())
    seen = picture.transform(
        (side, side), Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR, fillcolor=GREY
    )
    boxes = _cascade().detect_multi_scale(
        img=np.asarray(seen), scale_factor=step, step_ratio=1, min_size=(SMALLEST, SMALLEST), max_size=(side, side),
        min_neighbor_number=agreeing,
    )  # fmt: skip
    frames = []
    for box in boxes:
        x, y, share = BOX_IN_FRAME
        frame_side = box["width"] / share
        left = box["c"] + box["width"] / 2 - x * frame_side
        top = box["r"] + box["height"] / 2 - y * frame_side
        frames.append(whole.within(Frame(left + frame_side / 2, top + frame_side / 2, frame_side), side))
    return frames


def _equalised(picture: Image.Image) -> Image.Image:
    """The picture in grey levels that are all as frequent: faces in shade, and dark ones, get the contrast of others."""
    from PIL import ImageOps

    return ImageOps.equalize(picture.convert("L")).convert("RGB")


@cache
def _cascade() -> Cascade:
    from skimage.data import lbp_frontal_face_cascade_filename
    from skimage.feature import Cascade

    return Cascade(lbp_frontal_face_cascade_filename())
