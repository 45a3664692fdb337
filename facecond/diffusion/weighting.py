"""Weight of the squared error at a noise level (the paper, equation 4: P2 weighting).

A weight multiplies the squared error before the mean over C, H, W. Weights are not normalised. The formulas are those of
a noise prediction; `WeightingConfig.of` says whose error they weigh (`facecond.diffusion.loss`).
"""

from collections.abc import Callable

import torch
from torch import Tensor

from facecond.config.diffusion import Target, Weighting, WeightingConfig
from facecond.diffusion.prediction import error_ratio
from facecond.types import Level


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
