"""Bootstrap against the closed form for a mean, and its coverage; derangements by their definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facecond.metrics import resampling
from facecond.metrics.resampling import bootstrap_spread, derangement, mean_spread


def test_spread_of_a_mean_is_1_96_standard_errors() -> None:
    values = np.random.default_rng(0).normal(3.0, 2.0, size=400)
    sums = np.stack([values, np.ones(400)], axis=1)
    found = bootstrap_spread(sums, lambda drawn: drawn[:, 0] / drawn[:, 1], rounds=4000)
    assert found == pytest.approx(1.96 * values.std() / 20, rel=0.06)


def test_spread_is_a_function_of_the_seed() -> None:
    sums = np.random.default_rng(0).random((50, 1))
    spreads = [bootstrap_spread(sums, lambda drawn: drawn[:, 0], seed=seed) for seed in (1, 1, 2)]
    assert spreads[0] == spreads[1] != spreads[2]
    assert np.isnan(bootstrap_spread(sums[:1], lambda drawn: drawn[:, 0]))


def test_rounds_held_together_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(size=90)
    whole = mean_spread(values)
    monkeypatch.setattr(resampling, "DRAWN", 7 * 90)
    few = mean_spread(values)
    assert few.draws_R is not None
    np.testing.assert_allclose(few.draws_R, whole.draws_R, rtol=0, atol=1e-12)


def test_copies_of_an_image_are_no_more_evidence() -> None:
    generator = np.random.default_rng(0)
    values, conditions = generator.normal(size=60), np.arange(60)
    once = mean_spread(values, conditions)
    assert once == mean_spread(values)
    assert mean_spread(np.repeat(values, 10), np.repeat(conditions, 10)) == pytest.approx(once, rel=1e-12)
    shuffled = generator.permutation(600)
    again = mean_spread(np.repeat(values, 10)[shuffled], np.repeat(conditions, 10)[shuffled])
    assert again == pytest.approx(once, rel=1e-9)


@pytest.mark.parametrize("images", [1, 10])
def test_the_interval_of_a_proportion_covers_it(images: int) -> None:
    """120 conditions, each with a probability of its own around 0.7, and some images of each."""
    inside, repeats = 0, 200
    for repeat in range(repeats):
        generator = np.random.default_rng(repeat)
        chances = generator.beta(3.5, 1.5, size=120)
        right = (generator.random((120, images)) < chances[:, None]).ravel().astype(np.float64)
        spread = mean_spread(right, np.repeat(np.arange(120), images), seed=repeat)
        inside += abs(right.mean() - 0.7) <= spread
    assert 0.93 <= inside / repeats <= 0.97


@given(count=st.integers(2, 300), seed=st.integers(0, 5))
@settings(deadline=None)
def test_a_derangement_moves_everything_and_loses_nothing(count: int, seed: int) -> None:
    partner = derangement(count, seed)
    assert sorted(partner.tolist()) == list(range(count))
    assert not (partner == np.arange(count)).any()
    np.testing.assert_array_equal(partner, derangement(count, seed))


def test_one_item_has_nobody_to_exchange_with() -> None:
    with pytest.raises(ValueError, match="one item"):
        derangement(1)
