"""The schedule against latent diffusion's own arrays (tests/golden/schedule_celebahq.npz, float32 there: 1e-7)."""

from pathlib import Path

import numpy as np
import pytest
import torch

from facecond.config.diffusion import LevelDraw, ScheduleConfig, ScheduleShape
from facecond.diffusion.prediction import add_noise
from facecond.diffusion.schedule import DRAWS, SCHEDULES, BetaSchedule, Spacing, StraightLine, schedule_of
from facecond.errors import ConfigError

GOLDEN = Path(__file__).parent.parent / "golden"


def test_betas_and_alphas_equal_latent_diffusion() -> None:
    golden = np.load(GOLDEN / "schedule_celebahq.npz")
    schedule = BetaSchedule()
    assert schedule.betas.dtype == torch.float64
    np.testing.assert_allclose(schedule.betas.numpy(), golden["betas"], rtol=0, atol=1e-7)
    np.testing.assert_allclose(schedule.alphas_cumprod.numpy(), golden["alphas_cumprod"], rtol=0, atol=1e-7)


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (ScheduleConfig(), "p2_ldm_g0.5"),
        (ScheduleConfig(shape=ScheduleShape.linear, beta_start=1e-4, beta_end=0.02), "p2_linear_g0.5"),
    ],
)
def test_snr_equals_the_original(config: ScheduleConfig, name: str) -> None:
    golden = np.load(GOLDEN / f"{name}.npz")["snr"]
    np.testing.assert_allclose(BetaSchedule(config).snr.numpy(), golden, rtol=1e-6)


def test_add_noise_follows_the_equation() -> None:
    schedule = BetaSchedule(ScheduleConfig(timesteps=2, beta_start=0.25, beta_end=0.25))  # abar = 0.75, 0.5625
    z0 = torch.full((2, 1, 1, 1), 2.0)
    noise = torch.full((2, 1, 1, 1), 4.0)
    z = add_noise(z0, noise, schedule.at(torch.tensor([0, 1]))).flatten()
    expected = [2 * 0.75**0.5 + 4 * 0.25**0.5, 2 * 0.75 + 4 * 0.4375**0.5]
    np.testing.assert_allclose(z.numpy(), expected, rtol=1e-6)
    np.testing.assert_allclose(schedule.at(torch.tensor([1, 0])).snr.numpy(), [0.5625 / 0.4375, 3.0], rtol=1e-6)


def test_falling_betas_are_refused() -> None:
    with pytest.raises(ConfigError, match="beta_end"):
        BetaSchedule(ScheduleConfig(beta_start=0.02, beta_end=0.01))


def test_snr_of_the_levels_is_the_schedules_in_float32() -> None:
    """alpha^2 / sigma^2 and abar / (1 - abar) may differ in the last bits of float64, never in float32."""
    schedule = BetaSchedule()
    assert torch.equal(schedule.at(torch.arange(1000)).snr.float(), schedule.snr.float())


def test_tables_hold_every_choice() -> None:
    assert set(SCHEDULES) == set(ScheduleShape)
    assert set(DRAWS) == set(LevelDraw)


@pytest.mark.parametrize("shape", list(ScheduleShape))
@pytest.mark.parametrize("levels", list(LevelDraw))
def test_every_schedule_draws_within_itself_and_from_the_generator_alone(
    shape: ScheduleShape, levels: LevelDraw
) -> None:
    schedule = schedule_of(ScheduleConfig(shape=shape, levels=levels))
    times = [schedule.draw(2000, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    assert torch.equal(times[0], times[1])
    assert not torch.equal(times[0], times[2])
    for drawn in (times[0], schedule.spread(1), schedule.spread(333)):
        level = schedule.at(drawn)
        assert torch.equal(level.time, drawn)
        assert bool((level.snr.isfinite() & (level.snr > 0)).all())
        assert bool(((drawn >= 0) & (drawn < 1000)).all())
    assert bool((schedule.spread(333).diff() > 0).all())


@pytest.mark.parametrize("shape", list(ScheduleShape))
@pytest.mark.parametrize("spacing", list(Spacing))
@pytest.mark.parametrize("steps", [1, 2, 7, 100])
def test_levels_of_a_sampler_fall(shape: ScheduleShape, spacing: Spacing, steps: int) -> None:
    schedule = schedule_of(ScheduleConfig(shape=shape))
    levels = schedule.falling(steps, spacing)
    assert len(levels) == steps + 1
    assert levels == sorted(levels, key=lambda level: -level.time)
    assert len({level.alpha for level in levels}) == steps + 1
    middle = schedule.at(torch.tensor([level.time for level in levels[:-1]]).to(schedule.spread(1).dtype))
    np.testing.assert_allclose(middle.alpha.numpy(), [level.alpha for level in levels[:-1]], atol=1e-6)


def test_latent_diffusion_draws_whole_timesteps_evenly() -> None:
    found = BetaSchedule().draw(64, torch.Generator().manual_seed(5))
    assert torch.equal(found, torch.randint(1000, (64,), generator=torch.Generator().manual_seed(5)))


@pytest.mark.parametrize("shape", [ScheduleShape.linear_sqrt, ScheduleShape.straight])
def test_logit_normal_levels_have_the_quantiles_of_their_formula(shape: ScheduleShape) -> None:
    config = ScheduleConfig(shape=shape, levels=LevelDraw.logit_normal, level_mean=0.5, level_deviation=0.8)
    drawn = schedule_of(config).draw(100_000, torch.Generator().manual_seed(0)).double() / 1000
    for deviations, below in ((-1.0, 0.1587), (0.0, 0.5), (1.0, 0.8413)):
        level = 1 / (1 + np.exp(-(0.5 + 0.8 * deviations)))
        assert float((drawn < level).double().mean()) == pytest.approx(below, abs=0.006)


def test_the_straight_line_goes_from_noise_to_data() -> None:
    levels = StraightLine().falling(4, Spacing.time)
    assert [level.sigma for level in levels] == [1.0, 0.75, 0.5, 0.25, 0.0]
    assert [level.alpha for level in levels] == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert [level.time for level in levels] == [1000, 750, 500, 250, 0]
    with pytest.raises(ConfigError, match="steps=0"):
        StraightLine().falling(0, Spacing.time)


@pytest.mark.parametrize("config", [{"beta_end": 0.9}, {"beta_end": 1.0}, {"beta_start": 1.0, "beta_end": 1.0}])
def test_schedules_that_leave_no_signal_are_refused(config):
    with pytest.raises(ConfigError, match="leave no signal"):
        BetaSchedule(ScheduleConfig(shape=ScheduleShape.linear, **config))
