"""The training loss: weighted squared error of the network's answer (the paper, equation 4, where the answer is eps)."""

from typing import NamedTuple

from torch import Tensor

from facecond.config.diffusion import Target, WeightingConfig
from facecond.diffusion.prediction import add_noise, answer, error_ratio
from facecond.diffusion.weighting import weights_for
from facecond.types import Denoise, Level


class Loss(NamedTuple):
    """What one batch says about a network."""

    mean: Tensor
    """Mean over the items of weight times squared error."""
    noise_errors_B: Tensor
    """Unweighted squared errors of the noise the answers imply, whatever the target; detached, for the log."""


def denoising_loss(
    denoise: Denoise,
    x0_BCHW: Tensor,
    eps_BCHW: Tensor,
    level: Level[Tensor],
    target: Target,
    weighting: WeightingConfig,
) -> Loss:
    """Return the mean of w(level) mean_CHW (answer - r_theta(z, time))^2 with z = alpha x0 + sigma eps.

    `x0_BCHW` and `eps_BCHW` are float32; the squared error is taken in float32 whatever precision the network answers in.
    """
    z_BCHW = add_noise(x0_BCHW, eps_BCHW, level)
    wanted_BCHW = answer(target, x0_BCHW, eps_BCHW, level)
    raw_BCHW = denoise(z_BCHW, level.time).to(wanted_BCHW.dtype)
    errors_B = (raw_BCHW - wanted_BCHW).square().flatten(1).mean(dim=1)
    weights_B = weights_for(weighting, level, target, errors_B.dtype)
    noise_errors_B = errors_B.detach() * (error_ratio(level, target, Target.eps) ** 2).to(errors_B.dtype)
    return Loss((weights_B * errors_B).mean(), noise_errors_B)
