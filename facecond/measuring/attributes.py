"""Do samples have the attributes they were asked to have? Judged by an attribute classifier (the paper, section 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from facecond.conditions.table import measured_by
from facecond.measuring.agreement import Agreement

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from facecond.io.results import Figure
    from facecond.metrics.faithfulness import AttributeScores


class AttributeAgreement(Agreement["AttributeScores"]):
    """Attributes seen beside attributes asked for: accuracy and balanced accuracy, of all, mask-free and mask-implied ones."""

    detector = "classifier"
    condition = measured_by("attributes")

    def score(self, asked: NDArray[np.int8], seen: NDArray[np.bool_]) -> AttributeScores:
        """Keep both, (n, 40)."""
        from facecond.metrics.faithfulness import AttributeScores

        return AttributeScores(seen, asked)

    def merge(self, parts: Sequence[AttributeScores]) -> AttributeScores:
        """Join pictures."""
        from facecond.metrics.faithfulness import AttributeScores

        return AttributeScores.merge(parts)

    def show(
        self,
        scores: AttributeScores,
        ceiling: AttributeScores | None,
        floor: AttributeScores,
        marks: Mapping[str, AttributeScores],
    ) -> list[Figure]:
        """See `metrics.figures.attribute_figures`; the majority is that of the training split."""
        from facecond.metrics.figures import attribute_figures

        evidence = self.evidence
        training = evidence.behind.own(self.condition, evidence.behind.pack.indices("train"))
        return attribute_figures(
            scores, ceiling=ceiling, floor=floor, marks=marks,
            majority=(training > 0).sum(0) >= (training < 0).sum(0),
            conditions_N=evidence.conditions_N, circumstances=evidence.circumstances(self),
        )  # fmt: skip
