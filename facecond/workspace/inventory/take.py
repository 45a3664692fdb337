"""What a workspace holds, from what its folders say of themselves. What is damaged, of another version or not of this program's
making is an entry with a remark. Nothing is written.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from facecond.errors import DataError
from facecond.workspace.belonging import SAMPLED, folders_in
from facecond.workspace.inventory import reading
from facecond.workspace.inventory.entries import FORMAT, PARTS, VERSION, Entry, Inventory, Other
from facecond.workspace.inventory.known import Known, size_of

E = TypeVar("E", bound=Entry)


def take(
    workspace: str, *, parts: Collection[str] = PARTS, kind: str | None = None, words: Sequence[str] = ()
) -> Inventory:
    """List what is in `parts` of a workspace and has all of `words` in its name, in any case; of runs those of one `kind`, or all.

    Without any of these, what else lies in the workspace is listed too. Raises DataError when `workspace` is a file.
    """
    here = Path(workspace)
    if here.exists() and not here.is_dir():
        raise DataError(f"{workspace} is a file", hint="a workspace is a folder: workspace=DIR")
    known = Known(workspace)

    def listed(part: str, places: Iterable[Path], along: Iterable[Path], of: Callable[[Path, bool], E]) -> list[E]:
        if part not in parts:
            return []
        own = list(places)
        named = {path.name for path in own}
        both = [(path, False) for path in own] + [(path, True) for path in along if path.name not in named]
        found = [of(*each) for each in both if all(word.lower() in each[0].name.lower() for word in words)]
        return sorted(found, key=lambda entry: (not entry["came_along"], entry["when"], entry["name"]), reverse=True)

    sampled = [top for each in SAMPLED for top in folders_in(here / each)]
    runs = listed("runs", folders_in(here / "runs"), known.runs_along, partial(reading.run_entry, known))
    inventory = Inventory(
        format=FORMAT, version=VERSION, workspace=workspace,
        packs=listed("packs", folders_in(here / "packs"), known.packs_along, partial(reading.pack_entry, known)),
        runs=[run for run in runs if kind is None or run.get("kind") == kind],
        samples=listed("samples", sampled, (), partial(reading.samples_entry, known)),
        results=listed("results", folders_in(here / "results"), (), partial(reading.results_entry, known)),
        parsed=listed("parsed", folders_in(here / "parsed"), (), partial(reading.parsed_entry, known)),
        edits=listed("edits", folders_in(here / "edits"), (), partial(reading.edits_entry, known)),
        synthesized=listed("synthesized", folders_in(here / "synthesized"), (), partial(reading.synthesized_entry, known)),
        exports=listed("exports", folders_in(here / "exports"), (), partial(reading.exports_entry, known)),
        reproduced=listed("reproduced", folders_in(here / "reproduced"), (), partial(reading.reproduced_entry, known)),
        others=[], bytes=0,
    )  # fmt: skip
    if set(parts) == set(PARTS) and not words:
        inventory["others"] = [
            Other(name=path.name, bytes=size_of(path))
            for path in sorted(here.glob("[!.]*"))
            if path.name not in (*PARTS, *SAMPLED)
        ]
    entries: list[Entry] = [*inventory["packs"], *inventory["runs"], *inventory["samples"], *inventory["results"]]
    entries += [
        *inventory["parsed"],
        *inventory["edits"],
        *inventory["synthesized"],
        *inventory["exports"],
        *inventory["reproduced"],
    ]
    own = [entry for entry in entries if not entry["came_along"] and not Path(entry["path"]).is_symlink()]
    inventory["bytes"] = sum(entry["bytes"] for entry in own) + sum(each["bytes"] for each in inventory["others"])
    return inventory
