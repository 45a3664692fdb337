"""The kinds of folders that a workspace holds. What lists, checks or completes them goes over this table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from facecond.workspace.belonging import SAMPLED, folders_in


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """Folders of one kind."""

    marker: str
    """The file that says what a folder is."""
    always: bool = True
    """Whether a folder that holds files of use has it: it is written first, or the folder gets its name when it is whole."""
    places: tuple[str, ...] = ()
    """Folders of a workspace they lie in; none = the one that is called like the kind."""
    own: tuple[str, ...] = ()
    """Folders in one that are checked with it."""


KINDS: dict[str, Kind] = {
    "packs": Kind(marker="manifest.json"),
    "runs": Kind(marker="run.json", own=("checkpoints", "snapshots", "grids", "tensorboard")),
    "samples": Kind(marker="generation.json", places=SAMPLED, own=("images", "conditions")),
    "results": Kind(marker="results.json", always=False),
    "parsed": Kind(marker="parsed.json", own=("images", "labels")),
    "edits": Kind(marker="edit.json", own=("images", "regions")),
    "synthesized": Kind(marker="synthesis.json", own=("images", "labels", "data", "annotations", "rejected")),
    "exports": Kind(marker="export.json", own=("networks", "runtime")),
    "reproduced": Kind(marker="reproduced.json", always=False),
}
"""Kinds by name, which is also what `facecond runs --json` calls their lists, in the order in which they are shown."""


def places_of(kind: str) -> tuple[str, ...]:
    """The folders of a workspace in which those of a kind lie."""
    return KINDS[kind].places or (kind,)


def folders_of(workspace: Path, kind: str) -> Iterator[Path]:
    """The folders of a kind in a workspace, by name; of a pack or run that is a link, what it leads to counts."""
    for place in places_of(kind):
        yield from folders_in(workspace / place)
