"""Spread and floor of a figure: bootstrap over images, and conditions that belong to somebody else."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from facecond.rng import numpy_generator


def bootstrap_spread(
    sums_NM: NDArray[np.float64],
    statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    *,
    seed: int = 0,
    rounds: int = 1000,
) -> float:
    """Return the half-width of the 95 % bootstrap interval of a statistic of sums over images.

    `sums_NM` holds what each of N images adds to M sums; `statistic` maps sums (rounds, M) to values (rounds,). Images
    are drawn with replacement, the same way for the same N and seed. NaN for fewer than two images.
    """
    count = len(sums_NM)
    if count < 2:
        return float("nan")
    times_RN = numpy_generator(seed, "bootstrap", count).multinomial(count, np.full(count, 1 / count), size=rounds)
    values_R = statistic(times_RN.astype(np.float64) @ np.asarray(sums_NM, dtype=np.float64))
    low, high = np.nanquantile(values_R, [0.025, 0.975])
    return float((high - low) / 2)


def derangement(count: int, seed: int = 0) -> NDArray[np.int64]:
    """Return int64 (count,), a permutation that leaves nothing in its place: each item gets another item's condition.

    A random round trip through all items. Raises ValueError for fewer than two items.
    """
    if count < 2:
        raise ValueError("one item alone cannot be given another one's condition")
    tour = numpy_generator(seed, "derangement", count).permutation(count)
    partner = np.empty(count, dtype=np.int64)
    partner[tour] = np.roll(tour, -1)
    return partner
