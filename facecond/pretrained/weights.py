"""Weights files of others, read as data and nothing else."""

from __future__ import annotations

import pickle
import re
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from facecond.errors import CheckpointError
from facecond.io.files import open_regular
from facecond.memory import is_out_of_memory


def read_weights(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file by name. Raises CheckpointError when it is missing, damaged, or holds anything else."""
    tensors = unpickle(path)
    if not isinstance(tensors, dict):
        raise CheckpointError(f"{path}: holds a {type(tensors).__name__}, not weights")
    return {name: value for name, value in tensors.items() if isinstance(value, Tensor)}


def unpickle(path: Path, stand_ins: Sequence[tuple[type, str]] = ()) -> object:
    """Return what torch's safe unpickler reads: tensors and plain containers.

    `stand_ins` are empty classes that take the place of others, by name. Raises CheckpointError for a file that is missing,
    damaged, no regular file, larger inside than outside, or names anything else.
    """
    with open_regular(path, what="checkpoint", error=CheckpointError) as stream:
        _refuse_packed(path)
        try:
            with torch.serialization.safe_globals(list(stand_ins)), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about protocols of pickles: what cannot be read is refused below
                content: object = torch.load(stream, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as reason:
            named = re.search(r"GLOBAL ([\w.]+)", str(reason))
            if named:
                raise CheckpointError(
                    f"{path}: refused, because reading it would run code: it names {named.group(1)}",
                    hint="ask for a file with weights only, such as .safetensors",
                ) from reason
            raise CheckpointError(f"{path}: damaged, or not a checkpoint") from reason
        except (MemoryError, RuntimeError) as reason:
            if is_out_of_memory(reason):
                raise
            raise CheckpointError(f"{path}: damaged, or not a checkpoint") from reason
        except (EOFError, OSError, TypeError, ValueError, KeyError, IndexError, AttributeError) as reason:
            # What torch raises on truncated archives and on pickles that make no sense.
            raise CheckpointError(f"{path}: damaged, or not a checkpoint") from reason
        except (OverflowError, ImportError, AssertionError) as reason:
            raise CheckpointError(f"{path}: damaged, or not a checkpoint: {type(reason).__name__}") from reason
    return content


def _refuse_packed(path: Path) -> None:
    """Raise CheckpointError for an archive whose members are compressed or larger than itself: torch writes none such."""
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError) as reason:
        raise CheckpointError(f"{path}: damaged, or not a checkpoint: {reason}") from reason
    packed = [member.filename for member in members if member.compress_type != zipfile.ZIP_STORED]
    if packed or sum(member.file_size for member in members) > path.stat().st_size:
        raise CheckpointError(
            f"{path}: refused: {packed[0] if packed else 'what it holds'} is larger than the file",
            hint="expected an archive as torch.save writes it, with nothing compressed",
        )
