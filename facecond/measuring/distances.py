"""How far is the distribution of samples from that of real pictures? (The paper's FID and KID, and the same in other features.)"""

from __future__ import annotations

from typing import TYPE_CHECKING

from facecond.measuring.measure import RECONSTRUCTIONS, REFERENCE, SAMPLES, Scores

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from facecond.io.results import Figure
    from facecond.measuring.evidence import Evidence
    from facecond.metrics.influence import Distance


class Distances(Scores):
    """Frechet and kernel distance of samples from the validation split; ceiling: one half of the split from the other."""

    detector = "features"
    sets = (SAMPLES, RECONSTRUCTIONS, REFERENCE)

    def __init__(self, evidence: Evidence) -> None:
        super().__init__(evidence)
        self._pieces: dict[str, list[NDArray[np.float32]]] = {}

    def add(
        self, which: str, rows: NDArray[np.int64], images: NDArray[np.uint8], found: NDArray[np.float32] | None
    ) -> None:
        """Keep the features (n, D); those that are on the disk stay there."""
        if found is not None and self.evidence.kept is None:
            self._pieces.setdefault(which, []).append(found)

    def figures(self) -> dict[str, Figure]:
        """See `metrics.figures.distance_figure`."""
        from facecond.metrics.figures import distance_figure
        from facecond.metrics.frechet import frechet_distance
        from facecond.metrics.kernel import kernel_distance

        def figure(name: str, published: str, title: str, distance: Callable[..., Distance]) -> Figure:
            evidence = self.evidence
            detector = evidence.detectors[self.detector]
            heading = published.upper() if detector.published else f"{title} distance, {detector.name} features"
            samples, reference = self._features(SAMPLES), self._features(REFERENCE)
            again = self._features(RECONSTRUCTIONS) if RECONSTRUCTIONS in evidence.sets else None
            return distance_figure(
                distance(samples, reference), name=published if detector.published else name, title=heading,
                ceiling=distance(reference[::2], reference[1::2]).value if len(reference) > 3 else None, halves=len(reference) // 2,
                marks={} if again is None else {"reconstructions": distance(again, reference).value}, against=len(reference),
                conditions_N=evidence.conditions_N, circumstances=evidence.circumstances(self),
            )  # fmt: skip

        return {
            "fid": figure("frechet_distance", "fid", "Frechet", frechet_distance),
            "kid": figure("kernel_distance", "kid", "Kernel", kernel_distance),
        }

    def _features(self, which: str) -> NDArray[np.float32]:
        import numpy as np

        kept = self.evidence.kept_by(self.detector, which)
        if kept is not None:
            return kept.read(np.arange(len(self.evidence.sets[which])))
        return np.concatenate(self._pieces[which])
