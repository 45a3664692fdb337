"""JSON files as types: the one place where what stands in a file becomes values that the program relies on.

A document is a `TypedDict`, or a dataclass or tuple where the program makes one of it: the keys a reader needs, each with its
type and range (`Count`, `Digest`, ...). What is read is compared with it by pydantic, strictly: no text becomes a number, NaN is
no value, nothing is looked up. Keys that a document does not name are kept as they are, so that formats can gain some
(docs/formats.md). A fault is one line: file, key, what was found and what was expected. docs/decisions/0008 says why pydantic.
"""

from __future__ import annotations

import dataclasses
import errno
import functools
import hashlib
import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any, NotRequired, TypeVar, cast, get_origin

from annotated_types import Ge, Le, Len
from typing_extensions import TypedDict

from facecond.errors import DataError, FacecondError
from facecond.io.files import MOST_JSON, atomic_write, explained, open_regular, read_text

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError

T = TypeVar("T")

Record = dict[str, Any]

LARGEST = 10**15
"""No count in a file is larger."""

Count = Annotated[int, Ge(0), Le(LARGEST)]
Positive = Annotated[int, Ge(1), Le(LARGEST)]
Pixels = Annotated[int, Ge(1), Le(1 << 16)]
"""Width or height of a picture."""
Finite = Annotated[float, Ge(-1e300), Le(1e300)]
NotNegative = Annotated[float, Ge(0), Le(1e300)]
Seconds = Annotated[float, Ge(0), Le(1e12)]
Digest = Annotated[str, Len(64, 64)]
"""A SHA-256 as hexadecimal digits."""
Range = Annotated[list[Count], Len(2, 2)]
"""[first, last + 1]."""

CHECKSUM = "checksum"
"""Key of the first digits of the SHA-256 of all the others, written as JSON with sorted keys and no spaces."""

_CHECKSUM_DIGITS = 16

_SHOWN = 60
"""Characters of a value in a message."""

_LINE = 16 << 20
"""Bytes of a line of records."""


def read_json(
    path: str | os.PathLike[str],
    kind: type[T],
    *,
    format: tuple[str, int] | None = None,
    error: type[FacecondError] = DataError,
    hint: str | None = None,
) -> T:
    """Return what the JSON file holds, checked against the type `kind`.

    `format` is its name and the version this program reads, where the file names them. Raises `error`, with the file's name and
    the key, when the file is missing, unreadable, no JSON, of another format or version, or holds something else.
    """
    text = read_text(path, most=MOST_JSON, error=error, hint=hint)
    value = parse(text, str(path), error=error, hint=hint)
    if format is not None:
        _check_format(value, format, str(path), error, hint)
    value = _without_checksum(value, str(path), error, hint)
    return check(kind, value, str(path), error=error, hint=hint)


def check(
    kind: type[T],
    value: object,
    origin: str,
    *,
    format: tuple[str, int] | None = None,
    error: type[FacecondError] = DataError,
    hint: str | None = None,
) -> T:
    """Return JSON values as the type `kind`; see `read_json`. `origin` names the file in messages."""
    from pydantic import ValidationError

    if format is not None:
        _check_format(value, format, origin, error, hint)
    adapter = _adapter(cast("Any", kind))
    try:
        if dataclasses.is_dataclass(kind) or get_origin(kind) is tuple:
            return adapter.validate_json(json.dumps(value), strict=True)
        adapter.validate_python(value, strict=True)
    except ValidationError as reason:
        raise error(f"{origin}: {_said(reason)}", hint=hint) from None
    return cast("T", value)


def parse(text: str | bytes, origin: str, *, error: type[FacecondError] = DataError, hint: str | None = None) -> object:
    """Return JSON text as values; raises `error`, naming `origin`, for anything else and for NaN and infinities."""
    try:
        value: object = json.loads(text, parse_constant=_refuse)
        if "\\ud" in str(text).lower():  # half of a pair of UTF-16 can be escaped in JSON, but not be written or shown
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        return value
    except ValueError as reason:
        raise error(f"{origin}: not valid JSON: {reason}", hint=hint) from reason
    except RecursionError:
        raise error(f"{origin}: not valid JSON for this program: nested too deeply", hint=hint) from None


def as_written(value: object) -> Any:
    """Return values as JSON gives them back (tuples as lists), so that they compare with what a file holds."""
    return json.loads(json.dumps(value))


def read_records(path: str | os.PathLike[str], kind: type[T]) -> list[T]:
    """Return the records of a JSON-lines file, in order, each checked against `kind`; a missing file holds none.

    A last line without its line end was torn by an interruption and is dropped. Any other line that does not fit raises DataError
    with its number.
    """
    return [record for _, record in scan_records(path, kind)]


def scan_records(path: str | os.PathLike[str], kind: type[T]) -> Iterator[tuple[int, T]]:
    """Yield what `read_records` returns, one at a time, each with the byte its line begins at."""
    place, start = Path(path), 0
    if not place.exists():
        return
    with open_regular(place) as stream:
        number, vouched = 0, False
        while line := stream.readline(_LINE):
            number += 1
            if line.endswith(b"\n") and line.strip():
                origin = f"{place}, line {number}"
                has = f'"{CHECKSUM}"'.encode() in line
                if vouched and not has:
                    raise DataError(f"{origin} was altered: it has no {CHECKSUM}, lines before it have one")
                vouched = vouched or has
                yield start, read_record(line, kind, origin)
            elif len(line) == _LINE:
                raise DataError(f"{place}, line {number}: longer than {_LINE} bytes")
            start += len(line)


def last_lines(path: str | os.PathLike[str], most: int = 1 << 18) -> Iterator[bytes]:
    """Yield the lines of a JSON-lines file from its end, as far as the last `most` bytes hold them; a missing file has none.

    A last line that was torn is left out.
    """
    place = Path(path)
    if not place.exists():
        return
    with open_regular(place) as stream:
        start = max(0, stream.seek(0, os.SEEK_END) - most)
        stream.seek(start)
        lines = stream.read(most).split(b"\n")[1 if start else 0 : -1]
    yield from (line for line in reversed(lines) if line.strip())


def read_record(line: bytes, kind: type[T], origin: str) -> T:
    """Return one line of records, checked against `kind`; raises DataError that names `origin`."""
    value = parse(line, origin)
    if not isinstance(value, dict):
        raise DataError(f"{origin}: expected a JSON object, found {type(value).__name__}")
    return check(kind, _without_checksum(value, origin, DataError, None), origin)


def keep_records(
    path: str | os.PathLike[str], kind: type[T], keep: Callable[[T], bool], *, checksum: bool = False
) -> list[T]:
    """Drop the records for which `keep` is false, and a torn last line; return those that stay.

    A file that changes is written with a `checksum` in every line, or without.
    """
    place = Path(path)
    there = read_records(path, kind)
    kept = [record for record in there if keep(record)]
    if place.is_file() and (len(kept) < len(there) or _is_torn(place)):
        write_records(place, (cast("Record", record) for record in kept), checksum=checksum)
    return kept


class Finished(TypedDict):
    """What finished.json, and done.json of a run, say of the end of the work."""

    finished: str
    manifest_sha256: NotRequired[Digest]


def note_finished(path: str | os.PathLike[str], **more: str) -> None:
    """Write the time of now into the JSON file `path`: when the work in its folder was finished (`finished_at`); and `more`."""
    write_json(path, {"finished": finishing_time(), **more})


def finishing_time() -> str:
    """Now, UTC, as ISO 8601 with microseconds."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def finished_at(note: Path, else_of: Path) -> datetime:
    """When work was finished, as `finished` in the JSON file `note` says; without it, when the file `else_of` changed.

    Copying a workspace keeps the first and may change the second.
    """
    try:
        return datetime.fromisoformat(read_json(note, Finished)["finished"]).astimezone(UTC)
    except (DataError, ValueError):
        return datetime.fromtimestamp(else_of.stat().st_mtime, UTC)


def write_json(path: str | os.PathLike[str], value: Any, *, checksum: bool = False) -> None:
    """Write `value` as indented JSON, atomically. NaN and infinities, which JSON does not have, raise ValueError.

    With a `checksum`, an object gains a key of that name in the file, which is compared, and left out, when it is read.
    """
    if checksum:
        value = _with_checksum(value)
    with atomic_write(path) as temporary:
        temporary.write_text(json_text(value), encoding="utf-8")


def json_text(value: Any) -> str:
    """What `write_json` writes."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _with_checksum(value: Mapping[str, Any]) -> Record:
    """An object and its checksum."""
    rest = as_written(value)
    return {**rest, CHECKSUM: _checksum(rest)}


def _checksum(rest: Mapping[str, Any]) -> str:
    text = json.dumps(rest, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:_CHECKSUM_DIGITS]


def _without_checksum(value: object, origin: str, error: type[FacecondError], hint: str | None) -> object:
    """What stands beside the checksum. Raises `error` when it is not that of its content."""
    if not isinstance(value, dict) or CHECKSUM not in value:
        return value
    rest = {key: item for key, item in value.items() if key != CHECKSUM}
    if value[CHECKSUM] != (found := _checksum(rest)):
        raise error(
            f"{origin} was altered: its checksum is {_short(value[CHECKSUM])}, of its content it is {found}",
            hint=hint or f"bring it back; or, if you changed it on purpose, delete the key {CHECKSUM}",
        )
    return rest


def format_record(record: Record, *, checksum: bool = False) -> str:
    """Return one line of JSON with its line end; NaN and infinities, which JSON does not have, become null.

    With a `checksum`, the line gains one, as in `write_json`.
    """
    content = finite(record)
    return json.dumps(_with_checksum(content) if checksum else content, ensure_ascii=False, allow_nan=False) + "\n"


def finite(value: Any) -> Any:
    """Return `value` with NaN and infinities as None: JSON does not have them. Keys become text, tuples lists."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


def write_records(path: str | os.PathLike[str], records: Iterable[Record], *, checksum: bool = False) -> None:
    """Write a whole JSON-lines file, atomically; with a `checksum`, as in `write_json`, in every line."""
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8") as stream:
        stream.writelines(format_record(record, checksum=checksum) for record in records)


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

    def __init__(self, path: str | os.PathLike[str], *, checksum: bool = False) -> None:
        """Open a file to append to; with a `checksum`, every record gains one, as in `write_json`."""
        self._place = place = Path(path)
        self._checksum = checksum
        with explained(place):
            place.parent.mkdir(parents=True, exist_ok=True)
            if place.is_file() and _is_torn(place):
                os.truncate(place, place.read_bytes().rfind(b"\n") + 1)
            self._stream = place.open("ab", buffering=0)

    def write(self, record: Record) -> int:
        """Append one record; return the byte its line begins at. Raises StorageError, and takes back half a line."""
        start = self._stream.tell()
        line = format_record(record, checksum=self._checksum).encode("utf-8")
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


def _check_format(
    value: object, format: tuple[str, int], origin: str, error: type[FacecondError], hint: str | None
) -> None:
    name, version = format
    if not isinstance(value, dict) or (found := value.get("format")) != name:
        seen = "none" if not isinstance(value, dict) else _short(found)
        raise error(f"{origin}: format is {seen}, expected {name!r}", hint=hint)
    if (found := value.get("version")) != version:
        later = isinstance(found, int) and found > version
        raise error(
            f"{origin}: version is {_short(found)}, this program reads version {version}",
            hint="update facecond" if later else hint,
        )


@functools.cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def _said(reason: ValidationError) -> str:
    """The first fault: its key, what was found, what was expected."""
    first = reason.errors(include_url=False)[0]
    key = ".".join(map(str, first["loc"])) or "the content"
    if first["type"] == "missing":
        return f"{key} is missing"
    limits = first.get("ctx", {})
    words = {
        "string_type": "text", "dict_type": "an object", "list_type": "a list", "int_type": "a whole number",
        "float_type": "a number", "bool_type": "true or false", "none_required": "null",
        "greater_than_equal": f"at least {limits.get('ge')}", "less_than_equal": f"at most {limits.get('le')}",
        "string_too_short": f"{limits.get('min_length')} characters or more",
        "string_too_long": f"{limits.get('max_length')} characters or fewer",
        "too_short": f"{limits.get('min_length')} entries or more", "too_long": f"{limits.get('max_length')} entries or fewer",
    }  # fmt: skip
    expected = words.get(first["type"]) or first["msg"].removeprefix("Input should be ")
    return f"{key} is {_short(first['input'])}, expected {expected}"


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=True, default=str)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no value of JSON")
