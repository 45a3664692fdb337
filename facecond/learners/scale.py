"""The scale of latents: as the first stage gives them (the paper), or standardised per channel (small models)."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn


class LatentScale(nn.Module):
    """Shifts and scales latents per channel; its numbers are saved with the model that was trained on such latents."""

    mean: Tensor
    std: Tensor

    def __init__(self, channels: int, mean: ArrayLike | None = None, std: ArrayLike | None = None) -> None:
        """`mean` and `std` are (channels,); without them latents stay as they are."""
        super().__init__()
        for name, values, default in (("mean", mean, 0.0), ("std", std, 1.0)):
            filled = np.full(channels, default) if values is None else np.asarray(values)
            if filled.shape != (channels,):
                raise ValueError(f"{name} of {channels} channels expected, got {filled.shape}")
            self.register_buffer(name, torch.tensor(filled, dtype=torch.float32))

    def standardise(self, latents_BCHW: Tensor) -> Tensor:
        """The first stage's latents -> what diffusion runs on."""
        return (latents_BCHW - self.mean[:, None, None]) / self.std[:, None, None]

    def restore(self, z_BCHW: Tensor) -> Tensor:
        """What diffusion runs on -> the first stage's latents."""
        return z_BCHW * self.std[:, None, None] + self.mean[:, None, None]
