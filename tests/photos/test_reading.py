"""A photograph is framed by what a parser sees, wherever the face lies; the parser here knows where it lies."""

import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut, coffee

from facecond.config.commands.photographs import Align
from facecond.photos.detect import find_faces
from facecond.photos.frame import Frame
from facecond.photos.reading import FramedBy, read_face

COFFEE = np.ascontiguousarray(coffee()[::2, ::2])
EYES, MOUTH = ((206, 103), (243, 104)), (225, 143)
"""Places in scikit-image's picture of an astronaut, read off by eye."""
FACE = Frame(225.0, 109.0, 144.0, 0.03)
"""What the closed form gives for them, to about two pixels."""


class Knowing:
    """A parser that finds the colours of eyes and mouth that were painted for it."""

    size = 128

    def __call__(self, image_HWC: np.ndarray, size: int) -> tuple[np.ndarray, float]:
        image = np.asarray(Image.fromarray(image_HWC).resize((size, size))).astype(int)
        labels = np.ones((size, size), dtype=np.uint8)
        for value, colour in ((5, (0, 255, 0)), (4, (0, 0, 255)), (11, (255, 0, 255))):
            labels[np.abs(image - colour).sum(-1) < 150] = value
        return labels, 0.5


class Blind(Knowing):
    """A parser that sees skin only."""

    def __call__(self, image_HWC: np.ndarray, size: int) -> tuple[np.ndarray, float]:
        return np.ones((size, size), dtype=np.uint8), 0.25


def painted() -> np.ndarray:
    y, x = np.mgrid[:512, :512]
    image = astronaut().copy()
    for (column, row), colour in zip((*EYES, MOUTH), ((0, 255, 0), (0, 0, 255), (255, 0, 255)), strict=True):
        image[np.hypot((x - column) / (2 if row > 120 else 1), y - row) < 4] = colour
    return image


def close(frame: Frame, other: Frame, share: float) -> bool:
    return np.abs(frame.corners() - other.corners()).max() < share * other.side


def test_the_detector_finds_the_face_and_none_in_a_cup_of_coffee() -> None:
    (face,) = find_faces(astronaut())
    assert face.sure
    assert close(face.frame, FACE, 0.2)
    assert not any(found.sure for found in find_faces(COFFEE))


@pytest.mark.parametrize("roll", [0, 20])
def test_eyes_and_mouth_move_the_rough_frame(roll: int) -> None:
    image = np.asarray(Image.fromarray(painted()).rotate(roll, Image.Resampling.BICUBIC, center=(225, 109)))
    face = read_face(image, Knowing(), 64)
    assert face is not None
    assert face.framed_by is FramedBy.landmarks
    assert close(face.frame, Frame(FACE.x, FACE.y, FACE.side, FACE.roll - np.radians(roll)), 0.06)
    assert face.image_HWC.shape == (64, 64, 3)
    assert face.confidence == 0.5


def test_a_picture_that_is_framed_is_taken_as_it_is_unless_it_is_always_framed_anew() -> None:
    from facecond.photos.frame import cut

    framed = cut(painted(), FACE, 256)
    assert read_face(framed, Knowing(), 64).framed_by is FramedBy.picture
    assert read_face(framed, Knowing(), 64, Align.always).framed_by is FramedBy.landmarks
    assert read_face(painted(), Knowing(), 64, Align.never).frame == Frame(256, 256, 512)


def test_without_eyes_and_mouth_the_box_of_a_sure_face_counts_and_is_named() -> None:
    face = read_face(astronaut(), Blind(), 64)
    assert face.framed_by is FramedBy.box
    assert {"no_landmarks", "missing_part"} <= {finding.name for finding in face.findings}
    assert read_face(COFFEE, Blind(), 64) is None
    assert read_face(COFFEE, Blind(), 64, Align.never) is not None


def test_of_several_faces_the_largest_is_taken_and_it_is_said() -> None:
    image = np.concatenate([np.asarray(Image.fromarray(painted()).resize((384, 384))), painted()[:384]], axis=1)
    face = read_face(image, Knowing(), 64)
    assert face.frame.x == pytest.approx(384 + FACE.x, abs=8)
    assert "several_faces" in {finding.name for finding in face.findings}
