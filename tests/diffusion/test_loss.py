"""The loss against the equation, written out by hand."""

import numpy as np
import pytest
import torch
from torch import Tensor

from facecond.config.diffusion import Target, Weighting, WeightingConfig
from facecond.diffusion.loss import denoising_loss
from facecond.diffusion.prediction import add_noise, answer, convert
from facecond.diffusion.schedule import BetaSchedule, Schedule, StraightLine


def test_loss_is_the_weighted_mean_of_squared_errors() -> None:
    schedule, generator = BetaSchedule(), torch.Generator().manual_seed(0)
    z0, noise = torch.randn(2, 3, 3, 4, 4, generator=generator).unbind()
    t = torch.tensor([0, 500, 999])

    def denoise(z: Tensor, t: Tensor) -> Tensor:
        return 0.5 * z + t[:, None, None, None] / 1000

    loss, errors = denoising_loss(denoise, z0, noise, schedule.at(t), Target.eps, WeightingConfig())
    expected = []
    for i, step in enumerate(t.tolist()):
        abar = float(schedule.alphas_cumprod[step])
        z = abar**0.5 * z0[i].double() + (1 - abar) ** 0.5 * noise[i].double()
        expected.append(float(((0.5 * z + step / 1000 - noise[i].double()) ** 2).mean()))
    np.testing.assert_allclose(errors.numpy(), expected, rtol=1e-5)
    # The weights at t = 0, 500, 999 that the original P2 code gives.
    np.testing.assert_allclose(float(loss), np.dot(expected, [0.0387298, 0.9407864, 0.9998612]) / 3, rtol=1e-4)


def test_errors_carry_no_gradient_and_the_loss_does() -> None:
    scale = torch.ones((), requires_grad=True)

    def denoise(z: Tensor, t: Tensor) -> Tensor:
        return (scale * z).to(torch.bfloat16)

    z0 = torch.ones(2, 1, 2, 2)
    level = BetaSchedule().at(torch.tensor([3, 9]))
    loss, errors = denoising_loss(denoise, z0, -z0, level, Target.eps, WeightingConfig())
    loss.backward()
    assert loss.dtype == errors.dtype == torch.float32
    assert not errors.requires_grad
    assert scale.grad is not None
    assert float(scale.grad) != 0


@pytest.mark.parametrize("schedule", [BetaSchedule(), StraightLine()], ids=["betas", "straight"])
@pytest.mark.parametrize("target", list(Target))
@pytest.mark.parametrize("of", list(Target))
def test_the_error_of_another_answer_is_weighted_as_written_out(schedule: Schedule, target: Target, of: Target) -> None:
    """The raw answer and the wanted one are both converted, and their difference is squared and weighted."""
    generator = torch.Generator().manual_seed(0)
    x0, eps, wrong = torch.randn(3, 5, 3, 4, 4, generator=generator, dtype=torch.float64).unbind()
    level = schedule.at(schedule.spread(5))
    z = add_noise(x0, eps, level)
    raw = answer(target, x0, eps, level) + 0.3 * wrong
    config = WeightingConfig(name=Weighting.p2, of=of)
    loss, noise_errors = denoising_loss(lambda z, time: raw, x0, eps, level, target, config)
    errors = (convert(raw, z, level, target, of) - answer(of, x0, eps, level)).square().mean(dim=(1, 2, 3))
    torch.testing.assert_close(loss, ((1 + level.snr) ** -0.5 * errors).mean(), rtol=1e-8, atol=0)
    implied = (convert(raw, z, level, target, Target.eps) - eps).square().mean(dim=(1, 2, 3))
    torch.testing.assert_close(noise_errors, implied, rtol=1e-8, atol=0)
