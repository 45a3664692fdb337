"""The Frechet distance of two sets of features, taken as Gaussians (Dowson & Landau 1982; FID is this on Inception's features).

    |m1 - m2|^2 + tr C1 + tr C2 - 2 tr (C1 C2)^(1/2)

With factors F1, F2 (F'F = C) the last trace is the sum of the singular values of F1 F2', which needs no root of a nearly
singular matrix: a set has distance 0 from itself to rounding. For no more pictures than features the centred features
themselves are the factor. Sums run over the rows in an order that depends on their contents alone, so that the result does not
depend on how pictures were batched or files are called, bit for bit.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facecond.metrics.influence import Distance

BLOCK = 1024
"""Rows turned to float64 at once."""


@dataclass(frozen=True, slots=True)
class Gaussian:
    """Mean and covariance of the rows of features, which stay where they are."""

    features_ND: NDArray[np.floating]
    order_N: NDArray[np.int64]
    """The order in which rows are added up."""
    mean_D: NDArray[np.float64]
    factor_RD: NDArray[np.float64]
    """F, with F'F the covariance (divided by N - 1)."""
    inverse_DR: NDArray[np.float64] | None
    """Centred row @ this = sqrt(N - 1) * q with q F the row; None where the rows of F are the centred rows themselves."""

    @classmethod
    def of(cls, features_ND: NDArray[np.floating], statistics_SD: NDArray[np.float64] | None = None) -> Gaussian:
        """Fit a Gaussian to features (N, D), N at least 2. Raises ValueError for other shapes and values that are not finite.

        `statistics_SD` are the `statistics` of the same features, worked out before.
        """
        if features_ND.ndim != 2 or len(features_ND) < 2:
            raise ValueError(f"features (N, D) of at least two pictures expected, got {features_ND.shape}")
        order_N = by_content(features_ND)
        count, width = features_ND.shape
        if statistics_SD is not None:
            return cls._of_factor(features_ND, order_N, statistics_SD[0], statistics_SD[1:])
        mean_D = np.zeros(width)
        for start in range(0, count, BLOCK):
            mean_D += features_ND[order_N[start : start + BLOCK]].astype(np.float64).sum(axis=0)
        mean_D /= count
        if not np.isfinite(mean_D).all():
            raise ValueError("features that are not finite")
        if count <= width:
            factor_ND = (features_ND[order_N].astype(np.float64) - mean_D) / np.sqrt(count - 1)
            return cls(features_ND, order_N, mean_D, factor_ND, None)
        covariance_DD = np.zeros((width, width))
        for start in range(0, count, BLOCK):
            centred_BD = features_ND[order_N[start : start + BLOCK]].astype(np.float64) - mean_D
            covariance_DD += centred_BD.T @ centred_BD / (count - 1)
        values_D, vectors_DD = np.linalg.eigh(covariance_DD)
        kept = values_D > values_D[-1] * width * np.finfo(np.float64).eps
        roots_R, axes_DR = np.sqrt(values_D[kept]), vectors_DD[:, kept]
        return cls._of_factor(features_ND, order_N, mean_D, roots_R[:, None] * axes_DR.T)

    @classmethod
    def _of_factor(
        cls,
        features_ND: NDArray[np.floating],
        order_N: NDArray[np.int64],
        mean_D: NDArray[np.float64],
        factor_RD: NDArray[np.float64],
    ) -> Gaussian:
        """From a factor whose rows are at right angles."""
        return cls(features_ND, order_N, mean_D, factor_RD, (factor_RD / (factor_RD**2).sum(axis=1, keepdims=True)).T)

    @property
    def statistics(self) -> NDArray[np.float64] | None:
        """Mean and factor, (1 + R, D), for `of`; None where they are no less than the features themselves."""
        return None if self.inverse_DR is None else np.concatenate([self.mean_D[None], self.factor_RD])

    @property
    def trace(self) -> float:
        """Of the covariance."""
        return float((self.factor_RD**2).sum())

    def influence(
        self, shift_D: NDArray[np.float64], axes_RK: NDArray[np.float64], roots_K: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """2 shift'(x - m) + (x - m)'(I - A)(x - m) less its mean, for each row x; A: the optimal map to the other Gaussian.

        `axes_RK` and `roots_K` are this side's singular vectors and the values of F1 F2': x'Ax = sum of roots (q'axes)^2.
        """
        count = len(self.features_ND)
        influence_N = np.empty(count)
        for start in range(0, count, BLOCK):
            rows = self.order_N[start : start + BLOCK]
            centred_BD = self.features_ND[rows].astype(np.float64) - self.mean_D
            if self.inverse_DR is None:
                moved_B = (count - 1) * (axes_RK[start : start + BLOCK] ** 2 @ roots_K)
            else:
                moved_B = (centred_BD @ self.inverse_DR @ axes_RK) ** 2 @ roots_K
            influence_N[rows] = 2 * centred_BD @ shift_D + (centred_BD**2).sum(axis=1) - moved_B
        return influence_N - influence_N[self.order_N].mean()


def frechet_distance(samples_ND: NDArray[np.floating], reference_MD: NDArray[np.floating]) -> Distance:
    """Return the Frechet distance of two sets of features with the influence of each picture.

    The value equals clean-fid's (covariances divided by N - 1). Raises ValueError as `Gaussian.of`, and for other widths.
    """
    if samples_ND.shape[1:] != reference_MD.shape[1:]:
        raise ValueError(f"features of one width expected, got {samples_ND.shape} and {reference_MD.shape}")
    return between(Gaussian.of(samples_ND), Gaussian.of(reference_MD))


def between(one: Gaussian, two: Gaussian) -> Distance:
    """Return the Frechet distance of two Gaussians of one width with the influence of each row."""
    left_RK, roots_K, right_KS = np.linalg.svd(one.factor_RD @ two.factor_RD.T, full_matrices=False)
    shift_D = one.mean_D - two.mean_D
    value = float(shift_D @ shift_D) + one.trace + two.trace - 2 * float(roots_K.sum())
    return Distance(
        max(value, 0.0), one.influence(shift_D, left_RK, roots_K), two.influence(-shift_D, right_KS.T, roots_K)
    )


def by_content(features_ND: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return int64 (N,): the rows in an order that depends on nothing but what they hold."""
    digests = [hashlib.blake2b(np.ascontiguousarray(row).tobytes(), digest_size=16).digest() for row in features_ND]
    return np.array(sorted(range(len(digests)), key=digests.__getitem__), dtype=np.int64)
