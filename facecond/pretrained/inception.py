"""Inception's features as clean-fid computes them: its TorchScript file, on pictures resized by PIL (arXiv 2104.11222)."""

from __future__ import annotations

import warnings
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from facecond.pretrained.classes import Classes

SIDE = 299
"""Pixels of Inception's input."""


class Inception:
    """uint8 pictures (N, H, W, 3) -> float32 features (N, 2048)."""

    def __init__(self, file: Path, device: torch.device, *, mode: str = "clean", batch_size: int = 32) -> None:
        """Read the network.

        Args:
            file: TorchScript with `layers`, which takes pictures in [-1, 1), and `return_features`.
            mode: "clean" resizes with PIL, bicubic, in floating point; "legacy" inside the network, as the first FID did.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # the published file is TorchScript, whatever torch plans
            self._network = torch.jit.load(str(file), map_location=device).eval()
        if device.type == "cpu":  # two thirds of the time; the same sums in another order
            self._network = self._network.to(memory_format=torch.channels_last)
        self._device, self._mode, self._batch_size = device, mode, batch_size

    def __call__(self, images_NHWC: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the features of pictures of any size."""
        found = []
        with torch.inference_mode():
            for start in range(0, len(images_NHWC), self._batch_size):
                found.append(self._features(images_NHWC[start : start + self._batch_size]).float().cpu().numpy())
        return np.concatenate(found)

    @cached_property
    def classes(self) -> Classes:
        """Its last layer: features (n, 2048) -> classes (n, 1008). Without its bias, as the first Inception score left it out."""
        return Classes(self._network.output.weight.detach().double().cpu().numpy(), 0.0)

    def _features(self, images_NHWC: NDArray[np.uint8]) -> Tensor:
        if self._mode == "legacy":
            pictures = torch.from_numpy(np.array(images_NHWC)).permute(0, 3, 1, 2).float().to(self._device)
            features: Tensor = self._network(pictures, return_features=True)
        else:
            resized = torch.from_numpy(np.stack([resize(image) for image in images_NHWC])).to(self._device)
            features = self._network.layers((resized.permute(0, 3, 1, 2) - 128) / 128)
        return features.reshape(len(images_NHWC), -1)


def resize(image_HWC: NDArray[np.uint8], side: int = SIDE) -> NDArray[np.float32]:
    """A picture, uint8 (H, W, 3), at `side` pixels: each colour by itself, bicubic, not rounded, float32 in [0, 255]."""
    colours = [
        Image.fromarray(image_HWC[..., colour].astype(np.float32), mode="F").resize(
            (side, side), Image.Resampling.BICUBIC
        )
        for colour in range(3)
    ]
    return np.stack([np.asarray(colour) for colour in colours], axis=-1).clip(0, 255)
