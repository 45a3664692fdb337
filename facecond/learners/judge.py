"""What the training of the two judges has in common: one network, pictures, and nothing to be done between steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Generic, TypeVar

from torch import nn

from facecond.config.training import JudgeTrainingConfig, TrainerConfig
from facecond.data.batches import ResidentData
from facecond.training.capture import Passes
from facecond.training.learner import Items, Phase, Total
from facecond.training.stream import stream_items

N = TypeVar("N", bound=nn.Module)
C = TypeVar("C", bound=JudgeTrainingConfig)


class JudgeLearner(Generic[N, C]):
    """All of `facecond.training.learner.Learner` but `loss` and `evaluate`. `train` and `validation` hold pictures."""

    name: ClassVar[str]
    """Of the network, in checkpoints and weights."""

    def __init__(
        self,
        network: N,
        config: C,
        trainer: TrainerConfig,
        *,
        train: ResidentData,
        validation: ResidentData,
        identity: Mapping[str, Any],
    ) -> None:
        self.network, self.config, self.trainer = network, config, trainer
        self.train, self.validation, self.identity = train, validation, dict(identity)
        self.modules: Mapping[str, nn.Module] = {self.name: network}
        self.phases = (Phase(self.name, (self.name,)),)
        self.exported = (self.name,)
        self.averaged = self.exported if trainer.ema_decay > 0 else ()
        self.logits = Passes(self.in_training(), trainer.capture)

    def in_training(self) -> nn.Module:
        """The network as training calls it."""
        return self.network

    def items(self, images_seen: int, global_batch: int) -> Items:
        """Return the items of the global batch that follows `images_seen`."""
        return stream_items(self.trainer, images_seen, global_batch, len(self.train))

    def after_step(self, images_seen: int, images_total: int, total: Total) -> dict[str, float]:
        """Nothing is due."""
        return {}
