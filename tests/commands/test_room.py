"""What cannot fit this machine is refused before anything is made, with the numbers; `limits=false` lets it through."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from facecond import memory
from facecond.assembly import room
from facecond.config.compose import compose
from facecond.io.files import RESERVE
from tests.commands.conftest import TINY, Facecond, call

FREE = RESERVE + 1000
"""Bytes of the disk that these tests see."""


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["data", "draw", "name=more", "data.count=48"], "arrays of 48 items take 985 kB"),  # 5 x 64 x 64 + 40 bytes each
        (["sample", "run=multicond", "name=more", "count=5"], "5 samples take 61.4 kB"),  # 3 x 64 x 64 bytes each
        (["train", "model=parser", "name=more", "model.network.width=2048", *TINY], "a checkpoint and the weights of"),
        (["encode", "pack=drawn-64", "first_stage=other"], "arrays of 40 items take 123 kB"),  # 2 x 3 x 16 x 16 halves each
    ],
    ids=lambda words: words[0] if isinstance(words, list) else "",
)  # fmt: skip
def test_what_the_disk_cannot_hold_is_refused(
    workspace: Path, facecond: Facecond, words: list[str], what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "host_memory", lambda: 1e15)
    if words[0] == "encode":
        call("train", f"workspace={workspace}", "model=vq", "name=other", "model.network.ch=8", "trainer.seed=1", *TINY)
    before = set(workspace.rglob("*"))
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=FREE))
    status, _, err = facecond(*words, f"workspace={workspace}")
    assert status == 2
    assert what in err
    assert f"{FREE / 1e6:.3g} MB are free" in err
    assert {path for path in workspace.rglob("*") if path.is_file() and path.suffix not in (".json", ".lock")} <= before


def test_weights_that_memory_cannot_hold_are_not_built(
    workspace: Path, facecond: Facecond, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["train", "model=parser", "name=more", "model.network.width=8", f"workspace={workspace}", *TINY]
    monkeypatch.setattr(room, "host_memory", lambda: 1000)
    monkeypatch.setattr(room, "ORDINARY", 4)
    status, _, err = facecond(*words)
    assert status == 2
    assert "of memory, and there are 1 kB" in err
    assert not list(workspace.glob("runs/more"))
    status, _, err = facecond(*words, "limits=false")
    assert status == 0, err
    status, _, err = facecond(*words)  # lifting a limit makes no other run
    assert status == 2
    monkeypatch.undo()
    status, _, err = facecond(*words)
    assert status == 0, err


@pytest.mark.parametrize("kind", ["multicond", "vq", "parser", "classifier"])
def test_parameters_are_counted_without_being_made(kind: str) -> None:
    config = compose("train", [f"model={kind}", "size=tiny"]).config
    networks = room.NETWORKS["diffusion" if kind == "multicond" else kind]
    with torch.device("meta"):
        shapes = [each.shape for network in networks(config.model, 64) for each in network.parameters()]
    assert shapes == [each.shape for network in networks(config.model, 64) for each in network.parameters()]


def test_a_control_group_s_limit_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "CONTROL_GROUP", tmp_path / "memory.max")
    whole = memory.host_memory()
    assert whole > 1e8
    (tmp_path / "memory.max").write_text("12345\n")
    assert memory.host_memory() == 12345
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.host_memory() == whole
