"""A small share of the torture in the suite."""

from pathlib import Path

import pytest

from tests.torture import flips, hostile, words, writes
from tests.torture.places import whole
from tests.torture.trials import tally


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return whole(tmp_path_factory.mktemp("torture") / "workspace")


def test_flipped_bits(workspace: Path) -> None:
    tried, survived, outcomes, bad = tally(flips.flips(workspace, 100))
    assert bad == []
    assert tried == survived == 100
    assert outcomes["found"] > 50


def test_cut_files(workspace: Path) -> None:
    assert tally(flips.cuts(workspace, 100))[3] == []


def test_hostile_files(tmp_path: Path) -> None:
    tried, _, outcomes, bad = tally(hostile.hostile(tmp_path / "deep" / "hostile"))
    assert bad == []
    assert tried > 300
    assert outcomes["found"] > 300


def test_overrides(workspace: Path) -> None:
    tried, _, outcomes, bad = tally(words.words(100))
    assert bad == []
    assert tried == 100
    assert outcomes["harmless"] > 20


def test_changed_settings(workspace: Path) -> None:
    for run in ("vq", "multicond"):
        _, _, outcomes, bad = tally(words.settings(workspace / "runs" / run, 60))
        assert bad == []
        assert outcomes["found"] > 20


def test_writes_that_fail(workspace: Path, tmp_path: Path) -> None:
    tried, _, outcomes, bad = tally(writes.writes(workspace, tmp_path, 10))
    assert bad == []
    assert tried == 10
    assert outcomes["found"] >= 5
