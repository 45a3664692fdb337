"""How CelebA-HQ frames a face: a square laid by eyes and mouth, and the pixels inside it.

The frame is that of Karras et al. 2018 (arXiv 1710.10196, appendix C). With eye centres e0, e1 and mouth corners m0, m1,

    x' = e1 - e0,  y' = (e0 + e1) / 2 - (m0 + m1) / 2,  c = (e0 + e1) / 2 - 0.1 y',
    s = max(4.0 |x'|, 3.6 |y'|),  x = normalise(x' - rot90(y')),  y = rot90(x),

it is the square of side s around c whose sides run along x and y.

Points are float64 (x, y) in pixels, x to the right and y downwards; the upper left pixel covers [0, 1] x [0, 1].
"""

from __future__ import annotations

from dataclasses import dataclass
from math import atan2, ceil, cos, degrees, hypot, sin
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from facecond.faces.labels import part_indices

Point = NDArray[np.float64]

CORNER_SHARE = 0.02
"""Share of the mouth's pixels, at either end, whose mean is a corner of it."""

CENTRE_OFF, SIDE_OFF, ROLL_OFF = 0.05, 0.15, 6.0
"""How far eyes and mouth may put a frame away from a picture that is framed already: centre (share of the side), side (share),
roll (degrees). So 682 of 691 label maps of CelebAMask-HQ are: the centre is 0.006 away (mean), the side 0.994 +- 0.034 (deviation),
the roll 0.1 +- 1.0."""


BLUR, BLURRED_FROM, FADED_FROM = 0.02, 0.04, 0.25
"""Beyond a picture's edges, as shares of the frame's side: deviation of the blur, and how far out all is blurred, and all is one
colour."""


class Landmarks(NamedTuple):
    """What the frame is laid by; left and right as the picture shows them."""

    left_eye: Point
    right_eye: Point
    left_corner: Point
    right_corner: Point


@dataclass(frozen=True, slots=True)
class Frame:
    """A square in a picture: its centre (x, y) and side in pixels, and by how much it is turned (radians, clockwise)."""

    x: float
    y: float
    side: float
    roll: float = 0.0

    def affine(self, size: int) -> NDArray[np.float64]:
        """(2, 3): takes a point (x, y, 1) of the picture cut out, `size` pixels wide, to its place in the source."""
        scale = self.side / size
        turn = scale * np.array([[cos(self.roll), -sin(self.roll)], [sin(self.roll), cos(self.roll)]])
        return np.column_stack([turn, np.array([self.x, self.y]) - turn @ (np.full(2, size / 2))])

    def inside(self, point: Point, size: int) -> Point:
        """The place in the source of a point of the picture cut out, `size` pixels wide."""
        return self.affine(size) @ np.append(point, 1.0)

    def corners(self) -> NDArray[np.float64]:
        """(4, 2): upper left, upper right, lower right, lower left."""
        return np.array([[0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]]) @ self.affine(1).T

    def within(self, other: Frame, size: int) -> Frame:
        """`other`, which is laid in the picture cut out with this frame at `size` pixels, as a frame of the source."""
        x, y = self.inside(np.array([other.x, other.y]), size)
        return Frame(float(x), float(y), other.side * self.side / size, other.roll + self.roll)

    def scaled(self, factor: float) -> Frame:
        """The same square when the picture is made `factor` times as large."""
        return Frame(self.x * factor, self.y * factor, self.side * factor, self.roll)

    def outside(self, height: int, width: int) -> float:
        """Share of the square that lies beyond a picture of `height` x `width` pixels, 0..1."""
        steps = (np.arange(64) + 0.5) / 64
        x, y = np.meshgrid(steps, steps)
        points = np.stack([x, y, np.ones_like(x)], -1) @ self.affine(1).T
        there = (points >= 0).all(-1) & (points[..., 0] <= width) & (points[..., 1] <= height)
        return float(1 - there.mean())

    def beyond(self, height: int, width: int, size: int) -> NDArray[np.bool_]:
        """At which pixels around the picture cut out the source, `height` x `width` pixels, goes on, bool (size + 2, size + 2).

        It does where it has a pixel next to the frame's edge; at a corner also when it goes on beside it. Inside, all is False.
        """
        around = np.pad(np.zeros((size, size), dtype=bool), 1, constant_values=True)
        half = 0.5 * size / self.side
        places = np.stack(np.nonzero(around)[::-1], axis=1) - 0.5
        places = np.where(places < 0, -half, np.where(places > size, size + half, places))
        points = np.column_stack([places, np.ones(len(places))]) @ self.affine(size).T
        around[around] = ((points > 1e-6) & (points < np.array([width, height]) - 1e-6)).all(axis=1)
        corners, beside = np.ix_([0, -1], [0, -1]), (np.ix_([0, -1], [1, -2]), np.ix_([1, -2], [0, -1]))
        around[corners] |= around[beside[0]] | around[beside[1]]
        return around


def central_frame(height: int, width: int) -> Frame:
    """The central square, as packing cuts it."""
    side = min(height, width)
    return Frame((width - side) // 2 + side / 2, (height - side) // 2 + side / 2, side)


def frame_by(landmarks: Landmarks) -> Frame:
    """The frame CelebA-HQ would give a face with these landmarks (see above)."""
    eyes = (landmarks.left_eye + landmarks.right_eye) / 2
    across = landmarks.right_eye - landmarks.left_eye
    up = eyes - (landmarks.left_corner + landmarks.right_corner) / 2
    centre = eyes - 0.1 * up
    side = max(4.0 * hypot(*across), 3.6 * hypot(*up))
    # y runs downwards here, so rot90(y') is (up_y, -up_x).
    along = across - np.array([up[1], -up[0]])
    return Frame(float(centre[0]), float(centre[1]), float(side), atan2(along[1], along[0]))


def fills(laid: Frame, whole: Frame) -> bool:
    """Say whether a picture that covers `whole`, and whose eyes and mouth lay the frame `laid`, is framed as CelebA-HQ has it."""
    off = hypot(laid.x - whole.x, laid.y - whole.y) / whole.side
    turned = degrees(laid.roll - whole.roll)
    return off <= CENTRE_OFF and abs(laid.side / whole.side - 1) <= SIDE_OFF and abs(turned) <= ROLL_OFF


def landmarks_of(labels_HW: NDArray[np.uint8]) -> Landmarks | None:
    """Eye centres and mouth corners of a label map, uint8 (H, W); None when it does not show two eyes above a mouth.

    An eye is the centre of the largest connected region of its class; of glasses that hide the eyes, the halves count. Which
    eye is left is decided by where they are, so that a parser that confuses sides turns no picture over. A corner of the
    mouth (inside and lips) is the mean of the 2 % of its pixels that lie farthest along the line of the eyes.
    """
    mouth = _largest(labels_HW, ["whole_mouth"])
    eyes = [_largest(labels_HW, [name]) for name in ("l_eye", "r_eye")]
    centres = [points.mean(0) for points in eyes if points is not None]
    if len(centres) < 2 and (glasses := _largest(labels_HW, ["glasses"])) is not None:
        middle = glasses[:, 0].mean()
        centres = [glasses[half].mean(0) for half in (glasses[:, 0] < middle, glasses[:, 0] >= middle) if half.any()]
    if mouth is None or len(centres) < 2:
        return None
    left, right = sorted(centres, key=lambda centre: float(centre[0]))
    across = right - left
    length = hypot(*across)
    below = mouth.mean(0) - (left + right) / 2
    down = across[0] * below[1] - across[1] * below[0]
    if length == 0 or down < length * length / 3:  # a mouth on the line of the eyes, or above it, is none
        return None
    along = mouth @ (across / length)
    first, last = np.quantile(along, [CORNER_SHARE, 1 - CORNER_SHARE])
    return Landmarks(left, right, mouth[along <= first].mean(0), mouth[along >= last].mean(0))


def _largest(labels_HW: NDArray[np.uint8], names: list[str]) -> NDArray[np.float64] | None:
    """(N, 2): centres of the pixels in the largest connected region of some parts; None when there are none."""
    from scipy.ndimage import label

    regions, count = label(np.isin(labels_HW, part_indices(names)))
    if count == 0:
        return None
    sizes = np.bincount(regions.ravel())
    sizes[0] = 0
    rows, columns = np.nonzero(regions == sizes.argmax())
    return np.stack([columns, rows], 1).astype(np.float64) + 0.5


def cut(image_HWC: NDArray[np.uint8], frame: Frame, size: int) -> NDArray[np.uint8]:
    """The pixels in `frame`, uint8 (size, size, 3).

    Beyond its edges the picture is mirrored and, farther out, blurred and faded into its median colour (appendix C).
    Sampled bicubically at the picture's own scale, then brought to `size` with PIL's LANCZOS, antialiased: a frame that lies
    on whole pixels and is not turned gives what cutting and resizing give.
    """
    from PIL import Image

    own = max(1, ceil(frame.side - 1e-6))
    corners = frame.corners()
    first = np.floor(corners.min(0)).astype(int) - 2
    last = np.ceil(corners.max(0)).astype(int) + 2
    rows, columns = mirrored(first[1], last[1], image_HWC.shape[0]), mirrored(first[0], last[0], image_HWC.shape[1])
    around = Image.fromarray(np.ascontiguousarray(image_HWC[np.ix_(rows, columns)]))
    here = Frame(frame.x - first[0], frame.y - first[1], frame.side, frame.roll)
    coefficients = tuple(float(value) for value in here.affine(own).ravel())
    square = around.transform((own, own), Image.Transform.AFFINE, coefficients, Image.Resampling.BICUBIC)
    if own != size:
        square = square.resize((size, size), Image.Resampling.LANCZOS)
    return _fade(np.array(square), frame, *image_HWC.shape[:2])


def _fade(square_HWC: NDArray[np.uint8], frame: Frame, height: int, width: int) -> NDArray[np.uint8]:
    """Blur and fade what of a square lies beyond a picture of `height` x `width` pixels; the rest stays as it is."""
    from scipy.ndimage import gaussian_filter

    size = len(square_HWC)
    places = np.arange(size) + 0.5
    x, y = np.moveaxis(
        np.stack([*np.meshgrid(places, places), np.ones((size, size))], -1) @ frame.affine(size).T, -1, 0
    )
    beyond = np.hypot(np.maximum(0, np.maximum(-x, x - width)), np.maximum(0, np.maximum(-y, y - height))) / frame.side
    if not (beyond > 0).any():
        return square_HWC
    faded = square_HWC.astype(np.float64)
    median = np.median(faded[beyond == 0] if (beyond == 0).any() else faded.reshape(-1, 3), axis=0)
    blurred = gaussian_filter(faded, (BLUR * size, BLUR * size, 0))
    faded += (blurred - faded) * np.clip(beyond / BLURRED_FROM, 0, 1)[..., None]
    faded += (median - faded) * np.clip(beyond / FADED_FROM, 0, 1)[..., None]
    return np.rint(faded).astype(np.uint8)


def mirrored(first: int, last: int, length: int) -> NDArray[np.int64]:
    """Indices first..last-1 of an axis of `length` pixels that goes on mirrored (edges repeated) beyond its ends."""
    places = np.arange(first, last) % (2 * length)
    return np.where(places < length, places, 2 * length - 1 - places)
