"""Folders of a workspace that lost the file that says what they are, so that nothing finds them any more."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from facecond.data.arrays import SIDE_FILE
from facecond.workspace.belonging import folders_in, generations_below
from facecond.workspace.inventory.known import in_use
from facecond.workspace.kinds import KINDS, Kind, folders_of, places_of

_BEGUN = ("records.jsonl", "images")
"""What a generation holds beside the file that says what it is."""


def lost_markers(place: Path, unreadable: Callable[[Path, OSError], None]) -> Iterator[Path]:
    """Where the missing files should be in `place`, which is a workspace or something in it.

    Kinds whose file is written in the end are left out: a folder without it may be in the making. So are folders that somebody
    writes into. `unreadable` hears of folders that cannot be looked at.
    """
    here = place.resolve()
    for name, kind in KINDS.items():
        if not kind.always:
            continue
        for folder in _candidates(here, name):
            try:
                yield from [place / os.path.relpath(file, here) for file in _lacking(folder, name, kind)]
            except OSError as reason:
                unreadable(place / os.path.relpath(folder, here), reason)


def _candidates(here: Path, name: str) -> list[Path]:
    """The folders of a kind in `here`, a workspace, the folder of a kind, or one of a kind."""
    if _is_workspace(here):
        return [*folders_of(here, name)]
    if here.name in places_of(name):
        return folders_in(here)
    return [here] if here.parent.name in places_of(name) else []


def _lacking(folder: Path, name: str, kind: Kind) -> Iterator[Path]:
    """The files that a folder of a kind, and what lies in it, should have and has not."""
    if folder.is_symlink() or in_use(folder) or _is_workspace(folder):
        return
    above = folder.parent
    if _is_marked(above) or _is_workspace(above):  # it bears the name of a kind, and is something else
        return
    if name == "packs":
        for latents in folders_in(folder / "latents"):
            if _holds(latents) and not in_use(latents) and not _is_begun(latents):
                yield latents / kind.marker
    if _is_marked(folder) or _is_begun(folder):
        return
    if name == "samples" and (made := [*generations_below(folder)]):  # one of each checkpoint
        for each in folders_in(folder):
            if each not in made and any(_there(each / begun) for begun in _BEGUN):
                yield each / kind.marker
    elif _holds(folder, kind.own):
        yield folder / kind.marker


def _is_workspace(folder: Path) -> bool:
    """Whether folders of some kind have their place in it, one that cannot be looked at among them."""
    known = {place for name in KINDS for place in places_of(name)}

    def is_place(each: Path) -> bool:
        try:
            return each.name in known and not _is_marked(each)
        except OSError:
            return True

    return any(map(is_place, folders_in(folder)))


def _is_marked(folder: Path) -> bool:
    return any(_there(folder / kind.marker) for kind in KINDS.values())


def _is_begun(folder: Path) -> bool:
    """Whether a folder of arrays is finished, or says that it is not."""
    return _there(folder / KINDS["packs"].marker) or _there(folder / SIDE_FILE)


def _holds(folder: Path, own: tuple[str, ...] = ()) -> bool:
    """Whether there is a file in it, or one of its `own` folders, that is not hidden."""
    with os.scandir(folder) as entries:
        return any(each.name in own or not (each.name.startswith(".") or each.is_dir()) for each in entries)


def _there(file: Path) -> bool:
    """Whether a file is there. Raises OSError where that cannot be said."""
    try:
        file.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True
