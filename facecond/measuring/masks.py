"""Do samples follow a label map? Judged by a face parser (the paper, section 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from facecond.conditions.table import measured_by
from facecond.measuring.agreement import Agreement

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from facecond.io.results import Figure
    from facecond.metrics.faithfulness import Confusion


class MaskAgreement(Agreement["Confusion"]):
    """Confusion matrices of the maps asked for and the maps seen: mask mIoU, mask accuracy, mean of per-image mIoU."""

    detector = "parser"
    condition = measured_by("miou")

    def score(self, asked: NDArray[np.uint8], seen: NDArray[np.uint8]) -> Confusion:
        """Count the pixels of label maps (n, H, W)."""
        from facecond.metrics.faithfulness import Confusion

        return Confusion.of(asked, seen)

    def merge(self, parts: Sequence[Confusion]) -> Confusion:
        """Join images."""
        from facecond.metrics.faithfulness import Confusion

        return Confusion.merge(parts)

    def show(
        self, scores: Confusion, ceiling: Confusion | None, floor: Confusion, marks: Mapping[str, Confusion]
    ) -> list[Figure]:
        """See `metrics.figures.mask_figures`."""
        from facecond.metrics.figures import mask_figures

        evidence = self.evidence
        return mask_figures(
            scores, ceiling=ceiling, floor=floor, marks=marks,
            conditions_N=evidence.conditions_N, circumstances=evidence.circumstances(self),
        )  # fmt: skip
