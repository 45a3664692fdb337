"""The mask condition: a ResNet-18 that turns part masks into tokens (the paper, section 3: E_m and E_mnp).

Parameters are named as in torchvision's resnet18 (`conv1`, `bn1`, `layer1` .. `layer4`); the classifier is left out and
the first convolution takes 18 channels, one per part without the background. The paper's encoder halves a 256 px map
five times, to 8x8 cells. Smaller maps are halved less often, so that they end at the grid that was asked for.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facecond.config.diffusion import MaskConditionConfig, Norm, Pooling
from facecond.errors import ConfigError
from facecond.faces.labels import NUM_CLASSES, UNSPECIFIED

NUM_PARTS = NUM_CLASSES - 1


class MaskCondition(nn.Module):
    """Part masks -> grid x grid tokens, each with its place, or one pooled token of the whole picture.

    With `optional`, a further input channel marks pixels where nothing is said (label 255), and an item that says
    nothing anywhere gives the learned null tokens. Without, neither exists and such pixels read as background.
    """

    null_tokens: nn.Parameter | None
    classes: Tensor

    def __init__(self, config: MaskConditionConfig, *, token_width: int, optional: bool) -> None:
        super().__init__()
        self.config = config
        strides = _strides(config)
        self.halve_stem = strides.pop()
        widths = [config.width * times for times in config.channel_mult]
        classes = [*range(1, NUM_CLASSES), UNSPECIFIED] if optional else list(range(1, NUM_CLASSES))
        self.register_buffer("classes", torch.tensor(classes, dtype=torch.uint8), persistent=False)

        self.conv1 = nn.Conv2d(len(classes), config.width, 7, stride=strides.pop(0), padding=3, bias=False)
        self.bn1 = _norm(config.norm, config.width)
        self.stages: list[str] = []
        for number, (stride, after) in enumerate(zip(strides, widths, strict=True), start=1):
            before = config.width if number == 1 else widths[number - 2]
            blocks = [
                _Block(before if i == 0 else after, after, stride=stride if i == 0 else 1, norm=config.norm)
                for i in range(config.depth)
            ]
            self.add_module(f"layer{number}", nn.Sequential(*blocks))
            self.stages.append(f"layer{number}")
        self.project = nn.Linear(widths[-1], token_width) if widths[-1] != token_width else nn.Identity()
        self.null_tokens = nn.Parameter(0.02 * torch.randn(len(self.places()), token_width)) if optional else None
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, labels_BHW: Tensor) -> Tensor:
        """Label maps -> tokens (B, T, D), T = grid^2 row by row, or 1 when pooled.

        `labels_BHW` is uint8 (B, H, W) with 255 = not specified, or bool (B, 18, H, W), one channel per part, where a 19th
        may say that nothing is said; H and W are the configured resolution, else ValueError.
        """
        channels_BCHW = self.channels(labels_BHW)
        if channels_BCHW.shape[-2:] != (self.config.resolution, self.config.resolution):
            size, found = self.config.resolution, tuple(channels_BCHW.shape[-2:])
            raise ValueError(f"label maps of {found}, expected {(size, size)}")
        h_BCHW = F.relu(self.bn1(self.conv1(channels_BCHW.to(self.conv1.weight.dtype))))
        if self.halve_stem == 2:
            h_BCHW = F.max_pool2d(h_BCHW, 3, stride=2, padding=1)
        for name in self.stages:
            h_BCHW = self.get_submodule(name)(h_BCHW)
        if self.config.pooling is Pooling.average:
            h_BCHW = h_BCHW.mean(dim=(2, 3), keepdim=True)
        tokens_BTD = self.project(h_BCHW.flatten(2).transpose(1, 2))
        if self.null_tokens is None:
            return tokens_BTD
        said_B = (~channels_BCHW[:, NUM_PARTS].flatten(1)).any(dim=1)
        return torch.where(said_B[:, None, None], tokens_BTD, self.null_tokens.to(tokens_BTD.dtype))

    def channels(self, labels_BHW: Tensor) -> Tensor:
        """Return bool (B, 18 or 19, H, W): one channel per part, then, with `optional`, "nothing is said here"."""
        if labels_BHW.dtype == torch.uint8 and labels_BHW.ndim == 3:
            return labels_BHW[:, None] == self.classes[:, None, None]
        if labels_BHW.dtype != torch.bool or labels_BHW.ndim != 4 or labels_BHW.shape[1] - NUM_PARTS not in (0, 1):
            found = f"{labels_BHW.dtype} {tuple(labels_BHW.shape)}"
            raise ValueError(
                f"masks are uint8 (B, H, W) or bool (B, {NUM_PARTS} or {NUM_PARTS + 1}, H, W), got {found}"
            )
        return F.pad(labels_BHW, (0, 0, 0, 0, 0, len(self.classes) - labels_BHW.shape[1]))  # less than 0 cuts off

    def places(self) -> Tensor:
        """float32 (T, 3): the centre of each token's cell, x and y in [0, 1], then 1; zeros for the pooled token."""
        if self.config.pooling is Pooling.average:
            return torch.zeros(1, 3)
        centres = (torch.arange(self.config.grid) + 0.5) / self.config.grid
        y, x = torch.meshgrid(centres, centres, indexing="ij")
        return torch.stack([x, y, torch.ones_like(x)], dim=-1).reshape(-1, 3)


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


def _strides(config: MaskConditionConfig) -> list[int]:
    """Return the strides of conv1, of each stage and, last, of the pooling after conv1.

    ResNet-18 halves in all of them but the first stage. When fewer halvings are needed, the pooling goes first and then
    the deepest stages, so that the wide early maps, which cost most, shrink at once.
    """
    stages = len(config.channel_mult)
    if stages == 0 or min(config.channel_mult) < 1:
        raise ConfigError(
            f"model.mask.channel_mult={config.channel_mult} needs at least one number, all of them above 0"
        )
    ratio = config.resolution / config.grid
    halvings = round(math.log2(ratio)) if ratio >= 1 else -1
    if halvings < 0 or config.grid * 2**halvings != config.resolution:
        raise ConfigError(
            f"model.mask.grid={config.grid} does not fit label maps of {config.resolution} px",
            hint="resolution / grid must be a power of two",
        )
    if halvings > stages + 1:
        raise ConfigError(
            f"model.mask: {config.resolution} px to a grid of {config.grid} takes {halvings} halvings,"
            f" and {stages} stages can halve {stages + 1} times",
            hint="add a stage to model.mask.channel_mult or raise model.mask.grid",
        )
    order = ["conv1", *range(1, stages), "pool"]  # who halves first; stage 0 never does
    halving = set(order[:halvings])
    return [2 if place in halving else 1 for place in ["conv1", *range(stages), "pool"]]
