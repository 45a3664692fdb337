"""Weights against the original P2 code (tests/golden/p2_*.npz, 1e-6) and against closed forms."""

from pathlib import Path

import numpy as np
import pytest
import torch

from facecond.config.diffusion import ScheduleConfig, ScheduleShape, Target, Weighting, WeightingConfig
from facecond.diffusion.loss import WEIGHTINGS, weights, weights_for
from facecond.diffusion.schedule import BetaSchedule, StraightLine

GOLDEN = Path(__file__).parent.parent / "golden"
LINEAR = ScheduleConfig(shape=ScheduleShape.linear, beta_start=1e-4, beta_end=0.02)


@pytest.mark.parametrize("gamma", [0.5, 1.0])
@pytest.mark.parametrize(("name", "config"), [("ldm", ScheduleConfig()), ("linear", LINEAR)])
def test_p2_equals_the_original(name: str, config: ScheduleConfig, gamma: float) -> None:
    golden = np.load(GOLDEN / f"p2_{name}_g{gamma}.npz")["w"]
    found = weights(WeightingConfig(gamma=gamma), BetaSchedule(config).snr)
    np.testing.assert_allclose(found.numpy(), golden, rtol=0, atol=1e-6)


def test_p2_at_k_1_is_one_minus_abar_to_the_gamma() -> None:
    schedule = BetaSchedule()
    found = weights(WeightingConfig(gamma=0.3), schedule.snr)
    np.testing.assert_allclose(found.numpy(), (1 - schedule.alphas_cumprod.numpy()) ** 0.3, rtol=1e-12)


def test_p2_at_gamma_0_is_the_plain_loss() -> None:
    snr = BetaSchedule().snr
    assert torch.equal(weights(WeightingConfig(gamma=0.0), snr), weights(WeightingConfig(name=Weighting.uniform), snr))


def test_min_snr_caps_the_weight_of_the_clean_prediction() -> None:
    config = WeightingConfig(name=Weighting.min_snr, snr_cap=5.0)
    found = weights(config, torch.tensor([0.5, 5.0, 10.0, 50.0]))
    np.testing.assert_allclose(found.numpy(), [1.0, 1.0, 0.5, 0.1], rtol=1e-6)


def test_every_weighting_is_in_the_table_and_positive() -> None:
    assert set(WEIGHTINGS) == set(Weighting)
    for name in Weighting:
        found = weights(WeightingConfig(name=name), BetaSchedule().snr)
        assert found.shape == (1000,)
        assert bool((found > 0).all())


@pytest.mark.parametrize(
    ("target", "closed_form"),
    [
        (Target.eps, lambda snr: np.minimum(snr, 5) / snr),
        (Target.x0, lambda snr: np.minimum(snr, 5)),
        (Target.v, lambda snr: np.minimum(snr, 5) / (snr + 1)),
    ],
)
def test_min_snr_of_the_noise_in_the_forms_of_its_paper(target: Target, closed_form: object) -> None:
    """Hang et al. 2023, section 3.4: the same loss for networks that answer eps, x0 and v."""
    schedule = BetaSchedule()
    config = WeightingConfig(name=Weighting.min_snr, of=Target.eps)
    found = weights_for(config, schedule.at(torch.arange(1000)), target, torch.float64)
    np.testing.assert_allclose(found.numpy(), closed_form(schedule.snr.numpy()), rtol=1e-9)


def test_uniform_weights_of_other_answers_on_the_straight_line() -> None:
    """u = eps - x0 is (eps - z) / (1 - s) + ... : its error is that of eps over 1 - s, and that of x0 over -s."""
    schedule = StraightLine()
    level = schedule.at(schedule.spread(50))
    for target, expected in ((Target.eps, 1 / level.alpha**2), (Target.x0, 1 / level.sigma**2)):
        config = WeightingConfig(name=Weighting.uniform, of=Target.velocity)
        torch.testing.assert_close(weights_for(config, level, target, torch.float64), expected, rtol=1e-10, atol=0)


@pytest.mark.parametrize("name", list(Weighting))
@pytest.mark.parametrize("target", list(Target))
def test_without_another_answer_the_weights_are_plain(name: Weighting, target: Target) -> None:
    level = BetaSchedule().at(torch.arange(1000))
    for of in (None, target):
        found = weights_for(WeightingConfig(name=name, of=of), level, target, torch.float32)
        assert torch.equal(found, weights(WeightingConfig(name=name), BetaSchedule().snr.float()))
