"""The schedule against latent diffusion's own arrays (tests/golden/schedule_celebahq.npz, float32 there: 1e-7)."""

from pathlib import Path

import numpy as np
import pytest
import torch

from facecond.config.diffusion import ScheduleConfig, ScheduleShape
from facecond.diffusion.schedule import Schedule
from facecond.errors import ConfigError

GOLDEN = Path(__file__).parent.parent / "golden"


def test_betas_and_alphas_equal_latent_diffusion() -> None:
    golden = np.load(GOLDEN / "schedule_celebahq.npz")
    schedule = Schedule()
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
    np.testing.assert_allclose(Schedule(config).snr.numpy(), golden, rtol=1e-6)


def test_add_noise_follows_the_equation() -> None:
    schedule = Schedule(ScheduleConfig(timesteps=2, beta_start=0.25, beta_end=0.25))  # abar = 0.75, 0.5625
    z0 = torch.full((2, 1, 1, 1), 2.0)
    noise = torch.full((2, 1, 1, 1), 4.0)
    z = schedule.add_noise(z0, noise, torch.tensor([0, 1])).flatten()
    expected = [2 * 0.75**0.5 + 4 * 0.25**0.5, 2 * 0.75 + 4 * 0.4375**0.5]
    np.testing.assert_allclose(z.numpy(), expected, rtol=1e-6)
    np.testing.assert_allclose(schedule.snr_at(torch.tensor([1, 0])).numpy(), [0.5625 / 0.4375, 3.0], rtol=1e-6)


def test_falling_betas_are_refused() -> None:
    with pytest.raises(ConfigError, match="beta_end"):
        Schedule(ScheduleConfig(beta_start=0.02, beta_end=0.01))
