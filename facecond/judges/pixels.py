"""What judges take in, uint8 pictures, resized and normalised on the device; and how parsers give logits of their size back."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class OneHead(nn.Module):
    """What parsers of one head share: how their logits become as large as the pictures, and what they learn from."""

    def sized(self, logits_BKHW: Tensor, images_BCHW: Tensor) -> Tensor:
        """Return float32 logits as large as the pictures, bilinearly where they are not."""
        logits = logits_BKHW.float()
        if logits.shape[-2:] == images_BCHW.shape[-2:]:
            return logits
        return F.interpolate(logits, size=images_BCHW.shape[-2:], mode="bilinear", antialias=True)

    def training_logits(self, images_BCHW: Tensor) -> list[Tensor]:
        """The logits of its only head."""
        return [self(images_BCHW)]


class Pixels(nn.Module):
    """uint8 (B, 3, H, W) -> normalised float32 (B, 3, h, w), channels last in memory (batch normalisation is faster
    so).

    `size` is the side pictures are resized to (bilinear, with antialiasing when they shrink); None keeps them as they
    come. The mean and standard deviation are constants, not part of the state dict.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        size: int | None,
        *,
        mean: tuple[float, float, float] = IMAGENET_MEAN,
        std: tuple[float, float, float] = IMAGENET_STD,
    ) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("mean", 255 * torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", 255 * torch.tensor(std).view(3, 1, 1), persistent=False)

    @property
    def words(self) -> str:
        """What happens to pictures before they are normalised, and that they are, for results."""
        return "uint8 as sampled" if self.size is None else f"resized to {self.size} px, bilinear, and normalised"

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """Resize and normalise; raises TypeError for anything but uint8 (pictures in [-1, 1] would all be black)."""
        if images_BCHW.dtype is not torch.uint8:
            raise TypeError(f"a judge reads uint8 pictures, not {images_BCHW.dtype}")
        x = images_BCHW.float()
        if self.size is not None and x.shape[-2:] != (self.size, self.size):
            x = F.interpolate(x, size=(self.size, self.size), mode="bilinear", antialias=True)
        return ((x - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
