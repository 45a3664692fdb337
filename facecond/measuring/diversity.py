"""How different are samples of one condition? (The paper, section 4: LPIPS among ten samples, averaged over conditions.)"""

from __future__ import annotations

from typing import TYPE_CHECKING

from facecond.errors import DataError
from facecond.measuring.measure import REAL, VARIATIONS, Scores
from facecond.measuring.perceptual import not_lpips

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from facecond.io.results import Figure
    from facecond.measuring.evidence import Evidence


class Diversity(Scores):
    """Mean perceptual distance over pairs of samples of one condition, averaged over conditions.

    With rows whose squared distance is the perceptual one, the mean over all pairs is 2 / (n - 1) times the sum of squared
    distances from the mean row: each picture is looked at once, and no pair is.
    """

    detector = "perceptual"
    sets = (VARIATIONS, REAL)

    def __init__(self, evidence: Evidence) -> None:
        from facecond.metrics.pairs import Pairs

        super().__init__(evidence)
        self._distances: list[float] = []
        self._real = Pairs()

    def add(
        self, which: str, rows: NDArray[np.int64], images: NDArray[np.uint8], found: NDArray[np.float32] | None
    ) -> None:
        """Take in embedded pictures (n, E); the variations of a condition come together."""
        import numpy as np

        if found is None:
            raise ValueError("diversity needs a detector")
        if which == REAL:
            self._real.add(found)
            return
        varied = self.evidence.varied
        items = np.zeros(len(rows)) if varied is None else varied[rows]
        for item in np.unique(items):
            same = found[items == item].astype(np.float64)
            if len(same) < 2:
                raise DataError(
                    f"one sample only of {self.evidence.behind.pack.ids[item]}, and diversity is between several",
                    hint="make several of each condition: facecond sample samples=10",
                )
            self._distances.append(2 / (len(same) - 1) * float(((same - same.mean(axis=0)) ** 2).sum()))

    def figures(self) -> dict[str, Figure]:
        """See `metrics.figures.diversity_figure`."""
        import numpy as np

        from facecond.metrics.figures import diversity_figure

        evidence = self.evidence
        detector = evidence.detectors[self.detector]
        name, title, caution = "lpips", "LPIPS diversity", ""
        if not detector.published:
            name, title = "perceptual_distance", f"Perceptual diversity, {detector.name} features"
            caution = not_lpips(detector)
        figure = diversity_figure(
            np.array(self._distances), name=name, title=title, samples=len(evidence.sets[VARIATIONS]),
            apart=self._real.mean, circumstances=evidence.circumstances(self, caution),
        )  # fmt: skip
        return {"lpips": figure}
