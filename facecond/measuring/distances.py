"""How far is the distribution of samples from that of real pictures? (The paper's FID and KID, and the same in other features.)"""

from __future__ import annotations

from typing import TYPE_CHECKING

from facecond.measuring.features import FeatureScores
from facecond.measuring.measure import RECONSTRUCTIONS, REFERENCE, SAMPLES

if TYPE_CHECKING:
    from collections.abc import Callable

    from facecond.io.results import Figure
    from facecond.metrics.influence import Distance


class Distances(FeatureScores):
    """Frechet and kernel distance of samples from the validation split; ceiling: one half of the split from the other."""

    sets = (SAMPLES, RECONSTRUCTIONS, REFERENCE)

    def figures(self) -> dict[str, Figure]:
        """See `metrics.figures.distance_figure`."""
        from facecond.metrics.figures import distance_figure
        from facecond.metrics.frechet import frechet_distance
        from facecond.metrics.kernel import kernel_distance

        def figure(name: str, published: str, title: str, distance: Callable[..., Distance]) -> Figure:
            evidence = self.evidence
            detector = evidence.detectors[self.detector]
            other = f"in the features of {detector.name}, not of Inception: not {published.upper()}"
            heading = published.upper() if detector.published else f"{title} distance, {detector.name} features"
            samples, reference = self.features(SAMPLES), self.features(REFERENCE)
            again = self.features(RECONSTRUCTIONS) if RECONSTRUCTIONS in evidence.sets else None
            return distance_figure(
                distance(samples, reference), name=published if detector.published else name, title=heading,
                ceiling=distance(reference[::2], reference[1::2]).value if len(reference) > 3 else None, halves=len(reference) // 2,
                marks={} if again is None else {"reconstructions": distance(again, reference).value}, against=len(reference),
                conditions_N=evidence.conditions_N, circumstances=evidence.circumstances(self, "" if detector.published else other),
            )  # fmt: skip

        return {
            "fid": figure("frechet_distance", "fid", "Frechet", frechet_distance),
            "kid": figure("kernel_distance", "kid", "Kernel", kernel_distance),
        }
