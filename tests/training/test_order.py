import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facecond.training.stream import flips, order


@given(st.integers(1, 60), st.integers(0, 5), st.integers(0, 2**31))
def test_every_epoch_is_a_permutation(size, epoch, seed):
    assert sorted(order(epoch * size, size, size, seed).tolist()) == list(range(size))


@given(st.integers(1, 40), st.integers(0, 200), st.lists(st.integers(0, 50), max_size=6), st.integers(0, 99))
def test_order_and_flips_do_not_depend_on_the_cut_into_batches(size, start, cuts, seed):
    whole = order(start, sum(cuts), size, seed)
    coins = flips(start, sum(cuts), seed)
    assert whole.dtype == np.int64
    assert coins.dtype == bool
    position = 0
    for cut in cuts:
        np.testing.assert_array_equal(order(start + position, cut, size, seed), whole[position : position + cut])
        np.testing.assert_array_equal(flips(start + position, cut, seed), coins[position : position + cut])
        position += cut


def test_epochs_and_seeds_differ():
    assert (order(0, 500, 500, 0) != order(500, 500, 500, 0)).sum() > 450
    assert (order(0, 500, 500, 0) != order(0, 500, 500, 1)).sum() > 450
    assert (flips(0, 500, 0) != flips(0, 500, 1)).sum() > 150


def test_flips_cross_blocks_and_are_fair():
    coins = flips(0, 20_000, 7)
    np.testing.assert_array_equal(flips(4000, 9000, 7), coins[4000:13_000])
    assert abs(coins.mean() - 0.5) < 4 * 0.5 / 20_000**0.5  # four standard deviations


def test_no_global_generator_is_read_or_changed():
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    first = order(3, 5, 11, 0)
    np.random.seed(1)
    np.testing.assert_array_equal(order(3, 5, 11, 0), first)
    np.random.seed(0)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_callers_cannot_damage_later_epochs():
    order(0, 10, 10, 0)[:] = -1
    flips(0, 10, 0)[:] = True
    assert sorted(order(0, 10, 10, 0).tolist()) == list(range(10))
    assert not flips(0, 64, 0).all()


def test_impossible_requests():
    with pytest.raises(ValueError, match="out of 0"):
        order(0, 4, 0, 0)
    with pytest.raises(ValueError, match="from -1"):
        flips(-1, 4, 0)
