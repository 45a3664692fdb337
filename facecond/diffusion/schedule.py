"""Forward processes: which noise levels there are, which ones training draws, which ones sampling visits.

`BetaSchedule` is DDPM's (equations 2-4) with latent diffusion's betas; `StraightLine` is the flow z = (1 - s) x0 + s eps
(Liu et al. 2023). A level is named by its time (`Level.time`). Everything is computed in float64.
"""

import math
from collections.abc import Callable
from enum import Enum
from typing import Protocol

import torch
from torch import Tensor

from facecond.config.diffusion import LevelDraw, ScheduleConfig, ScheduleShape
from facecond.errors import ConfigError
from facecond.types import Level

LEAST_SIGNAL = 1e-12
"""The smallest abar: what a network says of the noise still tells the clean latents there in float64."""


class Spacing(Enum):
    """How a sampler's levels are spread."""

    time = "time"
    """Evenly in time."""
    log_snr = "log_snr"
    """Evenly in the logarithm of the signal-to-noise ratio, where both ends of the schedule have one; else in time."""


class Schedule(Protocol):
    """What training and samplers ask of a forward process."""

    def draw(self, count: int, source: torch.Generator) -> Tensor:
        """Return the times (count,) of a training batch, drawn from `source` as configured, on the CPU."""
        ...

    def spread(self, count: int) -> Tensor:
        """Return `count` rising times that cover the schedule evenly, on the CPU: the levels of a validation."""
        ...

    def at(self, time_B: Tensor) -> Level[Tensor]:
        """Return the levels at times of `draw` or `spread`, float64 (B,), on their device; `time` is `time_B`."""
        ...

    def falling(self, steps: int, spacing: Spacing) -> list[Level[float]]:
        """Return the `steps` levels at which a sampler asks for a prediction, noisiest first, and the one where it ends.

        Raises ConfigError when the schedule has not as many levels.
        """
        ...


class BetaSchedule:
    """Training timesteps 0..T-1 with alpha = sqrt(abar_t) and sigma = sqrt(1 - abar_t).

    `betas`, `alphas_cumprod` (abar) and `snr` = abar / (1 - abar) are float64 (T,) on the CPU. Neither end is pure:
    sampling starts at abar_{T-1} above 0 and ends at abar_0 below 1, as in latent diffusion.
    """

    def __init__(self, config: ScheduleConfig | None = None) -> None:
        config = config or ScheduleConfig()
        if config.beta_end < config.beta_start:
            raise ConfigError(
                f"schedule.beta_end={config.beta_end:g} is below schedule.beta_start={config.beta_start:g}",
                hint="noise has to grow with the timestep",
            )
        self.config = config
        self.betas = _BETAS[config.shape](config)
        self.alphas_cumprod = torch.cumprod(1 - self.betas, dim=0)
        if self.alphas_cumprod[-1] < LEAST_SIGNAL:
            raise ConfigError(
                f"schedule.beta_end={config.beta_end:g} and schedule.timesteps={config.timesteps} leave no signal at the end",
                hint="lower one of them, or choose schedule.shape=straight, which goes all the way to noise",
            )
        self.snr = self.alphas_cumprod / (1 - self.alphas_cumprod)
        self._tables: dict[torch.device, tuple[Tensor, Tensor]] = {}

    @property
    def timesteps(self) -> int:
        """Number of training timesteps T."""
        return self.config.timesteps

    def draw(self, count: int, source: torch.Generator) -> Tensor:
        """int64 timesteps (count,); see `Schedule`."""
        if self.config.levels is LevelDraw.uniform:
            return torch.randint(self.timesteps, (count,), generator=source)
        share = DRAWS[self.config.levels](self.config, count, source)
        return (share * self.timesteps).long().clamp(max=self.timesteps - 1)

    def spread(self, count: int) -> Tensor:
        """int64 timesteps (count,); see `Schedule`."""
        return (torch.arange(count) * 2 + 1) * self.timesteps // (2 * count)

    def at(self, time_B: Tensor) -> Level[Tensor]:
        """Levels at int64 timesteps; see `Schedule`."""
        if time_B.device not in self._tables:
            exact = (self.alphas_cumprod.sqrt(), (1 - self.alphas_cumprod).sqrt())
            self._tables[time_B.device] = exact[0].to(time_B.device), exact[1].to(time_B.device)
        alpha_T, sigma_T = self._tables[time_B.device]
        return Level(alpha_T[time_B], sigma_T[time_B], time_B)

    def falling(self, steps: int, spacing: Spacing) -> list[Level[float]]:
        """Timesteps from the noisy end, and then timestep 0, where latent diffusion's sampling ends; see `Schedule`."""
        if not 1 <= steps <= self.timesteps:
            raise ConfigError(f"sampler.steps={steps} is out of range", hint=f"expected 1 to {self.timesteps}")
        abar = self.alphas_cumprod.tolist()
        return [
            Level(math.sqrt(abar[t]), math.sqrt(1 - abar[t]), float(t)) for t in _TIMESTEPS[spacing](self.snr, steps)
        ]


class StraightLine:
    """z = (1 - s) x0 + s eps for s in [0, 1]; the time is 1000 s. Sampling goes from pure noise to pure data.

    Training stays `MARGIN` away from both ends, so that every kind of answer can be converted there.
    """

    MARGIN = 1e-3

    def __init__(self, config: ScheduleConfig | None = None) -> None:
        self.config = config or ScheduleConfig(shape=ScheduleShape.straight)

    def draw(self, count: int, source: torch.Generator) -> Tensor:
        """float64 times (count,); see `Schedule`."""
        share = DRAWS[self.config.levels](self.config, count, source)
        return 1000 * share.clamp(self.MARGIN, 1 - self.MARGIN)

    def spread(self, count: int) -> Tensor:
        """float64 times (count,); see `Schedule`."""
        return 1000 * (torch.arange(count, dtype=torch.float64) + 0.5).div(count).clamp(self.MARGIN, 1 - self.MARGIN)

    def at(self, time_B: Tensor) -> Level[Tensor]:
        """Levels at float64 times; see `Schedule`."""
        s_B = time_B.double() / 1000
        return Level(1 - s_B, s_B, time_B)

    def falling(self, steps: int, spacing: Spacing) -> list[Level[float]]:
        """`steps` equal steps from s = 1 to s = 0, whatever the spacing: lambda is infinite at both; see `Schedule`."""
        if steps < 1:
            raise ConfigError(f"sampler.steps={steps} is out of range", hint="expected at least 1")
        return [Level(i / steps, 1 - i / steps, 1000 * (1 - i / steps)) for i in range(steps + 1)]


SCHEDULES: dict[ScheduleShape, Callable[[ScheduleConfig], Schedule]] = {
    ScheduleShape.linear_sqrt: BetaSchedule,
    ScheduleShape.linear: BetaSchedule,
    ScheduleShape.straight: StraightLine,
}


def schedule_of(config: ScheduleConfig) -> Schedule:
    """Return the forward process of `config`. Raises ConfigError when its values contradict one another."""
    return SCHEDULES[config.shape](config)


def _linear_sqrt(config: ScheduleConfig) -> Tensor:
    """Betas of latent diffusion: linspace(sqrt(start), sqrt(end), T)^2, float64 (T,)."""
    return torch.linspace(config.beta_start**0.5, config.beta_end**0.5, config.timesteps, dtype=torch.float64) ** 2


def _linear(config: ScheduleConfig) -> Tensor:
    """Betas of DDPM: linspace(start, end, T), float64 (T,)."""
    return torch.linspace(config.beta_start, config.beta_end, config.timesteps, dtype=torch.float64)


_BETAS = {ScheduleShape.linear_sqrt: _linear_sqrt, ScheduleShape.linear: _linear}


def _uniform(config: ScheduleConfig, count: int, source: torch.Generator) -> Tensor:
    return torch.rand(count, generator=source, dtype=torch.float64)


def _logit_normal(config: ScheduleConfig, count: int, source: torch.Generator) -> Tensor:
    """Esser et al. 2024, section 3.1, equation 19."""
    normal = torch.randn(count, generator=source, dtype=torch.float64)
    return (config.level_mean + config.level_deviation * normal).sigmoid()


DRAWS: dict[LevelDraw, Callable[[ScheduleConfig, int, torch.Generator], Tensor]] = {
    LevelDraw.uniform: _uniform,
    LevelDraw.logit_normal: _logit_normal,
}
"""How far towards pure noise, in [0, 1], the levels of a training batch lie: float64 (count,)."""


def _even_in_time(snr_T: Tensor, steps: int) -> list[int]:
    """DDIM's timesteps in latent diffusion, falling, and 0.

    Where T is a multiple of `steps` they are latent diffusion's, range(0, T, T // steps) + 1; otherwise
    floor(i T / steps) + 1, which is the same rule. `steps` = T visits T-1..0 (the rule would leave the schedule), so
    that the last step changes nothing.
    """
    timesteps = len(snr_T)
    if steps == timesteps:
        return [*range(timesteps - 1, -1, -1), 0]
    return [*(i * timesteps // steps + 1 for i in range(steps - 1, -1, -1)), 0]


def _even_in_log_snr(snr_T: Tensor, steps: int) -> list[int]:
    """Timesteps spaced evenly in lambda = log(SNR) / 2, falling from T-1 to 0.

    Rounded to whole timesteps that all differ (except at `steps` = T, where the last step stays at 0).
    """
    last = len(snr_T) - 1
    if steps == len(snr_T):
        return [*range(last, -1, -1), 0]
    lambdas_T = snr_T.log() / 2
    aims = torch.linspace(float(lambdas_T[last]), float(lambdas_T[0]), steps + 1, dtype=torch.float64)
    levels = [int((lambdas_T - aim).abs().argmin()) for aim in aims]
    for i in range(steps - 1, -1, -1):  # from the clean end: every level lies above the next
        levels[i] = max(levels[i], levels[i + 1] + 1)
    levels[0] = last
    for i in range(1, steps + 1):  # and from the noisy end: below the one before
        levels[i] = min(levels[i], levels[i - 1] - 1)
    return levels


_TIMESTEPS: dict[Spacing, Callable[[Tensor, int], list[int]]] = {
    Spacing.time: _even_in_time,
    Spacing.log_snr: _even_in_log_snr,
}
