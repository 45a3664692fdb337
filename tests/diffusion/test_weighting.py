"""Weights against the original P2 code (tests/golden/p2_*.npz, 1e-6) and against closed forms."""

from pathlib import Path

import numpy as np
import pytest
import torch

from facecond.config.diffusion import ScheduleConfig, ScheduleShape, Weighting, WeightingConfig
from facecond.diffusion.schedule import Schedule
from facecond.diffusion.weighting import WEIGHTINGS, weights

GOLDEN = Path(__file__).parent.parent / "golden"
LINEAR = ScheduleConfig(shape=ScheduleShape.linear, beta_start=1e-4, beta_end=0.02)


@pytest.mark.parametrize("gamma", [0.5, 1.0])
@pytest.mark.parametrize(("name", "config"), [("ldm", ScheduleConfig()), ("linear", LINEAR)])
def test_p2_equals_the_original(name: str, config: ScheduleConfig, gamma: float) -> None:
    golden = np.load(GOLDEN / f"p2_{name}_g{gamma}.npz")["w"]
    found = weights(WeightingConfig(gamma=gamma), Schedule(config).snr)
    np.testing.assert_allclose(found.numpy(), golden, rtol=0, atol=1e-6)


def test_p2_at_k_1_is_one_minus_abar_to_the_gamma() -> None:
    schedule = Schedule()
    found = weights(WeightingConfig(gamma=0.3), schedule.snr)
    np.testing.assert_allclose(found.numpy(), (1 - schedule.alphas_cumprod.numpy()) ** 0.3, rtol=1e-12)


def test_p2_at_gamma_0_is_the_plain_loss() -> None:
    snr = Schedule().snr
    assert torch.equal(weights(WeightingConfig(gamma=0.0), snr), weights(WeightingConfig(name=Weighting.uniform), snr))


def test_min_snr_caps_the_weight_of_the_clean_prediction() -> None:
    config = WeightingConfig(name=Weighting.min_snr, snr_cap=5.0)
    found = weights(config, torch.tensor([0.5, 5.0, 10.0, 50.0]))
    np.testing.assert_allclose(found.numpy(), [1.0, 1.0, 0.5, 0.1], rtol=1e-6)


def test_every_weighting_is_in_the_table_and_positive() -> None:
    assert set(WEIGHTINGS) == set(Weighting)
    for name in Weighting:
        found = weights(WeightingConfig(name=name), Schedule().snr)
        assert found.shape == (1000,)
        assert bool((found > 0).all())
