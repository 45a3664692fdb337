"""The sliced 2-Wasserstein distance of two sets of features (Bonneel et al. 2015; MIND, arXiv 2605.06797, on Inception's features).

    3 D times the mean over random directions u of the squared 2-Wasserstein distance of the projections u'x and u'y

is what torch-fidelity 0.4 prints as MIND, with other directions. In one dimension that distance is the mean squared difference of
quantile functions, which follow from sorting; sets of different sizes are compared whole here, and not cut to one size. Of few
pictures it is too large, as the Frechet distance is. The directions are a function of the seed. Rows are projected in an order that
depends on their contents alone, so that the result does not depend on how pictures were batched or files are called, bit for bit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facecond.metrics.frechet import by_content
from facecond.metrics.influence import Distance
from facecond.progress import bar
from facecond.rng import numpy_generator

DIRECTIONS = 1000
"""Their mean stands for that over all directions."""

SCALE = 3
"""MIND is this times the width of the features times the mean over directions."""

BLOCK, TOGETHER = 1024, 50
"""Rows turned to float64, and directions looked along, at once."""


def sliced_distance(
    samples_ND: NDArray[np.floating], reference_MD: NDArray[np.floating], *, directions: int = DIRECTIONS, seed: int = 0
) -> Distance:
    """Return the sliced distance of two sets of features with the influence of each picture.

    The influence of a picture is the Kantorovich potential at its place, mean over directions (Santambrogio 2015, section 7.2).

    Raises ValueError for fewer than two pictures, for features of other widths and for values that are not finite.
    """
    if samples_ND.shape[1:] != reference_MD.shape[1:] or min(len(samples_ND), len(reference_MD)) < 2:
        raise ValueError(f"two sets (N, D) of one width expected, got {samples_ND.shape} and {reference_MD.shape}")
    width = samples_ND.shape[1]
    axes_KD = numpy_generator(seed, "directions", width).normal(size=(directions, width))
    axes_KD /= np.linalg.norm(axes_KD, axis=1, keepdims=True)
    order_N, order_M = by_content(samples_ND), by_content(reference_MD)
    weights_S, rows_S, others_S = _steps(len(samples_ND), len(reference_MD))
    value, of_samples_N, of_reference_M = 0.0, np.zeros(len(samples_ND)), np.zeros(len(reference_MD))
    with bar("looking along directions", directions, unit="direction") as progress:
        for start in range(0, directions, TOGETHER):
            along_KD = axes_KD[start : start + TOGETHER]
            x_NK, places_NK = _sorted(samples_ND, order_N, along_KD)
            y_MK, places_MK = _sorted(reference_MD, order_M, along_KD)
            value += float((weights_S @ (x_NK[rows_S] - y_MK[others_S]) ** 2).sum())
            of_samples_N[order_N] += _potential(x_NK, y_MK, places_NK)
            of_reference_M[order_M] += _potential(y_MK, x_NK, places_MK)
            progress.update(len(along_KD))
    scale = SCALE * width / directions
    return Distance(value * scale, of_samples_N * scale, of_reference_M * scale)


def _sorted(
    rows_ND: NDArray[np.floating], order_N: NDArray[np.int64], along_KD: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Projections in ascending order, (N, K), and the place of each in `order_N`."""
    projected_NK = np.concatenate([
        rows_ND[order_N[start : start + BLOCK]].astype(np.float64) @ along_KD.T for start in range(0, len(order_N), BLOCK)
    ])  # fmt: skip
    if not np.isfinite(projected_NK).all():
        raise ValueError("features that are not finite")
    places_NK = projected_NK.argsort(axis=0, kind="stable")
    return np.take_along_axis(projected_NK, places_NK, axis=0), places_NK


def _steps(count: int, other: int) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Where two quantile functions of `count` and `other` values are constant: share of each step, and the value of each there."""
    breaks = np.union1d(np.arange(count + 1) * other, np.arange(other + 1) * count)
    return np.diff(breaks) / (count * other), breaks[:-1] // other, breaks[:-1] // count


def _potential(
    x_NK: NDArray[np.float64], y_MK: NDArray[np.float64], places_NK: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Sum over directions of the potential at each place of `x`, less its mean: (N,).

    Its slope is 2 (x - T(x)), T the optimal map; between two values of `x` T is the quantile of `y` at the share below.
    """
    count, other = len(x_NK), len(y_MK)
    below = np.arange(1, count) * other
    mapped = (y_MK[below // count] + y_MK[(below - 1) // count]) / 2
    sorted_NK = np.zeros_like(x_NK)
    np.cumsum(np.diff(x_NK, axis=0) * (x_NK[1:] + x_NK[:-1] - 2 * mapped), axis=0, out=sorted_NK[1:])
    potential_NK = np.empty_like(x_NK)
    np.put_along_axis(potential_NK, places_NK, sorted_NK - sorted_NK.mean(axis=0), axis=0)
    return potential_NK.sum(axis=1)
