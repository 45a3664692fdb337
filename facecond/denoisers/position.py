"""A shared position code for cross-attention (an option of ours; the paper's tokens carry no position).

Without it a small U-Net has no way to tell which mask token lies where: its queries carry no position. Here queries and
keys get the same sine-cosine code of x and y, projected by one matrix per attention layer, so that their product
depends on the distance between a latent cell and a token: c(p) . c(p') = sum over f of cos(pi f (x - x')) + cos(pi f (y
- y')), at most 8.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facecond.types import Context

FREQUENCIES = (0.5, 1.0, 2.0, 4.0)
"""In units of pi per width of the picture."""

CODE_WIDTH = 4 * len(FREQUENCIES) + 1
"""Sines and cosines of x and of y, and the number that stands for a place in tokens without one (`UNPLACED`)."""

UNPLACED = 2.0 * len(FREQUENCIES)
"""Entry of the key of a token without a place; every query has 1 there. Its logit is that of a token exactly at the query."""

LOCALITY = 2.0
"""At the start, logits fall by this factor times 8 - c(p) . c(p'): about 2.8 from a cell of an 8x8 grid to its
neighbour."""


def cell_places(height: int, width: int, device: torch.device) -> Tensor:
    """Return the centres of the cells, row by row: float32 (height * width, 3) of x and y in [0, 1], and 1."""
    y = (torch.arange(height, device=device, dtype=torch.float32) + 0.5) / height
    x = (torch.arange(width, device=device, dtype=torch.float32) + 0.5) / width
    grid_y, grid_x = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([grid_x, grid_y, torch.ones_like(grid_x)], dim=-1).view(-1, 3)


def position_code(places_TP: Tensor, *, query: bool) -> Tensor:
    """Return the code of each place: float32 (T, 17); the last number is 1 for queries and `UNPLACED` for keys without
    a place."""
    placed = places_TP[:, 2:3]
    frequencies = math.pi * torch.tensor(FREQUENCIES, device=places_TP.device)
    angles = (places_TP[:, :2, None] * frequencies).flatten(1)
    last = torch.ones_like(placed) if query else UNPLACED * (1 - placed)
    return torch.cat([angles.sin() * placed, angles.cos() * placed, last], dim=1)


def mean_unplaced(context: Context) -> Tensor:
    """Return the mean of the tokens without a place, (B, D); zeros where there are none."""
    unplaced_T = 1 - context.places_TP[:, 2].to(context.tokens_BTD)
    return torch.einsum("btd,t->bd", context.tokens_BTD, unplaced_T / unplaced_T.sum().clamp(min=1))


class PositionCode(nn.Module):
    """Projects position codes to what is added to the queries and to the keys of one attention layer (not to its
    values)."""

    def __init__(self, heads: int, head_channels: int) -> None:
        """Start every head with orthonormal columns, scaled so that attention is local from the first step.

        `head_channels` must be at least `CODE_WIDTH` (17) for that; narrower heads start with orthonormal rows.
        """
        super().__init__()
        self.weight = nn.Parameter(torch.empty(heads * head_channels, CODE_WIDTH))
        scale = math.sqrt(LOCALITY * math.sqrt(head_channels))
        for head in self.weight.data.split(head_channels):
            nn.init.orthogonal_(head, gain=scale)

    def forward(self, places_TP: Tensor, *, query: bool) -> Tensor:
        """Return (T, heads * head_channels) to be added to queries or keys."""
        return F.linear(position_code(places_TP, query=query), self.weight)
