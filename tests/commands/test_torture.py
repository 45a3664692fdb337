"""A small share of the torture in the suite."""

import shutil
from pathlib import Path

import pytest

from tests.torture import flips, hostile, kills, memory, signals, words, writes
from tests.torture.trials import tally


@pytest.fixture(scope="module")
def whole(whole_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with one of everything, for this file."""
    return shutil.copytree(whole_once, tmp_path_factory.mktemp("torture") / "workspace")


def test_flipped_bits(whole: Path) -> None:
    tried, survived, outcomes, bad = tally(flips.flips(whole, 40))
    assert bad == []
    assert tried == survived == 40
    assert outcomes["found"] > 30


def test_cut_files(whole: Path) -> None:
    assert tally(flips.cuts(whole, 30))[3] == []


def test_hostile_files(tmp_path: Path) -> None:
    tried, _, outcomes, bad = tally(hostile.hostile(tmp_path / "deep" / "hostile"))
    assert bad == []
    assert tried > 300
    assert outcomes["found"] > 300


def test_overrides() -> None:
    tried, _, outcomes, bad = tally(words.words(20))
    assert bad == []
    assert tried == 20
    assert outcomes["harmless"] > 5


def test_overrides_in_a_dry_run(whole: Path) -> None:
    tried, _, outcomes, bad = tally(words.prepared(whole, 20))
    assert bad == []
    assert tried == 20
    assert outcomes["harmless"] > 3


def test_changed_settings(whole: Path) -> None:
    for run in ("vq", "multicond"):
        _, _, outcomes, bad = tally(words.settings(whole / "runs" / run, 40))
        assert bad == []
        assert outcomes["found"] > 12


def test_a_training_is_stopped_and_continued(tmp_path: Path) -> None:
    assert [trial.outcome for trial in kills.continuations(tmp_path, 2)] == ["harmless"] * 2


@pytest.mark.slow
def test_killed_and_competing_processes(whole: Path, tmp_path: Path) -> None:
    for driver in (
        kills.kills(tmp_path / "kills", 4),
        kills.kills_of_commands(whole, tmp_path / "commands", 6),
        kills.pairs(whole, tmp_path / "pairs", 6),
        signals.signals(tmp_path / "signals", 4),  # every eleventh case: each signal, each phase
        memory.flat(tmp_path / "memory", 0.02),
    ):
        tried, survived, _, bad = tally(driver)
        assert bad == []
        assert tried == survived > 0


def test_writes_that_fail(whole: Path, tmp_path: Path) -> None:
    tried, _, outcomes, bad = tally(writes.writes(whole, tmp_path, 6))
    assert bad == []
    assert tried == 6
    assert outcomes["found"] >= 4
