"""Are samples clear, and of many kinds? Judged by ImageNet's classes (the Inception score, and the same of other classifiers)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from facecond.measuring.features import FEW, FeatureScores, Network, require_several
from facecond.measuring.measure import RECONSTRUCTIONS, REFERENCE, SAMPLES

if TYPE_CHECKING:
    from facecond.io.results import Figure
    from facecond.measuring.evidence import Evidence


class ClassScores(FeatureScores):
    """The score of samples; ceiling: the validation split. Classes follow from the features that distances are measured on."""

    sets = (SAMPLES, RECONSTRUCTIONS, REFERENCE)
    classes = True

    def __init__(self, evidence: Evidence) -> None:
        """Raises DataError, before anything is looked at, when a set is too small."""
        super().__init__(evidence)
        for which, words in ((SAMPLES, "the samples"), (REFERENCE, evidence.reference)):
            require_several(len(evidence.sets[which]), words, "a score of classes")

    def figures(self) -> dict[str, Figure]:
        """See `metrics.figures.class_figure`."""
        from facecond.metrics.classes import class_score
        from facecond.metrics.figures import class_figure

        evidence, detector = self.evidence, self.evidence.detectors[self.detector]
        if not isinstance(detector, Network) or detector.classes is None:
            raise ValueError(f"{detector.name} tells no classes")
        name, title, cautions = "inception_score", "Inception score", [""]
        if not detector.published:
            name, title = "class_score", f"Class score, {detector.name} classes"
            cautions.append(f"of the classes {detector.name} sees, not Inception: not the Inception score")
        scores = {
            which: class_score(self.features(which), detector.classes) for which in self.sets if which in evidence.sets
        }
        count = len(evidence.sets[SAMPLES])
        if count < FEW:
            cautions.append(f"{count} pictures are too few for a distribution")
        marks = {RECONSTRUCTIONS: scores[RECONSTRUCTIONS].value} if RECONSTRUCTIONS in scores else {}
        figure = class_figure(
            scores[SAMPLES], name=name, title=title, ceiling=scores[REFERENCE].value, real=len(evidence.sets[REFERENCE]),
            marks=marks, conditions_N=evidence.conditions_N,
            circumstances=evidence.circumstances(self, "; ".join(filter(None, cautions))),
        )  # fmt: skip
        return {figure.name: figure}
