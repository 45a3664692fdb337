"""Two commands on one folder: the second is told who is there, or waits; nothing is doubled."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from facecond.commands import data_draw, sample, train
from facecond.io import lock
from facecond.io.documents import Record, read_records
from facecond.io.lock import FolderInUseError
from tests.commands.conftest import MODEL, TINY

ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"}

HOLD = (
    "import sys, time\n"
    "from pathlib import Path\n"
    "from facecond.io.lock import hold\n"
    "with hold(Path(sys.argv[1])):\n"
    "    print(flush=True)\n"
    "    time.sleep(90)\n"
)


@pytest.fixture
def taken(workspace: Path) -> Iterator[Callable[[str], int]]:
    """Let another process hold a folder of the workspace; returns its number."""
    holding = []

    def take(name: str) -> int:
        words = [sys.executable, "-c", HOLD, str(workspace / name)]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, env=ENVIRONMENT)
        assert process.stdout is not None
        process.stdout.readline()
        holding.append(process)
        return process.pid

    yield take
    for process in holding:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("folder", "module", "words"),
    [
        ("runs/second", train, ["model=classifier", "name=second", *TINY]),
        ("packs/other", data_draw, ["data.count=8", "name=other"]),
        ("samples/some", sample, ["run=multicond", "count=1", "name=some"]),
    ],
)
def test_the_second_is_told_who_is_there(
    workspace: Path,
    taken: Callable[[str], int],
    monkeypatch: pytest.MonkeyPatch,
    folder: str,
    module: Any,
    words: list[str],
) -> None:
    monkeypatch.setattr(lock, "WAIT", 0.3)
    pid = taken(folder)
    prepared = module.prepare([f"workspace={workspace}", *words])
    with pytest.raises(FolderInUseError, match=rf"{Path(folder).name} is in use by process {pid} on "):
        module.run(prepared)


@pytest.mark.slow
def test_two_trainings_of_one_run_are_one(workspace: Path) -> None:
    words = ["model=attr", "name=twice", *MODEL, *TINY, "trainer.images=64", f"workspace={workspace}"]
    command = [sys.executable, "-m", "facecond", "train", *words]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT) for _ in range(2)]
    said = [process.communicate(timeout=240)[1] for process in both]
    assert 0 in [process.returncode for process in both], said
    records = read_records(workspace / "runs" / "twice" / "metrics.jsonl", Record)
    seen = [line["images_seen"] for line in records if line["kind"] == "training"]
    assert seen == sorted(set(seen))
    for process, text in zip(both, said, strict=True):
        if process.returncode:
            assert process.returncode == 2
            assert "is in use by process" in text.strip().splitlines()[-1]
