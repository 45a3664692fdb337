"""BiSeNet, the paper's face parser, in face-parsing.PyTorch's names and arithmetic (arXiv 1808.00897; paper, section
4).

13,300,416 parameters and 19 classes. Published weights count the classes in another order than CelebAMask-HQ: load them
through `facecond.interop.face_parsing`, which puts the classes in our order, so that logits of this network always are.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facecond.config.networks import ParserConfig
from facecond.faces.labels import NUM_CLASSES
from facecond.judges.pixels import Pixels
from facecond.judges.resnet import ResNet18


class ConvBNReLU(nn.Module):
    """Convolution, batch normalisation, ReLU."""

    def __init__(self, channels: int, out_channels: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out_channels, kernel, padding=kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(out_channels)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """(B, channels, H, W) -> (B, out_channels, H, W)."""
        return F.relu(self.bn(self.conv(x_BCHW)))


class AttentionRefinement(nn.Module):
    """Features weighted per channel by a sigmoid of their mean over the picture."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = ConvBNReLU(channels, out_channels, 3)
        self.conv_atten = nn.Conv2d(out_channels, out_channels, 1, bias=False)
        self.bn_atten = nn.BatchNorm2d(out_channels)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """(B, channels, H, W) -> (B, out_channels, H, W)."""
        h = self.conv(x_BCHW)
        return h * self.bn_atten(self.conv_atten(h.mean((2, 3), keepdim=True))).sigmoid()


class ContextPath(nn.Module):
    """The trunk, and its coarse features brought back to 1/8 and 1/16 of the picture's size."""

    def __init__(self) -> None:
        super().__init__()
        self.resnet = ResNet18()
        self.arm16 = AttentionRefinement(256, 128)
        self.arm32 = AttentionRefinement(512, 128)
        self.conv_head32 = ConvBNReLU(128, 128, 3)
        self.conv_head16 = ConvBNReLU(128, 128, 3)
        self.conv_avg = ConvBNReLU(512, 128, 1)

    def forward(self, x_BCHW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return trunk features at 1/8, context at 1/8 and context at 1/16."""
        feature8, feature16, feature32 = self.resnet.features(x_BCHW)
        # Upsampling the picture's mean by nearest neighbour is a broadcast.
        context32 = self.arm32(feature32) + self.conv_avg(feature32.mean((2, 3), keepdim=True))
        context16 = self.conv_head32(F.interpolate(context32, size=feature16.shape[-2:], mode="nearest"))
        sum16 = self.arm16(feature16) + context16
        context8 = self.conv_head16(F.interpolate(sum16, size=feature8.shape[-2:], mode="nearest"))
        return feature8, context8, context16


class FeatureFusion(nn.Module):
    """Trunk features and context joined, with channels reweighted by a bottleneck."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convblk = ConvBNReLU(channels, channels, 1)
        self.conv1 = nn.Conv2d(channels, channels // 4, 1, bias=False)
        self.conv2 = nn.Conv2d(channels // 4, channels, 1, bias=False)

    def forward(self, features_BCHW: Tensor, context_BCHW: Tensor) -> Tensor:
        """Two (B, channels / 2, H, W) -> (B, channels, H, W)."""
        h = self.convblk(torch.cat([features_BCHW, context_BCHW], dim=1))
        weights = self.conv2(F.relu(self.conv1(h.mean((2, 3), keepdim=True)))).sigmoid()
        return h * weights + h


class Output(nn.Module):
    """Features to class logits."""

    def __init__(self, channels: int, middle: int, classes: int) -> None:
        super().__init__()
        self.conv = ConvBNReLU(channels, middle, 3)
        self.conv_out = nn.Conv2d(middle, classes, 1, bias=False)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """(B, channels, H, W) -> (B, classes, H, W)."""
        return self.conv_out(self.conv(x_BCHW))


def _upsample(logits: Tensor, x_BCHW: Tensor) -> Tensor:
    return F.interpolate(logits.float(), size=x_BCHW.shape[-2:], mode="bilinear", align_corners=True)


def _at_size_of(logits: Tensor, images_BCHW: Tensor) -> Tensor:
    if logits.shape[-2:] == images_BCHW.shape[-2:]:
        return logits
    return F.interpolate(logits, size=images_BCHW.shape[-2:], mode="bilinear", antialias=True)


class BiSeNet(nn.Module):
    """Reads label maps off pictures; the two further heads exist for training only."""

    def __init__(self, config: ParserConfig) -> None:
        super().__init__()
        self.pixels = Pixels(config.input_size)
        self.cp = ContextPath()
        self.ffm = FeatureFusion(256)
        self.conv_out = Output(256, 256, NUM_CLASSES)
        self.conv_out16 = Output(128, 64, NUM_CLASSES)
        self.conv_out32 = Output(128, 64, NUM_CLASSES)

    def heads(self, x_BCHW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Normalised pictures (B, 3, H, W) -> the logits of all three heads, each (B, 19, H, W)."""
        feature8, context8, context16 = self.cp(x_BCHW)
        return (
            _upsample(self.conv_out(self.ffm(feature8, context8)), x_BCHW),
            _upsample(self.conv_out16(context8), x_BCHW),
            _upsample(self.conv_out32(context16), x_BCHW),
        )

    def training_logits(self, images_BCHW: Tensor) -> list[Tensor]:
        """uint8 pictures -> logits (B, 19, H, W) of every head; the loss is the sum over heads."""
        return [_at_size_of(logits, images_BCHW) for logits in self.heads(self.pixels(images_BCHW))]

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """uint8 pictures (B, 3, H, W) -> float32 logits (B, 19, H, W), classes in CelebAMask-HQ order."""
        x_BCHW = self.pixels(images_BCHW)
        feature8, context8, _ = self.cp(x_BCHW)
        return _at_size_of(_upsample(self.conv_out(self.ffm(feature8, context8)), x_BCHW), images_BCHW)
