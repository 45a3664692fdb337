"""Files that are either whole or not there: written beside their place, flushed, then renamed into it; their SHA-256; and the
one way they are opened for reading.

An interruption at any moment, a power cut included, leaves the old file or the new one. (docs/formats.md relies on it
everywhere.) Only JSON lines (metrics.jsonl of a run, records.jsonl of a generation) are appended to as the work goes on: an
interruption can tear their last line, which is dropped. What cannot be written is named with the reason and the room there is.

Read are regular files of a bounded size, and those that a file names inside its own folder: a pipe or a device under a file's
name would hang a command or fill its memory, and a path in a record could lead anywhere.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import BinaryIO

from facecond.errors import DataError, FacecondError, StorageError
from facecond.quantities import in_bytes

_CHUNK = 1 << 20

SHOWN = 12
"""Digits of a hash in messages."""


FULL = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the quota is used up",
    errno.EFBIG: "a file may not become that large here",
}

CLOSED = {
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "there is no permission to write there",
    errno.EPERM: "there is no permission to write there",
    errno.ENOTDIR: "a part of the path is a file",
    errno.EEXIST: "a part of the path is a file",
    errno.EISDIR: "it is a folder",
    errno.ENAMETOOLONG: "the name is too long for this file system",
    errno.EIO: "the disk reports an error",
}


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what keeps `path` from being written inside the block into a StorageError; what fails elsewhere stays as it is."""
    try:
        yield
    except OSError as reason:
        if reason.filename is not None and not _about(path, Path(os.fsdecode(reason.filename))):
            raise
        if reason.errno in FULL:
            raise StorageError(
                f"{path} cannot be written: {FULL[reason.errno]} ({_free(path)} bytes are free)",
                hint="make room, or choose another workspace; what was finished is kept, and the same command goes on",
            ) from reason
        if reason.errno in CLOSED:
            raise StorageError(
                f"{path} cannot be written: {CLOSED[reason.errno]}", hint="choose another workspace: workspace=DIR"
            ) from reason
        raise


_by_size: ContextVar[bool] = ContextVar("_by_size", default=False)


@contextmanager
def trusting_sizes(trust: bool) -> Iterator[None]:
    """Inside the block large arrays count as unaltered when their sizes are right, if they are to be trusted so far."""
    token = _by_size.set(trust)
    try:
        yield
    finally:
        _by_size.reset(token)


def sizes_are_trusted() -> bool:
    """Whether this runs inside `trusting_sizes(True)`."""
    return _by_size.get()


def require_writable(folder: Path) -> None:
    """Raise StorageError unless files can be made in `folder`, or it can be made in what there is of its path."""
    there = folder.absolute()
    while not there.exists() and there != there.parent:
        there = there.parent
    with explained(folder):
        if not there.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(there))
        if hasattr(os, "statvfs") and os.statvfs(there).f_flag & getattr(os, "ST_RDONLY", 0):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(there))
        if not os.access(there, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(there))


def require_room(folder: Path, needed: float, what: str) -> None:
    """Raise StorageError unless `needed` bytes, and a reserve, are free where `folder` is or would be made."""
    free = _free(folder / "file")
    if needed + RESERVE > free:
        raise StorageError(
            f"{what} take {in_bytes(needed)} in {folder}, where {in_bytes(free)} are free",
            hint="ask for less, make room, or choose another workspace: workspace=DIR",
        )


def _about(path: Path, failed: Path) -> bool:
    """Whether what failed is the file, one beside it, or a folder it lies in."""
    place, other = path.absolute(), failed.absolute()
    return other.parent == place.parent or other in place.parents


def _free(path: Path) -> int:
    there = path.absolute().parent
    while not there.exists() and there != there.parent:
        there = there.parent
    return shutil.disk_usage(there).free


RESERVE = 1 << 26
"""Bytes that stay free beside what is asked for: records, logs and what else writes to the disk."""

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
        size = min(os.fstat(stream.fileno()).st_size, most)
        content = stream.read(size + 1)  # not `most`: memory is taken for as many bytes as are asked for
        if len(content) > size:  # it grew, or does not tell its size
            content += stream.read(most + 1 - len(content))
    if len(content) > most:
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
    try:
        leads_out = not place.resolve().is_relative_to(folder.resolve())
    except (RuntimeError, OSError):  # links that lead to themselves
        leads_out = True
    if leads_out:
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


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path`; what is written there becomes `path` when the block ends well.

    The temporary name keeps the suffix of `path` (writers that look at the suffix work) and starts with a dot. An
    exception inside the block leaves `path` as it was; one that says that it cannot be written becomes a StorageError.
    Missing parent folders are made.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.stem}.{os.getpid()}.{secrets.token_hex(4)}{target.suffix}")
    with explained(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            _flush(temporary)
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    flush_folder(target.parent)


def _flush(path: Path) -> None:
    """Make the content of `path` reach the disk before it gets its name."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def flush_folder(folder: Path) -> None:
    """Make a rename inside `folder` reach the disk, where the system can."""
    try:
        _flush(folder)
    except OSError:  # some file systems refuse to flush a folder; the rename is atomic all the same
        return


def sha256_file(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file's bytes as 64 hexadecimal digits. Raises DataError when it cannot be read."""
    digest = hashlib.sha256()
    with open_regular(path) as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def require_sha256(file: Path, digest: str, *, hint: str) -> None:
    """Raise DataError when a file is missing, or is not the one with this SHA-256."""
    if not file.is_file():
        raise DataError(f"{file} is missing", hint=hint)
    if (found := sha256_file(file)) != digest:
        seen, said = apart(found, digest)
        raise DataError(f"{file}: its SHA-256 is {seen}, expected {said}", hint=hint)


def apart(found: str, expected: object) -> tuple[str, str]:
    """Two hashes as they are shown: twelve digits from the first in which they differ."""
    other = str(expected)
    first = next((place for place, pair in enumerate(zip(found, other, strict=False)) if pair[0] != pair[1]), 0)
    start = 0 if first < SHOWN else first
    before = "..." if start else ""
    return before + found[start : start + SHOWN], before + other[start : start + SHOWN]
