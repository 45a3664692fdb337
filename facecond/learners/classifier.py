"""Training the attribute classifier: cross-entropy on what is known (the paper, section 4: attribute accuracy)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor, nn

from facecond.config.training import JudgeTrainingConfig, TrainerConfig
from facecond.data.batches import ResidentData
from facecond.faces.attributes import ATTRIBUTES
from facecond.judges.classifier import ResNet18Classifier, SmallClassifier, attribute_loss
from facecond.learners.augment import augment
from facecond.learners.stream import stream_items, validation_pieces
from facecond.metrics.faithfulness import AttributeScores
from facecond.training.learner import Evaluation, Items, Phase, Step, Total


class ClassifierLearner:
    """Satisfies `facecond.training.learner.Learner`. `train` and `validation` hold pictures."""

    phases = (Phase("classifier", ("classifier",)),)
    exported = ("classifier",)

    def __init__(
        self,
        classifier: ResNet18Classifier | SmallClassifier,
        config: JudgeTrainingConfig,
        trainer: TrainerConfig,
        *,
        train: ResidentData,
        validation: ResidentData,
        identity: Mapping[str, Any],
    ) -> None:
        self.classifier, self.config, self.trainer = classifier, config, trainer
        self.train, self.validation = train, validation
        self.modules: Mapping[str, nn.Module] = {"classifier": classifier}
        self.averaged = ("classifier",) if trainer.ema_decay > 0 else ()
        self.identity = dict(identity)

    def items(self, images_seen: int, global_batch: int) -> Items:
        """Return the items of the global batch that follows `images_seen`."""
        return stream_items(self.trainer, images_seen, global_batch, len(self.train))

    def loss(self, phase: str, step: Step) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the cross-entropy over known attributes (mean over all of them in the micro-batch)."""
        images_BCHW, _, attributes_BA = self.train.images(step.indices_B, step.flips_B)
        with step.autocast():
            logits_BA = self.classifier(augment(images_BCHW, self.config, step))
        loss = attribute_loss(logits_BA.float(), attributes_BA)
        known_BA = attributes_BA != 0
        right_BA = (logits_BA.detach() > 0) == (attributes_BA > 0)
        accuracy = (right_BA & known_BA).sum() / known_BA.sum().clamp(min=1)
        return loss, {"loss": loss.detach(), "accuracy": accuracy}

    def after_step(self, images_seen: int, images_total: int, total: Total) -> dict[str, float]:
        """Nothing is due."""
        return {}

    def evaluate(self, images_seen: int) -> Evaluation:
        """Return accuracies on validation pictures, beside that of the majority's constant answer."""
        parts = []
        for indices in validation_pieces(self.trainer, len(self.validation)):
            images_BCHW, _, attributes_BA = self.validation.images(indices)
            found_BA = (self.classifier(images_BCHW) > 0).cpu().numpy()
            parts.append(AttributeScores(found_BA, attributes_BA.cpu().numpy()))
        scores = AttributeScores.merge(parts)
        figures = {"accuracy": scores.accuracy, "balanced": scores.balanced, "majority": scores.majority()}
        named = zip(ATTRIBUTES, scores.accuracy_per_attribute, strict=True)
        figures |= {f"accuracy_{name}": float(value) for name, value in named if not np.isnan(value)}
        return Evaluation(figures)
