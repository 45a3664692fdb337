"""How sure a classifier is of each picture, and how many classes it sees in all (Salimans et al. 2016, arXiv 1606.03498).

    exp( mean over pictures of KL( p(y|x) || p(y) ) ),   p(y) the mean of p(y|x)

is the Inception score where Inception classifies. It lies between 1 and the number of classes. By custom the pictures are cut into
ten parts and the scores averaged, which is smaller (of fewer pictures p(y) is nearer to each p(y|x)) and depends on the cut; the
score here is of all pictures at once, as "A note on the Inception score" (arXiv 1801.01973, section 3) asks, and the other stands
beside. Sums run in an order that depends on what the rows hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facecond.metrics.frechet import by_content
from facecond.metrics.influence import interval
from facecond.metrics.spread import Spread

BLOCK = 1024
"""Rows classified at once."""

SPLITS = 10
"""Parts that are customary."""


@dataclass(frozen=True, slots=True)
class ClassScore:
    """The score of a set of pictures."""

    value: float
    of_parts: float | None
    """Mean of the scores of `SPLITS` parts; None for fewer than two pictures in each."""
    influence_N: NDArray[np.float64]
    """Influence of each picture on the value, mean 0."""

    def spread(self, conditions_N: NDArray[np.int64] | None = None) -> Spread:
        """Half-width of the 95 % interval over conditions (see `influence.interval`)."""
        return interval([(self.influence_N, conditions_N)])


def class_score(
    rows_ND: NDArray[np.floating], log_probabilities: Callable[[NDArray[np.floating]], NDArray[np.float64]]
) -> ClassScore:
    """Return the score of rows (N, D), of each of which (n, D) `log_probabilities` tells those of the classes (n, K).

    The rows are cut into parts by a hash of what they hold. Raises ValueError for fewer than two rows, and when a probability
    is no number.
    """
    if rows_ND.ndim != 2 or len(rows_ND) < 2:
        raise ValueError(f"rows (N, D) of at least two pictures expected, got {rows_ND.shape}")
    count, order_N = len(rows_ND), by_content(rows_ND)
    parts = SPLITS if count >= 2 * SPLITS else 1
    part_N = np.arange(count) * parts // count
    sure_N, sums_PK = np.empty(count), np.zeros((parts, 0))
    for places, logs_BK in _blocks(rows_ND, order_N, log_probabilities):
        shares_BK = np.exp(logs_BK)
        sure_N[places] = (shares_BK * np.where(shares_BK > 0, logs_BK, 0)).sum(axis=1)
        sums_PK = sums_PK if sums_PK.size else np.zeros((parts, logs_BK.shape[1]))
        sums_PK += (part_N[places] == np.arange(parts)[:, None]).astype(np.float64) @ shares_BK
    if not np.isfinite(sums_PK).all():
        raise ValueError("probabilities that are no numbers")
    sizes_P = np.bincount(part_N)
    of_each_P = np.exp(np.bincount(part_N, weights=sure_N) / sizes_P - _sure(sums_PK / sizes_P[:, None]).sum(axis=1))
    whole_K = sums_PK.sum(axis=0) / count
    logs_K = np.log(np.maximum(whole_K, np.finfo(np.float64).tiny))
    differs_N = np.empty(count)
    for places, logs_BK in _blocks(rows_ND, order_N, log_probabilities):
        differs_N[places] = sure_N[places] - np.exp(logs_BK) @ logs_K
    mean = float(differs_N.mean())
    influence_N = np.empty(count)
    influence_N[order_N] = np.exp(mean) * (differs_N - mean)
    return ClassScore(float(np.exp(mean)), float(of_each_P.mean()) if parts > 1 else None, influence_N)


def _blocks(
    rows_ND: NDArray[np.floating],
    order_N: NDArray[np.int64],
    log_probabilities: Callable[[NDArray[np.floating]], NDArray[np.float64]],
) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Logarithms of probabilities in the order of the rows, some at once."""
    for start in range(0, len(order_N), BLOCK):
        places = slice(start, start + BLOCK)
        yield places, log_probabilities(rows_ND[order_N[places]])


def _sure(shares_PK: NDArray[np.float64]) -> NDArray[np.float64]:
    """p log p, 0 where p is 0."""
    return shares_PK * np.log(np.where(shares_PK > 0, shares_PK, 1))
