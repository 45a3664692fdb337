"""Several processes share training and sampling: the same pictures, said once; a refusal of the first ends all of them."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from facecond.data.pack import Pack
from facecond.io.documents import Record, read_records
from facecond.io.images import write_png
from facecond.io.results import read_results
from tests.commands.conftest import MODEL, TINY, Facecond, call

LAUNCH = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"}


def together(*words: object, size: int = 2) -> subprocess.CompletedProcess[str]:
    """Run a command in several processes, as torchrun does."""
    launcher = [*LAUNCH, f"--nproc-per-node={size}", "-m", "facecond"]
    return subprocess.run(
        [*launcher, *map(str, words)], capture_output=True, text=True, timeout=280, check=False, env=ENVIRONMENT
    )


def figures(results: Path) -> dict[str, tuple[Any, ...]]:
    """Value, ceiling, floor and number of pictures of each figure."""
    found = read_results(results).figures
    return {each.name: (each.value, each.ceiling, each.floor, each.count) for each in found}


@pytest.mark.parametrize("size", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_processes_measure_what_one_does(workspace: Path, size: int) -> None:
    """Five samples of batches of two, of which two processes make four and one, four of them two, two, one and none; 16 real
    pictures, seen eight at a time."""
    words = ["run=multicond", f"workspace={workspace}", "count=5", "batch_size=2", "precision=float32", "seed=7"]
    words += ["measures=[miou,attributes,reconstruction]", "sampler.steps=1", "parser=parser", "classifier=classifier"]
    done = together("eval", *words, "--json", size=size)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("sampler: ") == 1  # one process speaks
    made = json.loads(done.stdout)["made"]
    shared, pictures = figures(Path(made["results"])), contents(Path(made["samples"]))
    for folder in ("results", "samples", "features"):
        shutil.rmtree(workspace / folder, ignore_errors=True)
    alone = call("eval", *words)
    assert len(shared) > 8
    assert shared == figures(alone.made["results"])
    assert pictures == contents(alone.made["samples"])


def contents(folder: Path) -> dict[str, bytes]:
    """The pictures of a generation."""
    return {path.name: path.read_bytes() for path in (folder / "images").glob("*.png")}


@pytest.mark.slow
@pytest.mark.parametrize("size", [2, 4])
def test_processes_sample_what_one_does(workspace: Path, size: int) -> None:
    words = ["run=multicond", f"workspace={workspace}", "count=5", "batch_size=2", "precision=float32"]
    alone = call("sample", *words, "name=alone")
    name = f"together-{size}"
    done = together("sample", *words, f"name={name}", "--json", size=size)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["facts"]["images"] == 5
    assert done.stderr.count("sampler: ") == 1
    folder = workspace / "samples" / name
    assert [record["index"] for record in read_records(folder / "records.jsonl", Record)] == list(range(5))
    assert contents(folder) == contents(workspace / "samples" / "alone")
    assert (folder / "grid.png").read_bytes() == Path(alone.made["grid"]).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("size", [2, 4])
def test_processes_encode_and_parse_what_one_does(workspace: Path, tmp_path: Path, size: int) -> None:
    """40 pictures of batches of 8: with four processes, one has nothing to do in the second turn."""
    pack = shutil.copytree(workspace / "packs" / "drawn-64", tmp_path / "packs" / "drawn-64")
    shutil.rmtree(pack / "latents")
    for name in ("runs", "photos"):
        (tmp_path / name).mkdir()
    for run in ("vq", "parser", "classifier"):
        shutil.copytree(workspace / "runs" / run, tmp_path / "runs" / run)
    for number in range(5):
        write_png(tmp_path / "photos" / f"{number}.png", Pack.open(pack).images[number])
    shutil.copy(tmp_path / "photos" / "0.png", tmp_path / "photos" / "again.png")
    (tmp_path / "photos" / "torn.png").write_bytes(b"torn")
    here = f"workspace={tmp_path}"
    results = {}
    for kind in ("alone", "together"):
        parse = ["parse", tmp_path / "photos", here, "align=never", "name=parsed"]
        for words in (["encode", here, "batch_size=8", "--json"], [*parse, "--json"]):
            command = [sys.executable, "-m", "facecond", *map(str, words)]
            alone = kind == "alone"
            done = (
                subprocess.run(command, capture_output=True, text=True, timeout=280, check=False, env=ENVIRONMENT)
                if alone
                else together(*words, size=size)
            )
            assert done.returncode == 0, done.stderr
            facts = json.loads(done.stdout)["facts"]
            made = (
                next((tmp_path / "packs" / "drawn-64").glob("latents/*"))
                if words[0] == "encode"
                else tmp_path / "parsed"
            )
            files = {
                str(p.relative_to(made)): p.read_bytes()
                for p in made.rglob("*")
                if p.suffix in (".npy", ".png", ".csv")
            }
            assert len(files) >= 2
            results[kind, words[0]] = facts, files
            shutil.rmtree(made)
    for command in ("encode", "parse"):
        assert results["alone", command] == results["together", command]
    assert results["together", "parse"][0]["parsed now"] == 5
    assert results["together", "parse"][0]["skipped"] == 1


@pytest.mark.slow
def test_processes_synthesize_what_one_does(workspace: Path) -> None:
    """Five faces in batches of two, some of them rejected and made again; in the last turn of a round one process has nothing."""
    place, pack = workspace / "synthesized" / "faces", workspace / "packs" / "faces-5"
    words = [
        "run=multicond",
        f"workspace={workspace}",
        "count=5",
        "batch_size=2",
        "precision=float32",
        "sampler.steps=1",
    ]
    words += ["name=faces", "parser=parser", "classifier=classifier", "least_attributes=0"]
    call("synthesize", *words, "least_miou=0", "tries=1")
    reached = sorted(record["miou"] for record in read_records(place / "records.jsonl", Record))
    words += [f"least_miou={reached[2]}", "tries=2", "forms=[pack,imagefolder,coco]"]
    results = {}
    for kind in ("alone", "together"):
        for made in (place, pack):
            shutil.rmtree(made)
        if kind == "alone":
            call("synthesize", *words)
        else:
            done = together("synthesize", *words, "--json")
            assert done.returncode == 0, done.stderr
            assert done.stderr.count("sampler: ") == 1  # one process speaks
        found = [path for made in (place, pack) for path in made.rglob("*") if path.is_file()]
        results[kind] = {
            str(path.relative_to(workspace)): path.read_bytes()
            for path in found
            if path.name not in ("finished.json", ".unaltered.json")
        }
    accepted = [record["accepted"] for record in read_records(place / "records.jsonl", Record)]
    assert len(accepted) > 5
    assert False in accepted
    assert len(results["alone"]) > 20
    assert results["together"] == results["alone"]


def learnt(run: Path) -> tuple[list[float], dict[str, torch.Tensor]]:
    """The losses of a training run, and its weights."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines], load_file(next(run.glob("*.safetensors")))


@pytest.mark.slow
@pytest.mark.parametrize("size", [2, 4])
def test_processes_learn_what_one_does(workspace: Path, size: int) -> None:
    """Ten steps of eight images, shared: the losses of training and of an evaluation, and the weights in the end."""
    words = ["model=attr", f"workspace={workspace}", *MODEL, *TINY, "trainer.precision=float32"]
    words += ["trainer.images=80", "trainer.evaluate_every=80", "trainer.log_every=8", "trainer.checkpoint_every=80"]
    alone = call("train", *words, "name=learns-alone")
    name = f"learn-{size}"
    done = together("train", *words, f"name={name}", size=size)
    assert done.returncode == 0, done.stderr
    losses, weights = learnt(Path(alone.made["run"]))
    found_losses, found_weights = learnt(workspace / "runs" / name)
    assert len(losses) >= 11
    assert found_losses == pytest.approx(losses, rel=1e-4)
    assert found_weights.keys() == weights.keys()
    for key, tensor in weights.items():
        torch.testing.assert_close(found_weights[key], tensor, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_a_killed_process_is_started_again_and_all_go_on(workspace: Path) -> None:
    """One of two is killed at the first checkpoint; torchrun starts both again, and they come to the weights of one that was left
    alone."""
    words = ["model=attr", f"workspace={workspace}", *MODEL, *TINY, "trainer.images=64", "trainer.evaluate_every=64"]
    calm = together("train", *words, "name=calm")
    assert calm.returncode == 0, calm.stderr
    launcher = [*LAUNCH, "--nproc-per-node=2", "--max-restarts=1", "-m", "facecond", "train", *words, "name=hit"]
    log = workspace / "hit.log"
    with log.open("w") as stream:
        running = subprocess.Popen(launcher, stdout=stream, stderr=stream, env=ENVIRONMENT)
    states = workspace / "runs" / "hit" / "checkpoints"
    try:
        until = time.monotonic() + 200
        while not (states.is_dir() and any(states.iterdir())) and time.monotonic() < until:
            time.sleep(0.02)
        children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
        os.kill(int(children[-1]), signal.SIGKILL)
        assert running.wait(200) == 0, log.read_text()
    finally:
        running.kill()
    assert "exitcode: -9" in log.read_text()  # it was hit
    ours, theirs = (load_file(next((workspace / "runs" / name).glob("*.safetensors"))) for name in ("hit", "calm"))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


@pytest.mark.slow
def test_a_refusal_of_the_first_process_ends_all(workspace: Path) -> None:
    words = ["model=attr", "name=attr", f"workspace={workspace}", *MODEL, *TINY]
    done = together("train", *words, "trainer.learning_rate=0.5")
    assert done.returncode != 0
    assert done.stderr.count("was started with trainer.learning_rate") == 1
    assert "Gloo" not in done.stderr


def test_commands_that_run_alone_say_so(facecond: Facecond, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    status, _, text = facecond("data", "draw")
    assert status == 2
    assert "data draw runs in one process, but torchrun started 2" in text


@pytest.mark.slow
def test_a_folder_of_other_pictures_is_refused_by_all_and_left_as_it_is(workspace: Path) -> None:
    words = ["run=multicond", f"workspace={workspace}", "count=1", "name=kept", "precision=float32"]
    call("sample", *words)
    folder = workspace / "samples" / "kept"
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    done = together("sample", *words[:2], "count=5", "seed=1", "name=kept", "precision=float32")
    assert done.returncode != 0
    assert "seed" in done.stderr
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
