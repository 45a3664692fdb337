"""results.json: measured numbers, each with what it takes to read it.

A number says little alone. A `Figure` therefore carries its sample count, the score of real images (the ceiling), the
score of something that does not follow its condition (the floor), the judge that gave it and what was done to the
pictures before.
Format: docs/formats.md, section "results".
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from typing_extensions import TypedDict

from facecond.io.documents import check, finite, read_json, write_json

FORMAT = "facecond-results"
VERSION = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassValue:
    """One row of a per-class table: the value of one part of the face or of one attribute."""

    name: str
    value: float | None = None
    """None when the class does not occur, so that nothing could be measured."""
    ceiling: float | None = None
    """The real images' value."""
    floor: float | None = None
    """The value under shuffled conditions, or of always guessing the majority."""
    count: int | None = None
    """Images in which the class occurs."""
    group: str = ""
    """A word that collects rows, for example "mask-free"."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One measured number and its circumstances. Values are fractions (0.71, not 71), or in `unit`."""

    name: str
    """The key, one per results file: "miou", "attribute_accuracy", "fid"."""
    value: float
    count: int
    """Images the value rests on."""
    title: str = ""
    """What is printed; `name` when empty."""
    measure: str = ""
    """The measure that was asked for, whatever this is called: "fid" also for the distance in other features."""
    unit: str = ""
    """"" for a fraction or a plain number, else "dB", "bits", ..."""
    better: Literal["higher", "lower"] = "higher"
    """"higher" or "lower"."""
    spread: float | None = None
    """Half-width of the 95 % interval, from drawing conditions again with all their images."""
    ceiling: float | None = None
    """The score of real images."""
    ceiling_of: str = "real images"
    floor: float | None = None
    """The score of something that ignores its condition."""
    floor_of: str = "shuffled conditions"
    marks: Mapping[str, float | None] = field(default_factory=dict)
    """Further scores on the same scale, by what they are of: {"reconstructions": 0.68}."""
    reference: str = ""
    """The set compared with, for example "validation split, 256 items"."""
    preprocessing: str = ""
    """What happened to the images before the judge saw them."""
    judge: str = ""
    """The network that judged."""
    judge_hash: str = ""
    """SHA-256 of its weights."""
    note: str = ""
    """One sentence: the definition."""
    caution: str = ""
    """Why the number may say less than it seems to; stands in its row. Several reasons have "; " between them."""
    classes: Sequence[ClassValue] = ()
    """The same number per class, where it has one."""

    @property
    def heading(self) -> str:
        """What is printed: the title, or the name."""
        return self.title or self.name

    @property
    def cautions(self) -> list[str]:
        """The reasons in `caution`, each once."""
        return list(dict.fromkeys(filter(None, self.caution.split("; "))))


@dataclass(frozen=True, kw_only=True, slots=True)
class Results:
    """Everything in one results.json."""

    figures: tuple[Figure, ...]
    about: dict[str, Any]
    """What was measured: weights hash, sampler, guidance, command, versions. Free keys, JSON values."""

    def __getitem__(self, name: str) -> Figure:
        """Return the figure called `name`; KeyError when there is none."""
        for figure in self.figures:
            if figure.name == name:
                return figure
        raise KeyError(name)


def write_results(path: Path, figures: Iterable[Figure], *, about: Mapping[str, Any]) -> None:
    """Write results.json whole or not at all; values that are not finite become null.

    Two figures of one name: ValueError.
    """
    rows = [_without_empty(dataclasses.asdict(figure)) for figure in figures]
    names = [row["name"] for row in rows]
    if len(set(names)) != len(names):
        raise ValueError(f"two figures share a name: {sorted(names)}")
    write_json(
        path,
        {"format": FORMAT, "version": VERSION, "about": finite(dict(about)), "figures": finite(rows)},
        checksum=True,
    )


def read_results(path: Path) -> Results:
    """Read results.json; null values come back as NaN.

    DataError when it is another file, of another version, or damaged.
    """
    content = read_json(path, _Content, format=(FORMAT, VERSION), hint="measure again")
    figures = (_figure(row, f"{path}: figures.{place}") for place, row in enumerate(content["figures"]))
    return Results(figures=tuple(figures), about=content["about"])


class _Content(TypedDict):
    about: dict[str, Any]
    figures: list[dict[str, Any]]


def _figure(row: dict[str, Any], origin: str) -> Figure:
    unmeasured = row.get("value", 0.0) is None
    figure = check(Figure, {**row, "value": 0.0} if unmeasured else row, origin, hint="measure again")
    return dataclasses.replace(figure, value=math.nan if unmeasured else figure.value, classes=tuple(figure.classes))


def _without_empty(row: dict[str, Any]) -> dict[str, Any]:
    """Drop what was not said, so that the file shows what was; `value` stays even when it is missing."""
    kept = {key: value for key, value in row.items() if key == "value" or value not in (None, "", {}, (), [])}
    if "classes" in kept:
        kept["classes"] = [_without_empty(item) for item in kept["classes"]]
    return kept
