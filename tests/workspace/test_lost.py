"""Which folders of a workspace lack the file that says what they are: told by what a folder is, not by names alone."""

from pathlib import Path

import pytest

from facecond.workspace.kinds import KINDS, places_of
from facecond.workspace.lost import lost_markers


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """Two whole folders of each kind, one called like its kind, with a file in each and in each of its own folders."""
    for name, kind in KINDS.items():
        for place in places_of(name):
            for folder in (tmp_path / "runs" / "x" / place / called for called in ("one", place)):
                for file in (kind.marker, "records.jsonl", *(f"{own}/file" for own in kind.own)):
                    (folder / file).parent.mkdir(parents=True, exist_ok=True)
                    (folder / file).touch()
    return tmp_path / "runs" / "x"


def lost(place: Path) -> set[Path]:
    found = [*lost_markers(place, lambda path, reason: pytest.fail(f"{path}: {reason}"))]
    assert len(found) == len({*found})
    return {*found}


def test_nothing_is_lost_of_a_workspace_that_lies_in_a_folder_called_runs(workspace: Path) -> None:
    for place in (workspace, workspace.parent, workspace.parent.parent, workspace / "packs" / ".."):
        assert lost(place) == set()
    for folder in workspace.rglob("*"):
        assert folder.is_file() or lost(folder) == set()


def test_what_is_lost_is_found_from_above_and_from_itself(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, kind in KINDS.items():
        for place in places_of(name):
            marker = workspace / place / "one" / kind.marker
            marker.unlink()
            expected = {marker} if kind.always else set()
            assert lost(workspace) == expected
            assert lost(workspace.parent) == set()  # no workspace
            assert lost(marker.parent.parent) == lost(marker.parent) == expected
            monkeypatch.chdir(workspace)
            assert lost(Path()) == {path.relative_to(workspace) for path in expected}
            marker.touch()


def test_a_workspace_called_like_a_kind(workspace: Path) -> None:
    named = workspace.rename(workspace.with_name("packs"))
    assert lost(named) == lost(named.parent) == set()
    (named / "edits" / "one" / "edit.json").unlink()
    assert lost(named) == {named / "edits" / "one" / "edit.json"}
    assert lost(named.parent.parent) == set()


@pytest.mark.parametrize("closed", ["runs/one", "runs"])
def test_a_folder_that_cannot_be_looked_at_is_told_of_and_the_others_are_looked_at(
    closed: str, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a mode that lets nobody in: its files cannot be asked for, nor those below."""
    other = workspace / "edits" / "one" / "edit.json"
    other.unlink()
    lstat, told = Path.lstat, set()

    def refusing(self: Path) -> object:
        if self != workspace / closed and self.is_relative_to(workspace / closed):
            raise PermissionError(13, "Permission denied", str(self))
        return lstat(self)

    monkeypatch.setattr(Path, "lstat", refusing)
    assert [*lost_markers(workspace, lambda path, reason: told.add(path))] == [other]
    assert told == ({*(workspace / "runs").iterdir()} if closed == "runs" else {workspace / closed})
