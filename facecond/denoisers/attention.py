"""Attention of the U-Net, in latent diffusion's arithmetic and names (arXiv 2112.10752, section 3.3; paper, section 3).

`AttentionBlock` is the unconditional U-Net's; `SpatialTransformer` is where conditions enter: self-attention, cross-
attention to the context's tokens, and a GEGLU network of factor 4. Queries, keys and values have no bias, output
projections start at zero, and the GroupNorm in front has epsilon 1e-6 (1e-5 in `AttentionBlock`).

`PositionCode` is an option of ours; the paper's tokens carry no position, so a small U-Net has no way to tell which mask
token lies where. Here queries and keys get the same sine-cosine code of x and y, projected by one matrix per attention
layer, so that their product depends on the distance between a latent cell and a token: c(p) . c(p') = sum over f of
cos(pi f (x - x')) + cos(pi f (y - y')), at most 8.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facecond.denoisers.denoiser import cell_places, zeroed
from facecond.types import Context

KeysValues = tuple[Tensor, Tensor]
"""What a cross-attention needs of a context: keys and values, each (B, heads, T, head_channels)."""


def attend(q_BHLC: Tensor, k_BHTC: Tensor, v_BHTC: Tensor) -> Tensor:
    """Return softmax(q k^T / sqrt(C)) v: (B, heads, L, C)."""
    if q_BHLC.dtype is torch.bfloat16 and q_BHLC.device.type == "cpu" and q_BHLC.requires_grad:
        # torch 2.15: the fused kernel's bfloat16 backward is 4 to 8 times slower on CPU than these two products (1.2 ms
        # against 5.9 ms for 32 pictures, 2 heads of 64 and 64 cells); its forward is the faster one and is kept for sampling.
        logits_BHLT = (q_BHLC * q_BHLC.shape[-1] ** -0.5) @ k_BHTC.transpose(-1, -2)
        return logits_BHLT.softmax(-1) @ v_BHTC
    return F.scaled_dot_product_attention(q_BHLC, k_BHTC, v_BHTC)


class AttentionBlock(nn.Module):
    """Self-attention over the cells of a feature map, as in the unconditional U-Net."""

    def __init__(self, channels: int, *, head_channels: int, norm_groups: int = 32) -> None:
        super().__init__()
        self.heads = channels // head_channels
        self.norm = nn.GroupNorm(norm_groups, channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = zeroed(nn.Conv1d(channels, channels, 1))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        B, C, H, W = x_BCHW.shape
        qkv = self.qkv(self.norm(x_BCHW).flatten(2))
        # Each head holds its queries, keys and values next to one another: (B, heads, 3, head_channels, H W). The fused
        # kernel takes only those whose channels lie together.
        q, k, v = qkv.view(B, self.heads, 3, C // self.heads, H * W).transpose(-1, -2).contiguous().unbind(2)
        attended = attend(q, k, v).transpose(-1, -2).reshape(B, C, H * W)
        return x_BCHW + self.proj_out(attended).view(B, C, H, W)


class Attention(nn.Module):
    """Multi-head attention from cells to cells or to tokens; with `position`, queries and keys know where they lie."""

    def __init__(self, channels: int, context_dim: int, *, head_channels: int, position: bool = False) -> None:
        super().__init__()
        self.heads = channels // head_channels
        self.to_q = nn.Linear(channels, channels, bias=False)
        self.to_k = nn.Linear(context_dim, channels, bias=False)
        self.to_v = nn.Linear(context_dim, channels, bias=False)
        self.to_out = nn.Sequential(nn.Linear(channels, channels))
        self.position = PositionCode(self.heads, head_channels) if position else None

    def _split(self, x_BLC: Tensor) -> Tensor:
        return x_BLC.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def keys_values(self, tokens_BTD: Tensor, places_TP: Tensor | None = None) -> KeysValues:
        """Return the keys and values of `tokens_BTD`; `places_TP` is read when the layer has a position code."""
        keys_BTC = self.to_k(tokens_BTD)
        if self.position is not None and places_TP is not None:
            keys_BTC = keys_BTC + self.position(places_TP, query=False)
        return self._split(keys_BTC), self._split(self.to_v(tokens_BTD))

    def forward(self, x_BLC: Tensor, keys_values: KeysValues, places_LP: Tensor | None = None) -> Tensor:
        """Attend from (B, L, channels) to given keys and values; returns (B, L, channels)."""
        queries_BLC = self.to_q(x_BLC)
        if self.position is not None and places_LP is not None:
            queries_BLC = queries_BLC + self.position(places_LP, query=True)
        attended = attend(self._split(queries_BLC), *keys_values)
        return self.to_out(attended.transpose(1, 2).flatten(2))


class GEGLU(nn.Module):
    """A linear layer gated by the GELU of its second half (arXiv 2002.05202)."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.proj = nn.Linear(channels, 2 * out_channels)

    def forward(self, x_BLC: Tensor) -> Tensor:
        """(B, L, channels) -> (B, L, out_channels)."""
        x, gate = self.proj(x_BLC).chunk(2, dim=-1)
        return x * F.gelu(gate)


class FeedForward(nn.Module):
    """GEGLU to four times the width and back."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        # The identity stands where latent diffusion has a dropout that its configuration leaves at 0.
        self.net = nn.Sequential(GEGLU(channels, 4 * channels), nn.Identity(), nn.Linear(4 * channels, channels))

    def forward(self, x_BLC: Tensor) -> Tensor:
        """(B, L, channels) -> (B, L, channels)."""
        return self.net(x_BLC)


class TransformerBlock(nn.Module):
    """Self-attention, cross-attention and feed-forward, each on a normalised input and added to it."""

    def __init__(self, channels: int, context_dim: int, *, head_channels: int, position: bool) -> None:
        super().__init__()
        self.attn1 = Attention(channels, channels, head_channels=head_channels)
        self.ff = FeedForward(channels)
        self.attn2 = Attention(channels, context_dim, head_channels=head_channels, position=position)
        self.norm1 = nn.LayerNorm(channels)
        self.norm2 = nn.LayerNorm(channels)
        self.norm3 = nn.LayerNorm(channels)

    def forward(self, x_BLC: Tensor, keys_values: KeysValues, places_LP: Tensor | None) -> Tensor:
        """(B, L, channels) -> (B, L, channels)."""
        normed_BLC = self.norm1(x_BLC)
        x_BLC = x_BLC + self.attn1(normed_BLC, self.attn1.keys_values(normed_BLC))
        x_BLC = x_BLC + self.attn2(self.norm2(x_BLC), keys_values, places_LP)
        return x_BLC + self.ff(self.norm3(x_BLC))


class SpatialTransformer(nn.Module):
    """Transformer blocks over the cells of a feature map, with cross-attention to a context."""

    def __init__(
        self, channels: int, context_dim: int, *, head_channels: int, depth: int, position: bool, norm_groups: int = 32
    ) -> None:
        super().__init__()
        self.position = position
        self.norm = nn.GroupNorm(norm_groups, channels, eps=1e-6)
        self.proj_in = nn.Conv2d(channels, channels, 1)
        self.transformer_blocks = nn.ModuleList(
            TransformerBlock(channels, context_dim, head_channels=head_channels, position=position)
            for _ in range(depth)
        )
        self.proj_out = zeroed(nn.Conv2d(channels, channels, 1))

    def read(self, context: Context) -> list[KeysValues]:
        """Return the keys and values of every block's cross-attention."""
        blocks = (block for block in self.transformer_blocks if isinstance(block, TransformerBlock))
        return [block.attn2.keys_values(*context) for block in blocks]

    def forward(self, x_BCHW: Tensor, keys_values: Sequence[KeysValues]) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W); `keys_values` holds one pair per block."""
        H, W = x_BCHW.shape[-2:]
        places_LP = cell_places(H, W, x_BCHW.device) if self.position else None
        h_BLC = self.proj_in(self.norm(x_BCHW)).flatten(2).transpose(1, 2).contiguous()
        for block, pair in zip(self.transformer_blocks, keys_values, strict=True):
            h_BLC = block(h_BLC, pair, places_LP)
        return x_BCHW + self.proj_out(h_BLC.transpose(1, 2).unflatten(-1, (H, W)).contiguous())


FREQUENCIES = (0.5, 1.0, 2.0, 4.0)
"""In units of pi per width of the picture."""

CODE_WIDTH = 4 * len(FREQUENCIES) + 1
"""Sines and cosines of x and of y, and the number that stands for a place in tokens without one (`UNPLACED`)."""

UNPLACED = 2.0 * len(FREQUENCIES)
"""Entry of the key of a token without a place; every query has 1 there. Its logit is that of a token exactly at the query."""

LOCALITY = 2.0
"""At the start, logits fall by this factor times 8 - c(p) . c(p'): about 2.8 from a cell of an 8x8 grid to its
neighbour."""


def position_code(places_TP: Tensor, frequencies_F: Tensor | None = None, *, query: bool) -> Tensor:
    """Return the code of each place: float32 (T, 17); the last number is 1 for queries and `UNPLACED` for keys without
    a place. `frequencies_F`: `FREQUENCIES`, where they lie on the device already."""
    if frequencies_F is None:
        frequencies_F = torch.tensor(FREQUENCIES, device=places_TP.device)
    placed = places_TP[:, 2:3]
    angles = (places_TP[:, :2, None] * (math.pi * frequencies_F)).flatten(1)
    last = torch.ones_like(placed) if query else UNPLACED * (1 - placed)
    return torch.cat([angles.sin() * placed, angles.cos() * placed, last], dim=1)


class PositionCode(nn.Module):
    """Projects position codes to what is added to the queries and to the keys of one attention layer (not to its
    values)."""

    frequencies_F: Tensor

    def __init__(self, heads: int, head_channels: int) -> None:
        """Start every head with orthonormal columns, scaled so that attention is local from the first step.

        `head_channels` must be at least `CODE_WIDTH` (17) for that; narrower heads start with orthonormal rows.
        """
        super().__init__()
        self.weight = nn.Parameter(torch.empty(heads * head_channels, CODE_WIDTH))
        self.register_buffer("frequencies_F", torch.tensor(FREQUENCIES), persistent=False)
        scale = math.sqrt(LOCALITY * math.sqrt(head_channels))
        for head in self.weight.data.split(head_channels):
            nn.init.orthogonal_(head, gain=scale)

    def forward(self, places_TP: Tensor, *, query: bool) -> Tensor:
        """Return (T, heads * head_channels) to be added to queries or keys."""
        return F.linear(position_code(places_TP, self.frequencies_F, query=query), self.weight)
