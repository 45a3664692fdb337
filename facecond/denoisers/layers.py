"""Residual blocks and resampling of the U-Net, in latent diffusion's arithmetic and names (arXiv 2112.10752, appendix
E).

GroupNorm's epsilon is 1e-5 here; the last convolution of a residual block starts at zero. Tensors keep the plain
(contiguous) layout: GroupNorm is slower with channels last on CPU and on plain CUDA.
"""

from __future__ import annotations

import math
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Module = TypeVar("Module", bound=nn.Module)


def zeroed(module: Module) -> Module:
    """Set every parameter of `module` to zero and return it."""
    for parameter in module.parameters():
        nn.init.zeros_(parameter)
    return module


def timestep_embedding(time_B: Tensor, width: int, *, max_period: float = 10000.0) -> Tensor:
    """Return float32 (B, width): cosines first, then sines, at `width // 2` frequencies from 1 down to about 1 /
    `max_period`."""
    half = width // 2
    frequencies = torch.exp(
        -math.log(max_period) / half * torch.arange(half, dtype=torch.float32, device=time_B.device)
    )
    angles = time_B[:, None].float() * frequencies
    embedding_BE = torch.cat([angles.cos(), angles.sin()], dim=-1)
    return F.pad(embedding_BE, (0, width % 2))


class ResBlock(nn.Module):
    """Two convolutions with the time embedding added between them, and a skip connection."""

    def __init__(self, channels: int, embed_channels: int, out_channels: int, *, norm_groups: int = 32) -> None:
        super().__init__()
        self.in_layers = nn.Sequential(
            nn.GroupNorm(norm_groups, channels), nn.SiLU(), nn.Conv2d(channels, out_channels, 3, padding=1)
        )
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(embed_channels, out_channels))
        self.out_layers = nn.Sequential(
            nn.GroupNorm(norm_groups, out_channels),
            nn.SiLU(),
            nn.Identity(),  # latent diffusion's dropout, which its configuration leaves at 0
            zeroed(nn.Conv2d(out_channels, out_channels, 3, padding=1)),
        )
        self.skip_connection = nn.Identity() if channels == out_channels else nn.Conv2d(channels, out_channels, 1)

    def forward(self, x_BCHW: Tensor, embedding_BE: Tensor) -> Tensor:
        """(B, channels, H, W) -> (B, out_channels, H, W)."""
        h = self.in_layers(x_BCHW) + self.emb_layers(embedding_BE)[:, :, None, None]
        return self.skip_connection(x_BCHW) + self.out_layers(h)


class Downsample(nn.Module):
    """A convolution of stride 2: (B, C, H, W) -> (B, C, H / 2, W / 2)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.op = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Halve height and width."""
        return self.op(x_BCHW)


class Upsample(nn.Module):
    """Nearest-neighbour doubling and a convolution: (B, C, H, W) -> (B, C, 2 H, 2 W)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Double height and width."""
        return self.conv(F.interpolate(x_BCHW, scale_factor=2, mode="nearest"))
