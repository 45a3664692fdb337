"""Do samples look real, and are all real pictures among what is sampled? Precision, recall, density and coverage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from facecond.errors import DataError
from facecond.measuring.features import FEW, FeatureScores
from facecond.measuring.measure import REFERENCE, SAMPLES

if TYPE_CHECKING:
    from facecond.io.results import Figure
    from facecond.measuring.evidence import Evidence

K = 5
"""Neighbours that a ball reaches to."""


class Manifold(FeatureScores):
    """The four numbers of samples against the validation split; ceiling: one half of the split against the other."""

    sets = (SAMPLES, REFERENCE)

    def __init__(self, evidence: Evidence) -> None:
        """Raises DataError, before anything is looked at, when the sets are too small."""
        super().__init__(evidence)
        samples, reference = len(evidence.sets[SAMPLES]), len(evidence.sets[REFERENCE])
        if min(samples, reference) <= K:
            raise DataError(
                f"{samples} samples and {reference} real pictures are too few for {K} neighbours",
                hint=f"measure more than {K} of each",
            )

    def figures(self) -> dict[str, Figure]:
        """See `metrics.figures.neighbour_figures`."""
        from facecond.metrics.figures import neighbour_figures
        from facecond.metrics.neighbours import Neighbours

        samples, reference = self.features(SAMPLES), self.features(REFERENCE)
        halves = Neighbours.of(*self.halves(REFERENCE), K) if len(reference) > 2 * K + 1 else None
        few = min(len(samples), len(reference))
        caution = f"{few} pictures are too few for a distribution" if few < FEW else ""
        figures = neighbour_figures(
            Neighbours.of(samples, reference, K), features=self.evidence.detectors[self.detector].name, k=K, halves=halves,
            conditions_N=self.evidence.conditions_N, circumstances=self.evidence.circumstances(self, caution),
        )  # fmt: skip
        return {figure.name: figure for figure in figures}
