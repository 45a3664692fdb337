"""How far is the distribution of samples from that of real pictures? (The paper's FID and KID, and the same in other features.)"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from facecond.measuring.features import FeatureScores
from facecond.measuring.measure import RECONSTRUCTIONS, REFERENCE, SAMPLES

if TYPE_CHECKING:
    from facecond.io.results import Figure
    from facecond.metrics.influence import Distance


FEW = 50
"""Pictures below which a distance says nothing."""


class FeatureDistance(FeatureScores):
    """A distance of samples from the validation split; ceiling: one half of the split from the other."""

    sets = (SAMPLES, RECONSTRUCTIONS, REFERENCE)
    published: ClassVar[str]
    """Name of the figure on the published features."""
    word: ClassVar[str]
    """Whose distance it is otherwise."""

    @abstractmethod
    def between(self, one: Any, two: Any) -> Distance:
        """The distance of two sets of features, (N, D) and (M, D)."""

    def figures(self) -> dict[str, Figure]:
        """See `metrics.figures.distance_figure`."""
        from facecond.metrics.figures import distance_figure

        evidence, detector = self.evidence, self.evidence.detectors[self.detector]
        name, title, caution = self.published, self.published.upper(), ""
        if not detector.published:
            name, title = f"{self.word}_distance", f"{self.word.capitalize()} distance, {detector.name} features"
            caution = f"in the features of {detector.name}, not of Inception: not {self.published.upper()}"
        reference = self.features(REFERENCE)
        few = min(len(self.features(SAMPLES)), len(reference))
        if few < FEW:
            caution = "; ".join(filter(None, [caution, f"{few} pictures are too few for a distribution"]))
        marks = {}
        if RECONSTRUCTIONS in evidence.sets:
            marks["reconstructions"] = self.between(self.features(RECONSTRUCTIONS), reference).value
        halves = (reference[::2], reference[1::2]) if len(reference) > 3 else None
        figure = distance_figure(
            self.between(self.features(SAMPLES), reference), name=name, title=title, against=len(reference), marks=marks,
            ceiling=self.between(*halves).value if halves else None, halves=len(reference) // 2,
            conditions_N=evidence.conditions_N, circumstances=evidence.circumstances(self, caution),
        )  # fmt: skip
        return {self.published: figure}


class Frechet(FeatureDistance):
    """FID on Inception's features."""

    published, word = "fid", "frechet"

    def between(self, one: Any, two: Any) -> Distance:
        """See `metrics.frechet`."""
        from facecond.metrics.frechet import frechet_distance

        return frechet_distance(one, two)


class Kernel(FeatureDistance):
    """KID on Inception's features."""

    published, word = "kid", "kernel"

    def between(self, one: Any, two: Any) -> Distance:
        """See `metrics.kernel`."""
        from facecond.metrics.kernel import kernel_distance

        return kernel_distance(one, two)
