"""Why a file could not be written, in one line: which, what it needed, and how much room there is."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from facecond.errors import StorageError

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


def _about(path: Path, failed: Path) -> bool:
    """Whether what failed is the file, one beside it, or a folder it lies in."""
    place, other = path.absolute(), failed.absolute()
    return other.parent == place.parent or other in place.parents


def _free(path: Path) -> int:
    there = path.absolute().parent
    while not there.exists() and there != there.parent:
        there = there.parent
    return shutil.disk_usage(there).free
