"""ResNet-18 (arXiv 1512.03385) under torchvision's parameter names, without its classification layer: the trunk of both
judges."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with batch normalisation and a skip connection."""

    def __init__(self, channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out_channels, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.downsample = None
        if stride != 1 or channels != out_channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels, out_channels, 1, stride=stride, bias=False), nn.BatchNorm2d(out_channels)
            )

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """(B, channels, H, W) -> (B, out_channels, H / stride, W / stride)."""
        h = F.relu(self.bn1(self.conv1(x_BCHW)))
        h = self.bn2(self.conv2(h))
        return F.relu(h + (x_BCHW if self.downsample is None else self.downsample(x_BCHW)))


class ResNet18(nn.Module):
    """Normalised pictures (B, 3, H, W) -> features at 1/8 (128 channels), 1/16 (256) and 1/32 (512) of their size."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = nn.Sequential(BasicBlock(64, 64, 1), BasicBlock(64, 64, 1))
        self.layer2 = nn.Sequential(BasicBlock(64, 128, 2), BasicBlock(128, 128, 1))
        self.layer3 = nn.Sequential(BasicBlock(128, 256, 2), BasicBlock(256, 256, 1))
        self.layer4 = nn.Sequential(BasicBlock(256, 512, 2), BasicBlock(512, 512, 1))

    def features(self, x_BCHW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the features of the last three stages."""
        h = self.maxpool(F.relu(self.bn1(self.conv1(x_BCHW))))
        feature8 = self.layer2(self.layer1(h))
        feature16 = self.layer3(feature8)
        return feature8, feature16, self.layer4(feature16)
