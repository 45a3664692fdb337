"""What a command gives back: values that the command line prints and scripts read as JSON."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from facecond.io.results import Figure


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One thing of a listing."""

    cells: list[str]
    more: str = ""
    """What is too long for a column."""
    remark: str = ""
    """What is the matter with it, or left to do."""
    commands: list[str] = field(default_factory=list)
    """What one could type next with it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """A table whose rows have lines of their own below them."""

    title: str
    head: list[str]
    rows: list[Row]
    note: str = ""
    """What is not shown, and how it can be."""


@dataclass(kw_only=True, slots=True)
class Result:
    """The outcome of one command."""

    command: str
    used: dict[str, str] = field(default_factory=dict)
    """What was used and why, by what it is: {"pack": "outputs/packs/drawn-64 (the latest)"}."""
    facts: dict[str, Any] = field(default_factory=dict)
    """Single values: counts, durations, losses."""
    tables: dict[str, list[list[str]]] = field(default_factory=dict)
    """Tables by title; the first row is the head."""
    listings: list[Listing] = field(default_factory=list)
    """For people; what they say stands in `documents`."""
    documents: Mapping[str, Any] = field(default_factory=dict)
    """JSON values of the command's own by name, each of a type that docs/formats.md describes."""
    figures: list[Figure] = field(default_factory=list)
    """Measured numbers with ceilings and floors."""
    made: dict[str, Path] = field(default_factory=dict)
    """Files and folders that now exist."""
    status: int = 0
    """Exit status: 2 where the command did its work and found something wrong."""
    next: list[str] = field(default_factory=list)
    """Commands that make sense now."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "command": self.command,
            "used": self.used,
            "facts": self.facts,
            "tables": self.tables,
            "figures": [dataclasses.asdict(figure) for figure in self.figures],
            "made": {name: str(path) for name, path in self.made.items()},
            "next": self.next,
            **self.documents,
        }
