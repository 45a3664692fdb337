"""Does a picture follow its condition? Masks by confusion matrices, attributes by accuracies (the paper, section 4).

Mask mIoU is defined here once: ONE confusion matrix over the whole set, IoU = diagonal / (row + column - diagonal),
mean over the classes present in the reference. The mean of per-image scores is another number and has another name.
Everything is kept per image, so that sets can be merged and resampled.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facecond.faces.attributes import ATTRIBUTES
from facecond.faces.labels import NUM_CLASSES, UNSPECIFIED
from facecond.metrics.resampling import bootstrap_spread
from facecond.metrics.spread import Spread


def iou(counts_KK: NDArray[np.float64] | NDArray[np.int64]) -> NDArray[np.float64]:
    """Confusion matrices (..., K, K), rows the reference -> IoU (..., K); NaN where a class is on neither side."""
    diagonal = np.diagonal(counts_KK, axis1=-2, axis2=-1)
    union = counts_KK.sum(axis=-1) + counts_KK.sum(axis=-2) - diagonal
    return _ratio(diagonal, union)


def mean_iou(counts_KK: NDArray[np.float64] | NDArray[np.int64]) -> NDArray[np.float64]:
    """Confusion matrices (..., K, K) -> mean IoU over the classes present in the reference (...)."""
    present = counts_KK.sum(axis=-1) > 0
    return _ratio(np.where(present, iou(counts_KK), 0.0).sum(axis=-1), present.sum(axis=-1))


def pixel_accuracy(counts_KK: NDArray[np.float64] | NDArray[np.int64]) -> NDArray[np.float64]:
    """Confusion matrices (..., K, K) -> share of pixels on the diagonal (...)."""
    return _ratio(np.diagonal(counts_KK, axis1=-2, axis2=-1).sum(axis=-1), counts_KK.sum(axis=(-2, -1)))


@dataclass(frozen=True, slots=True)
class Confusion:
    """Confusion matrices of N images, rows the reference, columns what was found."""

    counts_NKK: NDArray[np.int64]

    @classmethod
    def of(
        cls, reference_NHW: NDArray[np.uint8], found_NHW: NDArray[np.uint8], num_classes: int = NUM_CLASSES
    ) -> Confusion:
        """Count pixels of uint8 label maps (N, H, W); pixels whose reference is 255 do not count.

        Raises ValueError for different shapes and for values that are no class.
        """
        if reference_NHW.shape != found_NHW.shape or reference_NHW.ndim != 3:
            raise ValueError(
                f"label maps (N, H, W) of one shape expected, got {reference_NHW.shape}, {found_NHW.shape}"
            )
        counts_NKK = np.zeros((len(reference_NHW), num_classes, num_classes), dtype=np.int64)
        for counts_KK, reference, found in zip(counts_NKK, reference_NHW, found_NHW, strict=True):
            said = reference != UNSPECIFIED
            rows, columns = reference[said].astype(np.int64), found[said].astype(np.int64)
            if rows.size and max(rows.max(), columns.max()) >= num_classes:
                raise ValueError(f"a label is {max(rows.max(), columns.max())}, classes are 0..{num_classes - 1}")
            counts_KK[...] = np.bincount(rows * num_classes + columns, minlength=num_classes**2).reshape(
                counts_KK.shape
            )
        return cls(counts_NKK)

    @classmethod
    def merge(cls, parts: Iterable[Confusion]) -> Confusion:
        """Join the images of several sets."""
        return cls(np.concatenate([part.counts_NKK for part in parts]))

    @property
    def count(self) -> int:
        """Number of images."""
        return len(self.counts_NKK)

    @property
    def total(self) -> NDArray[np.int64]:
        """The confusion matrix of the whole set."""
        return self.counts_NKK.sum(axis=0)

    @property
    def iou_per_class(self) -> NDArray[np.float64]:
        """IoU per class over the whole set; NaN for a class that is not in the reference."""
        return np.where(self.total.sum(axis=1) > 0, iou(self.total), np.nan)

    @property
    def mean_iou(self) -> float:
        """THE mask mIoU: of the set's confusion matrix, over the classes present in the reference."""
        return float(mean_iou(self.total))

    @property
    def accuracy(self) -> float:
        """Share of pixels that are right."""
        return float(pixel_accuracy(self.total))

    @property
    def image_ious(self) -> NDArray[np.float64]:
        """Each image's own mean IoU (N,)."""
        return mean_iou(self.counts_NKK)

    @property
    def mean_of_image_ious(self) -> float:
        """Mean over images of each image's own mean IoU; not the mask mIoU."""
        return float(np.nanmean(self.image_ious))

    @property
    def images_per_class(self) -> NDArray[np.int64]:
        """Number of images whose reference has each class."""
        return (self.counts_NKK.sum(axis=2) > 0).sum(axis=0)

    def spread(
        self,
        statistic: str = "mean_iou",
        conditions_N: NDArray[np.int64] | None = None,
        *,
        seed: int = 0,
        rounds: int = 1000,
    ) -> Spread:
        """Half-width of the 95 % interval of "mean_iou" or "accuracy" over conditions (see `resampling.bootstrap_spread`)."""
        of = {"mean_iou": mean_iou, "accuracy": pixel_accuracy}[statistic]
        shape = self.counts_NKK.shape
        sums_NM = self.counts_NKK.reshape(shape[0], -1).astype(np.float64)
        return bootstrap_spread(
            sums_NM, lambda sums: of(sums.reshape(-1, *shape[1:])), conditions_N=conditions_N, seed=seed, rounds=rounds
        )


@dataclass(frozen=True, slots=True)
class AttributeScores:
    """Attributes found in N pictures beside those they were asked to have."""

    found_NA: NDArray[np.bool_]
    """bool (N, A): the judge says the attribute is there."""
    reference_NA: NDArray[np.int8]
    """int8 (N, A) in {-1, 0, +1}; 0 = not specified, does not count."""
    names: tuple[str, ...] = ATTRIBUTES

    def __post_init__(self) -> None:
        if self.found_NA.shape != self.reference_NA.shape or self.found_NA.shape[1:] != (len(self.names),):
            raise ValueError(f"shapes {self.found_NA.shape}, {self.reference_NA.shape}, {len(self.names)} names")

    @classmethod
    def merge(cls, parts: Sequence[AttributeScores]) -> AttributeScores:
        """Join the pictures of several sets."""
        found = np.concatenate([part.found_NA for part in parts])
        return cls(found, np.concatenate([part.reference_NA for part in parts]), parts[0].names)

    def select(self, names: Iterable[str]) -> AttributeScores:
        """Return the scores of some attributes, in the order of `self.names`."""
        wanted = set(names)
        kept = [index for index, name in enumerate(self.names) if name in wanted]
        return AttributeScores(
            self.found_NA[:, kept], self.reference_NA[:, kept], tuple(self.names[index] for index in kept)
        )

    @property
    def count(self) -> int:
        """Number of pictures."""
        return len(self.found_NA)

    @property
    def accuracy_per_attribute(self) -> NDArray[np.float64]:
        """Share of pictures right about each attribute; NaN where none is specified."""
        return _accuracies(self._sums().sum(axis=0))

    @property
    def balanced_per_attribute(self) -> NDArray[np.float64]:
        """Mean of the rates right among pictures with and without the attribute; NaN unless there are both."""
        return _balanced(self._sums().sum(axis=0))

    @property
    def accuracy(self) -> float:
        """Mean accuracy over attributes."""
        return float(_mean(self.accuracy_per_attribute))

    @property
    def balanced(self) -> float:
        """Mean balanced accuracy over the attributes that occur both ways; guessing gives 0.5."""
        return float(_mean(self.balanced_per_attribute))

    def majority_per_attribute(self, majority: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
        """Accuracy per attribute of always answering `majority`, bool (A,), for example the training split's.

        Without it, of the better constant answer for this reference.
        """
        positive = (self.reference_NA > 0).sum(axis=0)
        negative = (self.reference_NA < 0).sum(axis=0)
        answer = positive >= negative if majority is None else majority
        return _ratio(np.where(answer, positive, negative), positive + negative)

    def majority(self, majority: NDArray[np.bool_] | None = None) -> float:
        """Mean over attributes of `majority_per_attribute`: the floor of every attribute accuracy."""
        return float(_mean(self.majority_per_attribute(majority)))

    def spread(
        self,
        statistic: str = "accuracy",
        conditions_N: NDArray[np.int64] | None = None,
        *,
        seed: int = 0,
        rounds: int = 1000,
    ) -> Spread:
        """Half-width of the 95 % interval of "accuracy" or "balanced" over conditions (see `resampling.bootstrap_spread`)."""
        of = {"accuracy": _accuracies, "balanced": _balanced}[statistic]
        sums = self._sums()
        sums_NM = sums.reshape(self.count, -1)
        return bootstrap_spread(
            sums_NM,
            lambda drawn: _mean(of(drawn.reshape(-1, *sums.shape[1:]))),
            conditions_N=conditions_N,
            seed=seed,
            rounds=rounds,
        )

    def _sums(self) -> NDArray[np.float64]:
        """(N, 4, A): found and there, there, not found and not there, not there."""
        there, absent = self.reference_NA > 0, self.reference_NA < 0
        return np.stack([self.found_NA & there, there, ~self.found_NA & absent, absent], axis=1).astype(np.float64)


def _accuracies(sums_4A: NDArray[np.float64]) -> NDArray[np.float64]:
    hits, there, rejections, absent = np.moveaxis(sums_4A, -2, 0)
    return _ratio(hits + rejections, there + absent)


def _balanced(sums_4A: NDArray[np.float64]) -> NDArray[np.float64]:
    hits, there, rejections, absent = np.moveaxis(sums_4A, -2, 0)
    return (_ratio(hits, there) + _ratio(rejections, absent)) / 2


def _mean(values_A: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over the last axis of what is not NaN; NaN where all of it is."""
    known = ~np.isnan(values_A)
    return _ratio(np.where(known, values_A, 0.0).sum(axis=-1), known.sum(axis=-1))


def _ratio(upper: NDArray, lower: NDArray) -> NDArray[np.float64]:
    """upper / lower in float64, NaN where lower is 0."""
    upper, lower = np.asarray(upper, dtype=np.float64), np.asarray(lower, dtype=np.float64)
    return np.divide(upper, lower, out=np.full(np.broadcast(upper, lower).shape, np.nan), where=lower != 0)
