"""A folder has one writer at a time; one that was killed leaves it to the next."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from facecond.io.lock import FolderInUseError, hold, owner, sweep

HOLDING = (
    "import sys, time\n"
    "from pathlib import Path\n"
    "from facecond.io.lock import hold\n"
    "with hold(Path(sys.argv[1])):\n"
    "    print('held', flush=True)\n"
    "    time.sleep(float(sys.argv[2]))\n"
)


def other(folder: Path, seconds: float) -> subprocess.Popen[str]:
    """Another process that holds a folder by now."""
    words = [sys.executable, "-c", HOLDING, str(folder), str(seconds)]
    started = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None
    assert started.stdout.readline() == "held\n"
    return started


def test_a_second_process_is_told_who_holds_a_folder(tmp_path: Path) -> None:
    holding = other(tmp_path / "run", 60)
    try:
        with (
            pytest.raises(FolderInUseError, match=rf"run is in use by process {holding.pid} on .* since 20\d\d-"),
            hold(tmp_path / "run"),
        ):
            raise AssertionError
    finally:
        holding.kill()
        holding.wait()


def test_a_folder_is_waited_for(tmp_path: Path) -> None:
    holding = other(tmp_path / "run", 1.0)
    with hold(tmp_path / "run", wait=30):
        assert holding.wait(10) == 0
        found = owner(tmp_path / "run")
        assert found is not None
        assert found.pid == os.getpid()
    assert owner(tmp_path / "run") is None


def test_a_killed_owner_s_folder_is_taken_over_and_swept(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    (folder / "images").mkdir(parents=True)
    holding = other(folder, 60)
    for name in (f".weights.{holding.pid}.0123abcd.safetensors", f"images/.000001.{holding.pid}.0123abcd.png"):
        (folder / name).write_text("half")
    for name in ("weights.safetensors", ".hidden", "images/000001.png"):
        (folder / name).write_text("whole")
    holding.send_signal(signal.SIGKILL)
    holding.wait()
    with hold(folder):
        left = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert left == [".hidden", "images/000001.png", "weights.safetensors"]
    assert sweep(folder) == 0


def test_a_process_may_hold_a_folder_twice_and_gives_it_back_once(tmp_path: Path) -> None:
    with hold(tmp_path / "run"), hold(tmp_path / "run"):
        pass
    with hold(tmp_path / "run"):
        with hold(tmp_path / "run"):
            pass
        held = subprocess.run(
            [sys.executable, "-c", HOLDING, str(tmp_path / "run"), "0"], check=False, capture_output=True
        )
        assert b"FolderInUseError" in held.stderr
    other(tmp_path / "run", 0).wait()


def test_what_is_no_owner_is_nobody(tmp_path: Path) -> None:
    for content in (
        "",
        "null",
        "[1]",
        '{"pid": 1}',
        json.dumps({"host": "a", "pid": "1", "since": "", "command": ""}),
    ):
        (tmp_path / ".run.owner").write_text(content)
        assert owner(tmp_path / "run") is None


@pytest.mark.parametrize("pair", range(4))
def test_of_two_that_begin_at_once_one_goes_on(tmp_path: Path, pair: int) -> None:
    holding = HOLDING.replace("time.sleep(float(sys.argv[2]))", "sys.stdin.read()")
    words = [sys.executable, "-c", holding, str(tmp_path / "run")]
    pipe, both = subprocess.PIPE, []
    for _ in range(2):
        both.append(subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe))
        time.sleep(0.01 * pair)
    end = time.monotonic() + 60
    while all(process.poll() is None for process in both):  # one is refused; the other holds on till its input ends
        assert time.monotonic() < end
        time.sleep(0.01)
    ended = [process.communicate(timeout=60) for process in both]
    assert sorted(process.returncode for process in both) == [0, 1]
    assert sum(b"held" in out for out, _ in ended) == 1
