"""Training the attribute classifier: cross-entropy on what is known (the paper, section 4: attribute accuracy)."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from facecond.config.training import JudgeTrainingConfig
from facecond.faces.attributes import ATTRIBUTES
from facecond.judges.classifier import ClassifierNetwork, attribute_loss, classify
from facecond.learners.augment import augment, move
from facecond.learners.judge import JudgeLearner
from facecond.metrics.faithfulness import AttributeScores
from facecond.training.learner import Evaluation, Step
from facecond.training.stream import validation_pieces


class ClassifierLearner(JudgeLearner[ClassifierNetwork, JudgeTrainingConfig]):
    """Satisfies `facecond.training.learner.Learner`."""

    name = "classifier"

    def loss(self, phase: str, step: Step) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the cross-entropy over known attributes (mean over all of them in the micro-batch)."""
        images_BCHW, labels_BHW, attributes_BA = self.train.images(step.indices_B, step.flips_B)
        images_BCHW, _ = move(images_BCHW, labels_BHW, self.config, step)
        logits_BA = self.logits(step, augment(images_BCHW, self.config, step))
        loss = attribute_loss(logits_BA.float(), attributes_BA)
        known_BA = attributes_BA != 0
        right_BA = (logits_BA.detach() > 0) == (attributes_BA > 0)
        accuracy = (right_BA & known_BA).sum() / known_BA.sum().clamp(min=1)
        return loss, {"loss": loss.detach(), "accuracy": accuracy}

    def evaluate(self, images_seen: int) -> Evaluation:
        """Return accuracies on validation pictures, beside that of the majority's constant answer."""
        parts = []
        for indices in validation_pieces(self.trainer, len(self.validation)):
            images_BCHW, _, attributes_BA = self.validation.images(indices)
            found_BA = classify(self.network, images_BCHW).cpu().numpy()
            parts.append(AttributeScores(found_BA, attributes_BA.cpu().numpy()))
        scores = AttributeScores.merge(parts)
        figures = {"accuracy": scores.accuracy, "balanced": scores.balanced, "majority": scores.majority()}
        named = zip(ATTRIBUTES, scores.accuracy_per_attribute, strict=True)
        figures |= {f"accuracy_{name}": float(value) for name, value in named if not np.isnan(value)}
        return Evaluation(figures)
