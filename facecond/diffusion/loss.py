"""The training loss: weighted squared error of the network's answer (the paper, equation 4, where the answer is eps).

A weight (P2 in the paper) multiplies the squared error of a noise level before the mean over C, H, W. Weights are not
normalised. The formulas are those of a noise prediction; `WeightingConfig.of` says whose error they weigh.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from facecond.config.diffusion import Target, Weighting, WeightingConfig
from facecond.diffusion.prediction import add_noise, answer, error_ratio
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


def weights_for(config: WeightingConfig, level: Level[Tensor], target: Target, dtype: torch.dtype) -> Tensor:
    """Return what multiplies the squared errors (B,) of a network that answers `target`, in `dtype`.

    With `config.of` named that is w(SNR) (D_of / D_target)^2: the squared error of that answer, written as one of `target`.
    """
    weights_B = weights(config, level.snr.to(dtype))
    if config.of is None or config.of is target:
        return weights_B
    return weights_B * (error_ratio(level, target, config.of) ** 2).to(dtype)


def weights(config: WeightingConfig, snr_B: Tensor) -> Tensor:
    """Return the weights, (B,) in the precision of `snr_B`, at signal-to-noise ratios `snr_B` (float, above 0)."""
    return WEIGHTINGS[config.name](config, snr_B)


def p2(config: WeightingConfig, snr_B: Tensor) -> Tensor:
    """P2 (Choi et al. 2022, equation 8): 1 / (k + SNR)^gamma; for k = 1 and alpha^2 + sigma^2 = 1 this is sigma^(2 gamma)."""
    return (config.k + snr_B) ** -config.gamma


def uniform(config: WeightingConfig, snr_B: Tensor) -> Tensor:
    """Latent diffusion's plain loss: 1."""
    return torch.ones_like(snr_B)


def min_snr(config: WeightingConfig, snr_B: Tensor) -> Tensor:
    """Min-SNR (Hang et al. 2023, section 3.4, for a noise prediction): min(SNR, cap) / SNR."""
    return snr_B.clamp(max=config.snr_cap) / snr_B


WEIGHTINGS: dict[Weighting, Callable[[WeightingConfig, Tensor], Tensor]] = {
    Weighting.p2: p2,
    Weighting.uniform: uniform,
    Weighting.min_snr: min_snr,
}
