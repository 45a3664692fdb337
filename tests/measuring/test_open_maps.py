"""What `benchmarks.open_maps` says of maps: shapes of known ones, sets that can and cannot be told apart, pixels that differ."""

import numpy as np
import pytest

from benchmarks.open_maps import disagreement, shapes, told_apart
from facecond.faces.labels import CLASSES


def test_shapes_are_those_of_the_rectangles_drawn() -> None:
    labels_HW = np.zeros((16, 16), dtype=np.uint8)
    glasses, hat = CLASSES.index("eye_g"), CLASSES.index("hat")
    labels_HW[2:6, 1:5] = labels_HW[2:6, 9:13] = glasses
    labels_HW[15, :3] = hat  # fewer pixels than count
    found = shapes(labels_HW[None])[0]
    assert found[glasses] == pytest.approx([1, 32 / 256, 2, 3.5 / 16, 6.5 / 16, 3 / 16, 11 / 16])
    assert found[0] == pytest.approx(found[0] * [1, 0, 1, 1, 1, 1, 1] + [0, (256 - 35) / 256, 0, 0, 0, 0, 0])
    assert not found[[hat, CLASSES.index("skin")]].any()


def test_only_sets_that_differ_are_told_apart() -> None:
    random = np.random.default_rng(0)
    one, other, shifted = (random.standard_normal((400, 20)) for _ in range(3))
    shifted[:, 7] += 2
    assert abs(told_apart(one, other) - 0.5) < 3 * 0.5 / 800**0.5
    # Two normal distributions of deviation 1, two apart: the best threshold is right for Phi(1) of them.
    assert told_apart(one, shifted) == pytest.approx(0.8413, abs=3 * (0.8413 * 0.1587 / 800) ** 0.5)


def test_disagreement_is_a_mean_over_pairs() -> None:
    maps = np.zeros((3, 4, 4), dtype=np.uint8)
    maps[1, 0], maps[2, :2] = 1, 1
    assert disagreement(maps) == pytest.approx((4 + 8 + 4) / 16 / 3)
