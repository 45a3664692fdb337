"""Weights files of others, read as data and nothing else."""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
from torch import Tensor

from facecond.errors import CheckpointError
from facecond.io.files import open_regular


def read_weights(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file by name. Raises CheckpointError when it is missing, damaged, or holds anything else."""
    with open_regular(path, what="weights file", error=CheckpointError) as stream:
        try:
            tensors = torch.load(stream, map_location="cpu", weights_only=True)
        except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as reason:
            raise CheckpointError(f"{path}: not a readable weights file") from reason
    if not isinstance(tensors, dict):
        raise CheckpointError(f"{path}: holds a {type(tensors).__name__}, not weights")
    return {name: value for name, value in tensors.items() if isinstance(value, Tensor)}
