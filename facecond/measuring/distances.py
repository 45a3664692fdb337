"""How far is the distribution of samples from that of real pictures? (The paper's FID and KID, and later ones.)"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from facecond.errors import DataError
from facecond.measuring.features import FEW, FeatureScores, require_several
from facecond.measuring.measure import AVERAGE, RECONSTRUCTIONS, REFERENCE, SAMPLES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from facecond.io.results import Figure
    from facecond.measuring.evidence import Evidence
    from facecond.metrics.frechet import Gaussian
    from facecond.metrics.influence import Distance


class FeatureDistance(FeatureScores):
    """A distance of samples from the validation split; ceiling: one half of the split from the other; floor: its average."""

    sets = (SAMPLES, RECONSTRUCTIONS, REFERENCE, AVERAGE)
    published: ClassVar[tuple[str, str]]
    """Name and title of the figure on the published features."""
    otherwise: ClassVar[tuple[str, str]]
    """On others."""
    words: ClassVar[str] = "of fewer pictures it is larger"
    """What is to be known of it, for the results."""
    least: ClassVar[int] = 2
    """Conditions, or pictures without any, that samples must have; of fewer reconstructions the distance is not shown."""

    def __init__(self, evidence: Evidence) -> None:
        """Raises DataError, before anything is looked at, when a set is too small."""
        super().__init__(evidence)
        units = evidence.conditions
        if units < self.least:
            words = "pictures" if evidence.items is None else "conditions"
            raise DataError(
                f"{units} {words} are too few for {self.published[1]}", hint=f"measure {self.least} or more of them"
            )
        require_several(len(evidence.sets[REFERENCE]), evidence.reference, self.published[1])

    def summary(self, features_ND: NDArray[np.float32], which: str | None = None) -> Any:
        """What is compared of the features of a set, or of a part of one (None): themselves, unless overridden."""
        return features_ND

    @abstractmethod
    def between(self, one: Any, two: Any, conditions_N: NDArray[np.int64] | None = None) -> Distance:
        """The distance of two summaries; `conditions_N` as in `Evidence`, of the first set."""

    def caution(self, samples: NDArray[np.float32]) -> str:
        """Why the distance of these features (N, D) may say less than it seems to."""
        return ""

    def figures(self) -> dict[str, Figure]:
        """See `metrics.figures.distance_figure`."""
        from facecond.metrics.figures import distance_figure

        evidence, detector = self.evidence, self.evidence.detectors[self.detector]
        (name, title), cautions = self.published, [""]
        if not detector.published:
            name, title = self.otherwise[0], f"{self.otherwise[1]}, {detector.name} features"
            cautions.append(f"in the features of {detector.name}, not of Inception: not {self.published[1]}")
        samples, reference = self.features(SAMPLES), self.features(REFERENCE)
        conditions_N = evidence.conditions_N
        few = min(len(samples), len(reference))
        if few < FEW:
            cautions.append(f"{few} pictures are too few for a distribution")
        cautions.append(self.caution(samples))
        marks, real = {}, self.summary(reference, REFERENCE)
        if RECONSTRUCTIONS in evidence.sets and len(evidence.sets[RECONSTRUCTIONS]) >= self.least:
            again = self.summary(self.features(RECONSTRUCTIONS), RECONSTRUCTIONS)
            marks["reconstructions"] = self.between(again, real).value
        enough = len(reference) >= 2 * self.least
        halves = [self.summary(half) for half in self.halves(REFERENCE)] if enough else []
        figure = distance_figure(
            self.between(self.summary(samples, SAMPLES), real, conditions_N), name=name, title=title,
            against=len(reference), words=self.words, marks=marks,
            ceiling=self.between(*halves).value if halves else None, halves=len(reference) // 2,
            floor=self.between(self.summary(self.features(AVERAGE)), real).value,
            conditions_N=conditions_N, circumstances=evidence.circumstances(self, "; ".join(filter(None, cautions))),
        )  # fmt: skip
        return {figure.name: figure}


class Frechet(FeatureDistance):
    """FID on Inception's features."""

    published, otherwise = ("fid", "FID"), ("frechet_distance", "Frechet distance")

    def summary(self, features_ND: NDArray[np.float32], which: str | None = None) -> Gaussian:
        """A Gaussian; that of a whole set is kept where its features are."""
        from facecond.metrics.frechet import Gaussian

        kept = self.evidence.kept_by(self.detector, which) if which else None
        statistics = kept.gaussian() if kept else None
        if statistics is not None and statistics.whole:
            return Gaussian.of(features_ND, statistics.whole_array())
        found = Gaussian.of(features_ND)
        if statistics is not None and (worked_out := found.statistics) is not None:
            statistics.keep(worked_out)
        return found

    def between(self, one: Any, two: Any, conditions_N: NDArray[np.int64] | None = None) -> Distance:
        """See `metrics.frechet`."""
        from facecond.metrics.frechet import between

        return between(one, two)


class FrechetAtInfinity(FeatureDistance):
    """FID-infinity on Inception's features."""

    published = ("fid_infinity", "FID-infinity")
    otherwise = ("frechet_distance_infinity", "Frechet distance at infinitely many samples")
    words = "read off a line through all, halves and thirds of the samples; of a smaller reference it is larger"
    least = 6

    def between(self, one: Any, two: Any, conditions_N: NDArray[np.int64] | None = None) -> Distance:
        """See `metrics.extrapolation`."""
        from facecond.metrics.extrapolation import frechet_at_infinity

        return frechet_at_infinity(one, two, conditions_N)

    def caution(self, samples: NDArray[np.float32]) -> str:
        """Say where the line that is extrapolated is known to bend."""
        from facecond.metrics.extrapolation import CUTS

        smallest, width = len(samples) // CUTS[-1], samples.shape[1]
        return (
            f"extrapolated from parts of {smallest} samples, fewer than the {width} features"
            if smallest < width
            else ""
        )


class Kernel(FeatureDistance):
    """KID on Inception's features."""

    published, otherwise = ("kid", "KID"), ("kernel_distance", "Kernel distance")
    words = "of fewer pictures it is less certain, and on average the same"

    def between(self, one: Any, two: Any, conditions_N: NDArray[np.int64] | None = None) -> Distance:
        """See `metrics.kernel`."""
        from facecond.metrics.kernel import kernel_distance

        return kernel_distance(one, two)


class Sliced(FeatureDistance):
    """MIND on Inception's features."""

    published = ("mind", "MIND")
    otherwise = ("sliced_wasserstein_distance", "Sliced Wasserstein distance")
    words = "squared, along 1000 directions by chance, times three times the features; of fewer pictures it is larger"

    def between(self, one: Any, two: Any, conditions_N: NDArray[np.int64] | None = None) -> Distance:
        """See `metrics.sliced`."""
        from facecond.metrics.sliced import sliced_distance

        return sliced_distance(one, two)
