"""Courses from noise to given latents: they lead back, whatever the model; under a model that is right they are its own."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from facecond.config.diffusion import ScheduleConfig, ScheduleShape, Target
from facecond.diffusion.inversion import Course, follow, friendly, inverted, noised
from facecond.diffusion.prediction import Predict, Prediction, convert
from facecond.diffusion.samplers import ddim
from facecond.diffusion.schedule import schedule_of
from facecond.types import Level, NoiseSource

SHAPES = [ScheduleShape.linear_sqrt, ScheduleShape.straight]
STEPS = 12


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.randn(*(shape or (2, 3, 4, 4)), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def source(seed: int) -> NoiseSource:
    return lambda step: drawn(1000 * seed + step)


def gaussian(mean: float, deviation: float) -> Predict:
    """The best answer about latents that are normal with one mean and deviation: x0 = E[x0 | z], in closed form."""

    def predict(z_BCHW: Tensor, level: Level[float]) -> Prediction:
        total = level.alpha**2 * deviation**2 + level.sigma**2
        x0 = mean + level.alpha * deviation**2 / total * (z_BCHW - level.alpha * mean)
        velocity = (z_BCHW - level.alpha * x0) / level.sigma - x0 if level.sigma > 0 else -x0
        return Prediction(velocity, Target.velocity, z_BCHW, level)

    return predict


def wild(z_BCHW: Tensor, level: Level[float]) -> Prediction:
    """A model that knows nothing."""
    return Prediction((3 * z_BCHW).sin() + level.sigma, Target.velocity, z_BCHW, level)


def found(kind: str, predict: Predict, x0: Tensor, shape: ScheduleShape, steps: int = STEPS) -> Course:
    schedule = schedule_of(ScheduleConfig(shape=shape))
    if kind == "friendly":
        return friendly(predict, x0, schedule, steps=steps, noise_source=source(1))
    if kind == "inverted":
        return inverted(predict, x0, schedule, steps=steps)
    return noised(x0, schedule, steps=steps, noise_source=source(1))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["friendly", "inverted"])
@pytest.mark.parametrize("first", [0, 5, STEPS])
def test_a_course_leads_back_whatever_the_model_is_like(shape: ScheduleShape, kind: str, first: int) -> None:
    x0 = drawn(0)
    course = found(kind, wild, x0, shape)
    assert len(course.states) == STEPS + 1
    torch.testing.assert_close(follow(wild, course, first=first), x0, rtol=0, atol=1e-9)
    if first < STEPS:
        other = follow(gaussian(2.0, 0.1), course, first=first)
        assert (other - x0).abs().max() > 0.1


@pytest.mark.parametrize("shape", SHAPES)
def test_in_single_precision_it_leads_back_within_what_is_promised(shape: ScheduleShape) -> None:
    x0, schedule, noise = drawn(0).float(), schedule_of(ScheduleConfig(shape=shape)), source(1)
    for course in (
        friendly(wild, x0, schedule, steps=STEPS, noise_source=lambda step: noise(step).float()),
        inverted(wild, x0, schedule, steps=STEPS),
    ):
        assert (follow(wild, course) - x0).abs().max() <= 1e-5


@pytest.mark.parametrize("shape", SHAPES)
def test_ddim_backwards_finds_the_noise_that_ddim_made_the_latents_from(shape: ScheduleShape) -> None:
    """With the closed form of a normal distribution as the model."""
    predict, schedule, noise = gaussian(0.3, 0.8), schedule_of(ScheduleConfig(shape=shape)), drawn(3)
    made = ddim(predict, noise, schedule, steps=50)
    course = inverted(predict, made, schedule, steps=50, iterations=30)
    torch.testing.assert_close(course.states[0], noise, rtol=0, atol=1e-6)
    assert max(float(each.abs().max()) for each in course.added) < 1e-6
    once = inverted(predict, made, schedule, steps=50, iterations=1)
    assert (once.states[0] - noise).abs().max() > 10 * (course.states[0] - noise).abs().max()


def test_ddim_backwards_is_the_published_step() -> None:
    """Song et al. 2021, equation 13, for eps: z' / alpha' = z / alpha + (sigma' / alpha' - sigma / alpha) eps(z)."""

    def predict(z_BCHW: Tensor, level: Level[float]) -> Prediction:
        return Prediction(z_BCHW.sin(), Target.eps, z_BCHW, level)

    x0, schedule = drawn(4), schedule_of(ScheduleConfig())
    course = inverted(predict, x0, schedule, steps=10, iterations=1)
    z = x0
    for step, expected in zip(reversed(course.plan), reversed(course.states[:-1]), strict=True):
        here, alpha, sigma = step.level, step.alpha, step.noise_scale
        z = here.alpha * (z / alpha + (here.sigma / here.alpha - sigma / alpha) * z.sin())
        torch.testing.assert_close(expected, z, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_edit_friendly_noise_is_the_published_one(shape: ScheduleShape) -> None:
    """Equations 6 and 7: independent noise at each level; what is added, over sigma, is z_t = (x_{t-1} - mu_t(x_t)) / sigma_t."""
    x0, predict = drawn(5), gaussian(0.0, 1.0)
    course = found("friendly", predict, x0, shape)
    eps = source(1)
    for k, step in enumerate(course.plan):
        torch.testing.assert_close(course.states[k], step.level.alpha * x0 + step.level.sigma * eps(k))
        prediction = predict(course.states[k], step.level)
        mu = step.alpha * prediction.x0 + step.noise_scale * prediction.eps
        torch.testing.assert_close(course.added[k], course.states[k + 1] - mu)
    # Larger than the unit variance of a sampler's noise, and negatively correlated from step to step (their figure 4).
    many = friendly(
        predict, drawn(6, 400, 3, 4, 4), schedule_of(ScheduleConfig(shape=shape)), steps=STEPS,
        noise_source=lambda step: drawn(50 + step, 400, 3, 4, 4),
    )  # fmt: skip
    scaled = [each / step.sigma for each, step in zip(many.added, many.plan, strict=True) if step.sigma > 0.05]
    assert all(float(each.var()) > 1.0 for each in scaled[1:])
    pairs = [float((one * two).mean() / (one.std() * two.std())) for one, two in itertools.pairwise(scaled[1:])]
    assert all(pair < 0 for pair in pairs)


def test_what_is_noised_is_an_ordinary_sample_from_there_on() -> None:
    x0, predict, schedule = drawn(7), gaussian(1.0, 0.5), schedule_of(ScheduleConfig(shape=ScheduleShape.straight))
    course = found("noised", predict, x0, ScheduleShape.straight)
    eps = source(1)(STEPS)
    for step, state in zip(course.plan, course.states, strict=False):
        torch.testing.assert_close(state, step.level.alpha * x0 + step.level.sigma * eps)
    whole = ddim(predict, course.states[0], schedule, steps=STEPS, eta=1.0, noise_source=source(1))
    torch.testing.assert_close(follow(predict, course), whole)


def test_outside_of_a_region_nothing_changes() -> None:
    x0, region = drawn(8), torch.zeros(2, 1, 4, 4, dtype=torch.bool)
    region[0, :, :2] = True
    course = found("friendly", wild, x0, ScheduleShape.straight)
    made = follow(gaussian(5.0, 0.1), course, region_B1HW=region)
    outside = ~region.expand_as(x0)
    assert torch.equal(made[outside], x0[outside])
    assert (made - x0)[region.expand_as(x0)].abs().mean() > 0.5


def test_velocity_of_the_closed_form_is_what_it_says() -> None:
    """The model of these tests: x0 and eps read off its velocity are the conditional means."""
    z, level = drawn(9), Level(0.6, 0.4, 400.0)
    prediction = gaussian(0.3, 0.8)(z, level)
    total = math.sqrt(0.36 * 0.64 + 0.16)
    expected = 0.3 + 0.6 * 0.64 / total**2 * (z - 0.18)
    torch.testing.assert_close(prediction.x0, expected)
    torch.testing.assert_close(
        convert(prediction.raw_BCHW, z, level, Target.velocity, Target.eps), (z - 0.6 * expected) / 0.4
    )
