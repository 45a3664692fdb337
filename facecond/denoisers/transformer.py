"""A diffusion transformer (DiT, Peebles and Xie 2023, arXiv 2212.09748, section 3) that reads conditions as tokens.

The latents are cut into squares of `patch` x `patch` cells. These and the condition's tokens form one sequence: every block
attends over all of it, so that conditions enter as they do in the paper's cross-attention, and are looked at again in each
block. Cells and tokens with a place share one sine-cosine code of x and y; tokens without a place get none, and their mean
also joins the time embedding. Each block is modulated by the time embedding and starts as the identity (adaLN-Zero, section
3.2); the network starts by answering zero.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facecond.config.networks import PlacedTokens, TransformerConfig
from facecond.denoisers.attention import attend
from facecond.denoisers.denoiser import Denoiser, Laying, Placed, cell_places, mean_unplaced, timestep_embedding, zeroed
from facecond.errors import ConfigError
from facecond.types import Context

TIME_FREQUENCIES = 256
"""Cosines and sines of the time before its two linear layers (DiT's value)."""

LAID = 16
"""Numbers of the map's tokens that a latent cell gets (`placed_tokens=add`); a patch of 2 x 2 cells gets four times as many."""

LONGEST, SHORTEST = 4.0, 1 / 32
"""Wavelengths of the position code, in widths of the picture, from the longest to the shortest."""


def place_code(places_TP: Tensor, width: int) -> Tensor:
    """Return sines and cosines of x and of y at geometric wavelengths, (T, width); zeros for tokens without a place."""
    share = torch.linspace(0, 1, width // 4, device=places_TP.device)
    angles = 2 * math.pi / (LONGEST * (SHORTEST / LONGEST) ** share)
    angles_TF = (places_TP[:, :2, None] * angles).flatten(1)
    return torch.cat([angles_TF.sin(), angles_TF.cos()], dim=1) * places_TP[:, 2:3]


class Reading(NamedTuple):
    """Everything the transformer takes from a context; it does not depend on the latents or the time."""

    tokens_BTE: Tensor
    """Embedded tokens, with the code of their places."""
    shift_BE: Tensor
    """What is added to the time embedding."""
    placed: Placed | None
    """What is added to the cells (`placed_tokens=add`)."""


class Block(nn.Module):
    """Attention over the whole sequence and a feed-forward network, each modulated and gated by the time embedding."""

    def __init__(self, width: int, *, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(approximate="tanh"), nn.Linear(4 * width, width))
        self.modulation = nn.Sequential(nn.SiLU(), zeroed(nn.Linear(width, 6 * width)))

    def forward(self, x_BLE: Tensor, embedding_BE: Tensor) -> Tensor:
        """(B, L, width) -> (B, L, width)."""
        shift1, scale1, gate1, shift2, scale2, gate2 = self.modulation(embedding_BE)[:, None].chunk(6, dim=-1)
        x_BLE = x_BLE + gate1 * self.attention(modulated(x_BLE, shift1, scale1))
        return x_BLE + gate2 * self.mlp(modulated(x_BLE, shift2, scale2))

    def attention(self, x_BLE: Tensor) -> Tensor:
        """Multi-head self-attention, (B, L, width)."""
        # Queries, keys and values keep the last stride 1: otherwise the fused kernel is not taken on CPU.
        q, k, v = self.qkv(x_BLE).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return self.proj(attend(q, k, v).transpose(1, 2).flatten(2))


def modulated(x_BLE: Tensor, shift_B1E: Tensor, scale_B1E: Tensor) -> Tensor:
    """Layer normalisation with the scale 1 + `scale_B1E` and the shift `shift_B1E` in place of learned ones."""
    return F.layer_norm(x_BLE, x_BLE.shape[-1:], eps=1e-6) * (1 + scale_B1E) + shift_B1E


class Transformer(Denoiser):
    """Answers for noisy latents; with a context bound it is a `facecond.types.Denoise`.

    Raises ConfigError when the width cannot be divided into heads or into the position code.
    """

    def __init__(self, config: TransformerConfig, *, channels: int = 3, context_dim: int | None = None) -> None:
        super().__init__(context_dim=context_dim, multiple=config.patch)
        width = config.width
        for what, divisor in (("head_channels", config.head_channels), ("4", 4)):
            if width % divisor:
                raise ConfigError(
                    f"transformer: width={width} is not a multiple of {what}", hint=f"multiples of {divisor}"
                )
        self.config = config
        cell_channels = channels * config.patch**2
        self.cell_embed = nn.Linear(cell_channels, width)
        self.time_embed = nn.Sequential(nn.Linear(TIME_FREQUENCIES, width), nn.SiLU(), nn.Linear(width, width))
        self.token_embed = nn.Linear(context_dim, width) if context_dim is not None else None
        self.global_embed = zeroed(nn.Linear(context_dim, width)) if context_dim is not None else None
        added = context_dim is not None and config.placed_tokens is PlacedTokens.add
        self.placed = Laying(context_dim or 0, LAID, width, config.patch) if added else None
        self.blocks = nn.ModuleList(Block(width, heads=width // config.head_channels) for _ in range(config.depth))
        self.modulation = nn.Sequential(nn.SiLU(), zeroed(nn.Linear(width, 2 * width)))
        self.out = zeroed(nn.Linear(width, cell_channels))

    def read(self, context: Context | None) -> Reading | None:
        """Return the embedded tokens and the shift of the time embedding; None without a context."""
        if context is None or self.token_embed is None or self.global_embed is None:
            return None
        code_TE = place_code(context.places_TP, self.config.width)
        placed = None if self.placed is None else self.placed.read(context)
        return Reading(
            self.token_embed(context.tokens_BTD) + code_TE, self.global_embed(mean_unplaced(context)), placed
        )

    def predict(self, z_BCHW: Tensor, time_B: Tensor, reading: Reading | None) -> Tensor:
        """Return the answer, given a context that was read before."""
        cells_BCHW = F.pixel_unshuffle(z_BCHW, self.config.patch)
        H, W = cells_BCHW.shape[-2:]
        x_BLE = self.cell_embed(cells_BCHW.flatten(2).transpose(1, 2))
        x_BLE = x_BLE + place_code(cell_places(H, W, z_BCHW.device), self.config.width)
        embedding_BE = self.time_embed(timestep_embedding(time_B, TIME_FREQUENCIES))
        if reading is not None:
            if self.placed is not None and reading.placed is not None:
                x_BLE = x_BLE + self.placed(reading.placed, *z_BCHW.shape[-2:]).flatten(2).transpose(1, 2)
            x_BLE = torch.cat([x_BLE, reading.tokens_BTE.to(x_BLE.dtype)], dim=1)
            embedding_BE = embedding_BE + reading.shift_BE
        for block in self.blocks:
            x_BLE = block(x_BLE, embedding_BE)
        shift, scale = self.modulation(embedding_BE)[:, None].chunk(2, dim=-1)
        raw_BLC = self.out(modulated(x_BLE[:, : H * W], shift, scale))
        raw_BCHW = raw_BLC.transpose(1, 2).unflatten(-1, (H, W)).to(z_BCHW.dtype)
        return F.pixel_shuffle(raw_BCHW, self.config.patch)
