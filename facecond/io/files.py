"""Files that are either whole or not there: written beside their place, flushed, then renamed into it; and their
SHA-256.

An interruption at any moment, a power cut included, leaves the old file or the new one. (docs/formats.md relies on it
everywhere.) Only JSON lines (metrics.jsonl of a run, records.jsonl of a generation) are appended to as the work goes on: an
interruption can tear their last line, which is dropped.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from facecond.errors import DataError, FacecondError
from facecond.io.reading import MOST_JSON, open_regular, read_text
from facecond.io.writing import explained

_CHUNK = 1 << 20

SHOWN = 12
"""Digits of a hash in messages."""


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


def apart(found: str, expected: object) -> tuple[str, str]:
    """Two hashes as they are shown: twelve digits from the first in which they differ."""
    other = str(expected)
    first = next((place for place, pair in enumerate(zip(found, other, strict=False)) if pair[0] != pair[1]), 0)
    start = 0 if first < SHOWN else first
    before = "..." if start else ""
    return before + found[start : start + SHOWN], before + other[start : start + SHOWN]


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
    text = read_text(path, most=MOST_JSON, error=error, hint=hint)
    try:
        return json.loads(text)
    except ValueError as reason:
        raise error(f"{path}: not valid JSON: {reason}", hint=hint) from reason
    except RecursionError:
        raise error(f"{path}: not valid JSON for this program: nested too deeply", hint=hint) from None


Record = dict[str, Any]


def read_records(path: str | os.PathLike[str]) -> list[Record]:
    """Return the records of a JSON-lines file, in order; a missing file holds none.

    A last line without its line end was torn by an interruption and is dropped. Any other line that is not a JSON
    object raises DataError with its number.
    """
    return [record for _, record in scan_records(path)]


def scan_records(path: str | os.PathLike[str]) -> Iterator[tuple[int, Record]]:
    """Yield what `read_records` returns, one at a time, each with the byte its line begins at."""
    place, start = Path(path), 0
    if not place.exists():
        return
    with open_regular(place) as stream:
        for number, line in enumerate(stream, 1):
            if line.endswith(b"\n") and line.strip():
                yield start, _parse(line, place, number)
            start += len(line)


def _parse(line: bytes, place: Path, number: int) -> Record:
    try:
        record = json.loads(line)
    except ValueError as reason:
        raise DataError(f"{place}, line {number}: not valid JSON: {reason}") from reason
    except RecursionError:
        raise DataError(f"{place}, line {number}: not valid JSON for this program: nested too deeply") from None
    if not isinstance(record, dict):
        raise DataError(f"{place}, line {number}: expected a JSON object, found {type(record).__name__}")
    return record


def format_record(record: Record) -> str:
    """Return one line of JSON with its line end; NaN and infinities, which JSON does not have, become null."""
    return json.dumps(_finite(record), ensure_ascii=False, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def write_records(path: str | os.PathLike[str], records: Iterable[Record]) -> None:
    """Write a whole JSON-lines file, atomically."""
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8") as stream:
        stream.writelines(map(format_record, records))


def keep_records(path: str | os.PathLike[str], keep: Callable[[Record], bool]) -> list[Record]:
    """Drop the records for which `keep` is false, and a torn last line; return those that stay."""
    kept = [record for record in read_records(path) if keep(record)]
    text = "".join(map(format_record, kept))
    place = Path(path)
    if place.is_file() and place.read_text(encoding="utf-8", errors="replace") != text:
        with atomic_write(place) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return kept


def _is_torn(place: Path) -> bool:
    """Whether the last line of a file has no end."""
    with place.open("rb") as stream:
        if stream.seek(0, os.SEEK_END) == 0:
            return False
        stream.seek(-1, os.SEEK_END)
        return stream.read(1) != b"\n"


class RecordWriter:
    """Appends records to a file, each with one write, so that an interruption tears at most the last one.

    Opening a file whose last line is torn cuts that line off first. Use as a context manager.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._place = place = Path(path)
        with explained(place):
            place.parent.mkdir(parents=True, exist_ok=True)
            if place.is_file() and _is_torn(place):
                os.truncate(place, place.read_bytes().rfind(b"\n") + 1)
            self._stream = place.open("ab", buffering=0)

    def write(self, record: Record) -> int:
        """Append one record; return the byte its line begins at. Raises StorageError, and takes back half a line."""
        start = self._stream.tell()
        line = format_record(record).encode("utf-8")
        with explained(self._place):
            if self._stream.write(line) != len(line):
                self._stream.truncate(start)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return start

    def close(self) -> None:
        """Flush to the disk and close."""
        if not self._stream.closed:
            os.fsync(self._stream.fileno())
            self._stream.close()

    def __enter__(self) -> RecordWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
