"""A run kept in the tests is continued by the code of today, whatever settings the schema gained since it was made."""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from facecond.config.commands import table
from facecond.config.commands import train as training
from facecond.config.models import FirstStageModelConfig
from facecond.config.networks import VQConfig
from facecond.config.training import TrainerConfig
from facecond.errors import CheckpointError
from facecond.io.checkpoint import find_states, load_state, load_weights
from facecond.io.documents import Record, read_json, write_json
from facecond.io.files import sha256_file
from tests.commands.conftest import call
from tests.commands.golden_run import GOLDEN, WORDS

LEFT_OUT = [
    "trainer.beta1", "trainer.weight_decay", "trainer.clip_norm", "trainer.seed", "trainer.flips", "model.network.beta",
    "model.training.restart_until", "init", "device",
]  # fmt: skip
"""Settings of the golden run that have their default: a run from before they existed does not record them."""


@pytest.fixture
def golden(tmp_path: Path) -> Path:
    """A copy of the golden workspace."""
    return Path(shutil.copytree(GOLDEN, tmp_path / "workspace"))


def go_on(workspace: Path, *words: str) -> dict[str, Any]:
    """Give the golden run's command again; return what it found, after checking that it went on where it had stopped."""
    run = workspace / "runs" / "first"
    before = load_state(find_states(run / "checkpoints")[0])
    assert before.values["images_seen"] == 4
    result = call("train", *WORDS, f"workspace={workspace}", *words)
    assert result.facts["finished"]
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["images_seen"] for line in lines if line["kind"] == "training"] == [4, 8, 12, 16]
    after = load_state(find_states(run / "checkpoints")[0])
    steps = {int(tensor) for name, tensor in after.groups["optimiser"].items() if name.endswith("/step")}
    assert steps == {4}
    for name, tensor in before.groups["network"].items():
        if name.startswith("first_stage."):  # three steps of AdamW at the end of a warm-up move no weight far
            assert (after.groups["network"][name] - tensor).abs().max() < 1e-2, name
    return load_weights(run / "weights.safetensors").config


def test_the_golden_run_goes_on_and_ends(golden: Path) -> None:
    go_on(golden)


@pytest.mark.parametrize("key", LEFT_OUT)
def test_a_setting_that_was_not_recorded_means_its_default(golden: Path, key: str) -> None:
    forget(golden, key)
    go_on(golden)


def test_a_setting_that_was_not_recorded_is_refused_when_it_is_not_its_default(golden: Path) -> None:
    forget(golden, "trainer.clip_norm")
    with pytest.raises(CheckpointError, match=r"started with trainer.clip_norm=nothing, not trainer.clip_norm=1.0"):
        go_on(golden, "trainer.clip_norm=1.0")


def test_a_field_added_to_the_schema(golden: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The schema of trainer and of network gains a field each: runs, states and weights go on with its default."""
    trainer = gaining(TrainerConfig, "patience", int, 3)
    network = gaining(VQConfig, "dropout", float, 0.0)
    model = gaining(FirstStageModelConfig, "network", network, dataclasses.field(default_factory=network))
    train = gaining(training.TrainFirstStageConfig, "trainer", trainer, dataclasses.field(default_factory=trainer))
    monkeypatch.setitem(training.TRAINING, "vq", train)
    monkeypatch.setitem(table.COMMANDS, "train", train)
    monkeypatch.setitem(table.SCHEMAS, "model/vq_schema", model)
    with pytest.raises(CheckpointError, match=r"started with trainer.patience=3, not trainer.patience=4"):
        go_on(golden, "trainer.patience=4")
    with pytest.raises(CheckpointError, match=r"started with model.network.dropout=0.0, not model.network.dropout=0.1"):
        go_on(golden, "model.network.dropout=0.1")
    assert go_on(golden)["model"]["network"]["dropout"] == 0.0


def test_a_setting_this_version_does_not_have_is_named(golden: Path) -> None:
    file = golden / "runs" / "first" / "run.json"
    content = read_json(file, Record)
    content["config"]["model"]["network"]["twist"] = 2
    write_json(file, content)
    with pytest.raises(CheckpointError, match=r"model.network.twist=2, a setting this version does not have") as caught:
        go_on(golden)
    assert len(str(caught.value).splitlines()) == 1


def gaining(schema: type, name: str, kind: type, default: Any) -> type:
    """The dataclass `schema` with one more field."""
    return dataclasses.make_dataclass(
        schema.__name__, [(name, kind, default)], bases=(schema,), kw_only=True, slots=True
    )


def forget(workspace: Path, key: str) -> None:
    """Take a setting out of everything the run recorded."""
    run = workspace / "runs" / "first"
    content = read_json(run / "run.json", Record)
    drop(content["config"], key)
    write_json(run / "run.json", content)
    (state,) = run.glob("checkpoints/*/state.json")
    values = read_json(state, Record)
    drop(values["identity"], key)
    drop(values, key)
    write_json(state, values)
    manifest = read_json(state.parent / "manifest.json", Record)
    manifest["sha256"]["state.json"] = sha256_file(state)
    write_json(state.parent / "manifest.json", manifest)


def drop(values: dict[str, Any], key: str) -> None:
    """Delete `a.b.c` from nested dictionaries, where it is there."""
    *path, last = key.split(".")
    for name in path:
        values = values.get(name, {})
    values.pop(last, None)
