"""Do the edges of samples lie on the lines of a sketch? No network: edges are found as those of sketches are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from facecond.conditions.table import measured_by
from facecond.measuring.agreement import Agreement

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from facecond.io.results import Figure
    from facecond.metrics.lines import LineMatches


class EdgeAgreement(Agreement["LineMatches"]):
    """Edges of pictures matched with lines, within a pixel."""

    condition = measured_by("edges")
    looks = True

    def seen(self, images: NDArray[np.uint8], found: None) -> NDArray[np.bool_]:
        """The edges of pictures (n, H, W, 3): bool (n, H, W)."""
        import numpy as np

        from facecond.faces.lines import edges

        return np.stack([edges(image) for image in images])

    def score(self, asked: NDArray[np.uint8], seen: NDArray[np.bool_]) -> LineMatches:
        """Match edges with lines."""
        from facecond.metrics.lines import LineMatches

        return LineMatches.of(asked, seen)

    def merge(self, parts: Sequence[LineMatches]) -> LineMatches:
        """Join pictures."""
        from facecond.metrics.lines import LineMatches

        return LineMatches.merge(parts)

    def show(
        self, scores: LineMatches, ceiling: LineMatches | None, floor: LineMatches, marks: Mapping[str, LineMatches]
    ) -> list[Figure]:
        """See `metrics.figures.line_figures`."""
        from facecond.metrics.figures import line_figures

        evidence = self.evidence
        return line_figures(
            scores, ceiling=ceiling, floor=floor, marks=marks,
            conditions_N=evidence.conditions_N, circumstances=evidence.circumstances(self),
        )  # fmt: skip
