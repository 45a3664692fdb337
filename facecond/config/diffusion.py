"""Schema of the diffusion model, its conditions, its weighting, sampling and guidance (the paper, sections 3 and 4).

Defaults are the paper's values.
"""

from dataclasses import dataclass, field
from enum import Enum

from facecond.bounds import WIDEST, bounded, with_fields
from facecond.conditions.condition import ConditionSettings
from facecond.conditions.table import CONDITIONS, chosen
from facecond.config.kinds import ModelConfig
from facecond.config.networks import DenoiserConfig, UNetConfig


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


class MapLoss(Enum):
    """What a generator of maps is trained by."""

    squared_error = "squared_error"
    """The squared error of what `target` says, as for latents."""
    cross_entropy = "cross_entropy"
    """-log p of each pixel's class: the network names classes (`facecond.diffusion.classes`)."""


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
    timesteps: int = bounded(1000, minimum=2, maximum=1_000_000)
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


@with_fields(
    (each.name, each.settings, field(default_factory=each.settings), f"Encoder of the {each.name}.")
    for each in CONDITIONS.values()
)
@dataclass(kw_only=True, slots=True)
class DiffusionConfig(ModelConfig):
    """The conditional latent diffusion model: encoders of the conditions and the denoiser."""

    conditions: list[str] = field(default_factory=list)
    """What the model is told: names of conditions, or nothing."""
    token_width: int = bounded(512, minimum=1, maximum=WIDEST)
    """Width of a token."""
    denoiser: DenoiserConfig = field(default_factory=UNetConfig)
    """The network that removes the noise."""
    target: Target = Target.eps
    """What the network answers."""
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    """The forward process."""
    condition_dropout: float = bounded(0.0, minimum=0.0, maximum=1.0)
    """Share of training items for which a condition is withheld, drawn for each condition apart. Above 0 the model gets
    learned null tokens, and with them guidance and conditions that may be left out. The paper has 0."""
    joint_dropout: float = bounded(0.0, minimum=0.0, maximum=1.0)
    """Share of training items for which all conditions are withheld together, so that the model learns well what guidance
    starts from: being told nothing. Above 0 it creates null tokens as well."""
    partial_dropout: float = bounded(0.0, minimum=0.0, maximum=1.0)
    """Share of training items for which a random part of each condition (some attributes; some classes, or a box, of a
    map) is withheld, so that single attributes and regions may be left unspecified. Above 0 it creates null tokens as well."""
    standardise_latents: bool = False
    """Shift and scale the latents to mean 0 and deviation 1 per channel (statistics of the training split)."""
    noise_candidates: int = bounded(1, minimum=1, maximum=1024)
    """Noises drawn for each training item, which learns from the one nearest to its latents: less mixed paths from noise to latents
    (Improved Immiscible Diffusion, arXiv 2505.18521). 1 = any noise: the paper."""

    def told(self) -> dict[str, ConditionSettings]:
        """Settings of the conditions this model has, by name. Raises ConfigError for a condition that does not exist."""
        return {each.name: getattr(self, each.name) for each in chosen(self.conditions)}

    def dropout_of(self, name: str) -> float:
        """Share of training items for which the condition `name` is withheld as a whole, apart from the others."""
        own: float | None = getattr(self, name).dropout
        return self.condition_dropout if own is None else own

    @property
    def optional(self) -> bool:
        """Whether conditions may be left out, wholly or in part: the model has learned null tokens."""
        return max(self.joint_dropout, self.partial_dropout, *map(self.dropout_of, self.conditions), 0.0) > 0


@dataclass(kw_only=True, slots=True)
class MapsConfig(DiffusionConfig):
    """The generator of label maps: diffusion on the maps themselves, one channel per class, told attributes and a part of a map."""

    balance: float = bounded(1.0, minimum=0.0, maximum=1.0)
    """Exponent of a class's deviation, which its channel is divided by where `standardise_latents`: 0 leaves rare classes as faint
    as they are, 1 makes all equally strong, so that the rarest are settled in the first steps of sampling."""
    loss: MapLoss = MapLoss.squared_error
    """What training minimises."""
    strength: float = bounded(1.0, above=0.0)
    """How strong all channels are beside the noise. A map's pixels tell of one another, so that at 1 all but its edges is settled
    close to pure noise, in very few of a sampler's steps; below 1 it is settled over more of them (Chen 2023, arXiv 2301.10972)."""
    temperature: float = bounded(0.45, above=0.0)
    """cross_entropy, sampling: what the network's answer is divided by. A small network is too unsure of single pixels, and draws
    ragged edges at 1 (the score temperature of Dieleman et al. 2022, section 5)."""


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
    steps: int = bounded(500, minimum=1, maximum=1_000_000)
    """Steps, which is evaluations of the model, guidance apart; at most the schedule's timesteps, where it has any."""
    eta: float = bounded(0.0, minimum=0.0, maximum=1.0)
    """Fresh noise per step: 0 deterministic (the paper's "d."), 1 stochastic (the paper's "s.")."""


@with_fields(
    (each.name, float | None, bounded(None, minimum=0.0), f"Weight of what the {each.name} adds; none = `scale`.")
    for each in CONDITIONS.values()
)
@dataclass(kw_only=True, slots=True)
class GuidanceConfig:
    """How far to go in the direction of each condition (classifier-free guidance; `facecond.diffusion.guidance`)."""

    scale: float = bounded(1.0, minimum=0.0)
    """Weight of every condition that has none of its own; 1 everywhere is the plain model and costs one evaluation."""

    def weight(self, name: str) -> float:
        """Weight of the condition `name`."""
        own: float | None = getattr(self, name)
        return self.scale if own is None else own
