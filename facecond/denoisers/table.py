"""The denoisers there are."""

from collections.abc import Callable

from facecond.denoisers.denoiser import Denoiser
from facecond.denoisers.transformer import Transformer
from facecond.denoisers.unet import UNet

DENOISERS: dict[str, Callable[..., Denoiser]] = {"unet": UNet, "transformer": Transformer}
"""By the kind in its configuration. Each takes its configuration, `channels` (of a latent) and `context_dim` (width of a
token, None = unconditional), has random weights, and raises ConfigError when its sizes do not fit together."""
