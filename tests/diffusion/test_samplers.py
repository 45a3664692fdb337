"""Samplers against latent diffusion's end points and against closed forms for Gaussian data.

tests/golden/ddim_oracle.npz: CompVis DDIM with the stand-in network eps(x, t) = 0.1 x + sin(3 x) t / 1000; tolerance
1e-5 relative.
Gaussian data N(mean, var) has the exact noise prediction sqrt(1 - abar) (z - sqrt(abar) mean) / (abar var + 1 - abar),
and its probability flow keeps (z_t - sqrt(abar_t) mean) / sqrt(abar_t var + 1 - abar_t) constant.
"""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from facecond.config.diffusion import Sampler, ScheduleConfig, ScheduleShape, Target
from facecond.diffusion.prediction import Predict, Prediction, answer, predictor
from facecond.diffusion.samplers import SAMPLERS, ddim, ddim_plan, dpmpp_plan
from facecond.diffusion.schedule import BetaSchedule, Schedule, Spacing, StraightLine
from facecond.errors import ConfigError
from facecond.types import Level

GOLDEN = Path(__file__).parent.parent / "golden"
SCHEDULE = BetaSchedule()
STRAIGHT = StraightLine()
COUNTS = [1, 2, 3, 7, 10, 25, 300, 333, 501, 999, 1000]
MEAN, VARIANCE = 0.7, 0.25


def stand_in(z: Tensor, time: Tensor) -> Tensor:
    return 0.1 * z + torch.sin(3 * z) * (time[:, None, None, None].to(z.dtype) / 1000)


STAND_IN = predictor(stand_in, Target.eps)


def gaussian(target: Target = Target.eps) -> Predict:
    """The exact answers of each kind for data of N(MEAN, VARIANCE)."""

    def predict(z: Tensor, level: Level[float]) -> Prediction:
        variance = level.alpha**2 * VARIANCE + level.sigma**2
        centred = z - level.alpha * MEAN
        x0, eps = MEAN + level.alpha * VARIANCE / variance * centred, level.sigma / variance * centred
        return Prediction(answer(target, x0, eps, level), target, z, level)

    return predict


def flow(z: Tensor, start: Level[float], end: Level[float]) -> Tensor:
    """The exact end of the probability flow from one level to another."""
    before, after = (level.alpha**2 * VARIANCE + level.sigma**2 for level in (start, end))
    return end.alpha * MEAN + math.sqrt(after / before) * (z - start.alpha * MEAN)


def times(steps: int, spacing: Spacing = Spacing.time, schedule: Schedule = SCHEDULE) -> list[float]:
    return [level.time for level in schedule.falling(steps, spacing)]


@pytest.mark.parametrize("steps", [10, 50, 500])
@pytest.mark.parametrize("eta", [0, 1])
def test_ddim_ends_where_latent_diffusion_ends(steps: int, eta: int) -> None:
    """The golden end points are float32 and reach 170 in a chaotic map: errors count relative to the largest value."""
    golden = np.load(GOLDEN / "ddim_oracle.npz")
    wanted = golden[f"x0_eta{eta}_S{steps}"]
    exact = ddim_of_stand_in(torch.from_numpy(golden["xT"]).double(), steps, eta)
    assert float(np.abs(exact - wanted).max() / np.abs(wanted).max()) < 1e-5
    single = ddim_of_stand_in(torch.from_numpy(golden["xT"]), steps, eta)
    assert float(np.linalg.norm(single - wanted) / np.linalg.norm(wanted)) < 1e-5
    assert times(steps)[-2::-1] == golden[f"ts_S{steps}"].tolist()
    sigmas = [step.sigma for step in reversed(ddim_plan(SCHEDULE, steps, eta))]
    np.testing.assert_allclose(sigmas, golden[f"sig_eta{eta}_S{steps}"], rtol=1e-4, atol=1e-7)


def ddim_of_stand_in(start: Tensor, steps: int, eta: float) -> np.ndarray:
    """DDIM with one float32 draw per step from a generator seeded as the original run was."""
    generator = torch.Generator().manual_seed(2)
    return ddim(
        STAND_IN, start, SCHEDULE, steps=steps, eta=float(eta),
        noise_source=lambda step: torch.randn(start.shape, generator=generator).to(start.dtype),
    ).numpy()  # fmt: skip


def test_ddim_sigma_at_eta_1_and_single_steps_is_the_posterior_deviation() -> None:
    golden = np.load(GOLDEN / "schedule_celebahq.npz")["post_var"]
    variances = [step.sigma**2 for step in reversed(ddim_plan(SCHEDULE, 1000, 1.0))]
    np.testing.assert_allclose(variances[1:], golden[1:], rtol=1e-4)
    assert variances[0] == 0


@pytest.mark.parametrize("steps", COUNTS)
def test_timesteps_fall_within_the_schedule(steps: int) -> None:
    for spacing in Spacing:
        falling = times(steps, spacing)
        assert len(falling) == steps + 1
        assert falling[0] <= 999
        assert falling[-1] == 0
        assert all(a > b for a, b in itertools.pairwise(falling[:-1]))
    assert falling[0] == 999


@pytest.mark.parametrize("sampler", list(Sampler))
@pytest.mark.parametrize("steps", [1, 3, 300, 1000])
@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_any_number_of_steps(sampler: Sampler, steps: int, eta: float) -> None:
    calls: list[float] = []
    seen: list[int] = []

    def predict(z: Tensor, level: Level[float]) -> Prediction:
        calls.append(level.time)
        return gaussian()(z, level)

    start = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(1)
    found = SAMPLERS[sampler](
        predict, start, SCHEDULE, steps=steps, eta=eta,
        noise_source=lambda step: torch.randn(start.shape, generator=generator),
        on_step=lambda step, z: seen.append(step),
    )  # fmt: skip
    assert bool(found.isfinite().all())
    assert found.dtype == torch.float32
    assert len(calls) == steps
    assert seen == list(range(steps))
    assert min(calls) >= 0
    assert max(calls) <= 999


def errors_at(sampler: Sampler, schedule: Schedule, counts: list[int]) -> list[float]:
    z = torch.linspace(-2, 2, 8, dtype=torch.float64).reshape(2, 1, 2, 2)
    found = []
    for steps in counts:
        levels = schedule.falling(steps, Spacing.time if sampler is Sampler.ddim else Spacing.log_snr)
        end = SAMPLERS[sampler](gaussian(Target.x0), z, schedule, steps=steps)
        found.append(float((end - flow(z, levels[0], levels[-1])).abs().max()))
    return found


# 20000 timesteps, so that whole timesteps do not limit how short a step can be.
FINE = BetaSchedule(ScheduleConfig(timesteps=20_000, beta_start=0.0015 / 20, beta_end=0.0195 / 20))


@pytest.mark.parametrize("schedule", [FINE, STRAIGHT], ids=["betas", "straight"])
@pytest.mark.parametrize(("sampler", "order"), [(Sampler.ddim, 1), (Sampler.dpmpp, 2)])
def test_order_of_convergence_on_gaussian_data(sampler: Sampler, order: int, schedule: Schedule) -> None:
    """With equal steps in s, the k-th step from either end of the straight line is 1 / k long in lambda and errs by 1 / k of a
    step's share, so that there the second order holds up to the logarithm of the number of steps."""
    counts = [25, 50, 100, 200]
    errors = np.array(errors_at(sampler, schedule, counts))
    if schedule is STRAIGHT and order == 2:
        errors /= np.log(counts)
    assert -float(np.polyfit(np.log(counts), np.log(errors), 1)[0]) == pytest.approx(order, abs=0.25)


def test_second_order_is_worth_it_at_twenty_steps() -> None:
    assert errors_at(Sampler.dpmpp, SCHEDULE, [20])[0] < 0.1 * errors_at(Sampler.ddim, SCHEDULE, [20])[0]


@pytest.mark.parametrize("sampler", list(Sampler))
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_samples_of_gaussian_data_have_its_moments(sampler: Sampler, eta: float) -> None:
    """With many steps mean and variance of the samples are those of the data at abar_0, whatever the eta."""
    generator = torch.Generator().manual_seed(4)
    start = torch.randn(1, 1, 200, 200, generator=generator)
    end = SAMPLERS[sampler](
        gaussian(), start, SCHEDULE, steps=1000, eta=eta,
        noise_source=lambda step: torch.randn(start.shape, generator=generator),
    )  # fmt: skip
    abar = float(SCHEDULE.alphas_cumprod[0])
    assert float(end.mean()) == pytest.approx(math.sqrt(abar) * MEAN, abs=0.01)
    assert float(end.var()) == pytest.approx(abar * VARIANCE + 1 - abar, rel=0.03)


@pytest.mark.parametrize("sampler", list(Sampler))
def test_deterministic_sampling_asks_for_no_noise(sampler: Sampler) -> None:
    def source(step: int) -> Tensor:
        raise AssertionError("asked for noise")

    SAMPLERS[sampler](STAND_IN, torch.ones(1, 1, 2, 2), SCHEDULE, steps=4, eta=0.0, noise_source=source)


def test_first_step_of_dpmpp_is_ddims() -> None:
    """The first-order solver is DDIM: one step from the same level to abar_0 (Lu et al. 2022b, section 4)."""
    step = dpmpp_plan(SCHEDULE, 1, 0.0)[0]
    here, there = (float(SCHEDULE.alphas_cumprod[t]) for t in (999, 0))
    x0_scale, x0_noise = 1 / step.level.alpha, -step.level.sigma / step.level.alpha
    assert step.scale + step.now * x0_scale == pytest.approx(math.sqrt(there / here))
    assert step.now * x0_noise == pytest.approx(math.sqrt(1 - there) - math.sqrt(there / here * (1 - here)))


@pytest.mark.parametrize("sampler", list(Sampler))
@pytest.mark.parametrize("steps", [0, -1, 1001])
def test_steps_out_of_range_are_refused(sampler: Sampler, steps: int) -> None:
    with pytest.raises(ConfigError, match="steps"):
        SAMPLERS[sampler](STAND_IN, torch.ones(1, 1, 2, 2), SCHEDULE, steps=steps)


@pytest.mark.parametrize("sampler", list(Sampler))
def test_noise_is_required_and_negative_eta_refused(sampler: Sampler) -> None:
    with pytest.raises(ValueError, match="noise source"):
        SAMPLERS[sampler](STAND_IN, torch.ones(1, 1, 2, 2), SCHEDULE, steps=4, eta=0.3)
    with pytest.raises(ConfigError, match="eta"):
        SAMPLERS[sampler](STAND_IN, torch.ones(1, 1, 2, 2), SCHEDULE, steps=4, eta=-0.3)


def test_too_much_noise_for_a_step_is_refused() -> None:
    with pytest.raises(ConfigError, match="eta=3"):
        ddim_plan(SCHEDULE, 10, 3.0)


def test_every_sampler_is_in_the_table() -> None:
    assert set(SAMPLERS) == set(Sampler)


def test_a_shorter_schedule_works() -> None:
    schedule = BetaSchedule(ScheduleConfig(timesteps=50))
    assert times(10, schedule=schedule) == [46, 41, 36, 31, 26, 21, 16, 11, 6, 1, 0]
    end = ddim(gaussian(), torch.zeros(1, 1, 2, 2), schedule, steps=50)
    assert bool(end.isfinite().all())


# Every sampler and target on both processes. The noise alone says nothing about the picture at pure noise.
COMBINATIONS = [
    (shape, target)
    for shape in (ScheduleShape.linear_sqrt, ScheduleShape.straight)
    for target in Target
    if (shape, target) != (ScheduleShape.straight, Target.eps)
]


@pytest.mark.parametrize("sampler", list(Sampler))
@pytest.mark.parametrize(("shape", "target"), COMBINATIONS)
@pytest.mark.parametrize("steps", [1, 2, 20])
@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_every_target_ends_where_the_clean_one_does(
    sampler: Sampler, shape: ScheduleShape, target: Target, steps: int, eta: float
) -> None:
    schedule = STRAIGHT if shape is ScheduleShape.straight else SCHEDULE
    start = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def end(target: Target) -> Tensor:
        generator = torch.Generator().manual_seed(1)
        return SAMPLERS[sampler](
            gaussian(target), start, schedule, steps=steps, eta=eta,
            noise_source=lambda step: torch.randn(start.shape, generator=generator, dtype=torch.float64),
        )  # fmt: skip

    torch.testing.assert_close(end(target), end(Target.x0), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("sampler", list(Sampler))
def test_the_noise_alone_cannot_start_on_the_straight_line(sampler: Sampler) -> None:
    with pytest.raises(ValueError, match="eps says nothing about x0 at alpha=0"):
        SAMPLERS[sampler](gaussian(Target.eps), torch.ones(1, 1, 2, 2), STRAIGHT, steps=4)


def test_ddim_on_the_straight_line_is_eulers_method() -> None:
    """dz/ds = eps - x0, so a step from s to s' adds (s' - s) times the velocity."""
    z = torch.linspace(-2, 2, 8, dtype=torch.float64).reshape(2, 1, 2, 2)
    found, seen = [], []
    ddim(gaussian(Target.velocity), z, STRAIGHT, steps=5, on_step=lambda step, z: found.append(z))
    for here, there in itertools.pairwise(STRAIGHT.falling(5, Spacing.time)):
        z = z + (there.sigma - here.sigma) * gaussian(Target.velocity)(z, here).raw_BCHW
        seen.append(z)
    torch.testing.assert_close(torch.stack(found), torch.stack(seen), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("sampler", list(Sampler))
@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_the_straight_line_ends_at_the_data(sampler: Sampler, eta: float) -> None:
    generator = torch.Generator().manual_seed(4)
    start = torch.randn(1, 1, 200, 200, generator=generator)
    end = SAMPLERS[sampler](
        gaussian(Target.velocity), start, STRAIGHT, steps=500, eta=eta,
        noise_source=lambda step: torch.randn(start.shape, generator=generator),
    )  # fmt: skip
    assert float(end.mean()) == pytest.approx(MEAN, abs=0.01)
    assert float(end.var()) == pytest.approx(VARIANCE, rel=0.03)


def test_dpmpp_is_of_first_order_where_lambda_is_infinite() -> None:
    plan = dpmpp_plan(STRAIGHT, 6, 0.0)
    assert [step.before != 0 for step in plan] == [False, False, True, True, True, False]
    assert plan[-1][1:] == (0.0, 1.0, 0.0, 0.0)
