"""Every command with name= refuses a name that leaves the workspace, before anything is written."""

from pathlib import Path

import pytest
import skimage.data

from facecond.config.commands.table import COMMANDS
from tests.commands.conftest import Facecond, all_but_locks

LINES = {
    "data pack": ["data", "pack", "data=label_maps", "data.root={workspace}"],
    "data draw": ["data", "draw", "data.count=4", "data.validation=1"],
    "parse": ["parse", f"{Path(skimage.data.__file__).parent}/astronaut.png"],
    "train": ["train", "model=vq"],
    "sample": ["sample", "run=multicond", "count=1"],
    "swap-masks": ["swap-masks", "run=multicond", "count=1"],
    "edit": ["edit", "run=multicond", "items=[0]", "region=[nose]"],
    "synthesize": ["synthesize", "run=multicond", "count=1"],
    "export web": ["export", "web", "run=multicond"],
    "demo": ["demo"],
    "report": ["report", "multicond"],
}


def test_every_command_with_a_name_is_tried() -> None:
    assert set(LINES) == {command for command, schema in COMMANDS.items() if "name" in schema.__dataclass_fields__}


@pytest.mark.parametrize("dry", [True, False], ids=["dry-run", "run"])
@pytest.mark.parametrize("name", ["../../outside", "''", ".hidden", "/tmp/elsewhere"])
@pytest.mark.parametrize("command", LINES)
def test_every_command_refuses_in_one_line_and_writes_nothing(
    command: str, name: str, dry: bool, workspace: Path, facecond: Facecond
) -> None:
    before = _files(workspace.parent)
    words = [word.format(workspace=workspace) for word in LINES[command]]
    status, out, err = facecond(*words, f"name={name}", f"workspace={workspace}", *(["--dry-run"] if dry else []))
    assert status == 2
    assert out == ""
    (said,) = [line for line in err.splitlines() if line.startswith("facecond:")]
    assert "name=" in said
    assert _files(workspace.parent) == before


def _files(folder: Path) -> set[Path]:
    return set(all_but_locks(folder))
