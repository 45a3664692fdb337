"""The kinds of folders of a workspace: whoever goes over the table knows all of them."""

from pathlib import Path
from typing import get_args

from facecond.config.commands.workspace import Held
from facecond.workspace.inventory.entries import Inventory, Kind
from facecond.workspace.inventory.reading import ENTRIES
from facecond.workspace.inventory.take import take
from facecond.workspace.kinds import KINDS
from facecond.workspace.verify import CHECKERS, MARKED


def test_every_kind_is_listed_checked_and_asked_for_by_name(tmp_path: Path) -> None:
    assert ENTRIES.keys() == CHECKERS.keys() == KINDS.keys()
    assert len(MARKED) == len(KINDS)  # each has a file of its own
    assert {kind.name for kind in Held} == KINDS.keys() | {*get_args(Kind)}
    assert (
        {*take(str(tmp_path))}
        == {*Inventory.__annotations__}
        == {"format", "version", "workspace", "others", "bytes", *KINDS}
    )
