"""Files that are either whole or not there: written beside their place, flushed, then renamed into it; and their
SHA-256.

An interruption at any moment, a power cut included, leaves the old file or the new one. (docs/formats.md relies on it
everywhere.)
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from facecond.errors import DataError, FacecondError

_CHUNK = 1 << 20


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path`; what is written there becomes `path` when the block ends well.

    The temporary name keeps the suffix of `path` (writers that look at the suffix work) and starts with a dot. An
    exception inside the block leaves `path` as it was. Missing parent folders are made.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.stem}.{os.getpid()}.{secrets.token_hex(4)}{target.suffix}")
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
    """Return the SHA-256 of a file's bytes as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def note_finished(path: str | os.PathLike[str]) -> None:
    """Write the time of now into the JSON file `path`: when the work in its folder was finished (`finished_at`)."""
    write_json(path, {"finished": finishing_time()})


def finishing_time() -> str:
    """Now, UTC, as ISO 8601 with microseconds."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def finished_at(note: Path, else_of: Path) -> datetime:
    """When work was finished, as `finished` in the JSON file `note` says; without it, when the file `else_of` changed.

    Copying a workspace keeps the first and may change the second.
    """
    try:
        return datetime.fromisoformat(json.loads(note.read_text(encoding="utf-8"))["finished"]).astimezone(UTC)
    except (OSError, ValueError, KeyError, TypeError):
        return datetime.fromtimestamp(else_of.stat().st_mtime, UTC)


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write `value` as indented JSON, atomically. NaN and infinities, which JSON does not have, raise ValueError."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_json(path: str | os.PathLike[str], *, error: type[FacecondError] = DataError, hint: str | None = None) -> Any:
    """Return what the JSON file holds; `error` names the file when it is missing, unreadable or no JSON."""
    place = Path(path)
    try:
        return json.loads(place.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise error(f"{place}: no such file", hint=hint) from None
    except OSError as reason:
        raise error(f"{place}: cannot be read: {reason.strerror or reason}", hint=hint) from reason
    except ValueError as reason:  # both UnicodeDecodeError and JSONDecodeError
        raise error(f"{place}: not valid JSON: {reason}", hint=hint) from reason
