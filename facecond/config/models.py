"""What `model=` chooses between: one configuration per kind of model, its network beside what is particular to its training."""

from dataclasses import dataclass, field
from typing import Any

from facecond.config.diffusion import DiffusionConfig, MapsConfig
from facecond.config.kinds import ModelConfig
from facecond.config.launcher import LAUNCHERS, LauncherConfig
from facecond.config.networks import DENOISERS, ClassifierConfig, DenoiserConfig, ParserConfig, VQConfig, VQLossConfig
from facecond.config.training import FirstStageTrainingConfig, JudgeTrainingConfig, ParserTrainingConfig


@dataclass(kw_only=True, slots=True)
class FirstStageModelConfig(ModelConfig):
    """`model=vq`."""

    network: VQConfig = field(default_factory=VQConfig)
    """The autoencoder."""
    loss: VQLossConfig = field(default_factory=VQLossConfig)
    """What it learns from."""
    training: FirstStageTrainingConfig = field(default_factory=FirstStageTrainingConfig)
    """What is frozen, and when codes are filled and restarted."""


@dataclass(kw_only=True, slots=True)
class ParserModelConfig(ModelConfig):
    """`model=parser`."""

    network: ParserConfig = field(default_factory=ParserConfig)
    """The face parser."""
    training: ParserTrainingConfig = field(default_factory=ParserTrainingConfig)
    """Class weights and what is done to training pictures."""


@dataclass(kw_only=True, slots=True)
class ClassifierModelConfig(ModelConfig):
    """`model=classifier`."""

    network: ClassifierConfig = field(default_factory=ClassifierConfig)
    """The attribute classifier."""
    training: JudgeTrainingConfig = field(default_factory=JudgeTrainingConfig)
    """What is done to training pictures."""


MODELS: dict[str, type[ModelConfig]] = {
    "diffusion": DiffusionConfig,
    "maps": MapsConfig,
    "vq": FirstStageModelConfig,
    "parser": ParserModelConfig,
    "classifier": ClassifierModelConfig,
}
"""Configuration class of each kind of model."""

GENERATIVE = ("diffusion", "maps")
"""Kinds that diffuse: they have a denoiser and conditions, a weighting, a sampler and guidance."""

VARIANTS: dict[Any, dict[str, Any]] = {ModelConfig: MODELS, DenoiserConfig: DENOISERS, LauncherConfig: LAUNCHERS}
"""Sections of a configuration that are one of several classes."""
