"""Are samples copies of training faces? Distances to the nearest of them, and a threshold calibrated on copies.

A distance between features says nothing by itself: it is held against that of pictures that are no copies (faces that nobody learnt
from) and of pictures that are (samples of a model that was overfitted until it knew nothing else), both looked up among the same
training faces, since the nearest of many is nearer than the nearest of few.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from facecond.errors import DataError

BLOCK = 1024
"""Rows compared at once."""


CHOSEN, JUDGED = slice(0, None, 2), slice(1, None, 2)
"""Halves of a set: every second picture chooses the threshold, the others say what it is worth."""


class Threshold(NamedTuple):
    """A distance below which a picture counts as a copy."""

    value: float
    found: float
    """Share of the copies that lie below it."""
    mistaken: float
    """Share of pictures that are no copies that lie below it."""
    area: float
    """Probability that a copy is nearer than a picture that is none (area under the ROC curve)."""


def nearest(
    rows_ND: NDArray[np.floating], among_MD: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the Euclidean distance of each row (N, D) from the nearest of others (M, D), and the place of that one: (N,) each."""
    from scipy.spatial.distance import cdist

    apart_N, place_N = np.full(len(rows_ND), np.inf), np.zeros(len(rows_ND), dtype=np.int64)
    for start in range(0, len(among_MD), BLOCK):
        apart = cdist(rows_ND.astype(np.float64), among_MD[start : start + BLOCK].astype(np.float64))
        best = apart.argmin(axis=1)
        least = apart[np.arange(len(best)), best]
        nearer = least < apart_N
        apart_N[nearer], place_N[nearer] = least[nearer], start + best[nearer]
    return apart_N, place_N


def calibrate(copies_N: NDArray[np.float64], others_M: NDArray[np.float64]) -> Threshold:
    """Return the threshold that tells the distances of copies from those of others best: the largest sum of the share of copies
    below it and of others not below it (Youden 1950), in the middle between the two distances it lies between.

    Shares and area are those of the same distances, which the threshold fits better than it fits new ones. Raises DataError when
    one of the two is empty.
    """
    if not len(copies_N) or not len(others_M):
        raise DataError(
            f"a threshold needs copies and pictures that are none: {len(copies_N)} and {len(others_M)} were found"
        )
    every = np.unique(np.concatenate([copies_N, others_M]))
    edges = np.concatenate([[every[0] / 2], (every[1:] + every[:-1]) / 2, [every[-1] * 2]])
    found = np.searchsorted(np.sort(copies_N), edges) / len(copies_N)
    mistaken = np.searchsorted(np.sort(others_M), edges) / len(others_M)
    best = int(np.argmax(found - mistaken))
    return Threshold(float(edges[best]), float(found[best]), float(mistaken[best]), _area(copies_N, others_M))


def calibrate_and_judge(copies_N: NDArray[np.float64], others_M: NDArray[np.float64]) -> Threshold:
    """Return the threshold of one half of the distances, with the shares and the area of the other half.

    Raises DataError when one of the two has fewer than two.
    """
    if min(len(copies_N), len(others_M)) < 2:
        raise DataError(
            f"a threshold needs two copies and two pictures that are none at least: {len(copies_N)} and {len(others_M)} were found"
        )
    value = calibrate(copies_N[CHOSEN], others_M[CHOSEN]).value
    copies, others = copies_N[JUDGED], others_M[JUDGED]
    return Threshold(value, float((copies < value).mean()), float((others < value).mean()), _area(copies, others))


def _area(copies_N: NDArray[np.float64], others_M: NDArray[np.float64]) -> float:
    """The area under the ROC curve; a tie counts half."""
    less = np.searchsorted(np.sort(copies_N), others_M, side="left").sum()
    tied = np.searchsorted(np.sort(copies_N), others_M, side="right").sum()
    return float(less + tied) / 2 / (len(copies_N) * len(others_M))
