"""Networks that turn values of conditions into tokens, and the null tokens that stand for "nothing said"."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facecond.conditions.condition import Condition, ConditionSettings
from facecond.conditions.spatial import Norm, Pooling, SpatialSettings
from facecond.errors import ConfigError

_SILU_GAIN = 1.676
"""1 / sqrt(E[silu(x)^2]) for standard normal x: keeps the variance of a SiLU network at 1."""


class ConditionEncoder(nn.Module):
    """Values of one condition -> tokens (B, T, D).

    With `optional` there are learned null tokens, which an item that says nothing gets; without, there are none.
    """

    places_TP: Tensor
    """float32 (T, 3); see `types.Context`."""
    null_tokens: nn.Parameter | None

    def __init__(
        self, condition: Condition, settings: ConditionSettings, *, token_width: int, optional: bool, resolution: int
    ) -> None:
        super().__init__()
        self.condition, self.optional = condition, optional
        self.network = condition.network(settings, token_width=token_width, optional=optional, resolution=resolution)
        self.register_buffer("places_TP", torch.tensor(condition.places(settings)), persistent=False)
        self.null_tokens = nn.Parameter(0.02 * torch.randn(len(self.places_TP), token_width)) if optional else None

    def forward(self, values: Tensor) -> Tensor:
        """Values of a batch (see the condition) -> tokens (B, T, D)."""
        tokens_BTD = self.network(self.condition.channels(values, optional=self.optional))
        if self.null_tokens is None:
            return tokens_BTD
        said_B = self.condition.says_something(values)
        return torch.where(said_B[:, None, None], tokens_BTD, self.null_tokens.to(tokens_BTD.dtype))


class VectorNetwork(nn.Module):
    """An MLP with SiLU: vectors (B, `widths[0]`) -> one token (B, 1, `widths[-1]`)."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.layers = nn.Sequential()
        for index, (fan_in, fan_out) in enumerate(itertools.pairwise(widths)):
            linear = nn.Linear(fan_in, fan_out)
            nn.init.normal_(linear.weight, std=(_SILU_GAIN if index else 1.0) / fan_in**0.5)
            nn.init.zeros_(linear.bias)
            self.layers.extend([nn.SiLU(), linear] if index else [linear])

    def forward(self, vectors_BC: Tensor) -> Tensor:
        """Any number type (B, C) -> tokens (B, 1, D)."""
        return self.layers(vectors_BC.to(next(self.layers.parameters()).dtype))[:, None]


class MapNetwork(nn.Module):
    """A ResNet-18 without its classifier: maps (B, C, H, W) -> tokens, row by row, or one pooled token.

    Parameters are named as in torchvision's resnet18 (`conv1`, `bn1`, `layer1` .. `layer4`). The paper's encoder halves
    a 256 px map five times, to 8x8 cells; smaller maps are halved less often, so that they end at the grid asked for.
    Raises ConfigError, naming the settings by `key`, when the sizes do not fit.
    """

    def __init__(
        self, settings: SpatialSettings, *, channels: int, token_width: int, resolution: int, key: str = "model.mask"
    ) -> None:
        super().__init__()
        self.resolution, self.pooling = resolution, settings.pooling
        strides = _strides(settings, resolution, key)
        self.halve_stem = strides.pop()
        widths = [settings.width * times for times in settings.channel_mult]
        self.conv1 = nn.Conv2d(channels, settings.width, 7, stride=strides.pop(0), padding=3, bias=False)
        self.bn1 = _norm(settings.norm, settings.width)
        self.stages: list[str] = []
        for number, (stride, after) in enumerate(zip(strides, widths, strict=True), start=1):
            before = settings.width if number == 1 else widths[number - 2]
            blocks = [
                _Block(before if i == 0 else after, after, stride=stride if i == 0 else 1, norm=settings.norm)
                for i in range(settings.depth)
            ]
            self.add_module(f"layer{number}", nn.Sequential(*blocks))
            self.stages.append(f"layer{number}")
        self.project = nn.Linear(widths[-1], token_width) if widths[-1] != token_width else nn.Identity()
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, maps_BCHW: Tensor) -> Tensor:
        """Any number type (B, C, H, W), H = W = the resolution (else ValueError) -> tokens (B, T, D)."""
        if maps_BCHW.shape[-2:] != (self.resolution, self.resolution):
            found = tuple(maps_BCHW.shape[-2:])
            raise ValueError(f"maps of {found}, expected {(self.resolution, self.resolution)}")
        h_BCHW = F.relu(self.bn1(self.conv1(maps_BCHW.to(self.conv1.weight.dtype))))
        if self.halve_stem == 2:
            h_BCHW = F.max_pool2d(h_BCHW, 3, stride=2, padding=1)
        for name in self.stages:
            h_BCHW = self.get_submodule(name)(h_BCHW)
        if self.pooling is Pooling.average:
            h_BCHW = h_BCHW.mean(dim=(2, 3), keepdim=True)
        return self.project(h_BCHW.flatten(2).transpose(1, 2))


class _Block(nn.Module):
    """A basic block of ResNet (He et al. 2015, figure 2), named as torchvision names it."""

    def __init__(self, before: int, after: int, *, stride: int, norm: Norm) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False)
        self.bn1 = _norm(norm, after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.bn2 = _norm(norm, after)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or before != after:
            shortcut = nn.Conv2d(before, after, 1, stride=stride, bias=False)
            self.downsample = nn.Sequential(shortcut, _norm(norm, after))

    def forward(self, h_BCHW: Tensor) -> Tensor:
        shortcut_BCHW = h_BCHW if self.downsample is None else self.downsample(h_BCHW)
        h_BCHW = F.relu(self.bn1(self.conv1(h_BCHW)))
        return F.relu(self.bn2(self.conv2(h_BCHW)) + shortcut_BCHW)


def _norm(norm: Norm, channels: int) -> nn.Module:
    return nn.BatchNorm2d(channels) if norm is Norm.batch else nn.GroupNorm(math.gcd(8, channels), channels)


def _strides(settings: SpatialSettings, resolution: int, key: str) -> list[int]:
    """Return the strides of conv1, of each stage and, last, of the pooling after conv1.

    ResNet-18 halves in all of them but the first stage. When fewer halvings are needed, the pooling goes first and then
    the deepest stages, so that the wide early maps, which cost most, shrink at once.
    """
    stages = len(settings.channel_mult)
    if stages == 0 or min(settings.channel_mult) < 1:
        raise ConfigError(f"{key}.channel_mult={settings.channel_mult} needs at least one number, all of them above 0")
    ratio = resolution / settings.grid
    halvings = round(math.log2(ratio)) if ratio >= 1 else -1
    if halvings < 0 or settings.grid * 2**halvings != resolution:
        raise ConfigError(
            f"{key}.grid={settings.grid} does not fit maps of {resolution} px",
            hint="resolution / grid must be a power of two",
        )
    if halvings > stages + 1:
        raise ConfigError(
            f"{key}: {resolution} px to a grid of {settings.grid} takes {halvings} halvings,"
            f" and {stages} stages can halve {stages + 1} times",
            hint=f"add a stage to {key}.channel_mult or raise {key}.grid",
        )
    order = ["conv1", *range(1, stages), "pool"]  # the order in which they halve; stage 0 never does
    halving = set(order[:halvings])
    return [2 if place in halving else 1 for place in ["conv1", *range(stages), "pool"]]
