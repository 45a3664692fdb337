"""One process at a time writes into a folder: a second one waits a little, or is told who is there.

The lock lies beside the folder, PARENT/.NAME.lock, and the operating system gives it back when its owner ends, however it ends;
PARENT/.NAME.owner says who that is. What an owner that was killed left half-written in the folder is deleted by the next.
"""

from __future__ import annotations

import logging
import os
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from facecond.errors import DataError, FacecondError
from facecond.io.documents import read_json, write_json
from facecond.io.files import explained

if TYPE_CHECKING:
    from filelock import BaseFileLock

log = logging.getLogger("facecond")

WAIT = 10.0
"""Seconds that a command waits for another one that makes the same."""

SAID_EVERY = 30.0
"""Seconds between lines about a folder that is waited for."""

_TEMPORARY = re.compile(r"\..+\.\d+\.([0-9a-f]{8}\.)?[^.]+")
"""Names that `atomic_write` and the writers of arrays give to what is not whole yet."""

_held: dict[Path, int] = {}
"""Folders this process holds, and how often."""

_guard = threading.Lock()


class FolderInUseError(FacecondError):
    """Another process is writing into the folder."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Who holds a folder."""

    host: str
    pid: int
    since: str
    """UTC, ISO 8601."""
    command: str

    @classmethod
    def this(cls) -> Owner:
        """This process."""
        command = " ".join(["facecond", *sys.argv[1:]])
        return cls(socket.gethostname(), os.getpid(), datetime.now(UTC).isoformat(timespec="seconds"), command[:200])

    def __str__(self) -> str:
        """For people."""
        return f"process {self.pid} on {self.host} since {self.since} ({self.command})"


@contextmanager
def hold(folder: Path, *, wait: float = 0.0) -> Iterator[None]:
    """Hold a folder, which need not exist yet, against other processes while the block runs; a process may hold one twice.

    Raises FolderInUseError when another process holds it for longer than `wait` seconds.
    """
    from filelock import FileLock

    place = folder.absolute()
    with _guard:
        _held[place] = _held.get(place, 0) + 1
        ours = _held[place] > 1
    lock = None
    try:
        if not ours:
            with explained(place):
                place.parent.mkdir(parents=True, exist_ok=True)
                lock = FileLock(place.parent / f".{place.name}.lock")
                _take(lock, place, wait)
        yield
    finally:
        with _guard:
            _held[place] -= 1
            if not _held[place]:
                del _held[place]
        if lock is not None and lock.is_locked:
            _owner_file(place).unlink(missing_ok=True)
            lock.release()


def _take(lock: BaseFileLock, place: Path, wait: float) -> None:
    from filelock import Timeout

    until = time.monotonic() + wait
    while True:
        left = until - time.monotonic()
        try:
            lock.acquire(timeout=max(0.0, min(left, SAID_EVERY)), poll_interval=0.1)
            break
        except Timeout:
            by = owner(place)
            if time.monotonic() >= until:
                raise FolderInUseError(
                    f"{place} is in use by {by or 'another process'}", hint="wait for it, or choose another name"
                ) from None
            log.info("waiting for %s, in use by %s", place, by or "another process")
    if (before := owner(place)) is not None:
        log.info("%s was left by %s, which has ended; going on from there", place, before)
        sweep(place)
    write_json(_owner_file(place), asdict(Owner.this()))


def owner(folder: Path) -> Owner | None:
    """Who holds a folder, or was killed while holding it; None when that is not known."""
    file = _owner_file(folder.absolute())
    if not file.is_file():
        return None
    try:
        return read_json(file, Owner)
    except DataError:
        return None


def sweep(folder: Path) -> int:
    """Delete what was never finished in a folder that this process holds; return how many files there were."""
    remains = [path for path in folder.rglob(".*") if path.is_file() and _TEMPORARY.fullmatch(path.name)]
    for path in remains:
        path.unlink(missing_ok=True)
    return len(remains)


def _owner_file(place: Path) -> Path:
    return place.parent / f".{place.name}.owner"
