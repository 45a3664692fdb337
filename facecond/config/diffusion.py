"""Schema of the diffusion model, its conditions, its weighting, sampling and guidance (the paper, sections 3 and 4).

Defaults are the paper's values.
"""

from dataclasses import dataclass, field
from enum import Enum

from facecond.config.bounds import bounded
from facecond.config.denoisers import DenoiserConfig, UNetConfig
from facecond.config.kinds import ModelConfig


class Pooling(Enum):
    """How the mask encoder ends."""

    none = "none"
    """Every cell of the last map is a token: the paper's E_mnp."""
    average = "average"
    """Global average, one token: the paper's E_m."""


class Norm(Enum):
    """Normalisation inside the mask encoder."""

    batch = "batch"
    """BatchNorm, as in ResNet-18 and the paper."""
    group = "group"
    """GroupNorm: the same arithmetic in training and in use, for small batches."""


class ScheduleShape(Enum):
    """How latents become noise; keys of `facecond.diffusion.schedule.SCHEDULES`."""

    linear_sqrt = "linear_sqrt"
    """Betas linear in their square root: latent diffusion."""
    linear = "linear"
    """Betas linear: DDPM."""
    straight = "straight"
    """The straight line between data and noise: rectified flow."""


class LevelDraw(Enum):
    """How often training looks at each noise level; keys of `facecond.diffusion.schedule.DRAWS`."""

    uniform = "uniform"
    """Every level equally often."""
    logit_normal = "logit_normal"
    """The middle more often than the ends."""


class Target(Enum):
    """What the network answers; keys of `facecond.diffusion.prediction.ANSWERS`."""

    eps = "eps"
    """The noise: the paper."""
    x0 = "x0"
    """The clean latents."""
    v = "v"
    """alpha eps - sigma x0."""
    velocity = "velocity"
    """eps - x0, the direction of the straight line."""


class Weighting(Enum):
    """Weight of the squared error at a timestep."""

    p2 = "p2"
    """1 / (k + SNR)^gamma."""
    uniform = "uniform"
    """1."""
    min_snr = "min_snr"
    """min(SNR, snr_cap) / SNR."""


class Sampler(Enum):
    """Ways from noise to latents; keys of `facecond.diffusion.samplers.SAMPLERS`."""

    ddim = "ddim"
    """DDIM, the paper's."""
    dpmpp = "dpmpp"
    """DPM-Solver++ (2M): the fast one, second order."""


@dataclass(kw_only=True, slots=True)
class ScheduleConfig:
    """The forward process, and how its noise levels are drawn in training."""

    shape: ScheduleShape = ScheduleShape.linear_sqrt
    """How latents become noise."""
    timesteps: int = bounded(1000, minimum=2)
    """linear_sqrt, linear: training timesteps."""
    beta_start: float = bounded(0.0015, above=0.0, maximum=1.0)
    """linear_sqrt, linear: beta of the first timestep."""
    beta_end: float = bounded(0.0195, above=0.0, maximum=1.0)
    """linear_sqrt, linear: beta of the last timestep."""
    levels: LevelDraw = LevelDraw.uniform
    """How often training looks at each noise level."""
    level_mean: float = 0.0
    """logit_normal: mean of the level's logit; above 0 = more noise."""
    level_deviation: float = bounded(1.0, above=0.0)
    """logit_normal: standard deviation of the level's logit."""


@dataclass(kw_only=True, slots=True)
class AttributesConditionConfig:
    """The attribute encoder: an MLP, 40 attributes -> one token."""

    hidden: list[int] = field(default_factory=lambda: [512])
    """Widths of the hidden layers."""


@dataclass(kw_only=True, slots=True)
class MaskConditionConfig:
    """The mask encoder: a ResNet-18 without its classifier, 18 part masks -> one token or a grid of tokens."""

    width: int = bounded(64, minimum=1)
    """Channels of the first stage."""
    channel_mult: list[int] = field(default_factory=lambda: [1, 2, 4, 8])
    """Channels of each stage, in widths; ResNet-18 has four stages."""
    depth: int = bounded(2, minimum=1)
    """Residual blocks per stage."""
    norm: Norm = Norm.batch
    """Normalisation of every convolution."""
    pooling: Pooling = Pooling.none
    """Tokens for every cell, or their average as one token."""
    resolution: int = bounded(256, minimum=1)
    """Height and width of the label maps, in pixels: the resolution of the pack."""
    grid: int = bounded(8, minimum=1)
    """Cells of the last map along each side; resolution / grid must be a power of two. 8 gives 64 tokens."""


@dataclass(kw_only=True, slots=True)
class DiffusionConfig(ModelConfig):
    """The conditional latent diffusion model: encoders of the conditions and the denoiser."""

    conditions: list[str] = field(default_factory=lambda: ["attributes", "mask"])
    """What the model is told, in the order of its tokens: attributes, mask, both, or nothing."""
    token_width: int = bounded(512, minimum=1)
    """Width of a token."""
    attributes: AttributesConditionConfig = field(default_factory=AttributesConditionConfig)
    """Encoder of the attributes."""
    mask: MaskConditionConfig = field(default_factory=MaskConditionConfig)
    """Encoder of the masks."""
    denoiser: DenoiserConfig = field(default_factory=UNetConfig)
    """The network that removes the noise."""
    target: Target = Target.eps
    """What the network answers."""
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    """The forward process."""
    condition_dropout: float = bounded(0.0, minimum=0.0, maximum=1.0)
    """Share of training items for which a condition is withheld, drawn for each condition apart. Above 0 the model gets
    learned null tokens, and with them guidance and conditions that may be left out. The paper has 0."""
    mask_dropout: float | None = bounded(None, minimum=0.0, maximum=1.0)
    """`condition_dropout` for the mask alone; none = the same. Higher when attributes must work without a map."""
    partial_dropout: float = bounded(0.0, minimum=0.0, maximum=1.0)
    """Share of training items for which a random part of each condition (some attributes; some face parts, or a box of the
    map) is withheld, so that single attributes and regions may be left unspecified. Above 0 it creates null tokens as well."""
    standardise_latents: bool = False
    """Shift and scale the latents to mean 0 and deviation 1 per channel (statistics of the training split)."""


@dataclass(kw_only=True, slots=True)
class WeightingConfig:
    """Weight of the squared error at a timestep, as a function of its signal-to-noise ratio."""

    name: Weighting = Weighting.p2
    """Formula."""
    k: float = bounded(1.0, minimum=0.0)
    """p2: added to the SNR."""
    gamma: float = bounded(0.5, minimum=0.0)
    """p2: exponent; 0 is latent diffusion's plain loss."""
    snr_cap: float = bounded(5.0, above=0.0)
    """min_snr: SNR above which the weight falls."""
    of: Target | None = None
    """Whose squared error is weighted: eps, x0, v or velocity; none = of what the network answers."""


@dataclass(kw_only=True, slots=True)
class SamplerConfig:
    """How latents are made from noise."""

    name: Sampler = Sampler.ddim
    """Method."""
    steps: int = bounded(500, minimum=1)
    """Steps, which is evaluations of the model, guidance apart; at most the schedule's timesteps, where it has any."""
    eta: float = bounded(0.0, minimum=0.0, maximum=1.0)
    """Fresh noise per step: 0 deterministic (the paper's "d."), 1 stochastic (the paper's "s.")."""


@dataclass(kw_only=True, slots=True)
class GuidanceConfig:
    """How far to go in the direction of each condition; 1 everywhere is the plain model and costs one evaluation."""

    attributes: float = bounded(1.0, minimum=0.0)
    """Weight of what the attributes add to the mask."""
    mask: float = bounded(1.0, minimum=0.0)
    """Weight of what the mask adds to nothing."""
