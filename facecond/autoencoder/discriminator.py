"""The patch discriminator of the first stage and its hinge loss (arXiv 1611.07004, 2012.09841; latent diffusion's
`loss.discriminator`)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class PatchDiscriminator(nn.Module):
    """Pictures (B, 3, H, W) in [-1, 1] -> a logit per overlapping patch (B, 1, h, w), high for real ones.

    `layers` strided 4x4 convolutions, one more of stride 1, and one to a single channel, with batch normalisation and
    leaky ReLU between them; parameter names are the original's (`main.0.weight`, ...). Weights start at N(0, 0.02).
    """

    def __init__(self, channels: int = 64, layers: int = 3) -> None:
        super().__init__()
        modules: list[nn.Module] = [nn.Conv2d(3, channels, 4, stride=2, padding=1), nn.LeakyReLU(0.2, inplace=True)]
        width = channels
        for index in range(1, layers + 1):
            wider = channels * min(2**index, 8)
            stride = 2 if index < layers else 1
            modules += [
                nn.Conv2d(width, wider, 4, stride=stride, padding=1, bias=False),
                nn.BatchNorm2d(wider),
                nn.LeakyReLU(0.2, inplace=True),
            ]
            width = wider
        modules.append(nn.Conv2d(width, 1, 4, padding=1))
        self.main = nn.Sequential(*modules)
        for module in self.main:
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, 0.0, 0.02)
            elif isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.weight, 1.0, 0.02)
                nn.init.zeros_(module.bias)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """Return the logits of all patches."""
        return self.main(images_BCHW)


def hinge_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Return (mean(relu(1 - real)) + mean(relu(1 + fake))) / 2 of the discriminator's logits."""
    return 0.5 * (F.relu(1 - real).mean() + F.relu(1 + fake).mean())
