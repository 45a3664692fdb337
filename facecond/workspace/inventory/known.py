"""What a workspace knows of itself: what packs and weights are called, what was measured, how large a folder is, who uses it."""

import math
import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

from facecond.data import latents as latents_of
from facecond.errors import DataError
from facecond.io.files import sha256_file
from facecond.io.lock import owner
from facecond.io.results import Figure, Results, read_results
from facecond.io.runs import done_of
from facecond.workspace import find
from facecond.workspace.belonging import folders_in, made_of
from facecond.workspace.inventory.entries import Value


def size_of(place: Path) -> int:
    """Bytes of a file, or of all files below a folder; links in it are not followed, what may not be looked at counts nothing."""
    if place.is_file():
        return place.stat().st_size
    total, left = 0, [str(place)]
    while left:
        with suppress(OSError), os.scandir(left.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    left.append(entry.path)
                else:
                    with suppress(OSError):  # deleted while we look
                        total += entry.stat(follow_symlinks=False).st_size
    return total


def in_use(folder: Path) -> str:
    """Who writes into a folder now; "" for nobody. Of another machine's process it is not known whether it is still there."""
    by = owner(folder)
    if by is None or (by.host == socket.gethostname() and not _is_alive(by.pid)):
        return ""
    return f"{IN_USE} {by}"


IN_USE = "in use by"
"""How the remark on a folder begins that another process writes into."""


def _is_alive(pid: int) -> bool:
    """Whether a process of this machine runs; where that cannot be asked, it may."""
    if os.name == "posix":
        with suppress(PermissionError, OverflowError):
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return False
    return True


class Known:
    """What names mean: packs by the SHA-256 of their manifests, runs by that of their weights; and what was measured of runs."""

    def __init__(self, workspace: str) -> None:
        here = Path(workspace)
        self.along = {
            "packs": [place for name in find.SETS if (place := find.bundled_pack(name))],
            "runs": [run for kind in find.MEMBERS for run in find.bundled_runs(kind)],
        }
        """What came with the program, by kind."""
        self.packs: dict[str, str] = {}
        for path in [*folders_in(here / "packs"), *self.along["packs"]]:
            with suppress(DataError, OSError):  # said of the entry itself
                self.packs.setdefault(sha256_file(path / "manifest.json"), path.name)
        self.runs: dict[str, str] = {}
        for path in [*folders_in(here / "runs"), *self.along["runs"]]:
            if done := done_of(path):
                self.runs.setdefault(done["weights_sha256"], path.name)
        self._results: dict[Path, Results | DataError] = {}
        self.figures: dict[str, dict[str, Value]] = {}
        """Weights -> name of a figure -> the newest."""
        files = [file for path in folders_in(here / "results") if (file := path / "results.json").is_file()]
        for file in sorted(files, key=lambda file: file.stat().st_mtime_ns):
            with suppress(DataError):
                found = self.results(file)
                if isinstance(digest := made_of(found.about), str):
                    values = {figure.name: value_of(figure, file.parent.name) for figure in found.figures}
                    self.figures.setdefault(digest, {}).update(values)

    def results(self, file: Path) -> Results:
        """What results.json holds, read once. Raises DataError when it cannot be read."""
        if file not in self._results:
            try:
                self._results[file] = read_results(file)
            except DataError as reason:
                self._results[file] = reason
        found = self._results[file]
        if isinstance(found, DataError):
            raise found
        return found

    def run(self, weights: str) -> str:
        """The run that has these weights, or the first digits of their SHA-256."""
        return self.runs.get(weights, weights[: latents_of.HASH_DIGITS])


def value_of(figure: Figure, named: str) -> Value:
    """A figure without its circumstances, of the results that are called `named`."""
    return Value(
        name=figure.name, title=figure.heading, value=finite(figure.value), spread=finite(figure.spread), unit=figure.unit,
        better=figure.better, count=figure.count, results=named,
    )  # fmt: skip


def finite(value: Any) -> float | None:
    """A number that JSON can hold; None for whatever is none."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
