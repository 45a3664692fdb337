"""From latents of a picture to noise, and back under another condition: how photographs are edited.

A `Course` is what DDIM's steps would have come through to given clean latents: the latents z_k before each step, and what each
step must add to what the model says, r_k = z_{k+1} - m_k(z_k), where m_k(z) is the step without fresh noise. Followed under the
condition it was found with, a course ends at the clean latents whatever the model is like; under another one, its steps add the
same r_k.

- `friendly`: the z_k are noised independently of one another, so that the r_k hold much of the picture's layout: edit-friendly
  DDPM inversion (Huberman-Spiegelglas et al. 2024, arXiv 2304.06140, equations 6 and 7).
- `inverted`: the z_k are found by going DDIM's steps backwards (Song et al. 2021, equation 13), each solved by fixed-point
  iteration; what is left over goes into r_k (Ju et al. 2024, arXiv 2310.01506).
- `noised`: the z_k have one noise at all levels, and r_k is what the sampler would draw: SDEdit (Meng et al. 2022, arXiv
  2108.01073). It does not end where it came from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from facecond.config.diffusion import Target
from facecond.diffusion.prediction import ANSWERS, Predict, Prediction, add_noise, convert
from facecond.diffusion.samplers import DDIMStep, ddim_plan
from facecond.diffusion.schedule import Schedule
from facecond.types import NoiseSource

ITERATIONS = 3
"""Of the fixed point that a step backwards is; the first alone is Song et al.'s."""


class Course(NamedTuple):
    """The latents that steps come through, and what each adds."""

    plan: list[DDIMStep]
    states: list[Tensor]
    """float (B, C, H, W) each, before step 0, 1, ...; the last are the clean latents."""
    added: list[Tensor]
    """float (B, C, H, W) each: r_k."""


def said(predict: Predict, z_BCHW: Tensor, step: DDIMStep) -> Tensor:
    """Return m(z): where a step leads without fresh noise, (B, C, H, W)."""
    prediction = predict(z_BCHW, step.level)
    mean_BCHW = step.alpha * prediction.x0
    return mean_BCHW + step.noise_scale * prediction.eps if step.noise_scale > 0 else mean_BCHW


@torch.no_grad()
def friendly(
    predict: Predict, x0_BCHW: Tensor, schedule: Schedule, *, steps: int, noise_source: NoiseSource, eta: float = 1.0
) -> Course:
    """Return the course to clean latents through independent noise, `noise_source(k)` at the level of step k.

    `steps` evaluations of `predict`.
    """
    plan = ddim_plan(schedule, steps, eta)
    states = [add_noise(x0_BCHW, noise_source(k), step.level) for k, step in enumerate(plan)]
    return _with_rest(predict, plan, [*states, x0_BCHW])


@torch.no_grad()
def inverted(
    predict: Predict, x0_BCHW: Tensor, schedule: Schedule, *, steps: int, iterations: int = ITERATIONS
) -> Course:
    """Return the course of deterministic steps to clean latents; (`iterations` + 1) * `steps` evaluations of `predict`."""
    plan = ddim_plan(schedule, steps, 0.0)
    states = [x0_BCHW]
    for step in reversed(plan):
        z_BCHW = there_BCHW = states[0]
        for _ in range(iterations):
            z_BCHW = _before(there_BCHW, predict(z_BCHW, step.level), step)
        states.insert(0, z_BCHW)
    return _with_rest(predict, plan, states)


def _before(there_BCHW: Tensor, prediction: Prediction, step: DDIMStep) -> Tensor:
    """Return the latents from which a step leads to `there_BCHW`, if the network answers there as it does in `prediction`.

    x0 and eps follow from the answer a x0 + b eps and from alpha' x0 + noise_scale eps = `there_BCHW`. What a network says of x0
    leaves the noise open where a step ends without any, so that such an answer is held as a velocity.
    """
    held = Target.velocity if prediction.target is Target.x0 else prediction.target
    raw_BCHW = convert(prediction.raw_BCHW, prediction.z_BCHW, step.level, prediction.target, held)
    a, b = ANSWERS[held](step.level)
    determinant = a * step.noise_scale - b * step.alpha
    x0_BCHW = (step.noise_scale * raw_BCHW - b * there_BCHW) / determinant
    eps_BCHW = (a * there_BCHW - step.alpha * raw_BCHW) / determinant
    return add_noise(x0_BCHW, eps_BCHW, step.level)


def noised(x0_BCHW: Tensor, schedule: Schedule, *, steps: int, noise_source: NoiseSource, eta: float = 1.0) -> Course:
    """Return the course of one noise, `noise_source(steps)`, at all levels, with `noise_source(k)` as step k's fresh noise."""
    plan = ddim_plan(schedule, steps, eta)
    noise_BCHW = noise_source(steps)
    states = [add_noise(x0_BCHW, noise_BCHW, step.level) for step in plan]
    added = [
        step.sigma * noise_source(k) if step.sigma > 0 else torch.zeros_like(x0_BCHW) for k, step in enumerate(plan)
    ]
    return Course(plan, [*states, x0_BCHW], added)


@torch.no_grad()
def follow(
    predict: Predict,
    course: Course,
    *,
    first: int = 0,
    region_B1HW: Tensor | None = None,
    on_step: Callable[[int, Tensor], None] | None = None,
) -> Tensor:
    """Return the clean latents to which `course` leads under `predict` from step `first` on, (B, C, H, W).

    Outside of bool `region_B1HW` the latents stay those of the course (blended latent diffusion, Avrahami et al. 2023, arXiv
    2206.02779, section 4.1). With `first` = the number of steps nothing is asked of the model.
    """
    z_BCHW = course.states[first]
    for k in range(first, len(course.plan)):
        z_BCHW = said(predict, z_BCHW, course.plan[k]) + course.added[k]
        if region_B1HW is not None:
            z_BCHW = torch.where(region_B1HW, z_BCHW, course.states[k + 1])
        if on_step is not None:
            on_step(k, z_BCHW)
    return z_BCHW


def _with_rest(predict: Predict, plan: list[DDIMStep], states: list[Tensor]) -> Course:
    added = [states[k + 1] - said(predict, states[k], step) for k, step in enumerate(plan)]
    return Course(plan, states, added)
