"""The training loss: weighted squared error of the predicted noise (the paper, equation 4)."""

from torch import Tensor

from facecond.config.diffusion import WeightingConfig
from facecond.diffusion.schedule import Schedule
from facecond.diffusion.weighting import weights
from facecond.types import Context, PredictNoise


def noise_loss(
    predict_noise: PredictNoise,
    z0_BCHW: Tensor,
    noise_BCHW: Tensor,
    t_B: Tensor,
    context: Context | None,
    schedule: Schedule,
    weighting: WeightingConfig,
) -> tuple[Tensor, Tensor]:
    """Return (loss, errors_B): the mean of w(t) mean_CHW (eps - eps_theta(z_t, t))^2, and the unweighted errors.

    `z0_BCHW` and `noise_BCHW` are float32, `t_B` int64 in 0..T-1. The squared error is taken in float32 whatever
    precision the network answers in. `errors_B` is detached: it is for watching (validation by SNR), not for learning.
    """
    z_BCHW = schedule.add_noise(z0_BCHW, noise_BCHW, t_B)
    predicted_BCHW = predict_noise(z_BCHW, t_B, context)
    errors_B = (predicted_BCHW.to(noise_BCHW.dtype) - noise_BCHW).square().flatten(1).mean(dim=1)
    weights_B = weights(weighting, schedule.snr_at(t_B, errors_B.dtype))
    return (weights_B * errors_B).mean(), errors_B.detach()
