"""Signals: the first stops where that does no harm, the second at once; SIGUSR1 asks a training for a checkpoint."""

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from facecond.stopping import StopRequest
from tests.commands.conftest import call

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1]

PROGRAM = """
from facecond import entry, stopping
install = stopping.install
def installed():
    install()
    print("ready", flush=True)
stopping.install = installed
entry.main()
"""


@pytest.fixture
def handlers():
    """A shell that starts the tests in the background has them ignore SIGINT; what a test sets is set back."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("handlers")
def test_first_signal_asks_second_acts():
    before = signal.getsignal(signal.SIGINT)
    with StopRequest() as stop:
        assert stop.received is None
        signal.raise_signal(signal.SIGINT)
        assert stop.received is signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.usefixtures("handlers")
def test_a_checkpoint_is_asked_for_any_number_of_times():
    with StopRequest() as stop:
        for _ in range(2):
            signal.raise_signal(signal.SIGUSR1)
            assert stop.checkpoint
            stop.checkpoint = False
        assert stop.received is None


@pytest.mark.usefixtures("handlers")
def test_handlers_are_given_back():
    before = [signal.getsignal(number) for number in SIGNALS]
    with StopRequest():
        assert not {signal.getsignal(number) for number in SIGNALS} & set(before)
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_other_threads_are_left_alone():
    seen = []

    def work():
        with StopRequest():
            seen.append(signal.getsignal(signal.SIGINT))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]


def started(*words: str, program: str = PROGRAM) -> subprocess.Popen[str]:
    """A process of the program whose signals are answered already."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        restore_signals=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def content(folder: Path) -> dict[str, str]:
    """SHA-256 of each file of a pack but the time it was finished."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.is_file() and path.suffix in (".npy", ".json") and path.name not in ("finished.json", ".unaltered.json")
    }


@pytest.mark.parametrize(
    ("count", "moments"),
    [(80, (0.0, 0.6)), pytest.param(992, (0.0, 0.1, 0.4, 0.8, 1.2, 2.0), marks=pytest.mark.slow, id="with processes")],
)
@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_signals_at_moments_of_a_command(
    tmp_path: Path, number: signal.Signals, count: int, moments: tuple[float, ...]
) -> None:
    """From the imports on: one line and the status of the signal, or it goes on; and the same command ends in the same bytes."""
    words = (f"data.count={count}", "data.validation=16", "name=faces", "resolution=64")
    call("data draw", *words, f"workspace={tmp_path / 'whole'}")
    for moment in moments:
        here = f"workspace={tmp_path / 'stopped'}"
        process = started("data", "draw", *words, here)
        time.sleep(moment)
        process.send_signal(number)
        _, message = process.communicate(timeout=300)
        assert "Traceback" not in message
        if number is signal.SIGUSR1:
            assert process.returncode == 0, message
        elif process.returncode:
            assert process.returncode == 128 + number, (moment, message)
            assert message.splitlines()[-1].startswith("facecond: stopped"), message
    call("data draw", *words, here)
    assert content(tmp_path / "stopped" / "packs" / "faces") == content(tmp_path / "whole" / "packs" / "faces")


STUBBORN = """
import time
from facecond import stopping
stopping.install()
begun = False
while True:
    try:
        if not begun:
            begun = True
            print("ready", flush=True)
        time.sleep(60)
    except BaseException:
        print("told", flush=True)
"""


FINALISER = """
import signal, sys, time
from facecond import stopping
stopping.install()
class Held:
    def __del__(self):
        signal.raise_signal(signal.Signals[sys.argv[1]])
Held()
try:
    print("ready", flush=True)
    time.sleep(60)
except stopping.Stopped as error:
    print(error, flush=True)
"""


@pytest.mark.parametrize("number", SIGNALS[:2], ids=lambda number: number.name)
def test_a_signal_inside_a_finaliser_is_raised_after_it(number: signal.Signals) -> None:
    """Python drops what is raised in a finaliser, and in the weak references' callbacks of which its imports are full."""
    process = started(number.name, program=FINALISER)
    output, message = process.communicate(timeout=30)
    assert output.split() == [number.name]
    assert not message


@pytest.mark.parametrize("number", SIGNALS[:2], ids=lambda number: number.name)
def test_a_second_signal_ends_at_once(number: signal.Signals) -> None:
    process = started(program=STUBBORN)
    process.send_signal(number)
    assert process.stdout is not None
    assert process.stdout.readline() == "told\n"
    assert process.poll() is None
    process.send_signal(number)
    assert process.wait(timeout=10) == 128 + number
