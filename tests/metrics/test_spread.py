"""Intervals of differences: exact where two runs are one, of the right size where they share conditions."""

import copy
import dataclasses

import numpy as np
import pytest
from scipy import stats

from facecond.io.results import Figure
from facecond.metrics.frechet import frechet_distance
from facecond.metrics.resampling import mean_spread
from facecond.metrics.spread import Spread, mean_over, share_over, wilson


def test_a_number_less_itself_is_exactly_known() -> None:
    random = np.random.default_rng(0)
    values, groups = random.random(60), np.arange(30).repeat(2)
    spread = mean_spread(values, groups)
    assert spread > 0
    assert spread.of_difference(mean_spread(values.copy(), groups)) == 0.0
    one, two = random.normal(size=(60, 5)), random.normal(size=(40, 5)) + 1
    spread = frechet_distance(one, two).spread(groups)
    assert spread > 0
    assert spread.of_difference(frechet_distance(one.copy(), two).spread(groups)) == 0.0


def test_the_spread_of_a_difference_of_means_is_that_of_the_mean_difference() -> None:
    random = np.random.default_rng(1)
    hard = random.normal(size=200)
    one, two = hard + 0.1 * random.normal(size=200), hard + 0.1 * random.normal(size=200)
    paired = mean_spread(one).of_difference(mean_spread(two))
    assert paired == pytest.approx(mean_spread(one - two), rel=1e-9)
    assert paired < 0.2 * mean_spread(one)


def test_intervals_of_differences_of_distances_cover_the_truth() -> None:
    """Of 300 pairs of runs on shared conditions, 93 to 97 % have the expected difference within their paired interval."""
    random, groups = np.random.default_rng(2), np.arange(80).repeat(2)
    differences, spreads = [], []
    for _ in range(300):
        shared, reference = random.normal(size=(80, 4)).repeat(2, axis=0), random.normal(size=(120, 4))
        one, two = (
            frechet_distance(shared + 0.5 * random.normal(size=(160, 4)) + shift, reference) for shift in (0.5, 0.7)
        )
        differences.append(one.value - two.value)
        spreads.append(one.spread(groups).of_difference(two.spread(groups)))
    covered = np.mean(np.abs(np.array(differences) - np.mean(differences)) <= spreads)
    assert 0.93 <= covered <= 0.97


def test_other_conditions_are_refused() -> None:
    random = np.random.default_rng(0)
    for other in (mean_spread(random.random(59)), Spread(0.1)):
        with pytest.raises(ValueError, match="same conditions"):
            mean_spread(random.random(60)).of_difference(other)


def test_it_is_a_float_to_everyone_else() -> None:
    spread = mean_spread(np.random.default_rng(0).random(60))
    figure = Figure(name="a", value=0.5, count=60, spread=spread)
    assert dataclasses.asdict(figure)["spread"] == float(spread)
    assert copy.deepcopy(spread) == spread
    assert f"{spread:.3f}" == f"{float(spread):.3f}"


@pytest.mark.parametrize(("hits", "count"), [(0, 10), (3, 10), (256, 256), (17, 400)])
def test_intervals_are_wilsons(hits: int, count: int) -> None:
    expected = stats.binomtest(hits, count).proportion_ci(method="wilson")
    assert wilson(hits, count) == pytest.approx((hits / count, expected.low, expected.high))
    flags, everyone = np.arange(count) < hits, np.arange(count)
    assert share_over(flags, everyone) == pytest.approx((hits / count, expected.low, expected.high))
    assert share_over(flags.repeat(3), everyone.repeat(3)) == pytest.approx(share_over(flags, everyone))  # nothing new


def test_a_mean_has_students_interval_over_groups() -> None:
    random = np.random.default_rng(5)
    values = random.normal(size=9)
    low, high = stats.t.interval(0.95, 8, loc=values.mean(), scale=stats.sem(values))
    assert mean_over(values, np.arange(9)) == pytest.approx((values.mean(), (high - low) / 2))
    assert mean_over(values.repeat(4), np.arange(9).repeat(4)) == pytest.approx(mean_over(values, np.arange(9)))
    assert mean_over(values[:1], np.arange(1)) == (values[0], None)
    assert mean_over(values, np.zeros(9, np.int64)) == (values.mean(), None)


def test_intervals_over_groups_cover_the_truth_where_those_over_values_do_not() -> None:
    """Of 1,000 sets of 20 faces with 1 to 4 values each, which are alike, about 95 % have the truth in their interval."""
    random, inside, naive, shares = np.random.default_rng(6), 0, 0, 0
    for _ in range(1000):
        faces = np.arange(20).repeat(random.integers(1, 5, 20))
        values = random.normal(size=20)[faces] + 0.3 * random.normal(size=len(faces))
        found, single = mean_over(values, faces), mean_over(values, np.arange(len(values)))
        inside += abs(found.value) < (found.half or 0)
        naive += abs(single.value) < (single.half or 0)
        _, low, high = share_over((random.random(20) < 0.9)[faces], faces)
        shares += low <= 0.9 <= high
    assert 920 <= inside <= 975
    assert naive < 880
    assert shares >= 930
