"""Attribute tables on disk: the official annotation file, and any CSV with columns named by attribute."""

from __future__ import annotations

import csv
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facecond.errors import ConfigError, DataError
from facecond.faces.attributes import ATTRIBUTES, NUM_ATTRIBUTES, attribute_index
from facecond.io.files import atomic_write, read_text

Table = dict[str, NDArray[np.int8]]
"""Stem of a file name -> int8 (40,), -1, 0 (unknown), +1."""


def read_annotation(path: Path) -> Table:
    """Read CelebAMask-HQ-attribute-anno.txt: a count, the 40 names, then `N.jpg` and 40 values a line.

    The number of rows may differ from the count (part of a release). Raises DataError for a missing file, other
    names, a row of another length, or values other than -1, 0, 1.
    """
    lines = read_text(path, what="attribute file").splitlines()
    if len(lines) < 2 or not lines[0].strip().isdigit():
        raise DataError(f"{path}: line 1 should be a number of pictures", hint="is this the official annotation file?")
    places = _columns(path, lines[1].split())
    if len(places) != NUM_ATTRIBUTES or None in places:
        raise DataError(f"{path}: line 2 should name the {NUM_ATTRIBUTES} attributes, it names {lines[1][:60]!r}...")
    table: Table = {}
    for number, line in enumerate(lines[2:], 3):
        words = line.split()
        if not words:
            continue
        if len(words) != NUM_ATTRIBUTES + 1:
            raise DataError(
                f"{path}, line {number}: expected a name and {NUM_ATTRIBUTES} values, found {len(words)} words"
            )
        table[Path(words[0]).stem] = _vector(path, number, places, words[1:])
    return table


def read_csv(path: Path, ids: Collection[str]) -> Table:
    """Read a CSV file with one row per picture and columns named by attribute; attributes without a column are unknown.

    The column that names the pictures is the one that holds most of `ids` (file names or stems); other columns are
    ignored. Raises DataError when no column is an attribute, none names the pictures, a value is not -1, 0 or 1
    (nothing counts as 0), or the file is written in 0 and 1, where absent could not be told from unknown.
    """
    try:
        rows = list(csv.reader(read_text(path, what="attribute file").splitlines()))
    except csv.Error as reason:
        raise DataError(f"{path}: not a table of comma-separated values: {reason}") from reason
    if len(rows) < 2:
        raise DataError(f"{path}: expected a line of column names and a row per picture")
    header = rows[0]
    places = _columns(path, header)
    if not any(place is not None for place in places):
        raise DataError(
            f"{path}: no column is named by an attribute", hint=f"name columns like {ATTRIBUTES[20]}, {ATTRIBUTES[31]}"
        )
    known = set(ids)
    matches = [
        -1 if place is not None else sum(Path(row[column]).stem in known for row in rows[1:] if column < len(row))
        for column, place in enumerate(places)
    ]
    names = int(np.argmax(matches))
    if matches[names] <= 0:
        raise DataError(
            f"{path}: no column holds the names of the pictures", hint=f"for example {min(known, default='')}"
        )
    table: Table = {}
    for number, row in enumerate(rows[1:], 2):
        if not row:
            continue
        if len(row) != len(header):
            raise DataError(f"{path}, line {number}: {len(row)} cells under {len(header)} column names")
        table[Path(row[names]).stem] = _vector(path, number, places, row)
    values = set(np.unique(np.stack(list(table.values())))) if table else set()
    zeros_written = any(
        row[c].strip() == "0" for row in rows[1:] for c, p in enumerate(places) if p is not None and row
    )
    if zeros_written and -1 not in values:
        raise DataError(f"{path}: attributes are written as 0 and 1", hint="write -1 for absent; 0 means unknown")
    return table


def write_csv(path: Path, table: Mapping[str, NDArray[np.int8]]) -> None:
    """Write attributes, int8 (40,) by file name, as a CSV that `read_csv` reads, atomically."""
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(["image", *ATTRIBUTES])
        rows.writerows([name, *map(int, values)] for name, values in table.items())


def _columns(path: Path, header: list[str]) -> list[int | None]:
    """Return for each column the attribute it holds, or None. Raises DataError when two hold the same."""
    places: list[int | None] = []
    for name in header:
        try:
            place: int | None = attribute_index(name)
        except ConfigError:
            place = None
        if place is not None and place in places:
            raise DataError(f"{path}: two columns are named {ATTRIBUTES[place]}")
        places.append(place)
    return places


def _vector(path: Path, number: int, places: list[int | None], words: list[str]) -> NDArray[np.int8]:
    vector = np.zeros(NUM_ATTRIBUTES, dtype=np.int8)
    for place, word in zip(places, words, strict=True):
        if place is None:
            continue
        value = _VALUES.get(word.strip())
        if value is None:
            raise DataError(
                f"{path}, line {number}: {ATTRIBUTES[place]} is {word.strip()!r}", hint="expected -1, 0 or 1"
            )
        vector[place] = value
    return vector


_VALUES = {"-1": -1, "0": 0, "": 0, "1": 1, "+1": 1, "-1.0": -1, "0.0": 0, "1.0": 1}
