"""Which network each configuration builds."""

from collections.abc import Callable

from facecond.config.denoisers import DenoiserConfig
from facecond.denoisers.denoiser import Denoiser
from facecond.denoisers.transformer import Transformer
from facecond.denoisers.unet import UNet

DENOISERS: dict[str, Callable[..., Denoiser]] = {"unet": UNet, "transformer": Transformer}
"""By the kind in its configuration. Each takes its configuration, `channels` (of a latent) and `context_dim` (width of a
token, None = unconditional)."""


def build_denoiser(config: DenoiserConfig, *, channels: int, context_dim: int | None) -> Denoiser:
    """Return the network of `config` with random weights. Raises ConfigError when its sizes do not fit together."""
    return DENOISERS[config.kind](config, channels=channels, context_dim=context_dim)
