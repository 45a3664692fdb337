"""Do the edges of a picture lie where lines are? Precision and recall within a pixel, joined to F1.

The measure of boundary detection (Martin, Fowlkes & Malik 2004, section 3), with a distance instead of its one-to-one
matching: several edges may share a line, and a picture that is edge everywhere has a recall of 1, so that precision is to be
read beside F1. Everything is kept per picture, so that sets can be merged and resampled.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facecond.faces.labels import UNSPECIFIED
from facecond.metrics.resampling import bootstrap_spread
from facecond.metrics.spread import Spread

TOLERANCE = 1.0
"""Distance, pixels, at which an edge and a line still meet; beside, above or below, not across a corner."""


@dataclass(frozen=True, slots=True)
class LineMatches:
    """Counts of N pictures."""

    counts_N4: NDArray[np.int64]
    """(N, 4): line pixels, those of them near an edge, edge pixels, those of them near a line."""

    @classmethod
    def of(cls, lines_NHW: NDArray[np.uint8], edges_NHW: NDArray[np.bool_]) -> LineMatches:
        """Compare lines, uint8 (N, H, W), 1 on a line, 0 beside, 255 where nothing was said, with edges, bool (N, H, W).

        Where nothing was said no edge counts. Raises ValueError for different shapes.
        """
        if lines_NHW.shape != edges_NHW.shape or lines_NHW.ndim != 3:
            raise ValueError(
                f"lines and edges (N, H, W) of one shape expected, got {lines_NHW.shape}, {edges_NHW.shape}"
            )
        counts_N4 = np.zeros((len(lines_NHW), 4), dtype=np.int64)
        for counts_4, drawn_HW, edges_HW in zip(counts_N4, lines_NHW, edges_NHW, strict=True):
            lines_HW, said_HW = drawn_HW == 1, drawn_HW != UNSPECIFIED
            counts_4[:] = [
                lines_HW.sum(), (lines_HW & _near(edges_HW)).sum(),
                (edges_HW & said_HW).sum(), (edges_HW & said_HW & _near(lines_HW)).sum(),
            ]  # fmt: skip
        return cls(counts_N4)

    @classmethod
    def merge(cls, parts: Iterable[LineMatches]) -> LineMatches:
        """Join the pictures of several sets."""
        return cls(np.concatenate([part.counts_N4 for part in parts]))

    @property
    def count(self) -> int:
        """Number of pictures."""
        return len(self.counts_N4)

    @property
    def recall(self) -> float:
        """Share of line pixels with an edge near, of the whole set."""
        lines, met, _, _ = self.counts_N4.sum(axis=0)
        return float(met / lines) if lines else float("nan")

    @property
    def precision(self) -> float:
        """Share of edge pixels with a line near, of the whole set."""
        _, _, edges, met = self.counts_N4.sum(axis=0)
        return float(met / edges) if edges else float("nan")

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall of the whole set."""
        return float(_f1(self.counts_N4.sum(axis=0)))

    def spread(self, conditions_N: NDArray[np.int64] | None = None, *, seed: int = 0) -> Spread:
        """Half-width of the 95 % interval of `f1` over conditions (see `resampling.bootstrap_spread`)."""
        return bootstrap_spread(self.counts_N4.astype(np.float64), _f1, conditions_N=conditions_N, seed=seed)


def _near(marked_HW: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels no further than `TOLERANCE` from one that is marked."""
    from scipy.ndimage import distance_transform_edt

    if not marked_HW.any():
        return np.zeros_like(marked_HW)
    distance_HW: NDArray[np.float64] = distance_transform_edt(~marked_HW)
    return distance_HW <= TOLERANCE


def _f1(sums_4: NDArray[np.float64] | NDArray[np.int64]) -> NDArray[np.float64]:
    """Counts (..., 4) -> 2PR / (P + R) (...); 0 where nothing meets, NaN without any line and edge."""
    lines, lines_met, edges, edges_met = np.moveaxis(np.asarray(sums_4, dtype=np.float64), -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        precision, recall = edges_met / np.maximum(edges, 1), lines_met / np.maximum(lines, 1)
        score = np.where(precision + recall > 0, 2 * precision * recall / (precision + recall), 0.0)
    return np.where(lines + edges > 0, score, np.nan)
