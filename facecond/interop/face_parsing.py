"""Weights of face-parsing.PyTorch's BiSeNet to our parser: same parameter names, another order of classes (paper,
section 4).

The published network answers in its own class order. Its last layers are 1x1 convolutions without bias, so reordering
their rows reorders the classes exactly, and the rest of the program only ever sees CelebAMask-HQ's order.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from facecond.errors import CheckpointError
from facecond.faces.labels import NUM_CLASSES, reorder_table
from facecond.interop.foreign import read_tensors

HEADS = ("conv_out.conv_out.weight", "conv_out16.conv_out.weight", "conv_out32.conv_out.weight")


def reorder_classes(tensors: Mapping[str, Tensor], source: str, target: str) -> dict[str, Tensor]:
    """Return the weights with the rows of their heads moved from class order `source` to `target` (names in
    `faces.labels`)."""
    table = torch.from_numpy(reorder_table(source, target)[:NUM_CLASSES]).long()
    reordered = dict(tensors)
    for head in HEADS:
        if head not in tensors or len(tensors[head]) != NUM_CLASSES:
            found = tuple(tensors[head].shape) if head in tensors else "missing"
            raise CheckpointError(f"not a BiSeNet of {NUM_CLASSES} classes: {head} is {found}")
        reordered[head] = torch.empty_like(tensors[head]).index_copy_(0, table, tensors[head])
    return reordered


def read_bisenet(path: Path) -> dict[str, Tensor]:
    """Read face-parsing.PyTorch's weights (such as 79999_iter.pth) for `judges.bisenet.BiSeNet`, classes in our order.

    Raises CheckpointError when the file cannot be read safely or holds other weights.
    """
    tensors = {name.removeprefix("module."): value for name, value in read_tensors(path).items()}
    return reorder_classes(tensors, "face_parsing", "celebamaskhq")
