"""The Frechet distance of infinitely many samples, by a straight line in 1 / N (Chong & Forsyth 2020, arXiv 1911.07023, section 4).

Of N samples it is too large by about a constant over N. Therefore: the samples are cut by chance into 1, 2 and 3 parts of equal
size, each part's distance from the whole reference is taken, and the line of least squares through the mean of each cut is read off
where 1 / N is 0. The paper draws subsets of 15 sizes from a tenth of the samples on; here every sample counts once in every cut, so
that the chance of the draw cancels to first order, and one draw is enough; and parts are a third at least, because the line bends
where a part has about as many samples as there are features (measured on Gaussians: tests/metrics/test_extrapolation.py). What the
reference has too few of is not corrected, as in the paper.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facecond.metrics.frechet import Gaussian, between, by_content
from facecond.metrics.influence import Distance
from facecond.progress import bar
from facecond.rng import numpy_generator

CUTS = (1, 2, 3)
"""Parts of equal size; 1 / N is proportional to their number."""

LEAST = 2 * CUTS[-1]
"""Conditions that are needed: two in each part."""


def frechet_at_infinity(
    samples_ND: NDArray[np.floating],
    reference_MD: NDArray[np.floating],
    conditions_N: NDArray[np.int64] | None = None,
    *,
    seed: int = 0,
) -> Distance:
    """Return the extrapolated Frechet distance of two sets of features with the influence of each picture; it may be below 0.

    Samples of one condition (`conditions_N`, int64 (N,); None: each has its own) stay in one part: N counts conditions. The
    influence is the same straight line through the influences in the parts, so that the interval also holds what the
    extrapolation adds; it does not hold the bend of the line. The result depends on seed and contents only, not on the order
    of the rows.

    Raises ValueError for fewer than `LEAST` conditions, and as `frechet.frechet_distance`.
    """
    if samples_ND.shape[1:] != reference_MD.shape[1:]:
        raise ValueError(f"features of one width expected, got {samples_ND.shape} and {reference_MD.shape}")
    units_N = _by_chance(samples_ND, conditions_N, seed)
    count = int(units_N.max()) + 1
    if count < LEAST:
        raise ValueError(f"{count} conditions cannot be cut into {CUTS[-1]} parts, {LEAST} are needed")
    reference = Gaussian.of(reference_MD)
    value, of_samples_N, of_reference_M = 0.0, np.zeros(len(samples_ND)), np.zeros(len(reference_MD))
    with bar("extrapolating a distance", sum(CUTS), unit="part") as progress:
        for parts, share in zip(CUTS, _at_zero(np.array(CUTS, dtype=np.float64)).tolist(), strict=True):
            part_N = units_N * parts // count
            for part in range(parts):
                rows = np.flatnonzero(part_N == part)
                found = between(Gaussian.of(samples_ND[rows]), reference)
                value += share * found.value / parts
                of_samples_N[rows] += share * found.of_samples_N * len(samples_ND) / (parts * len(rows))
                of_reference_M += share * found.of_reference_M / parts
                progress.update(1)
    return Distance(value, of_samples_N, of_reference_M)


def _at_zero(places_K: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights (K,) of values at `places_K` in what their line of least squares is at 0."""
    away_K = places_K - places_K.mean()
    weights_K: NDArray[np.float64] = 1 / len(places_K) - places_K.mean() * away_K / (away_K**2).sum()
    return weights_K


def _by_chance(rows_ND: NDArray[np.floating], conditions_N: NDArray[np.int64] | None, seed: int) -> NDArray[np.int64]:
    """int64 (N,): a number for each condition, in an order by chance that depends on what the rows hold, not on theirs."""
    rank_N = np.empty(len(rows_ND), dtype=np.int64)
    rank_N[by_content(rows_ND)] = np.arange(len(rows_ND))
    if conditions_N is None:
        unit_N = rank_N
    else:
        _, place_N = np.unique(conditions_N, return_inverse=True)
        first_G = np.full(place_N.max() + 1, len(rows_ND))
        np.minimum.at(first_G, place_N, rank_N)
        unit_N = first_G.argsort().argsort()[place_N]
    count = int(unit_N.max()) + 1
    return numpy_generator(seed, "parts", count).permutation(count)[unit_N]
