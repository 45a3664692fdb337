"""The loss against the equation, written out by hand."""

import numpy as np
import torch
from torch import Tensor

from facecond.config.diffusion import WeightingConfig
from facecond.diffusion.loss import noise_loss
from facecond.diffusion.schedule import Schedule
from facecond.types import Context


def test_loss_is_the_weighted_mean_of_squared_errors() -> None:
    schedule, generator = Schedule(), torch.Generator().manual_seed(0)
    z0, noise = torch.randn(2, 3, 3, 4, 4, generator=generator).unbind()
    t = torch.tensor([0, 500, 999])

    def predict(z: Tensor, t: Tensor, context: Context | None) -> Tensor:
        return 0.5 * z + t[:, None, None, None] / 1000

    loss, errors = noise_loss(predict, z0, noise, t, None, schedule, WeightingConfig())
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

    def predict(z: Tensor, t: Tensor, context: Context | None) -> Tensor:
        return (scale * z).to(torch.bfloat16)

    z0 = torch.ones(2, 1, 2, 2)
    loss, errors = noise_loss(predict, z0, -z0, torch.tensor([3, 9]), None, Schedule(), WeightingConfig())
    loss.backward()
    assert loss.dtype == errors.dtype == torch.float32
    assert not errors.requires_grad
    assert scale.grad is not None
    assert float(scale.grad) != 0
