"""From noise to latents: DDIM (the paper's sampler) and DPM-Solver++ 2M (the fast one).

A sampler is a function of (predict, noise, schedule, its options, a source of noise). It knows no network, no target and
no condition. All coefficients are computed in float64 before the first step; the loop multiplies and adds.
"""

import itertools
import math
from collections.abc import Callable
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from facecond.config.diffusion import Sampler
from facecond.diffusion.prediction import Predict
from facecond.diffusion.schedule import Schedule, Spacing
from facecond.errors import ConfigError
from facecond.types import Level, NoiseSource

OnStep = Callable[[int, Tensor], None]
"""Called after sampling step 0, 1, ... with the latents it left."""


class SampleLatents(Protocol):
    """What every entry of SAMPLERS is."""

    def __call__(
        self,
        predict: Predict,
        noise_BCHW: Tensor,
        schedule: Schedule,
        *,
        steps: int,
        eta: float = 0.0,
        noise_source: NoiseSource | None = None,
        on_step: OnStep | None = None,
    ) -> Tensor:
        """Return latents in the shape and precision of `noise_BCHW` (standard normal, float).

        `steps` evaluations of `predict`; `eta` >= 0 scales the noise added in each step, which `noise_source` gives (not
        asked when eta is 0). Raises ConfigError for a number of steps that the schedule does not have.
        """
        ...


class DDIMStep(NamedTuple):
    """z <- alpha * x0 + noise_scale * eps + sigma * fresh noise, with x0 and eps predicted at `level`."""

    level: Level[float]
    alpha: float
    noise_scale: float
    sigma: float


class DPMStep(NamedTuple):
    """z <- scale * z + now * x0 + before * (x0 of the step before) + sigma * fresh noise, with x0 predicted at `level`."""

    level: Level[float]
    scale: float
    now: float
    before: float
    sigma: float


def ddim_plan(schedule: Schedule, steps: int, eta: float) -> list[DDIMStep]:
    """Return the steps of DDIM in the order they are taken (Song et al. 2021, equations 12 and 16).

    Written for any alpha and sigma; with alpha^2 + sigma^2 = 1 the fresh noise is equation 16's. On the straight line and
    without it, a step is Euler's.
    """
    plan = []
    for here, there in itertools.pairwise(schedule.falling(steps, Spacing.time)):
        kept = here.alpha / there.alpha * there.sigma
        fresh = eta * there.sigma / here.sigma * math.sqrt(max(here.sigma**2 - kept**2, 0.0))
        if fresh > there.sigma:
            raise ConfigError(f"sampler.eta={eta:g} adds more noise than a step can hold", hint="expected 0 to 1")
        plan.append(DDIMStep(here, there.alpha, math.sqrt(there.sigma**2 - fresh**2), fresh))
    return plan


@torch.no_grad()
def ddim(
    predict: Predict,
    noise_BCHW: Tensor,
    schedule: Schedule,
    *,
    steps: int,
    eta: float = 0.0,
    noise_source: NoiseSource | None = None,
    on_step: OnStep | None = None,
) -> Tensor:
    """DDIM; see `SampleLatents`. First order; eta 0 is the paper's "d.", eta 1 its "s."."""
    source = _source(noise_source, eta)
    z_BCHW = noise_BCHW
    for index, step in enumerate(ddim_plan(schedule, steps, eta)):
        prediction = predict(z_BCHW, step.level)
        z_BCHW = step.alpha * prediction.x0
        if step.noise_scale > 0:
            z_BCHW = z_BCHW + step.noise_scale * prediction.eps
        if step.sigma > 0:
            z_BCHW = z_BCHW + step.sigma * source(index)
        if on_step is not None:
            on_step(index, z_BCHW)
    return z_BCHW


def dpmpp_plan(schedule: Schedule, steps: int, eta: float) -> list[DPMStep]:
    """Return the steps of DPM-Solver++ 2M in the order they are taken (Lu et al. 2022b, algorithm 2).

    With eta > 0 they are those of the corresponding stochastic solver (section 5: SDE-DPM-Solver++), eta 1 being the
    reverse-time diffusion itself. A step from alpha = 0 or to sigma = 0 is infinitely long in lambda = log(alpha / sigma):
    it is one of first order, and so is the step after it.
    """
    plan = []
    h_before = math.inf
    for here, there in itertools.pairwise(schedule.falling(steps, Spacing.log_snr)):
        h = _lambda(there) - _lambda(here)
        gain = -there.alpha * math.expm1(-(1 + eta) * h)
        slope = (
            gain * h / (2 * h_before) if 0 < h_before < math.inf and h < math.inf else 0.0
        )  # 1 / (2 r), r = h_before / h
        plan.append(
            DPMStep(
                level=here,
                scale=there.sigma / here.sigma * (math.exp(-eta * h) if eta > 0 else 1.0),
                now=gain + slope,
                before=-slope,
                sigma=there.sigma * (math.sqrt(-math.expm1(-2 * eta * h)) if eta > 0 else 0.0),
            )
        )
        h_before = h
    return plan


@torch.no_grad()
def dpmpp(
    predict: Predict,
    noise_BCHW: Tensor,
    schedule: Schedule,
    *,
    steps: int,
    eta: float = 0.0,
    noise_source: NoiseSource | None = None,
    on_step: OnStep | None = None,
) -> Tensor:
    """DPM-Solver++ 2M; see `SampleLatents`. Second order in the step, one evaluation per step."""
    source = _source(noise_source, eta)
    z_BCHW = noise_BCHW
    x0_before_BCHW: Tensor | None = None
    for index, step in enumerate(dpmpp_plan(schedule, steps, eta)):
        x0_BCHW = predict(z_BCHW, step.level).x0
        z_BCHW = step.scale * z_BCHW + step.now * x0_BCHW
        if x0_before_BCHW is not None and step.before != 0:
            z_BCHW = z_BCHW + step.before * x0_before_BCHW
        if step.sigma > 0:
            z_BCHW = z_BCHW + step.sigma * source(index)
        x0_before_BCHW = x0_BCHW
        if on_step is not None:
            on_step(index, z_BCHW)
    return z_BCHW


SAMPLERS: dict[Sampler, SampleLatents] = {Sampler.ddim: ddim, Sampler.dpmpp: dpmpp}


def _lambda(level: Level[float]) -> float:
    """Half the logarithm of the signal-to-noise ratio, infinite at both ends of the straight line."""
    if level.sigma == 0:
        return math.inf
    return math.log(level.alpha / level.sigma) if level.alpha > 0 else -math.inf


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
