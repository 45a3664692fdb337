"""Finding packs, runs and first stages, and reading what a run recorded."""

from pathlib import Path
from typing import Any

import pytest

from facecond.config.models import MODELS
from facecond.io.files import write_json
from facecond.workspace.find import RUN_FORMAT, RUN_VERSION, read_run, train_defaults


def write_run(folder: Path, **content: Any) -> Path:
    """Write a run.json with what every run has, and `content`."""
    usual = {"format": RUN_FORMAT, "version": RUN_VERSION, "kind": "diffusion", "choices": {}, "config": {}}
    write_json(
        folder / "run.json",
        {**usual, "sha256 of the pack": "", "sha256 of the first stage": None, "pack_path": "", **content},
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
