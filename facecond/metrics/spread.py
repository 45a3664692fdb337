"""Half of a 95 % interval that knows how it came about, so that the difference of two numbers gets an interval of its own.

Two runs that were measured on the same conditions share what is hard and what is easy about these. Their difference is therefore
known better than either number: its variance is that of the differences condition by condition, not the sum of two variances.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Share(NamedTuple):
    """What each condition of one set adds to a number, to first order."""

    sums_G: NDArray[np.float64]
    """Sum of the influences of the condition's pictures."""
    pictures: int
    """Pictures of the set."""


class Spread(float):
    """Half-width of a 95 % interval over conditions; a float that remembers its draws, or the shares of its conditions."""

    draws_R: NDArray[np.float64] | None = None
    """The number in each draw of conditions."""
    conditions: int = 0
    """Conditions that were drawn."""
    shares: Sequence[Share] | None = None

    @classmethod
    def of_draws(cls, draws_R: NDArray[np.float64], conditions: int) -> Spread:
        """From the values of a statistic in `len(draws_R)` draws of `conditions` conditions with replacement."""
        # Drawing with replacement shows (count - 1) / count of the variance, and that is itself known from `count` conditions.
        spread = cls(_student(conditions) * np.sqrt(conditions / (conditions - 1)) * np.nanstd(draws_R))
        spread.draws_R, spread.conditions = draws_R, conditions
        return spread

    @classmethod
    def of_shares(cls, shares: Sequence[Share]) -> Spread:
        """From the influence of each condition of independent sets; NaN when one has fewer than two."""
        least = min(len(share.sums_G) for share in shares)
        if least < 2:
            return cls(float("nan"))
        variance = sum(
            len(share.sums_G) / (len(share.sums_G) - 1) * math.fsum(share.sums_G**2) / share.pictures**2
            for share in shares
        )
        spread = cls(_student(least) * np.sqrt(variance))
        spread.shares = shares
        return spread

    def of_difference(self, other: Spread) -> Spread:
        """The spread of this number less another one, measured on the same conditions in the same way.

        Raises ValueError when the two do not say how they came about, or came about in other ways.
        """
        if self.draws_R is not None and other.draws_R is not None:
            if (len(self.draws_R), self.conditions) == (len(other.draws_R), other.conditions):
                return Spread.of_draws(self.draws_R - other.draws_R, self.conditions)
        elif self.shares is not None and other.shares is not None:
            pairs = list(zip(self.shares, other.shares, strict=True))
            if all(len(a.sums_G) == len(b.sums_G) for a, b in pairs):
                return Spread.of_shares([Share(a.sums_G / a.pictures - b.sums_G / b.pictures, 1) for a, b in pairs])
        raise ValueError("two intervals of the same conditions, that came about in the same way, expected")


class Mean(NamedTuple):
    """A mean and half of its 95 % interval; None where nothing is known of how it varies."""

    value: float
    half: float | None


def mean_over(values_N: NDArray[np.float64], groups_N: NDArray[np.int64]) -> Mean:
    """Return the mean of values (N,) with Student's interval over independent groups; `groups_N` says whose each value is.

    With one value of each group it is the ordinary interval of a mean. Fewer than two groups have none.
    """
    value = float(np.mean(values_N))
    names, places_N = np.unique(groups_N, return_inverse=True)
    if len(names) < 2:
        return Mean(value, None)
    sums_G = np.zeros(len(names))
    np.add.at(sums_G, places_N, values_N - value)
    return Mean(value, float(Spread.of_shares([Share(sums_G, len(values_N))])))


def wilson(hits: float, count: float) -> tuple[float, float, float]:
    """Return a share with its 95 % interval (Wilson 1927): share, lower and upper end. `count` is above 0."""
    z = 1.959963984540054
    middle = (hits + z * z / 2) / (count + z * z)
    half = z / (count + z * z) * math.sqrt(max(hits * (count - hits), 0.0) / count + z * z / 4)
    return hits / count, max(0.0, middle - half), min(1.0, middle + half)


def share_over(flags_N: NDArray[np.bool_], groups_N: NDArray[np.int64]) -> tuple[float, float, float]:
    """Return the share of flags (N,) that are set, with an interval over independent groups: share, lower and upper end.

    It is Wilson's for as many flags as there would be if all of a group were one draw (Kish's effective number), so that it is
    too wide where those of a group differ, and never too narrow; with one flag of each group it is Wilson's own.
    """
    _, sizes_G = np.unique(groups_N, return_counts=True)
    count = len(flags_N) ** 2 / float((sizes_G**2).sum())
    return wilson(float(np.mean(flags_N)) * count, count)


def _student(count: int) -> float:
    """Student's 97.5 % quantile for `count` values."""
    from scipy.special import stdtrit

    return float(stdtrit(count - 1, 0.975))
