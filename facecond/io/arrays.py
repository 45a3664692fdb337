"""Arrays on the disk (.npy), opened read-only as what they should be: type, shape, layout and size are compared before use.

`require_unaltered` compares files with the SHA-256 that was noted when they were written. What was found unaltered is remembered
beside the files by what the file system says of them (inode, size, times), so that gigabytes are read once and not by
every command; whoever can set these back can also write the hashes anew.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from typing_extensions import TypedDict

from facecond.errors import DataError
from facecond.io.documents import Digest, read_json, write_json
from facecond.io.files import apart, inside, open_regular, sha256_file, sizes_are_trusted
from facecond.progress import bar

MEMORY = ".unaltered.json"

GAUSSIAN = ".gaussian"
"""How the stem of a file ends that holds the Gaussian of features, float64, which are themselves float32."""

_compared: dict[tuple[str, str], list[Any]] = {}
"""What this process compared: folder and file -> stamp and digest; serves where the folder may not be written."""

SHOWN_FROM = 1 << 30
"""Bytes from which a bar is shown while files are read."""


class Vouched(TypedDict):
    """What stands in a JSON file beside an array."""

    sha256: Digest


def open_array(
    path: Path,
    dtype: DTypeLike,
    shape: tuple[int | None, ...] | None = None,
    *,
    hint: str | None = None,
) -> np.memmap[Any, Any]:
    """Map an array of numbers from the disk, read-only.

    Args:
        path: the file.
        dtype: its type.
        shape: its shape, None for a side of any length; None = any.
        hint: what to do when it is not.

    Raises:
        DataError: with the file's name, when it is missing, no array, or another one, and when it is cut or has a tail.
    """
    open_regular(path, what="array", hint=hint).close()
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as reason:  # whatever numpy's parsers of headers and archives raise
        raise DataError(f"{path}: cannot be read as an array: {reason}", hint=hint) from None
    if not isinstance(array, np.memmap):
        raise DataError(f"{path}: cannot be read as an array: it is an archive of several", hint=hint)
    wanted = np.dtype(dtype)
    fits = shape is None or (
        len(array.shape) == len(shape)
        and all(side in (None, there) for side, there in zip(shape, array.shape, strict=True))
    )
    if array.dtype != wanted or not fits:
        expected = wanted if shape is None else f"{wanted} {_words(shape)}"
        raise DataError(f"{path} is {array.dtype} {_words(array.shape)}, expected {expected}", hint=hint)
    if not array.flags.c_contiguous:
        raise DataError(f"{path} is in Fortran order, expected C order", hint=hint)
    size, there = array.offset + math.prod(array.shape) * wanted.itemsize, path.stat().st_size
    if size != there:
        raise DataError(f"{path} has {there} bytes, expected {size}", hint=hint)
    return array


def create_array(path: Path, dtype: DTypeLike, shape: tuple[int, ...]) -> np.memmap[Any, Any]:
    """Make a file for an array of zeros and map it for writing."""
    return np.lib.format.open_memmap(path, mode="w+", dtype=np.dtype(dtype), shape=shape)


def read_archive(path: Path, names: tuple[str, ...], *, most: int, hint: str | None = None) -> dict[str, NDArray[Any]]:
    """Return the arrays `names` of an archive (.npz). Raises DataError when one is missing or has more than `most` bytes."""
    import zipfile
    import zlib

    found: dict[str, NDArray[Any]] = {}
    with open_regular(path, what="archive of arrays", most=most, hint=hint) as stream:
        try:
            with zipfile.ZipFile(stream) as archive:
                for name in names:
                    if (size := archive.getinfo(f"{name}.npy").file_size) > most:
                        raise DataError(f"{path}: {name} has {size} bytes, expected at most {most}", hint=hint)
                    with archive.open(f"{name}.npy") as member:
                        found[name] = np.lib.format.read_array(member, allow_pickle=False)
        except (OSError, EOFError, ValueError, KeyError, zlib.error, zipfile.BadZipFile, NotImplementedError) as reason:
            raise DataError(f"{path}: cannot be read: {reason}", hint=hint) from reason
    return found


def require_unaltered(
    folder: Path,
    hashes: Mapping[str, str],
    *,
    again: bool = False,
    hint: str | None = None,
) -> None:
    """Raise DataError, naming the file and both hashes, unless the files of `folder` have the SHA-256 given for each.

    Nor may a name lead out of the folder. Those that were found unaltered before, and that the file system says were not written
    since, are not read `again`.
    """
    if sizes_are_trusted() and not again:
        return
    left: dict[str, Any] = {
        name: digest for name, digest in hashes.items() if again or not is_remembered(folder, name, digest)
    }
    for name in left:
        open_regular(inside(folder, name, of=f"{folder}, sha256"), hint=hint).close()
    total = sum((folder / name).stat().st_size for name in left)
    with bar(f"checking {folder.name}", total, unit="byte", shown=total >= SHOWN_FROM) as progress:
        for name, digest in left.items():
            at = stamp(folder / name)
            if (found := sha256_file(folder / name)) != digest:
                seen, said = apart(found, digest)
                raise DataError(
                    f"{folder / name} was altered: its SHA-256 is {seen}, when it was written it was {said}", hint=hint
                )
            left[name] = [*at, digest]
            progress.update(at[1])
    _remember(folder, left)


def is_remembered(folder: Path, name: str, digest: str) -> bool:
    """Whether a file was compared with `digest` before (its SHA-256, or that of what it must agree with) and not written since.

    Where sizes are trusted, every file counts as such.
    """
    if sizes_are_trusted():
        return True
    if not (folder / name).is_file():
        return False
    now = [*stamp(folder / name), digest]
    return now in (_compared.get((str(folder.absolute()), name)), _remembered(folder).get(name))


def remember(folder: Path, name: str, digest: str, at: list[int] | None = None) -> None:
    """Remember that a file agrees with `digest`, as it was `at` the stamp given, or is now."""
    _remember(folder, {name: [*(at or stamp(folder / name)), digest]})


def _remember(folder: Path, found: Mapping[str, list[Any]]) -> None:
    _compared.update({(str(folder.absolute()), name): value for name, value in found.items()})
    if found and os.access(folder, os.W_OK):
        write_json(folder / MEMORY, {**_remembered(folder), **found})


def stamp(path: Path) -> list[int]:
    """What the file system says of a file that changes when it is written: inode, size, times."""
    about = path.stat()
    return [about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns]


def _remembered(folder: Path) -> dict[str, list[Any]]:
    try:
        return read_json(folder / MEMORY, dict[str, list[Any]])
    except DataError:
        return {}


def _words(shape: tuple[int | None, ...]) -> str:
    sides = ", ".join("any" if side is None else str(side) for side in shape)
    return f"({sides},)" if len(shape) == 1 else f"({sides})"
