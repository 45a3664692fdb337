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

from facecond.config.diffusion import Sampler, ScheduleConfig
from facecond.diffusion.samplers import (
    SAMPLERS,
    ddim,
    ddim_plan,
    ddim_timesteps,
    dpmpp_plan,
    dpmpp_timesteps,
)
from facecond.diffusion.schedule import Schedule
from facecond.errors import ConfigError
from facecond.types import Context, PredictNoise

GOLDEN = Path(__file__).parent.parent / "golden"
SCHEDULE = Schedule()
COUNTS = [1, 2, 3, 7, 10, 25, 300, 333, 501, 999, 1000]
MEAN, VARIANCE = 0.7, 0.25


def stand_in(z: Tensor, t: Tensor, context: Context | None) -> Tensor:
    return 0.1 * z + torch.sin(3 * z) * (t[:, None, None, None].to(z.dtype) / 1000)


def gaussian(schedule: Schedule) -> PredictNoise:
    def predict(z: Tensor, t: Tensor, context: Context | None) -> Tensor:
        abar = schedule.alphas_cumprod[t][:, None, None, None].to(z.dtype)
        return (1 - abar).sqrt() * (z - abar.sqrt() * MEAN) / (abar * VARIANCE + 1 - abar)

    return predict


def flow(z: Tensor, schedule: Schedule, start: int, end: int) -> Tensor:
    """The exact end of the probability flow from timestep `start` to timestep `end`."""
    a, b = (float(schedule.alphas_cumprod[t]) for t in (start, end))
    spread = math.sqrt((b * VARIANCE + 1 - b) / (a * VARIANCE + 1 - a))
    return math.sqrt(b) * MEAN + spread * (z - math.sqrt(a) * MEAN)


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
    assert ddim_timesteps(steps) == golden[f"ts_S{steps}"].tolist()
    sigmas = [step.sigma for step in reversed(ddim_plan(SCHEDULE, steps, eta))]
    np.testing.assert_allclose(sigmas, golden[f"sig_eta{eta}_S{steps}"], rtol=1e-4, atol=1e-7)


def ddim_of_stand_in(start: Tensor, steps: int, eta: float) -> np.ndarray:
    """DDIM with one float32 draw per step from a generator seeded as the original run was."""
    generator = torch.Generator().manual_seed(2)
    return ddim(
        stand_in, start, SCHEDULE, steps=steps, eta=float(eta),
        noise_source=lambda step: torch.randn(start.shape, generator=generator).to(start.dtype),
    ).numpy()  # fmt: skip


def test_ddim_sigma_at_eta_1_and_single_steps_is_the_posterior_deviation() -> None:
    golden = np.load(GOLDEN / "schedule_celebahq.npz")["post_var"]
    variances = [step.sigma**2 for step in reversed(ddim_plan(SCHEDULE, 1000, 1.0))]
    np.testing.assert_allclose(variances[1:], golden[1:], rtol=1e-4)
    assert variances[0] == 0


@pytest.mark.parametrize("steps", COUNTS)
def test_timesteps_rise_within_the_schedule(steps: int) -> None:
    rising = ddim_timesteps(steps)
    assert len(rising) == steps
    assert all(a < b for a, b in itertools.pairwise(rising))
    assert rising[0] >= 0
    assert rising[-1] <= 999
    falling = dpmpp_timesteps(SCHEDULE, steps)
    assert len(falling) == steps + 1
    assert falling[0] == 999
    assert falling[-1] == 0
    assert all(a > b for a, b in itertools.pairwise(falling[:-1]))


@pytest.mark.parametrize("sampler", list(Sampler))
@pytest.mark.parametrize("steps", [1, 3, 300, 1000])
@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_any_number_of_steps(sampler: Sampler, steps: int, eta: float) -> None:
    calls: list[int] = []
    seen: list[int] = []

    def predict(z: Tensor, t: Tensor, context: Context | None) -> Tensor:
        calls.append(int(t[0]))
        return gaussian(SCHEDULE)(z, t, context)

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
        last = schedule.timesteps - 1
        start = ddim_timesteps(steps, schedule.timesteps)[-1] if sampler is Sampler.ddim else last
        end = SAMPLERS[sampler](gaussian(schedule), z, schedule, steps=steps)
        found.append(float((end - flow(z, schedule, start, 0)).abs().max()))
    return found


@pytest.mark.parametrize(("sampler", "order"), [(Sampler.ddim, 1), (Sampler.dpmpp, 2)])
def test_order_of_convergence_on_gaussian_data(sampler: Sampler, order: int) -> None:
    """On a schedule of 20000 timesteps, so that whole timesteps do not limit how short a step can be."""
    fine = Schedule(ScheduleConfig(timesteps=20_000, beta_start=0.0015 / 20, beta_end=0.0195 / 20))
    counts = [25, 50, 100, 200]
    slope = -float(np.polyfit(np.log(counts), np.log(errors_at(sampler, fine, counts)), 1)[0])
    assert slope == pytest.approx(order, abs=0.25)


def test_second_order_is_worth_it_at_twenty_steps() -> None:
    assert errors_at(Sampler.dpmpp, SCHEDULE, [20])[0] < 0.1 * errors_at(Sampler.ddim, SCHEDULE, [20])[0]


@pytest.mark.parametrize("sampler", list(Sampler))
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_samples_of_gaussian_data_have_its_moments(sampler: Sampler, eta: float) -> None:
    """With many steps mean and variance of the samples are those of the data at abar_0, whatever the eta."""
    generator = torch.Generator().manual_seed(4)
    start = torch.randn(1, 1, 200, 200, generator=generator)
    end = SAMPLERS[sampler](
        gaussian(SCHEDULE), start, SCHEDULE, steps=1000, eta=eta,
        noise_source=lambda step: torch.randn(start.shape, generator=generator),
    )  # fmt: skip
    abar = float(SCHEDULE.alphas_cumprod[0])
    assert float(end.mean()) == pytest.approx(math.sqrt(abar) * MEAN, abs=0.01)
    assert float(end.var()) == pytest.approx(abar * VARIANCE + 1 - abar, rel=0.03)


@pytest.mark.parametrize("sampler", list(Sampler))
def test_deterministic_sampling_asks_for_no_noise(sampler: Sampler) -> None:
    def source(step: int) -> Tensor:
        raise AssertionError("asked for noise")

    SAMPLERS[sampler](stand_in, torch.ones(1, 1, 2, 2), SCHEDULE, steps=4, eta=0.0, noise_source=source)


def test_first_step_of_dpmpp_is_ddims() -> None:
    """The first-order solver is DDIM: one step from the same level to abar_0 (Lu et al. 2022b, section 4)."""
    step = dpmpp_plan(SCHEDULE, 1, 0.0)[0]
    here, there = (float(SCHEDULE.alphas_cumprod[t]) for t in (999, 0))
    assert step.scale + step.now * step.x0_scale == pytest.approx(math.sqrt(there / here))
    assert step.now * step.x0_noise == pytest.approx(math.sqrt(1 - there) - math.sqrt(there / here * (1 - here)))


@pytest.mark.parametrize("sampler", list(Sampler))
@pytest.mark.parametrize("steps", [0, -1, 1001])
def test_steps_out_of_range_are_refused(sampler: Sampler, steps: int) -> None:
    with pytest.raises(ConfigError, match="steps"):
        SAMPLERS[sampler](stand_in, torch.ones(1, 1, 2, 2), SCHEDULE, steps=steps)


@pytest.mark.parametrize("sampler", list(Sampler))
def test_noise_is_required_and_negative_eta_refused(sampler: Sampler) -> None:
    with pytest.raises(ValueError, match="noise source"):
        SAMPLERS[sampler](stand_in, torch.ones(1, 1, 2, 2), SCHEDULE, steps=4, eta=0.3)
    with pytest.raises(ConfigError, match="eta"):
        SAMPLERS[sampler](stand_in, torch.ones(1, 1, 2, 2), SCHEDULE, steps=4, eta=-0.3)


def test_too_much_noise_for_a_step_is_refused() -> None:
    with pytest.raises(ConfigError, match="eta=3"):
        ddim_plan(SCHEDULE, 10, 3.0)


def test_every_sampler_is_in_the_table() -> None:
    assert set(SAMPLERS) == set(Sampler)


def test_a_shorter_schedule_works() -> None:
    schedule = Schedule(ScheduleConfig(timesteps=50))
    assert ddim_timesteps(10, 50) == [1, 6, 11, 16, 21, 26, 31, 36, 41, 46]
    end = ddim(gaussian(schedule), torch.zeros(1, 1, 2, 2), schedule, steps=50)
    assert bool(end.isfinite().all())
