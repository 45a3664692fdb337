"""Distances and thresholds against brute force, scikit's definition of the area."""

import numpy as np
import pytest
from scipy import stats

from facecond.errors import DataError
from facecond.metrics.memorisation import calibrate, calibrate_and_judge, nearest


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


def test_a_threshold_is_judged_on_distances_that_did_not_choose_it() -> None:
    dice = np.random.default_rng(2)
    copies, others = dice.normal(0, 1, 41) + 4, dice.normal(1, 1, 56) + 4
    found = calibrate_and_judge(copies, others)
    assert found.value == calibrate(copies[::2], others[::2]).value
    assert found.found == np.mean(copies[1::2] < found.value)
    assert found.mistaken == np.mean(others[1::2] < found.value)
    assert found.area == pytest.approx(stats.mannwhitneyu(others[1::2], copies[1::2]).statistic / (20 * 28))
    same = [(dice.normal(size=12), dice.normal(size=12)) for _ in range(300)]  # nothing tells these apart
    assert np.mean([each.found - each.mistaken for each in (calibrate(*pair) for pair in same)]) > 0.15
    assert abs(np.mean([each.found - each.mistaken for each in (calibrate_and_judge(*pair) for pair in same)])) < 0.05


def test_no_threshold_comes_of_nothing() -> None:
    some = np.arange(1.0, 5.0)
    for copies, others in ((np.zeros(0), some), (some, np.zeros(0))):
        with pytest.raises(DataError, match="0"):
            calibrate(copies, others)
    with pytest.raises(DataError, match="1 and 4 were found"):
        calibrate_and_judge(some[:1], some)
