"""The kernel distance of two sets of features (arXiv 1801.01401; KID is this on Inception's features).

    the unbiased squared maximum mean discrepancy under k(x, y) = (x'y / D + 1)^3

over all pairs of pictures. The average over random subsets that clean-fid prints estimates the same number, and is the same
number when its subsets are as large as the sets.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facecond.metrics.frechet import by_content
from facecond.metrics.influence import Distance

BLOCK = 1024
"""Rows compared at once."""


def kernel_distance(samples_ND: NDArray[np.floating], reference_MD: NDArray[np.floating]) -> Distance:
    """Return the kernel distance of two sets of features with the influence of each picture; it may be below 0.

    Raises ValueError for fewer than two pictures and for features of other widths.
    """
    if samples_ND.shape[1:] != reference_MD.shape[1:] or min(len(samples_ND), len(reference_MD)) < 2:
        raise ValueError(f"two sets (N, D) of one width expected, got {samples_ND.shape} and {reference_MD.shape}")
    order_N, order_M = by_content(samples_ND), by_content(reference_MD)
    samples, reference = samples_ND[order_N].astype(np.float64), reference_MD[order_M].astype(np.float64)
    own_N, other_N = _mean_kernels(samples, samples), _mean_kernels(samples, reference)
    own_M, other_M = _mean_kernels(reference, reference), _mean_kernels(reference, samples)
    own_N, own_M = _without_itself(own_N, samples), _without_itself(own_M, reference)
    value = float(own_N.mean() + own_M.mean() - other_N.mean() - other_M.mean())
    return Distance(value, _influence(own_N - other_N, order_N), _influence(own_M - other_M, order_M))


def _mean_kernels(a_ND: NDArray[np.float64], b_MD: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each row of `a`, the mean kernel with the rows of `b`: (N,)."""
    width = a_ND.shape[1]
    sums_N = np.zeros(len(a_ND))
    for row in range(0, len(a_ND), BLOCK):
        piece = a_ND[row : row + BLOCK] / width
        for column in range(0, len(b_MD), BLOCK):
            sums_N[row : row + BLOCK] += ((piece @ b_MD[column : column + BLOCK].T + 1) ** 3).sum(axis=1)
    return sums_N / len(b_MD)


def _without_itself(means_N: NDArray[np.float64], rows_ND: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean over all other rows."""
    count, width = rows_ND.shape
    return (means_N * count - ((rows_ND**2).sum(axis=1) / width + 1) ** 3) / (count - 1)


def _influence(means_N: NDArray[np.float64], order_N: NDArray[np.int64]) -> NDArray[np.float64]:
    given_N = np.empty(len(means_N))
    given_N[order_N] = 2 * (means_N - means_N.mean())
    return given_N
