"""An edited face in its photograph: exact where the frame lies on pixels, not a byte outside of the region."""

import tracemalloc

import numpy as np
import pytest
from scipy.spatial import cKDTree

from facecond.editing.region import fading
from facecond.photos import paste as pasting
from facecond.photos.frame import Frame, central_frame, cut
from facecond.photos.paste import paste, region_in


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


def nearest_in(region: np.ndarray, frame: Frame, height: int, width: int) -> np.ndarray:
    """Which pixels of a photograph have a pixel of the region as the nearest of the face, found by measuring distances."""
    size = len(region)
    rows, columns = np.divmod(np.arange(size * size), size)
    centres = np.array([frame.inside(np.array([x + 0.5, y + 0.5]), size) for y, x in zip(rows, columns, strict=True)])
    y, x = np.mgrid[:height, :width] + 0.5
    _, found = cKDTree(centres).query(np.stack([x.ravel(), y.ravel()], axis=1))
    along = (x - frame.x) * np.cos(frame.roll) + (y - frame.y) * np.sin(frame.roll)
    down = (y - frame.y) * np.cos(frame.roll) - (x - frame.x) * np.sin(frame.roll)
    within = np.maximum(abs(along), abs(down)) < frame.side / 2
    return region.ravel()[found].reshape(height, width) & within


def square(size: int, first: int, last: int) -> np.ndarray:
    region = np.zeros((size, size), dtype=bool)
    region[first:last, first:last] = True
    return region


def corners(size: int) -> np.ndarray:
    """A region with corners that look inwards, a hole, single pixels, and pixels at the frame's edges."""
    region = square(size, size // 4, size // 2)
    region[size // 2 :, size // 3 : size // 2] = True
    region[size // 3, size // 3] = False
    region[2, 3] = region[3, 4] = region[0, size - 1] = True
    return region


FRAMES = [
    Frame(60, 45, 50, 0.3), Frame(5, 80, 60, -1.0), Frame(60.3, 44.7, 31.7), Frame(60.2, 45.2, 200), Frame(60.1, 45, 88, 2.9),
    Frame(61.7, 46.2, 20, 0.1),
]  # fmt: skip


@pytest.mark.parametrize("feather", [0, 1.9])
@pytest.mark.parametrize("region", [disc(32, 10) > 0, corners(32)], ids=["disc", "corners"])
@pytest.mark.parametrize("frame", FRAMES)
def test_outside_of_the_region_no_byte_changes(frame: Frame, region: np.ndarray, feather: float) -> None:
    own, size = np.zeros((90, 120, 3), np.uint8), len(region)
    shown = fading(region, feather, beyond=frame.beyond(90, 120, size))
    changed = (paste(own, np.full((size, size, 3), 255, np.uint8), shown, frame) != own).any(axis=-1)
    stated = nearest_in(region, frame, 90, 120)
    assert np.array_equal(region_in(90, 120, region, frame), stated)
    assert changed.sum() > 10
    assert not (changed & ~stated).any()


@pytest.mark.parametrize("scale", [4, 8])
def test_a_photograph_larger_than_the_model_changes_in_the_region_alone(scale: int) -> None:
    """Each pixel of the face is `scale` x `scale` of the photograph: the region is a square that needs no computing."""
    side = 64 * scale
    own, region = np.zeros((side, side, 3), np.uint8), square(64, 20, 40)
    edited = np.full((64, 64, 3), 255, np.uint8)
    made = paste(own, edited, region.astype(np.float32), central_frame(side, side))
    changed = (made != own).any(axis=-1)
    assert not np.delete(np.delete(changed, slice(20 * scale, 40 * scale), 0), slice(20 * scale, 40 * scale), 1).any()
    assert not changed[: 20 * scale].any()
    assert not changed[:, 40 * scale :].any()
    inner = made[20 * scale : 40 * scale, 30 * scale, 0].astype(int)
    assert inner[scale // 2 : -(scale // 2)].min() == 255  # shown in full from the middle of the outermost pixels on
    assert np.diff(inner[: scale // 2]).min() > 0  # and less and less on the way out, smoothly: no seam
    assert inner[0] <= 255 / scale + 1


def test_strips_make_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    own, edited = photo(), np.random.default_rng(1).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    region = corners(32)
    for frame in FRAMES:
        shown = fading(region, 2, beyond=frame.beyond(90, 120, 32))
        made = []
        for strip in (1, 500, 1 << 30):
            monkeypatch.setattr(pasting, "STRIP", strip)
            made.append((paste(own, edited, shown, frame), region_in(90, 120, region, frame)))
        for picture, stated in made[1:]:
            assert np.array_equal(picture, made[0][0])
            assert np.array_equal(stated, made[0][1])


def test_memory_does_not_grow_with_the_photograph() -> None:
    """Beside the photograph and its copy, a strip: 2,000 x 2,000 pixels took 137 bytes each."""
    own = np.zeros((2000, 2000, 3), np.uint8)
    edited, frame = np.full((64, 64, 3), 255, np.uint8), Frame(1000, 1000, 1900, 0.2)
    tracemalloc.start()
    paste(own, edited, np.ones((64, 64), np.float32), frame)
    region_in(2000, 2000, np.ones((64, 64), dtype=bool), frame)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < own.nbytes + 32e6


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


EDGES = {
    "the whole picture, twice as large": (central_frame(64, 64), 64, 64, ""),
    "the middle of a wide one": (central_frame(64, 100), 64, 100, "left right"),
    "the middle of a high one": (central_frame(101, 64), 101, 64, "top bottom"),
    "inside": (Frame(50, 50, 64), 100, 100, "top bottom left right"),
    "one pixel of the photograph beyond it": (Frame(33, 32, 64), 64, 65, "left"),
    "in a corner, reaching beyond": (Frame(30, 30, 64), 100, 100, "bottom right"),
    "around the picture": (Frame(32, 32, 90), 64, 64, ""),
    "upside down": (Frame(50, 32, 64, np.pi), 64, 100, "left right"),
}


@pytest.mark.parametrize("name", EDGES)
def test_the_edges_of_a_photograph_are_no_border(name: str) -> None:
    """An edge of the frame beyond which the photograph goes on is one: there the edit fades in."""
    frame, height, width, inside = EDGES[name]
    shown = fading(np.ones((32, 32), dtype=bool), 3, beyond=frame.beyond(height, width, 32))
    edges = {"top": shown[0], "bottom": shown[-1], "left": shown[:, 0], "right": shown[:, -1]}
    for edge, shares_S in edges.items():
        assert np.allclose(shares_S[8:-8], 0.25 if edge in inside.split() else 1)
    own = np.zeros((height, width, 3), np.uint8)
    made = paste(own, np.full((32, 32, 3), 255, np.uint8), shown, frame)
    if name == "the whole picture, twice as large":
        assert made.min() == 255  # nothing of it is held back
    if name == "the middle of a wide one":
        assert made[:, 50].min() == 255
        assert made[:, [18, 81]].max() < 255 / 8  # next to what stays
