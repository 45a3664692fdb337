"""Reads tensors out of foreign checkpoint files (.ckpt, .pth, .pt, .safetensors) without running anything they hold.

Pickled files go through torch's safe unpickler, which knows tensors and plain containers. Old Lightning checkpoints
name one class besides, `ModelCheckpoint`, as a key of a dictionary; it is replaced by an empty class. Every other name
is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from facecond.errors import CheckpointError
from facecond.io.checkpoint import load_weights
from facecond.pretrained.weights import unpickle


class ModelCheckpoint:
    """Stands in for Lightning's callback of that name; it holds nothing and does nothing."""


_STAND_INS = [
    (ModelCheckpoint, "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint"),
    (ModelCheckpoint, "lightning.pytorch.callbacks.model_checkpoint.ModelCheckpoint"),
]


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint by name: its `state_dict` where it has one, else its own entries.

    Raises CheckpointError for a file that is missing, damaged, holds anything but data, or holds no tensors by name.
    """
    if path.suffix == ".safetensors":
        return load_weights(path).tensors
    stored = unpickle(path, _STAND_INS)
    tensors = stored.get("state_dict", stored) if isinstance(stored, Mapping) else stored
    if not isinstance(tensors, Mapping) or not tensors:
        raise CheckpointError(f"{path}: holds a {type(tensors).__name__}, expected tensors by name")
    wrong = [str(name) for name, value in tensors.items() if not isinstance(value, Tensor)]
    if wrong:
        raise CheckpointError(f"{path}: {', '.join(wrong[:3])}: not tensors", hint="is this a state dict?")
    return {str(name): value for name, value in tensors.items()}
