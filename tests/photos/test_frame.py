"""Frames against the closed form of Karras et al. 2018, appendix C, and pictures cut out against plain cutting and resizing."""

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import rotate
from skimage.data import astronaut

from facecond.data.source import resize_picture
from facecond.faces.checks import central_square
from facecond.photos.frame import Frame, Landmarks, central_frame, cut, fills, frame_by, landmarks_of, mirrored


def karras(e0: np.ndarray, e1: np.ndarray, m0: np.ndarray, m1: np.ndarray) -> np.ndarray:
    """Corners of the square as the authors' own program lays them (align in dataset_tool.py; y downwards)."""
    eye_avg, mouth_avg = (e0 + e1) * 0.5, (m0 + m1) * 0.5
    eye_to_eye, eye_to_mouth = e1 - e0, mouth_avg - eye_avg
    x = eye_to_eye - np.flipud(eye_to_mouth) * [-1, 1]
    x /= np.hypot(*x)
    x *= max(np.hypot(*eye_to_eye) * 2.0, np.hypot(*eye_to_mouth) * 1.8)
    y = np.flipud(x) * [-1, 1]
    c = eye_avg + eye_to_mouth * 0.1
    return np.stack([c - x - y, c + x - y, c + x + y, c - x + y])


@pytest.mark.parametrize("seed", range(20))
def test_the_frame_is_that_of_the_paper(seed: int) -> None:
    points = np.random.default_rng(seed).normal([[40, 50], [80, 52], [45, 95], [78, 96]], 6)
    np.testing.assert_allclose(frame_by(Landmarks(*points)).corners(), karras(*points), atol=1e-9)


@pytest.mark.parametrize("eyes_apart", [0.25, 0.1], ids=["eyes decide the side", "the mouth decides it"])
def test_what_is_framed_is_framed_by_itself(eyes_apart: float) -> None:
    """Landmarks where the closed form has them in a frame give that frame, wherever it lies and however it is turned."""
    frame = Frame(310.0, 205.0, 180.0, 0.4)
    height = 1 / 3.6 if eyes_apart < 0.25 else 0.2
    eye, mouth = 0.5 - 0.1 * height, 0.5 + 0.9 * height
    inside = [(0.5 - eyes_apart / 2, eye), (0.5 + eyes_apart / 2, eye), (0.42, mouth), (0.58, mouth)]
    found = frame_by(Landmarks(*(frame.inside(np.array(point), 1) for point in inside)))
    np.testing.assert_allclose([found.x, found.y, found.side, found.roll], [310, 205, 180, 0.4], atol=1e-9)


def test_a_frame_inside_a_frame_is_where_its_corners_are() -> None:
    outer, inner = Frame(100, 80, 64, 0.3), Frame(20, 40, 16, -0.5)
    expected = [outer.inside(corner, 32) for corner in inner.corners()]
    np.testing.assert_allclose(outer.within(inner, 32).corners(), expected, atol=1e-9)


def drawn(left: tuple[int, int], right: tuple[int, int], mouth: tuple[int, int], size: int = 128) -> np.ndarray:
    """A label map with discs for eyes, subject's sides, and an ellipse 24 wide for a mouth."""
    y, x = np.mgrid[:size, :size] + 0.5
    labels = np.ones((size, size), dtype=np.uint8)
    for (column, row), value in ((left, 5), (right, 4)):
        labels[np.hypot(x - column, y - row) < 5] = value
    labels[((x - mouth[0]) / 12) ** 2 + ((y - mouth[1]) / 4) ** 2 < 1] = 11
    return labels


def test_landmarks_are_centres_of_eyes_and_ends_of_the_mouth() -> None:
    labels = drawn((48, 60), (80, 60), (64, 96))
    labels[3:5, 3:5] = 4  # a few stray pixels
    found = landmarks_of(labels)
    assert found is not None
    np.testing.assert_allclose(found[:2], [(48, 60), (80, 60)], atol=0.01)
    np.testing.assert_allclose(found[2:], [(52.7, 96), (75.3, 96)], atol=0.8)
    swapped = landmarks_of(np.array([0, 1, 2, 3, 5, 4, *range(6, 19)], np.uint8)[labels])
    np.testing.assert_allclose(swapped[:2], found[:2], atol=0.2)


def test_glasses_stand_for_eyes_they_hide_and_half_a_face_for_none() -> None:
    labels = drawn((48, 60), (80, 60), (64, 96))
    hidden = np.where(np.isin(labels, (4, 5)), 1, labels).astype(np.uint8)
    assert landmarks_of(hidden) is None
    hidden[54:66, 38:90] = 3
    np.testing.assert_allclose(landmarks_of(hidden)[:2], [(51, 60), (77, 60)], atol=0.01)
    assert landmarks_of(np.where(labels == 11, 1, labels).astype(np.uint8)) is None
    assert landmarks_of(drawn((48, 60), (80, 60), (64, 30))) is None  # the mouth above the eyes


@pytest.mark.parametrize(("height", "width", "size"), [(96, 96, 96), (96, 131, 64), (150, 96, 32)])
def test_the_central_square_is_that_of_packing(height: int, width: int, size: int) -> None:
    image = np.ascontiguousarray(astronaut()[:height, :width])
    np.testing.assert_array_equal(
        cut(image, central_frame(height, width), size), resize_picture(central_square(image), size)
    )


def test_a_turned_frame_shows_what_turning_the_picture_shows() -> None:
    """Compared with scipy's rotation, in the middle, where neither looks beyond its edges."""
    image = np.asarray(Image.fromarray(astronaut()).resize((256, 256), Image.Resampling.BOX))
    ours = cut(image, Frame(128, 128, 256, np.radians(20)), 256).astype(float)
    theirs = np.clip(rotate(image.astype(float), 20, reshape=False, order=3), 0, 255)
    inner = slice(64, 192)
    assert np.abs(ours - theirs)[inner, inner].mean() < 2
    assert np.abs(ours - image)[inner, inner].mean() > 20


def test_an_axis_goes_on_mirrored_as_numpy_pads_it() -> None:
    np.testing.assert_array_equal(mirrored(-9, 25, 7), np.pad(np.arange(7), (9, 18), mode="symmetric"))


def test_beyond_the_edges_pixels_are_blurred_and_faded_and_inside_they_stay() -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    wide = cut(image, Frame(32, 32, 128), 128)
    np.testing.assert_array_equal(wide[32:96, 32:96], image)
    assert (wide[0, 0] == np.rint(np.median(image.reshape(-1, 3), axis=0))).all()
    assert Frame(32, 32, 128).outside(64, 64) == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("laid", "framed"),
    [
        (Frame(50, 50, 100), True),
        (Frame(53, 50, 95, np.radians(5)), True),
        (Frame(56, 50, 100), False),
        (Frame(50, 50, 80), False),
        (Frame(50, 50, 100, np.radians(8)), False),
    ],
)
def test_small_differences_are_none(laid: Frame, framed: bool) -> None:
    assert fills(laid, Frame(50, 50, 100)) is framed
