"""Perceptual terms of the first stage's loss, chosen by name and never silently.

`lpips` (arXiv 1801.03924) needs the ImageNet weights of its VGG-16 trunk, as a file or in torch's cache; nothing is
downloaded here. `gradient` needs none: the L1 distance of picture gradients at several scales. `none` leaves the term
out.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from facecond.config.networks import Perceptual, VQLossConfig
from facecond.pretrained.lpips import LPIPS
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


class NoTerm(nn.Module):
    """Always zero."""

    def forward(self, images_BCHW: Tensor, others_BCHW: Tensor) -> Tensor:
        """Return a scalar zero."""
        return images_BCHW.new_zeros(())


def _lpips(config: VQLossConfig) -> nn.Module:
    return LPIPS(VGG16.obtain(VGG16.path(config.lpips_trunk), other=True), "vgg")


TERMS = {
    Perceptual.lpips: _lpips,
    Perceptual.gradient: lambda config: GradientL1(),
    Perceptual.none: lambda config: NoTerm(),
}


def perceptual_term(config: VQLossConfig) -> nn.Module:
    """Return the term that `config.perceptual` names: (pictures, pictures) -> scalar; raises CheckpointError (see
    `LPIPS`)."""
    return TERMS[config.perceptual](config)
