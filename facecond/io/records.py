"""JSON lines: one record a line, appended as the work goes on; an interruption can tear only the last line, which is
dropped.

Used for metrics.jsonl of a run and records.jsonl of a generation.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from facecond.errors import DataError
from facecond.io.files import atomic_write

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
    if not place.is_file():
        return
    with place.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            if line.endswith(b"\n") and line.strip():
                yield start, _parse(line, place, number)
            start += len(line)


def _parse(line: bytes, place: Path, number: int) -> Record:
    try:
        record = json.loads(line)
    except ValueError as reason:
        raise DataError(f"{place}, line {number}: not valid JSON: {reason}") from reason
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


class RecordWriter:
    """Appends records to a file, each with one write, so that an interruption tears at most the last one.

    Opening a file whose last line is torn cuts that line off first. Use as a context manager.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        place = Path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.is_file():
            content = place.read_bytes()
            if content and not content.endswith(b"\n"):
                os.truncate(place, content.rfind(b"\n") + 1)
        self._stream = place.open("ab", buffering=0)

    def write(self, record: Record) -> int:
        """Append one record; return the byte its line begins at."""
        start = self._stream.tell()
        self._stream.write(format_record(record).encode("utf-8"))
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
