"""Several processes share training and sampling: the same pictures, said once; a refusal of the first ends all of them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from facecond.io.documents import Record, read_records
from tests.commands.conftest import MODEL, TINY, Facecond, call


def together(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a command in two processes, as torchrun does."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--standalone", "-m", "facecond"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"}
    return subprocess.run(
        [*launcher, *words], capture_output=True, text=True, timeout=240, check=False, env=environment
    )


def test_two_processes_sample_what_one_does(workspace: Path, tmp_path: Path) -> None:
    words = ["run=multicond", f"workspace={workspace}", "count=5", "batch_size=2", "precision=float32"]
    alone = call("sample", *words, "name=alone")
    done = together("sample", *words, "name=together", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["facts"]["images"] == 5  # one process speaks
    assert done.stderr.count("sampler: ") == 1
    folder = workspace / "samples" / "together"
    assert [record["index"] for record in read_records(folder / "records.jsonl", Record)] == list(range(5))
    for index in range(5):
        name = f"images/{index:06d}.png"
        assert (folder / name).read_bytes() == (workspace / "samples" / "alone" / name).read_bytes()
    assert (folder / "grid.png").read_bytes() == Path(alone.made["grid"]).read_bytes()


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
