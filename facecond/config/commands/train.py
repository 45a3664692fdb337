"""Trained models and encoded packs: `facecond train` and `encode`."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from facecond.bounds import bounded, with_fields
from facecond.config.commands.base import MISSING, ComputeConfig, launched
from facecond.config.diffusion import GuidanceConfig, SamplerConfig, WeightingConfig
from facecond.config.kinds import ModelConfig
from facecond.config.models import (
    ClassifierModelConfig,
    DiffusionConfig,
    FirstStageModelConfig,
    MapsConfig,
    ParserModelConfig,
)
from facecond.config.training import TrainerConfig


@with_fields(launched())
@dataclass(kw_only=True, slots=True)
class TrainConfig(ComputeConfig):
    """`facecond train`: one model on one pack; what every kind of model has."""

    name: str | None = None
    """Name of the run; none = model, size and pack."""
    model: ModelConfig = MISSING
    """(The classes below narrow this type for type checkers only: OmegaConf fills a section whose type is a model's with that
    model's defaults, denoiser included, before it takes what was chosen.)"""
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    minutes: float | None = bounded(None, minimum=0.1)
    """Time to plan for on this machine, minutes: a short timing at the start turns it into trainer.images, and sets warm-up,
    evaluations and checkpoints to match; they are written down, and a run that is continued keeps them. none = as configured."""
    init: str | None = None
    """Weights to start from; none = from scratch. A run or a weights file of the same kind of model; or a file of CompVis latent
    diffusion (first stage, U-Net), of face-parsing.PyTorch (parser), or torchvision's resnet18 (classifier)."""
    memory: str | None = None
    """Memory that each process is to fit, with its unit: 24GB; none = what a GPU has free, or a share of the host's.
    trainer.micro_batch=auto keeps to it, and --dry-run says whether it is enough; with device=cuda also where there is no GPU."""


@dataclass(kw_only=True, slots=True)
class TrainGenerativeConfig(TrainConfig):
    """`facecond train` of a model that diffuses, pictures or label maps."""

    if TYPE_CHECKING:
        model: DiffusionConfig
    weighting: WeightingConfig = field(default_factory=WeightingConfig)
    sampler: SamplerConfig = field(default_factory=SamplerConfig)
    """Sampler of the sample grids, and the run's default afterwards."""
    guidance: GuidanceConfig = field(default_factory=GuidanceConfig)
    """Guidance of the sample grids, and the run's default afterwards."""


@dataclass(kw_only=True, slots=True)
class TrainDiffusionConfig(TrainGenerativeConfig):
    """`facecond train` of a diffusion model."""

    first_stage: str | None = None
    """Run of `model=vq` whose latents a diffusion model learns; null = the latest that encoded the pack; none = no first stage, the
    pictures themselves are learnt."""


@dataclass(kw_only=True, slots=True)
class TrainMapsConfig(TrainGenerativeConfig):
    """`facecond train model=maps`."""

    if TYPE_CHECKING:
        model: MapsConfig


@dataclass(kw_only=True, slots=True)
class TrainFirstStageConfig(TrainConfig):
    """`facecond train model=vq`."""

    if TYPE_CHECKING:
        model: FirstStageModelConfig


@dataclass(kw_only=True, slots=True)
class TrainParserConfig(TrainConfig):
    """`facecond train model=parser`."""

    if TYPE_CHECKING:
        model: ParserModelConfig


@dataclass(kw_only=True, slots=True)
class TrainClassifierConfig(TrainConfig):
    """`facecond train model=classifier`."""

    if TYPE_CHECKING:
        model: ClassifierModelConfig


TRAINING: dict[str, type[TrainConfig]] = {
    "diffusion": TrainDiffusionConfig,
    "maps": TrainMapsConfig,
    "vq": TrainFirstStageConfig,
    "parser": TrainParserConfig,
    "classifier": TrainClassifierConfig,
}
"""Configuration of `facecond train` for each kind of model."""


@with_fields(launched())
@dataclass(kw_only=True, slots=True)
class EncodeConfig(ComputeConfig):
    """`facecond encode`: latents of every picture of a pack, computed once."""

    first_stage: str | None = None
    """Run of `model=vq`, or a file of weights, which is then kept in WORKSPACE/first_stages; none = the latest run."""
    norm_groups: int | None = bounded(None, minimum=1)
    """Groups of normalisation of a first stage in a file of latent diffusion, the one size its tensors do not show; none = 32, or
    the most below that divide its channels."""
    flips: bool = True
    """Also encode every picture mirrored (encoding does not commute with mirroring)."""
    batch_size: int = bounded(32, minimum=1, maximum=65_536)
    """Pictures encoded at once."""
