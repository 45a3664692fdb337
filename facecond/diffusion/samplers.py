"""From noise to latents: DDIM (the paper's sampler) and DPM-Solver++ 2M (the fast one).

A sampler is a function of (predict_noise, noise, schedule, its options, a source of noise). It knows no network, no
condition and no file. All coefficients are computed in float64 before the first step; the loop multiplies and adds.
"""

import itertools
import math
from collections.abc import Callable
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from facecond.config.diffusion import Sampler
from facecond.diffusion.schedule import Schedule
from facecond.errors import ConfigError
from facecond.types import Context, NoiseSource, PredictNoise

OnStep = Callable[[int, Tensor], None]
"""Called after sampling step 0, 1, ... with the latents it left."""


class SampleLatents(Protocol):
    """What every entry of SAMPLERS is."""

    def __call__(
        self,
        predict_noise: PredictNoise,
        noise_BCHW: Tensor,
        schedule: Schedule,
        *,
        steps: int,
        eta: float = 0.0,
        context: Context | None = None,
        noise_source: NoiseSource | None = None,
        on_step: OnStep | None = None,
    ) -> Tensor:
        """Return latents in the shape and precision of `noise_BCHW` (standard normal, float).

        `steps` evaluations of `predict_noise`, 1..T; `eta` >= 0 scales the noise added in each step, which
        `noise_source` gives (not asked when eta is 0). Raises ConfigError for a number of steps that is out of range.
        """
        ...


class DDIMStep(NamedTuple):
    """z <- scale * z + noise_scale * eps + sigma * fresh noise, with eps predicted at `timestep`."""

    timestep: int
    scale: float
    noise_scale: float
    sigma: float


class DPMStep(NamedTuple):
    """z <- scale * z + now * x0 + before * (x0 of the step before) + sigma * fresh noise.

    x0 = x0_scale * z + x0_noise * eps is the prediction of the clean latents, with eps predicted at `timestep`.
    """

    timestep: int
    x0_scale: float
    x0_noise: float
    scale: float
    now: float
    before: float
    sigma: float


def ddim_timesteps(steps: int, timesteps: int = 1000) -> list[int]:
    """Return the training timesteps DDIM visits, rising.

    Where `timesteps` is a multiple of `steps` they are latent diffusion's, range(0, T, T // steps) + 1; otherwise
    floor(i T / steps) + 1, which is the same rule. `steps` = T visits 0..T-1 (the rule would leave the schedule).
    """
    _check_steps(steps, timesteps)
    if steps == timesteps:
        return list(range(timesteps))
    return [i * timesteps // steps + 1 for i in range(steps)]


def ddim_plan(schedule: Schedule, steps: int, eta: float) -> list[DDIMStep]:
    """Return the steps of DDIM in the order they are taken (Song et al. 2021, equations 12 and 16).

    The last step goes to abar_0, as in latent diffusion, not to 1; at `steps` = T it therefore changes nothing.
    """
    abar = schedule.alphas_cumprod.tolist()
    rising = ddim_timesteps(steps, schedule.timesteps)
    plan = []
    for t, before in zip(reversed(rising), [*reversed(rising[:-1]), 0], strict=True):
        here, there = abar[t], abar[before]
        sigma = eta * math.sqrt((1 - there) / (1 - here) * (1 - here / there))
        if sigma**2 > 1 - there:
            raise ConfigError(f"sampler.eta={eta:g} adds more noise than a step can hold", hint="expected 0 to 1")
        scale = math.sqrt(there / here)
        noise_scale = math.sqrt(1 - there - sigma**2) - scale * math.sqrt(1 - here)
        plan.append(DDIMStep(t, scale, noise_scale, sigma))
    return plan


@torch.no_grad()
def ddim(
    predict_noise: PredictNoise,
    noise_BCHW: Tensor,
    schedule: Schedule,
    *,
    steps: int,
    eta: float = 0.0,
    context: Context | None = None,
    noise_source: NoiseSource | None = None,
    on_step: OnStep | None = None,
) -> Tensor:
    """DDIM; see `SampleLatents`. First order; eta 0 is the paper's "d.", eta 1 its "s."."""
    source = _source(noise_source, eta)
    z_BCHW = noise_BCHW
    for step, (t, scale, noise_scale, sigma) in enumerate(ddim_plan(schedule, steps, eta)):
        eps_BCHW = predict_noise(z_BCHW, _filled(t, z_BCHW), context).to(z_BCHW.dtype)
        z_BCHW = scale * z_BCHW + noise_scale * eps_BCHW
        if sigma > 0:
            z_BCHW = z_BCHW + sigma * source(step)
        if on_step is not None:
            on_step(step, z_BCHW)
    return z_BCHW


def dpmpp_timesteps(schedule: Schedule, steps: int) -> list[int]:
    """Return the levels DPM-Solver++ goes through, falling: `steps` timesteps to predict at, then 0, where it ends.

    Spaced evenly in the half log signal-to-noise ratio lambda, rounded to whole timesteps that all differ (except at
    `steps` = T, where the last step stays at 0).
    """
    _check_steps(steps, schedule.timesteps)
    last = schedule.timesteps - 1
    if steps == schedule.timesteps:
        return [*range(last, -1, -1), 0]
    lambdas_T = schedule.snr.log() / 2
    aims = torch.linspace(float(lambdas_T[last]), float(lambdas_T[0]), steps + 1, dtype=torch.float64)
    levels = [int((lambdas_T - aim).abs().argmin()) for aim in aims]
    for i in range(steps - 1, -1, -1):  # from the clean end: every level lies above the next
        levels[i] = max(levels[i], levels[i + 1] + 1)
    levels[0] = last
    for i in range(1, steps + 1):  # and from the noisy end: below the one before
        levels[i] = min(levels[i], levels[i - 1] - 1)
    return levels


def dpmpp_plan(schedule: Schedule, steps: int, eta: float) -> list[DPMStep]:
    """Return the steps of DPM-Solver++ 2M in the order they are taken (Lu et al. 2022b, algorithm 2).

    With eta > 0 they are those of the corresponding stochastic solver (section 5: SDE-DPM-Solver++), eta 1 being the
    reverse-time diffusion itself. The last step goes to abar_0, like DDIM's.
    """
    abar = schedule.alphas_cumprod.tolist()
    levels = dpmpp_timesteps(schedule, steps)
    plan = []
    h_before = 0.0
    for t, then in itertools.pairwise(levels):
        alpha, sigma = math.sqrt(abar[t]), math.sqrt(1 - abar[t])
        alpha_then, sigma_then = math.sqrt(abar[then]), math.sqrt(1 - abar[then])
        h = math.log(alpha_then / sigma_then) - math.log(alpha / sigma)
        gain = -alpha_then * math.expm1(-(1 + eta) * h)
        slope = gain * h / (2 * h_before) if h_before else 0.0  # 1 / (2 r), r = h_before / h
        plan.append(
            DPMStep(
                timestep=t,
                x0_scale=1 / alpha,
                x0_noise=-sigma / alpha,
                scale=sigma_then / sigma * math.exp(-eta * h),
                now=gain + slope,
                before=-slope,
                sigma=sigma_then * math.sqrt(-math.expm1(-2 * eta * h)),
            )
        )
        h_before = h
    return plan


@torch.no_grad()
def dpmpp(
    predict_noise: PredictNoise,
    noise_BCHW: Tensor,
    schedule: Schedule,
    *,
    steps: int,
    eta: float = 0.0,
    context: Context | None = None,
    noise_source: NoiseSource | None = None,
    on_step: OnStep | None = None,
) -> Tensor:
    """DPM-Solver++ 2M; see `SampleLatents`. Second order in the step, one evaluation per step."""
    source = _source(noise_source, eta)
    z_BCHW = noise_BCHW
    x0_before_BCHW: Tensor | None = None
    for index, step in enumerate(dpmpp_plan(schedule, steps, eta)):
        eps_BCHW = predict_noise(z_BCHW, _filled(step.timestep, z_BCHW), context).to(z_BCHW.dtype)
        x0_BCHW = step.x0_scale * z_BCHW + step.x0_noise * eps_BCHW
        z_BCHW = step.scale * z_BCHW + step.now * x0_BCHW
        if x0_before_BCHW is not None:
            z_BCHW = z_BCHW + step.before * x0_before_BCHW
        if step.sigma > 0:
            z_BCHW = z_BCHW + step.sigma * source(index)
        x0_before_BCHW = x0_BCHW
        if on_step is not None:
            on_step(index, z_BCHW)
    return z_BCHW


SAMPLERS: dict[Sampler, SampleLatents] = {Sampler.ddim: ddim, Sampler.dpmpp: dpmpp}


def _check_steps(steps: int, timesteps: int) -> None:
    if not 1 <= steps <= timesteps:
        raise ConfigError(f"sampler.steps={steps} is out of range", hint=f"expected 1 to {timesteps}")


def _source(noise_source: NoiseSource | None, eta: float) -> NoiseSource:
    if eta < 0:
        raise ConfigError(f"sampler.eta={eta:g} is negative", hint="expected 0 to 1")
    if noise_source is not None:
        return noise_source
    if eta > 0:
        raise ValueError("a sampler with eta > 0 needs a noise source")

    def silent(step: int) -> Tensor:
        raise RuntimeError("a deterministic sampler asked for noise")

    return silent


def _filled(t: int, z_BCHW: Tensor) -> Tensor:
    """int64 (B,) filled with timestep `t`, on the device of the latents."""
    return torch.full((z_BCHW.shape[0],), t, dtype=torch.int64, device=z_BCHW.device)
