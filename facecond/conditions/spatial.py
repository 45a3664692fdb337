"""What conditions that are maps have in common: a ResNet-18 over their channels, tokens on a grid, hidden boxes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from facecond.bounds import DEEPEST, WIDEST, bounded
from facecond.conditions.condition import Condition, ConditionSettings

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


class Pooling(Enum):
    """How the encoder ends."""

    none = "none"
    """Every cell of the last map is a token: the paper's E_mnp."""
    average = "average"
    """Global average, one token: the paper's E_m."""


class Norm(Enum):
    """Normalisation inside the encoder."""

    batch = "batch"
    """BatchNorm, as in ResNet-18 and the paper."""
    group = "group"
    """GroupNorm: the same arithmetic in training and in use, for small batches."""


@dataclass(kw_only=True, slots=True)
class SpatialSettings(ConditionSettings):
    """The encoder of a map: a ResNet-18 without its classifier, one token or a grid of tokens."""

    width: int = bounded(64, minimum=1, maximum=WIDEST)
    """Channels of the first stage."""
    channel_mult: list[int] = bounded([1, 2, 4, 8], minimum=1, maximum=64)
    """Channels of each stage, in widths; ResNet-18 has four stages."""
    depth: int = bounded(2, minimum=1, maximum=DEEPEST)
    """Residual blocks per stage."""
    norm: Norm = Norm.batch
    """Normalisation of every convolution."""
    pooling: Pooling = Pooling.none
    """Tokens for every cell, or their average as one token."""
    grid: int = bounded(8, minimum=1, maximum=1024)
    """Cells of the last map along each side; the pack's resolution / grid must be a power of two. 8 gives 64 tokens."""


class SpatialCondition(Condition):
    """A condition whose values are maps as large as the picture; subclasses say what its channels are."""

    settings = SpatialSettings
    num_channels: int
    """Channels of a value, without the one that marks where nothing is said."""

    def identify(self, text: str) -> str:
        """SHA-256 of the file."""
        from facecond.io.files import sha256_file

        return sha256_file(text)

    def network(self, settings: Any, *, token_width: int, optional: bool, resolution: int) -> nn.Module:
        """A ResNet-18; with `optional`, a further channel marks where nothing is said.

        Raises ConfigError when the map cannot be halved to the grid.
        """
        from facecond.conditions.encoders import MapNetwork

        channels = self.num_channels + optional
        return MapNetwork(
            settings, channels=channels, token_width=token_width, resolution=resolution, key=f"model.{self.name}"
        )

    def places(self, settings: Any) -> list[tuple[float, float, float]]:
        """The centres of the grid's cells, row by row; the whole picture for the pooled token."""
        if settings.pooling is Pooling.average:
            return [(0.0, 0.0, 0.0)]
        centres = [(i + 0.5) / settings.grid for i in range(settings.grid)]
        return [(x, y, 1.0) for y in centres for x in centres]


def draw_boxes(area_B: Tensor, generator: torch.Generator) -> Tensor:
    """Draw one box per item: float32 (B, 4), upper and lower edge as shares of the height, left and right of the width.

    A box covers the share `area_B` of the map, 0 = no box (all zeros); its place and proportions are drawn.
    """
    import torch

    down_B, across_B, slimness_B = torch.rand(3, len(area_B), generator=generator)
    height_B, width_B = area_B**slimness_B, area_B ** (1 - slimness_B)
    top_B, left_B = down_B * (1 - height_B), across_B * (1 - width_B)
    return torch.stack([top_B, top_B + height_B, left_B, left_B + width_B], dim=1) * (area_B > 0)[:, None]


def inside(boxes_B4: Tensor, height: int, width: int) -> Tensor:
    """Return bool (B, H, W): pixels whose centre lies in the box of their item."""
    import torch

    top_B, bottom_B, left_B, right_B = boxes_B4.T[:, :, None]
    rows_H, columns_W = ((torch.arange(n, device=boxes_B4.device) + 0.5) / n for n in (height, width))
    in_rows_BH = (rows_H >= top_B) & (rows_H < bottom_B)
    in_columns_BW = (columns_W >= left_B) & (columns_W < right_B)
    return in_rows_BH[:, :, None] & in_columns_BW[:, None, :]
