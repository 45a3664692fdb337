"""Class-balanced pixel weights: small parts of a face have few pixels."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facecond.data.batches import ResidentData
from facecond.faces.labels import NUM_CLASSES

_COUNTED = 2048
"""Label maps from which class frequencies are counted, at most."""


def class_weights(counts_K: NDArray[np.int64], power: float) -> Tensor:
    """Return float32 (19,): frequency^-power, scaled so that the mean weight of a pixel is 1.

    A class rarer than one pixel in 20000, or absent, counts as if it were that frequent.
    """
    frequency_K = counts_K / max(counts_K.sum(), 1)
    weights_K = np.maximum(frequency_K, 5e-5) ** -power
    return torch.tensor(weights_K / max((frequency_K * weights_K).sum(), 1e-12), dtype=torch.float32)


def count_classes(train: ResidentData) -> NDArray[np.int64]:
    """Count the pixels of each class in training label maps spread evenly over the split."""
    count = min(_COUNTED, len(train))
    chosen = np.arange(count, dtype=np.int64) * len(train) // count
    counts = torch.zeros(256, dtype=torch.int64)
    for start in range(0, count, 64):
        counts += torch.bincount(train.labels(chosen[start : start + 64]).flatten().int(), minlength=256).cpu()
    return counts[:NUM_CLASSES].numpy()
