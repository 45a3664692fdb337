"""Face parsers: pictures to label maps (paper, section 4: mask accuracy and mIoU).

`bisenet` is the paper's; `small` is for pictures of 64 to 128 pixels: a U-Net with batch normalisation, about 0.43 M
parameters; `efficientnet` starts from ImageNet's features and is for few real faces.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facecond.config.networks import ParserConfig, ParserKind
from facecond.faces.labels import NUM_CLASSES
from facecond.judges.bisenet import BiSeNet
from facecond.judges.efficientnet import EfficientNetParser
from facecond.judges.pixels import OneHead, Pixels


class Parser(Protocol):
    """What every face parser can do."""

    def __call__(self, images_BCHW: Tensor) -> Tensor:
        """uint8 pictures (B, 3, H, W) -> float32 logits (B, 19, H, W), classes in CelebAMask-HQ order."""
        ...

    def training_logits(self, images_BCHW: Tensor) -> list[Tensor]:
        """The same for every head; the loss is the sum over heads."""
        ...


def _conv(channels: int, out_channels: int, *, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, out_channels, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


class SmallParser(OneHead):
    """Four resolutions, two convolutions each on the way down, skip connections on the way up."""

    def __init__(self, config: ParserConfig) -> None:
        super().__init__()
        w = config.width
        self.pixels = Pixels(config.input_size, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
        self.down = nn.ModuleList(
            [
                nn.Sequential(_conv(3, w), _conv(w, w)),
                nn.Sequential(_conv(w, 2 * w, stride=2), _conv(2 * w, 2 * w)),
                nn.Sequential(_conv(2 * w, 4 * w, stride=2), _conv(4 * w, 4 * w)),
                nn.Sequential(_conv(4 * w, 4 * w, stride=2), _conv(4 * w, 4 * w)),
            ]
        )
        self.up = nn.ModuleList(
            [
                nn.Sequential(_conv(8 * w, 2 * w), _conv(2 * w, 2 * w)),
                _conv(4 * w, w),
                _conv(2 * w, w),
            ]
        )
        self.out = nn.Conv2d(w, NUM_CLASSES, 1)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """uint8 pictures (B, 3, H, W) -> float32 logits (B, 19, H, W), classes in CelebAMask-HQ order."""
        h = self.pixels(images_BCHW)
        skips = []
        for stage in self.down:
            h = stage(h)
            skips.append(h)
        skips.pop()
        for stage in self.up:
            skip = skips.pop()
            h = stage(torch.cat([F.interpolate(h, size=skip.shape[-2:], mode="nearest"), skip], dim=1))
        return self.sized(self.out(h), images_BCHW)


ParserNetwork = BiSeNet | SmallParser | EfficientNetParser

PARSERS: dict[ParserKind, Callable[[ParserConfig], ParserNetwork]] = {
    ParserKind.bisenet: BiSeNet,
    ParserKind.small: SmallParser,
    ParserKind.efficientnet: EfficientNetParser,
}


def build_parser(config: ParserConfig) -> ParserNetwork:
    """Return the parser that `config` names, with random weights."""
    return PARSERS[config.kind](config)


@torch.no_grad()
def parse_at(parser: Parser, images_BCHW: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """uint8 pictures (B, 3, H, W) -> uint8 label maps (B, size, size), and how sure the parser is, float32 (B,).

    Logits are brought to `size` bilinearly, so that outlines do not show the pixels of the pictures read. Sure is the mean over
    the pixels of the largest probability.
    """
    logits = parser(images_BCHW)
    if logits.shape[-2:] != (size, size):
        logits = F.interpolate(logits, size=(size, size), mode="bilinear", antialias=True)
    largest, labels = logits.softmax(1).max(1)
    return labels.to(torch.uint8), largest.mean((1, 2))


@torch.no_grad()
def parse(parser: Parser, images_BCHW: Tensor) -> Tensor:
    """uint8 pictures (B, 3, H, W) -> uint8 label maps (B, H, W)."""
    return parser(images_BCHW).argmax(1).to(torch.uint8)
