"""`train`: what it takes of memory is said before it starts; `trainer.micro_batch=auto` chooses what fits."""

import json
from pathlib import Path

import pytest
import torch

from facecond.commands import fitting
from facecond.errors import ConfigError
from facecond.io.documents import Record, read_json
from facecond.io.runs import read_lines
from facecond.quantities import bytes_in, in_bytes
from facecond.workspace.find import read_run
from tests.commands.conftest import MODEL, TINY, Facecond, call

AUTO = ["trainer.micro_batch=auto", "device=cpu", "trainer.precision=float32"]
WORDS = ["train", "model=multicond", *MODEL, *TINY, *AUTO]


def said_by(facecond: Facecond, *words: object) -> dict:
    status, out, err = facecond(*words, "--dry-run", "--json")
    assert status == 0, err
    return json.loads(out)["memory"]


def test_a_dry_run_says_what_the_training_takes(workspace: Path, facecond: Facecond) -> None:
    status, out, err = facecond(*WORDS, "memory=1GB", f"workspace={workspace}", "--dry-run")
    assert status == 0, err
    assert "activations of 8 images" in err
    assert "1 GB less 10% are enough" in err
    assert "memory: 1GB" in out
    found = said_by(facecond, *WORDS, "memory=1GB", f"workspace={workspace}")
    parts = ("weights", "gradients", "moments", "averages", "data", "activations")
    assert found["needed"] == sum(found[part] for part in parts)
    assert (found["micro_batch"], found["there"], found["fits"]) == (8, 1e9, True)


def test_a_dry_run_on_a_processor_counts_where_it_is_asked_to(workspace: Path, facecond: Facecond) -> None:
    status, out, err = facecond(*WORDS[:-3], f"workspace={workspace}", "device=cpu", "--dry-run", "--json")
    assert status == 0, err
    assert "memory" not in json.loads(out)


@pytest.mark.skipif(torch.cuda.is_available(), reason="for where there is no GPU")
def test_a_gpu_that_is_not_here(workspace: Path, facecond: Facecond) -> None:
    words = ["train", "model=multicond", *MODEL, *TINY, "device=cuda", f"workspace={workspace}"]
    unknown, small = said_by(facecond, *words), said_by(facecond, *words, "memory=5MB")
    assert (unknown["there"], unknown["fits"], small["fits"]) == (None, None, False)
    status, _, err = facecond(*words, "trainer.micro_batch=auto", "--dry-run")
    assert status == 2
    assert "trainer.micro_batch=auto: there is no GPU here to fit (say its memory: memory=24GB)" in err


def test_auto_learns_from_what_fits_and_goes_on(workspace: Path, facecond: Facecond) -> None:
    here = f"workspace={workspace}"
    whole = said_by(facecond, *WORDS, "memory=1GB", here)
    one = whole["activations"] / 8
    there = (whole["needed"] - 3.5 * one) / 0.9  # 4 of 8 images, and a half
    words = [*WORDS, f"memory={there / 1e6:.4f}MB", "name=fits", here]
    status, _, err = facecond(*words)
    assert status == 0, err
    assert "micro-batch: 4 of 8 images at once (the most that fits)" in err
    run = workspace / "runs" / "fits"
    assert read_run(run).config["trainer"]["micro_batch"] == 4
    assert read_json(next(run.glob("checkpoints/*/state.json")), Record)["trainer"]["micro_batch"] == 4
    call("train", *WORDS[1:], "memory=1GB", "name=plain", here)
    assert read_run(workspace / "runs" / "plain").config["trainer"]["micro_batch"] is None
    losses = [
        [line["loss"] for line in read_lines(workspace / "runs" / name) if line["kind"] == "training"]
        for name in ("fits", "plain")
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    for other in (["memory=1GB"], ["trainer.micro_batch=2"]):  # neither is another run
        status, _, err = facecond(*words, *other, "trainer.images=24")
        assert status == 0, err
    assert read_json(run / "done.json", Record)["images_seen"] == 24


def test_auto_recomputes_where_it_does_not_fit_otherwise(workspace: Path, facecond: Facecond) -> None:
    """Room for all; for what checkpointing keeps, and no more; smaller micro-batches come first, since they cost less."""
    words = [
        "train",
        "model=multicond",
        *MODEL,
        *TINY,
        "device=cpu",
        "trainer.precision=float32",
        f"workspace={workspace}",
    ]
    plain = said_by(facecond, *words, "memory=1GB")
    saving = said_by(facecond, *words, "memory=1GB", "trainer.gradient_checkpointing=true")
    assert saving["needed"] < plain["needed"]
    auto = "trainer.gradient_checkpointing=auto"
    tight = f"memory={saving['needed'] / 0.9 / 1e6 + 0.001:.4f}MB"
    assert said_by(facecond, *words, auto, "memory=1GB")["gradient_checkpointing"] is False
    found = said_by(facecond, *words, auto, tight)
    assert (found["gradient_checkpointing"], found["micro_batch"], found["fits"]) == (True, 8, True)
    found = said_by(facecond, *words, auto, "trainer.micro_batch=auto", tight)
    assert (found["gradient_checkpointing"], found["fits"]) == (False, True)
    assert found["micro_batch"] < 8
    status, _, err = facecond(*words, auto, tight, "name=saving")
    assert status == 0, err
    assert "gradient checkpointing: on: it does not fit without" in err
    assert read_run(workspace / "runs" / "saving").config["trainer"]["gradient_checkpointing"] is True
    status, _, err = facecond(*words, auto, "memory=1GB", "name=saving", "trainer.images=24")  # the same run goes on
    assert status == 0, err
    status, _, err = facecond(*words, auto, "memory=1MB", "name=tried")
    assert status == 0, err
    assert "warning: memory: " in err.lower() or "are too little" in err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["model=multicond", *MODEL], "auto: one image at a time takes"),
        (["model=parser", "model.network.width=8"], "auto: 8 images, which batch normalisation keeps together, takes"),
    ],
    ids=["multicond", "parser"],
)
@pytest.mark.parametrize("dry", [["--dry-run"], []], ids=["dry-run", "run"])
def test_what_fits_in_no_way_is_refused(
    words: list[str], told: str, dry: list[str], workspace: Path, facecond: Facecond
) -> None:
    words = ["train", *words, *TINY, *AUTO, "memory=1MB", f"name=large-{words[0][6:]}", f"workspace={workspace}"]
    status, _, err = facecond(*words, *dry)
    assert status == 2
    assert told in err
    assert "of 1 MB there are 900 kB with a margin of 10%" in err
    assert ("trainer.gradient_checkpointing=true" in err) == ("model=multicond" in words)
    assert not (workspace / "runs" / f"large-{words[1][6:]}").exists()
    if not dry:
        status, _, err = facecond(*words, "limits=false")
        assert status == 0, err
        assert ("keeps them together" in err) == ("model=parser" in words)


def test_nothing_is_counted_where_nobody_asks(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*about: object) -> None:
        raise AssertionError("counted")

    monkeypatch.setattr(fitting, "fit", fails)
    call("train", "model=attr", *MODEL, *TINY, "device=cpu", "name=quick", f"workspace={workspace}")


@pytest.mark.parametrize(
    ("text", "count"), [("24GB", 24e9), ("1.5 GiB", 1.5 * 2**30), ("640kB", 640e3), ("2TB", 2e12), ("3MB", 3e6)]
)
def test_amounts_are_read_as_they_are_written(text: str, count: float) -> None:
    assert bytes_in(text, "memory") == count
    assert bytes_in(in_bytes(count), "memory") == pytest.approx(count, rel=0.01)


@pytest.mark.parametrize("text", ["24", "GB", "-1GB", "0GB", "24G", "many"])
def test_other_amounts_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"is no amount of memory.*memory=24GB"):
        bytes_in(text, "memory")


def test_other_checkpointing_is_refused(workspace: Path, facecond: Facecond) -> None:
    words = "train", *TINY, "trainer.gradient_checkpointing=often", f"workspace={workspace}", "--dry-run"
    status, _, err = facecond(*words)
    assert status == 2
    assert "trainer.gradient_checkpointing=often is neither true, false nor auto" in err


@pytest.mark.parametrize(
    ("value", "told"),
    [("three", "is neither a number nor auto"), ("2.5", "is not a whole number"), ("0", "is out of range")],
)
def test_other_micro_batches_are_refused(value: str, told: str, workspace: Path, facecond: Facecond) -> None:
    status, _, err = facecond("train", *TINY, f"trainer.micro_batch={value}", f"workspace={workspace}", "--dry-run")
    assert status == 2
    assert f"trainer.micro_batch={value} {told}" in err
