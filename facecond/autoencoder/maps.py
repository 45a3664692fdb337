"""Label maps as what diffusion runs on: one channel per class, 1 where the class is and 0 elsewhere.

An average of two classes is then never a third, as it would be in numbers or in bits of them.
"""

import torch
from torch import Tensor

from facecond.faces.names import NUM_CLASSES


def channels_of(labels_BHW: Tensor) -> Tensor:
    """Label maps, uint8 (B, H, W) -> float32 (B, 19, H, W); a pixel of which nothing is said is 0 in every channel."""
    classes_K = torch.arange(NUM_CLASSES, dtype=torch.uint8, device=labels_BHW.device)
    return (labels_BHW[:, None] == classes_K[:, None, None]).float()


def labels_of(channels_BKHW: Tensor) -> Tensor:
    """Float (B, 19, H, W) -> label maps, uint8 (B, H, W): the class of the largest channel."""
    return channels_BKHW.argmax(dim=1).to(torch.uint8)
