"""Which samples, swaps and results lie in a workspace, and of which weights they are: what reports and lists of it both read.

They belong to a run when the SHA-256 of the weights they record is that of the run's weights; names do not count.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from facecond.errors import DataError
from facecond.io.documents import Record, read_json

SAMPLED = ("samples", "swaps")
"""Folders of a workspace that hold generations."""

_PICTURES = ("images", "conditions")
"""Folders of a generation, which hold no other."""


class Generation(NamedTuple):
    """A folder with a generation.json."""

    top: Path
    """The folder of `samples` or `swaps` it lies in: itself, or one that holds a generation of each checkpoint."""
    folder: Path
    content: dict[str, Any]
    """Of generation.json, whatever its version; nothing when it cannot be read."""

    @property
    def weights(self) -> Any:
        """SHA-256 of the weights it was made of; None where nothing is said of them."""
        return made_of(self.content)


def generations(workspace: str) -> Iterator[Generation]:
    """Each generation of a workspace, by name."""
    for kind in SAMPLED:
        for top in folders_in(Path(workspace) / kind):
            for folder in generations_below(top):
                yield Generation(top, folder, manifest_of(folder / "generation.json"))


def sample_names(workspace: str) -> list[str]:
    """Names of the folders of samples of a workspace that hold one generation."""
    return [top.name for top in folders_in(Path(workspace) / SAMPLED[0]) if (top / "generation.json").is_file()]


def results(workspace: str) -> Iterator[tuple[dict[str, Any], Path]]:
    """Each results.json of a workspace with what it says of itself: nothing when it cannot be read."""
    for file in sorted((Path(workspace) / "results").glob("*/results.json")):
        about = manifest_of(file).get("about")
        yield (about if isinstance(about, dict) else {}), file


def manifest_of(file: Path) -> dict[str, Any]:
    """A JSON object of any version; nothing when it is none."""
    try:
        return read_json(file, Record)
    except DataError:
        return {}


def made_of(content: Mapping[str, Any]) -> Any:
    """SHA-256 of the weights that made what a manifest, or `about` of results, describes; None where it does not say."""
    made = content.get("made_with")
    return made.get("weights") if isinstance(made, dict) else None


def folders_in(place: Path) -> list[Path]:
    """The folders in a folder that are not hidden, by name; none where it is not there or may not be read."""
    try:
        with os.scandir(place) as entries:
            return sorted(Path(entry.path) for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    except OSError:
        return []


def generations_below(folder: Path) -> Iterator[Path]:
    """The folder and those below it that are generations; their pictures are not looked at, links are not followed."""
    if (folder / "generation.json").is_file():
        yield folder
    for each in folders_in(folder):
        if each.name not in _PICTURES and not each.is_symlink():
            yield from generations_below(each)
