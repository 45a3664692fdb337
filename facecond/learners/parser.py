"""Training the face parser: cross-entropy on label maps, rare classes counting more (the paper, section 4: mask
accuracy).
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from facecond.config.training import ParserTrainingConfig
from facecond.faces.labels import CLASSES, UNSPECIFIED, colourise
from facecond.judges.parser import ParserNetwork, parse
from facecond.learners.augment import augment, move
from facecond.learners.judge import JudgeLearner
from facecond.learners.rarity import class_weights, count_classes
from facecond.metrics.faithfulness import Confusion
from facecond.training.learner import Evaluation, Step
from facecond.training.stream import validation_pieces


class Heads(nn.Module):
    """The logits of every head."""

    def __init__(self, network: ParserNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, images_BCHW: Tensor) -> tuple[Tensor, ...]:
        """uint8 pictures (B, 3, H, W) -> float32 logits (B, 19, H, W) of each head."""
        return tuple(self.network.training_logits(images_BCHW))


class ParserLearner(JudgeLearner[ParserNetwork, ParserTrainingConfig]):
    """Satisfies `facecond.training.learner.Learner`."""

    name = "parser"

    @cached_property
    def weights_K(self) -> Tensor:  # noqa: N802 - the suffix is the shape
        """float32 (19,): weight of each class, from its frequency in the training pictures."""
        return class_weights(count_classes(self.train), self.config.class_weight_power).to(self.train.device)

    def loss(self, phase: str, step: Step) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the weighted cross-entropy over pixels, summed over the parser's heads."""
        images_BCHW, labels_BHW, _ = self.train.images(step.indices_B, step.flips_B)
        images_BCHW, labels_BHW = move(images_BCHW, labels_BHW, self.config, step)
        images_BCHW = augment(images_BCHW, self.config, step)
        heads = self.logits(step, images_BCHW)
        losses = [self._cross_entropy(logits_BKHW, labels_BHW) for logits_BKHW in heads]
        loss = torch.stack(losses).sum()
        right_BHW = heads[0].detach().argmax(1) == labels_BHW
        return loss, {"loss": loss.detach(), "accuracy": right_BHW.float().mean()}

    def in_training(self) -> nn.Module:
        """The network with all of its heads."""
        return Heads(self.network)

    def _cross_entropy(self, logits_BKHW: Tensor, labels_BHW: Tensor) -> Tensor:
        # Not divided by the weights of this batch: the mean over pixels is the same however a batch is divided.
        losses_BHW = F.cross_entropy(
            logits_BKHW.float(), labels_BHW.long(), self.weights_K, ignore_index=UNSPECIFIED, reduction="none"
        )
        return losses_BHW.mean()

    def evaluate(self, images_seen: int) -> Evaluation:
        """Return mIoU, accuracy, the IoU of every class on validation pictures, and a few with their maps."""
        parts, grid = [], None
        for indices in validation_pieces(self.trainer, len(self.validation)):
            images_BCHW, labels_BHW, _ = self.validation.images(indices)
            found = parse(self.network, images_BCHW).cpu().numpy()
            reference = labels_BHW.cpu().numpy()
            parts.append(Confusion.of(reference, found))
            if grid is None and self.trainer.sample_grid:
                grid = _grid(images_BCHW[: self.trainer.sample_grid].cpu().numpy(), reference, found)
        confusion = Confusion.merge(parts)
        figures = {"miou": confusion.mean_iou, "accuracy": confusion.accuracy}
        figures |= {f"iou_{name}": float(value) for name, value in zip(CLASSES, confusion.iou_per_class, strict=True)}
        return Evaluation(figures, grid)


def _grid(
    images_BCHW: NDArray[np.uint8], reference_BHW: NDArray[np.uint8], found_BHW: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Return a row each of pictures, their label maps, and the maps that were found."""
    count = len(images_BCHW)
    rows = [
        np.concatenate(list(images_BCHW.transpose(0, 2, 3, 1)), axis=1),
        np.concatenate([colourise(labels) for labels in reference_BHW[:count]], axis=1),
        np.concatenate([colourise(labels) for labels in found_BHW[:count]], axis=1),
    ]
    return np.concatenate(rows, axis=0)
