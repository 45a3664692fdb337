"""A folder of numpy arrays that is written in pieces and can be interrupted at any moment.

Rows are written in place, then noted in a side file; what is noted is on the disk. Running again finds the side file,
refuses when it belongs to other work, and goes on with the rows that are not noted. The arrays come out byte for byte
the same however often the writing was interrupted. Used by packs (`facecond.data.pack`) and latents
(`facecond.data.latents`).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import GenericAlias
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from facecond.errors import DataError
from facecond.io.arrays import MEMORY, create_array, open_array, remember
from facecond.io.documents import (
    Count,
    Finished,
    Record,
    as_written,
    check,
    json_text,
    note_finished,
    parse,
    read_json,
    read_record,
    write_json,
)
from facecond.io.files import apart, explained, require_room, sha256_file

SIDE_FILE = "writing.jsonl"
"""Line 1: whose work this is; then one line per piece: [start, stop, notes]. Gone once the folder is complete."""

FINISHED_FILE = "finished.json"
"""When the folder was completed; apart from the manifest, which is the same however often the work is done."""


class ArraySpec(NamedTuple):
    """Form of one array: the shape of a row, and the type."""

    row: tuple[int, ...]
    dtype: np.dtype[Any]


class ArrayWriter:
    """Writes `NAME.npy` files of `count` rows each, in pieces, in any order.

    `identity` (plain JSON values) says whose work the folder is; a folder begun with another identity is refused with a
    DataError that names the first difference. `noted` is the type of the notes (JSON) of a piece.
    """

    def __init__(
        self,
        folder: Path,
        count: int,
        specs: Mapping[str, ArraySpec],
        identity: Mapping[str, Any],
        *,
        noted: Any = None,
    ) -> None:
        if count < 1:
            raise DataError(f"{folder}: there is nothing to write, the source holds no items")
        self.folder = folder
        self.count = count
        self.specs = dict(specs)
        self.notes: dict[int, Any] = {}
        self._identity: dict[str, Any] = as_written(dict(identity))
        self._pieces: Any = GenericAlias(tuple, (Count, Count, noted))
        self._done = np.zeros(count, dtype=bool)
        if (folder / SIDE_FILE).exists() and not self._resume():
            (folder / SIDE_FILE).unlink()
        if not (folder / SIDE_FILE).exists():
            self._begin()
        self._offsets = {name: self._offset(name) for name in self.specs}

    def path(self, name: str) -> Path:
        """File of one array."""
        return self.folder / f"{name}.npy"

    def missing(self, step: int) -> list[slice]:
        """Return slices of at most `step` rows that together cover every row not written yet, in rising order."""
        edges = np.flatnonzero(np.diff(np.concatenate(([True], self._done, [True])).astype(np.int8)))
        return [
            slice(start, min(start + step, int(stop)))
            for first, stop in zip(edges[::2], edges[1::2], strict=True)
            for start in range(int(first), int(stop), step)
        ]

    @property
    def done(self) -> int:
        """Number of rows written."""
        return int(self._done.sum())

    def write(self, rows: slice, arrays: Mapping[str, NDArray[Any]], notes: Any = None) -> None:
        """Write rows `rows.start` to `rows.stop` of every array, then note them, with `notes` (JSON) kept in
        `self.notes`.

        Raises ValueError for rows, shapes or types that do not fit.
        """
        start, stop = rows.start, rows.stop
        if rows.step not in (None, 1) or not 0 <= start < stop <= self.count:
            raise ValueError(f"rows {start}:{stop} do not lie in 0:{self.count}")
        if arrays.keys() != self.specs.keys():
            raise ValueError(f"expected the arrays {sorted(self.specs)}, got {sorted(arrays)}")
        for name, spec in self.specs.items():
            if arrays[name].shape != (stop - start, *spec.row) or arrays[name].dtype != spec.dtype:
                raise ValueError(
                    f"{name}: expected {spec.dtype} {(stop - start, *spec.row)}, "
                    f"got {arrays[name].dtype} {arrays[name].shape}"
                )
        for name, spec in self.specs.items():
            row_bytes = int(np.prod(spec.row, dtype=np.int64)) * spec.dtype.itemsize
            with explained(self.path(name)), self.path(name).open("r+b") as stream:
                stream.seek(self._offsets[name] + start * row_bytes)
                stream.write(np.ascontiguousarray(arrays[name]).data)
                stream.flush()
                os.fsync(stream.fileno())
        self._append([start, stop, notes])
        self._note(start, stop, notes)

    def open(self, name: str) -> np.memmap[Any, Any]:
        """Return one array, memory-mapped read-only."""
        spec = self.specs[name]
        hint = "delete the folder and begin anew"
        return open_array(self.path(name), spec.dtype, (self.count, *spec.row), hint=hint)

    def finish(self, manifest: Mapping[str, Any]) -> None:
        """Write `manifest.json`, the sign of completeness, and remove the side file. Raises ValueError when rows are
        missing.
        """
        if not self._done.all():
            raise ValueError(f"{self.folder}: {self.count - self.done} of {self.count} rows are not written")
        content = dict(manifest)
        digest = hashlib.sha256(json_text(content).encode("utf-8")).hexdigest()
        note_finished(self.folder / FINISHED_FILE, manifest_sha256=digest)
        write_json(self.folder / "manifest.json", content)
        for name, of_file in content.get("sha256", {}).items():  # hashed a moment ago
            remember(self.folder, name, of_file)
        (self.folder / SIDE_FILE).unlink()

    def _note(self, start: int, stop: int, notes: Any) -> None:
        self._done[start:stop] = True
        if notes is not None:
            self.notes[start] = notes

    def _append(self, value: Any) -> None:
        file = self.folder / SIDE_FILE
        with explained(file), file.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(value) + "\n")
            stream.flush()
            os.fsync(stream.fileno())

    def _begin(self) -> None:
        with explained(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        ours = {SIDE_FILE, FINISHED_FILE, MEMORY, *(f"{name}.npy" for name in self.specs)}
        foreign = sorted(path.name for path in self.folder.iterdir() if path.name not in ours)
        if foreign:
            raise DataError(
                f"{self.folder} already holds something else, for example {foreign[0]}", hint="choose another name"
            )
        rows = [int(np.prod(spec.row, dtype=np.int64)) * spec.dtype.itemsize for spec in self.specs.values()]
        require_room(self.folder, self.count * sum(rows), f"arrays of {self.count} items")
        for name, spec in self.specs.items():
            with explained(self.path(name)):
                create_array(self.path(name), spec.dtype, (self.count, *spec.row))
        self._append(self._identity)

    def _resume(self) -> bool:
        """Take over what the side file notes; False when it broke off before its first line was whole."""
        *lines, tail = (self.folder / SIDE_FILE).read_bytes().split(b"\n")
        if not lines:
            return False
        found = read_record(lines[0], Record, f"{self.folder / SIDE_FILE}, line 1")
        if found != self._identity:
            key = next(key for key in [*self._identity, *found] if found.get(key) != self._identity.get(key))
            raise DataError(
                f"{self.folder} was begun with {key}={found.get(key)!r}, not {self._identity.get(key)!r}",
                hint="finish it with the settings it was begun with, choose another name, or delete the folder",
            )
        for number, line in enumerate(lines[1:], 2):
            self._note(*self._piece(line, f"{self.folder / SIDE_FILE}, line {number}"))
        if tail:  # the last line was torn by an interruption; its rows are written again
            with (self.folder / SIDE_FILE).open("r+b") as stream:
                stream.truncate(sum(len(line) + 1 for line in lines))
        return True

    def _piece(self, line: bytes, origin: str) -> tuple[int, int, Any]:
        hint = "delete the folder and begin anew"
        start, stop, notes = check(self._pieces, parse(line, origin, hint=hint), origin, hint=hint)
        if not start < stop <= self.count:
            raise DataError(f"{origin}: rows {start}:{stop} do not lie in 0:{self.count}", hint=hint)
        return start, stop, notes

    def _offset(self, name: str) -> int:
        return int(self.open(name).offset)


def require_finished(folder: Path, hint: str) -> None:
    """Raise DataError when the manifest of a finished folder is not the one that was written."""
    note = folder / FINISHED_FILE
    if not note.is_file():  # a folder from before the time was noted
        return
    expected = read_json(note, Finished, hint="delete the file").get("manifest_sha256")
    found = sha256_file(folder / "manifest.json")
    if expected not in (None, found):
        seen, said = apart(found, expected)
        raise DataError(
            f"{folder / 'manifest.json'} was altered: its SHA-256 is {seen}, when it was written it was {said}",
            hint=hint,
        )
