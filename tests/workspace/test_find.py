"""Finding packs, runs and first stages, and reading what a run recorded."""

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facecond.config.models import MODELS
from facecond.data.latents import LatentStore, LatentWriter
from facecond.io.documents import write_json
from facecond.io.runs import FORMAT, VERSION
from facecond.workspace.find import find_pack, find_run, read_run, train_defaults
from tests.data.makers import random_pack


def write_run(folder: Path, **content: Any) -> Path:
    """Write a run.json with what every run has, and `content`."""
    usual = {"format": FORMAT, "version": VERSION, "kind": "diffusion", "choices": {}, "config": {}}
    write_json(
        folder / "run.json",
        {
            **usual,
            "weights_config": {},
            "resolution": 64,
            "sha256 of the pack": "0" * 64,
            "sha256 of the first stage": None,
            "pack_path": "",
            **content,
        },
    )
    return folder


@pytest.mark.parametrize("kind", MODELS)
def test_what_a_run_did_not_record_has_its_default(tmp_path: Path, kind: str) -> None:
    run = read_run(write_run(tmp_path, kind=kind, config={"trainer": {"seed": 5}}))
    assert run.config["trainer"]["seed"] == 5
    usual = train_defaults(kind, {})
    assert run.config == usual | {"trainer": usual["trainer"] | {"seed": 5}}
    if kind == "diffusion":
        assert run.config["model"]["partial_dropout"] == 0.0


def copied(folder: Path, to: Path) -> Path:
    """Copy a workspace so that every file is younger the earlier its folder was finished."""
    shutil.copytree(folder, to)
    for number, path in enumerate(sorted(to.rglob("*"), reverse=True)):
        os.utime(path, (1e9 + number, 1e9 + number))
    return to


def test_the_latest_pack_run_and_latents_are_the_same_in_a_copy(tmp_path: Path) -> None:
    old = tmp_path / "old"
    for name in ("a", "b", "c"):
        pack = random_pack(old / "packs" / name)
        run = write_run(old / "runs" / name)
        (run / "weights.safetensors").write_bytes(b"")
        write_json(run / "done.json", {"finished": f"2026-01-0{'abc'.index(name) + 1}T00:00:00.000000+00:00"})
    for digest in ("a" * 12, "c" * 12, "d" * 12):
        writer = LatentWriter(pack.path, digest, count=10, shape=(1, 1, 1), flips=False)
        writer.write(slice(0, 10), np.zeros((10, 1, 1, 1)))
        writer.finish(pack.indices("train"))
    for workspace in (old, copied(old, tmp_path / "new")):
        assert find_pack(str(workspace), None).path.name == "c"
        assert find_run(str(workspace), None, "diffusion").path.name == "c"
        assert LatentStore.available(workspace / "packs" / "c")[0] == "d" * 12


def test_without_a_finishing_time_the_files_time_and_then_the_name_decide(tmp_path: Path) -> None:
    for name, time in (("a", 1.0), ("b", 3.0), ("c", 3.0), ("d", 2.0)):
        file = write_run(tmp_path / "runs" / name) / "weights.safetensors"
        file.write_bytes(b"")
        os.utime(file, (time, time))
    assert find_run(str(tmp_path), None, "diffusion").path.name == "c"
