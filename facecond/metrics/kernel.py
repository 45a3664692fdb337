"""The kernel distance of two sets of features (arXiv 1801.01401; KID is this on Inception's features).

    the unbiased squared maximum mean discrepancy under k(x, y) = (x'y / D + 1)^3

over all pairs of pictures. The average over random subsets that clean-fid prints estimates the same number, and is the same
number when its subsets are as large as the sets.
"""

from __future__ import annotations

from collections.abc import Iterator

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
    samples, reference = (samples_ND, order_N), (reference_MD, order_M)
    own_N = _without_itself(_mean_kernels(*samples, *samples), *samples)
    own_M = _without_itself(_mean_kernels(*reference, *reference), *reference)
    other_N, other_M = _mean_kernels(*samples, *reference), _mean_kernels(*reference, *samples)
    value = float(own_N.mean() + own_M.mean() - other_N.mean() - other_M.mean())
    return Distance(value, _influence(own_N - other_N, order_N), _influence(own_M - other_M, order_M))


def _blocks(rows_ND: NDArray[np.floating], order_N: NDArray[np.int64]) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """The rows in their order, in float64, some at once."""
    for start in range(0, len(order_N), BLOCK):
        places = slice(start, start + BLOCK)
        yield places, rows_ND[order_N[places]].astype(np.float64)


def _mean_kernels(
    a_ND: NDArray[np.floating], order_N: NDArray[np.int64], b_MD: NDArray[np.floating], order_M: NDArray[np.int64]
) -> NDArray[np.float64]:
    """For each row of `a`, in its order, the mean kernel with the rows of `b`: (N,)."""
    sums_N = np.zeros(len(order_N))
    for places, piece in _blocks(a_ND, order_N):
        for _, others in _blocks(b_MD, order_M):
            sums_N[places] += ((piece @ others.T / a_ND.shape[1] + 1) ** 3).sum(axis=1)
    return sums_N / len(order_M)


def _without_itself(
    means_N: NDArray[np.float64], rows_ND: NDArray[np.floating], order_N: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The mean over all other rows."""
    own_N = np.concatenate([(piece**2).sum(axis=1) for _, piece in _blocks(rows_ND, order_N)])
    return (means_N * len(order_N) - (own_N / rows_ND.shape[1] + 1) ** 3) / (len(order_N) - 1)


def _influence(means_N: NDArray[np.float64], order_N: NDArray[np.int64]) -> NDArray[np.float64]:
    given_N = np.empty(len(means_N))
    given_N[order_N] = 2 * (means_N - means_N.mean())
    return given_N
