"""The interval of a distance between two sets of features, from what each picture contributes to it.

A distance is a smooth function of two empirical distributions. Its derivative in the direction of one picture, the empirical
influence function, sums to nothing over a set; the variance of its sum over independent conditions is the variance of the
distance to first order (Efron & Tibshirani 1993, chapter 21; Hampel 1974). No resampling, so that it costs one pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facecond.metrics.spread import Share, Spread


@dataclass(frozen=True, slots=True)
class Distance:
    """A distance between samples and a reference."""

    value: float
    of_samples_N: NDArray[np.float64]
    """Influence of each sample, mean 0."""
    of_reference_M: NDArray[np.float64]
    """Influence of each picture of the reference, mean 0."""

    def spread(self, conditions_N: NDArray[np.int64] | None = None) -> Spread:
        """Half-width of the 95 % interval over conditions of the samples and pictures of the reference.

        `conditions_N` says which condition each sample was made for (None: each for one of its own). NaN for fewer than two.
        """
        return interval([(self.of_samples_N, conditions_N), (self.of_reference_M, None)])


def interval(parts: Sequence[tuple[NDArray[np.float64], NDArray[np.int64] | None]]) -> Spread:
    """Half-width of the 95 % interval of a number that independent sets influence: (influences (N,), conditions (N,) or None)."""
    shares = []
    for influence_N, conditions_N in parts:
        sums = influence_N
        if conditions_N is not None:
            _, place_N = np.unique(conditions_N, return_inverse=True)
            sums = np.bincount(place_N, weights=influence_N).astype(np.float64)
        shares.append(Share(sums, len(influence_N)))
    return Spread.of_shares(shares)
