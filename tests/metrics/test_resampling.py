"""Bootstrap against the closed form for a mean; derangements by their definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facecond.metrics.resampling import bootstrap_spread, derangement


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
