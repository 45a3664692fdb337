"""An edited face in its photograph: exact where the frame lies on pixels, nothing outside of what is shown."""

import numpy as np
import pytest

from facecond.photos.frame import Frame, central_frame, cut
from facecond.photos.paste import paste


def photo(height: int = 90, width: int = 120) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def disc(size: int, radius: float) -> np.ndarray:
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    return (np.hypot(x, y) < radius).astype(np.float32)


def test_on_whole_pixels_it_is_a_weighted_mean() -> None:
    own, edited = photo(), np.random.default_rng(1).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    shown = np.random.default_rng(2).random((40, 40)).astype(np.float32)
    shown[:10] = 0
    made = paste(own, edited, shown, Frame(50, 45, 40))  # rows 25 to 64, columns 30 to 69
    inner = own[25:65, 30:70].astype(np.float64)
    mixed = shown[..., None] * edited + (1 - shown[..., None].astype(np.float64)) * inner
    assert np.abs(made[25:65, 30:70] - mixed).max() <= 0.5 + 1e-3
    outside = np.ones(own.shape[:2], dtype=bool)
    outside[35:65, 30:70] = False
    assert np.array_equal(made[outside], own[outside])


@pytest.mark.parametrize(
    "frame", [Frame(60, 45, 50, 0.3), Frame(5, 80, 60, -1.0), Frame(60.3, 44.7, 31.7), Frame(60, 45, 200)]
)
def test_outside_of_what_is_shown_no_byte_changes(frame: Frame) -> None:
    own, size = photo(), 32
    made = paste(own, np.full((size, size, 3), 255, np.uint8), disc(size, 10), frame)
    changed = (made != own).any(axis=-1)
    assert changed.sum() > 20
    y, x = np.nonzero(changed)
    inner = np.linalg.inv(np.vstack([frame.affine(size), [0, 0, 1]])) @ np.stack([x + 0.5, y + 0.5, np.ones(len(x))])
    assert np.hypot(inner[0] - size / 2, inner[1] - size / 2).max() < 10 + 1.5  # between pixels it is interpolated


def test_it_undoes_cutting() -> None:
    """A smooth picture, cut out turned and put back where it came from, is the same within what interpolation loses."""
    y, x = np.mgrid[:90, :120]
    own = np.stack([x * 2, y * 2, x + y], axis=-1).astype(np.uint8)
    frame = Frame(60, 45, 64, 0.2)
    made = paste(own, cut(own, frame, 64), np.ones((64, 64), np.float32), frame)
    assert np.abs(made.astype(int) - own).max() <= 2


def test_a_frame_beyond_the_picture_changes_nothing() -> None:
    own = photo()
    assert np.array_equal(
        paste(own, np.zeros((8, 8, 3), np.uint8), np.ones((8, 8), np.float32), Frame(500, 500, 20)), own
    )


def test_the_whole_picture_is_replaced() -> None:
    own, edited = photo(48, 48), np.random.default_rng(3).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    made = paste(own, edited, np.ones((48, 48), np.float32), central_frame(48, 48))
    assert np.array_equal(made, edited)
