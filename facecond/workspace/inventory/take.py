"""What a workspace holds, from what its folders say of themselves. What is damaged, of another version or not of this program's
making is an entry with a remark. Nothing is written.
"""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, cast

from facecond.errors import DataError
from facecond.workspace.inventory.entries import FORMAT, VERSION, Entry, Inventory, Other, entries_of
from facecond.workspace.inventory.known import Known, size_of
from facecond.workspace.inventory.reading import ENTRIES
from facecond.workspace.kinds import KINDS, folders_of, places_of


def take(
    workspace: str, *, kinds: Collection[str] = tuple(KINDS), model: str | None = None, words: Sequence[str] = ()
) -> Inventory:
    """List what there is of `kinds` with all of `words` in its name, in any case; of runs those of one kind of `model`, or all.

    Without any of these, what else lies in the workspace is listed too. Raises DataError when `workspace` is a file.
    """
    here = Path(workspace)
    if here.exists() and not here.is_dir():
        raise DataError(f"{workspace} is a file", hint="a workspace is a folder: workspace=DIR")
    known = Known(workspace)
    lists: dict[str, list[Any]] = {kind: _listed(here, kind, known, words) if kind in kinds else [] for kind in KINDS}
    lists["runs"] = [run for run in lists["runs"] if model is None or run.get("kind") == model]
    inventory = cast(
        "Inventory", {"format": FORMAT, "version": VERSION, "workspace": workspace, **lists, "others": [], "bytes": 0}
    )
    if set(kinds) == set(KINDS) and not words:
        ours = {place for kind in KINDS for place in places_of(kind)}
        inventory["others"] = [
            Other(name=path.name, bytes=size_of(path)) for path in sorted(here.glob("[!.]*")) if path.name not in ours
        ]
    own = [entry for entry in entries_of(inventory) if not entry["came_along"] and not Path(entry["path"]).is_symlink()]
    inventory["bytes"] = sum(entry["bytes"] for entry in own) + sum(each["bytes"] for each in inventory["others"])
    return inventory


def _listed(here: Path, kind: str, known: Known, words: Sequence[str]) -> list[Entry]:
    """What there is of a kind, in the workspace `here` and along with the program."""
    own = list(folders_of(here, kind))
    named = {path.name for path in own}
    both = [(path, False) for path in own]
    both += [(path, True) for path in known.along.get(kind, ()) if path.name not in named]
    found = [
        ENTRIES[kind](known, *each) for each in both if all(word.lower() in each[0].name.lower() for word in words)
    ]
    return sorted(found, key=lambda entry: (not entry["came_along"], entry["when"], entry["name"]), reverse=True)
