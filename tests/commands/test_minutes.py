"""`train minutes=`: how many images is planned once, by a timing, and kept."""

import re
import time
from pathlib import Path

import pytest

from facecond.commands import train
from facecond.commands.timing import pace
from facecond.errors import ConfigError
from facecond.io.documents import Record, read_json
from facecond.workspace.find import read_run
from tests.commands.conftest import TINY, Facecond, call

QUICK = [
    "model=classifier",
    "size=tiny",
    "trainer.tensorboard=false",
    "trainer.evaluate_items=8",
    "trainer.batch_size=8",
]


@pytest.fixture(autouse=True)
def timed_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facecond.commands.timing.TIMED_SECONDS", 0.3)


def test_minutes_become_images_once(workspace: Path, facecond: Facecond) -> None:
    words = ["train", *QUICK, "name=planned", "--minutes", "0.1", f"workspace={workspace}"]
    began = time.monotonic()
    status, _, said = facecond(*words)
    assert status == 0, said
    assert time.monotonic() - began < 60
    planned = int(re.search(r"images: (\d+) in about 0.1 minutes", said)[1])
    run = workspace / "runs" / "planned"
    assert read_json(run / "done.json", Record)["images_seen"] == planned
    recorded = read_run(run).config["trainer"]
    assert {f"trainer.{key}": recorded[key] for key in ("images", "warmup_images", "log_every")}.items() <= pace(
        "classifier", planned
    ).items()
    status, _, said = facecond(*words)
    assert status == 0, said
    assert f"images: {planned} (planned when the run was started)" in said


def test_what_is_typed_is_kept(workspace: Path) -> None:
    words = [*QUICK, "name=typed", "minutes=0.1", "trainer.warmup_images=8", f"workspace={workspace}"]
    words += [
        "trainer.stop_after_minutes=0.001",
        "trainer.sample_grid=0",
    ]  # what is planned is written down before it begins
    call("train", *words)
    assert read_run(workspace / "runs" / "typed").config["trainer"]["warmup_images"] == 8


def test_images_and_minutes_exclude_one_another(workspace: Path) -> None:
    with pytest.raises(ConfigError, match=r"minutes= and trainer.images= both say how long"):
        train.prepare([*TINY, "model=classifier", "minutes=1", f"workspace={workspace}"])


def test_how_long_it_takes_is_said(workspace: Path, facecond: Facecond, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facecond.training.run.TIMED_SECONDS", 0.5)
    long = ["trainer.images=100000", "trainer.stop_after_minutes=0.06", "trainer.sample_grid=0", "name=long"]
    status, _, said = facecond("train", *QUICK, *long, f"workspace={workspace}")
    assert status == 0, said
    assert re.search(r"100000 images, \d+(\.\d+)? a second here: about \d+(\.\d)? (min|h)\b", said), said
