"""Distances and thresholds against brute force, scikit's definition of the area."""

import numpy as np
import pytest
from scipy import stats

from facecond.metrics.memorisation import calibrate, nearest


def test_nearest_is_that_of_all_pairs() -> None:
    dice = np.random.default_rng(0)
    rows, among = dice.normal(size=(7, 5)), dice.normal(size=(2500, 5))
    apart = np.linalg.norm(rows[:, None] - among[None], axis=2)
    found, place = nearest(rows, among)
    np.testing.assert_allclose(found, apart.min(axis=1))
    np.testing.assert_array_equal(place, apart.argmin(axis=1))


def test_a_threshold_between_two_clouds_tells_them_apart() -> None:
    found = calibrate(np.array([1.0, 2.0, 3.0]), np.array([5.0, 6.0]))
    assert found == (4.0, 1.0, 0.0, 1.0)


def test_the_threshold_has_the_largest_index_and_the_area_is_that_of_mann_and_whitney() -> None:
    dice = np.random.default_rng(1)
    copies, others = dice.normal(0, 1, 40).round(1) + 4, dice.normal(1, 1, 55).round(1) + 4
    found = calibrate(copies, others)
    best = max((copies < at).mean() - (others < at).mean() for at in np.linspace(0, 10, 5001))
    assert found.found - found.mistaken == pytest.approx(best)
    assert ((copies < found.value).mean(), (others < found.value).mean()) == (found.found, found.mistaken)
    statistic = stats.mannwhitneyu(others, copies).statistic
    assert found.area == pytest.approx(statistic / (len(copies) * len(others)))
    with pytest.raises(ValueError, match="expected"):
        calibrate(np.zeros(0), others)
