"""Interval and floor of a figure: conditions drawn again with all their images, and conditions of other items.

Images of one condition are not independent of each other, so ten of them are not ten times the evidence. What is drawn
again is therefore the condition (a cluster bootstrap; Efron & Tibshirani 1993, chapters 8 and 13).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from facecond.metrics.spread import Spread
from facecond.rng import numpy_generator

DRAWN = 4_000_000
"""Conditions drawn at once, over all rounds: of more conditions fewer rounds are held together."""


def bootstrap_spread(
    sums_NM: NDArray[np.float64],
    statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    *,
    conditions_N: NDArray[np.int64] | None = None,
    seed: int = 0,
    rounds: int = 1000,
) -> Spread:
    """Return the half-width of the 95 % bootstrap interval over conditions of a statistic of sums over images: the
    deviation between the draws times Student's quantile.

    `sums_NM` holds what each of N images adds to M sums; `statistic` maps sums (rounds, M) to values (rounds,);
    `conditions_N` says which condition each image was made for (None: each for one of its own). Conditions are drawn
    with replacement, the same way for the same number and seed. NaN for fewer than two, and when a sum is not finite.
    """
    sums_NM = np.asarray(sums_NM, dtype=np.float64)
    if conditions_N is not None:
        conditions, place_N = np.unique(conditions_N, return_inverse=True)
        sums_GM = np.zeros((len(conditions), sums_NM.shape[1]))
        np.add.at(sums_GM, place_N, sums_NM)
        sums_NM = sums_GM
    count = len(sums_NM)
    if count < 2 or not np.isfinite(sums_NM).all():
        return Spread("nan")
    generator, even_N, together = (
        numpy_generator(seed, "bootstrap", count),
        np.full(count, 1 / count),
        max(1, DRAWN // count),
    )
    sums_RM = [
        generator.multinomial(count, even_N, size=min(together, rounds - start)).astype(np.float64) @ sums_NM
        for start in range(0, rounds, together)
    ]
    return Spread.of_draws(statistic(np.concatenate(sums_RM)), count)


def mean_spread(
    values_N: NDArray[np.float64], conditions_N: NDArray[np.int64] | None = None, *, seed: int = 0
) -> Spread:
    """Return the half-width of the 95 % bootstrap interval over conditions of a mean over images; NaN values do not count."""
    known_N = ~np.isnan(values_N)
    sums_N2 = np.stack([np.where(known_N, values_N, 0.0), known_N], axis=1)
    return bootstrap_spread(sums_N2, lambda sums: sums[:, 0] / sums[:, 1], conditions_N=conditions_N, seed=seed)


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
