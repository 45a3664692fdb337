"""The one way files are opened for reading: regular ones, of a bounded size, and those that a file names inside its own folder.

A pipe, a device or a folder under a file's name would hang a command or fill its memory; a path in a record could lead anywhere.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from facecond.errors import DataError, FacecondError

MOST_JSON = 256 << 20
"""Bytes of a JSON file: manifests hold the names of all items."""

MOST_TABLE = 256 << 20
"""Bytes of a table of attributes or splits."""

MOST_PICTURE = 512 << 20
"""Bytes of a picture file."""


def open_regular(
    path: str | os.PathLike[str],
    *,
    what: str = "file",
    most: int | None = None,
    error: type[FacecondError] = DataError,
    hint: str | None = None,
) -> BinaryIO:
    """Open a file for reading bytes. Nothing waits: a pipe without a writer is refused like any other.

    Args:
        path: the file; links are followed.
        what: what it should be, for messages.
        most: bytes it may have; None = any number.
        error: raised, with the file's name, when it is missing, may not be read, is no regular file, or is larger.
        hint: what to do about it.
    """
    place = Path(path)
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        raise error(f"{place}: no such {what}", hint=hint) from None
    except (OSError, ValueError) as reason:  # ValueError: a name with a null byte
        said = reason.strerror if isinstance(reason, OSError) and reason.strerror else reason
        raise error(f"{place}: cannot be read: {said}", hint=hint) from reason
    about = os.fstat(descriptor)
    if not stat.S_ISREG(about.st_mode):
        os.close(descriptor)
        raise error(f"{place} is {_kind(about.st_mode)}, expected a {what}", hint=hint)
    if most is not None and about.st_size > most:
        os.close(descriptor)
        raise error(f"{place} has {about.st_size} bytes, expected a {what} of at most {most}", hint=hint)
    return os.fdopen(descriptor, "rb")


def read_bytes(
    path: str | os.PathLike[str],
    *,
    what: str = "file",
    most: int,
    error: type[FacecondError] = DataError,
    hint: str | None = None,
) -> bytes:
    """Return what a file holds; see `open_regular`."""
    with open_regular(path, what=what, most=most, error=error, hint=hint) as stream:
        content = stream.read(most + 1)
    if len(content) > most:  # it grew, or does not tell its size
        raise error(f"{path} has more than {most} bytes, expected a {what} of at most {most}", hint=hint)
    return content


def read_text(
    path: str | os.PathLike[str],
    *,
    what: str = "file",
    most: int = MOST_TABLE,
    error: type[FacecondError] = DataError,
    hint: str | None = None,
) -> str:
    """Return the text of a file in UTF-8, line ends as they are; see `open_regular`."""
    try:
        return read_bytes(path, what=what, most=most, error=error, hint=hint).decode("utf-8-sig")
    except UnicodeDecodeError as reason:
        raise error(f"{path}: not text in UTF-8: {reason}", hint=hint) from reason


def inside(folder: Path, name: str, *, of: str, error: type[FacecondError] = DataError) -> Path:
    """Return the place in `folder` that a file calls `name`, a relative path.

    `of` is the file and key it stands in, for messages. Raises `error` for a path that leads out of the folder, through links too,
    and for names that cannot be printed.
    """
    place = folder / name
    parts = Path(name).parts
    if not parts or not name.isprintable() or Path(name).is_absolute() or ".." in parts:
        raise error(f"{of}: {name!r} is no file of {folder}", hint="expected a relative path below that folder")
    if not place.resolve().is_relative_to(folder.resolve()):
        raise error(
            f"{of}: {name!r} leads out of {folder}", hint="expected a file of that folder, not a link to elsewhere"
        )
    return place


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
    }  # fmt: skip
    return kinds.get(stat.S_IFMT(mode), "no regular file")
