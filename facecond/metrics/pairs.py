"""Mean squared distance over all pairs of rows that come in pieces; no pair is looked at.

The mean over pairs is 2 / (n - 1) times the sum of squared distances from the mean row, and that follows from sums.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Pairs:
    """Sums over rows (n, E) of one width."""

    def __init__(self) -> None:
        self.count = 0
        """Rows taken in."""
        self._squares = 0.0
        self._total_E: NDArray[np.float64] | float = 0.0

    def add(self, rows_NE: NDArray[np.floating]) -> None:
        """Take rows (n, E) in; they are added up in float64."""
        rows_NE = rows_NE.astype(np.float64)
        self.count += len(rows_NE)
        self._squares += float((rows_NE**2).sum())
        self._total_E = self._total_E + rows_NE.sum(axis=0)

    @property
    def mean(self) -> float:
        """Mean squared distance of two different rows; NaN for fewer than two."""
        if self.count < 2:
            return float("nan")
        return 2 / (self.count - 1) * (self._squares - float((np.asarray(self._total_E) ** 2).sum()) / self.count)
