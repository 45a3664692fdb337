"""Precision, recall, density and coverage of samples by nearest neighbours in a feature space.

Precision and recall: Kynkaanniemi et al. 2019, section 2; density and coverage: Naeem et al. 2020, equations 3 and 4. A ball
around a picture reaches to its k-th nearest neighbour in its own set, itself not counted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BLOCK = 1024
"""Rows compared at once."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What each picture contributes; the four numbers are means."""

    precise_N: NDArray[np.bool_]
    """Sample lies in the ball of a real picture."""
    dense_N: NDArray[np.float64]
    """Real balls around a sample, divided by k."""
    recalled_M: NDArray[np.bool_]
    """Real picture lies in the ball of a sample."""
    covered_M: NDArray[np.bool_]
    """Ball of a real picture holds a sample."""

    @classmethod
    def of(cls, samples_ND: NDArray[np.floating], reference_MD: NDArray[np.floating], k: int = 5) -> Neighbours:
        """Compare features of samples (N, D) and of real pictures (M, D).

        Raises ValueError for other widths and for sets of no more than `k`.
        """
        if samples_ND.shape[1:] != reference_MD.shape[1:] or min(len(samples_ND), len(reference_MD)) <= k:
            raise ValueError(f"more than {k} rows of one width expected, got {samples_ND.shape}, {reference_MD.shape}")
        own_N, real_M = _radii(samples_ND, k), _radii(reference_MD, k)
        balls_N = np.zeros(len(samples_ND), dtype=np.int64)
        recalled_M, covered_M = np.zeros(len(reference_MD), dtype=bool), np.zeros(len(reference_MD), dtype=bool)
        for row in range(0, len(samples_ND), BLOCK):
            rows = slice(row, row + BLOCK)
            for column in range(0, len(reference_MD), BLOCK):
                columns = slice(column, column + BLOCK)
                apart = _apart(samples_ND[rows], reference_MD[columns])
                inside = apart <= real_M[columns]
                balls_N[rows] += inside.sum(axis=1)
                covered_M[columns] |= inside.any(axis=0)
                recalled_M[columns] |= (apart <= own_N[rows, None]).any(axis=0)
        return cls(balls_N > 0, balls_N / k, recalled_M, covered_M)


def _radii(rows_ND: NDArray[np.floating], k: int) -> NDArray[np.float64]:
    """Squared distance of each row from its k-th nearest other row: (N,)."""
    radii_N = np.empty(len(rows_ND))
    for start in range(0, len(rows_ND), BLOCK):
        nearest = np.full((len(rows_ND[start : start + BLOCK]), k + 1), np.inf)  # the row itself among them
        for other in range(0, len(rows_ND), BLOCK):
            apart = _apart(rows_ND[start : start + BLOCK], rows_ND[other : other + BLOCK])
            nearest = np.partition(np.concatenate([nearest, apart], axis=1), k, axis=1)[:, : k + 1]
        radii_N[start : start + BLOCK] = nearest[:, k]
    return radii_N


def _apart(a_ND: NDArray[np.floating], b_MD: NDArray[np.floating]) -> NDArray[np.float64]:
    """Squared distances (N, M)."""
    from scipy.spatial.distance import cdist

    found: NDArray[np.float64] = cdist(a_ND.astype(np.float64), b_MD.astype(np.float64), "sqeuclidean")
    return found
