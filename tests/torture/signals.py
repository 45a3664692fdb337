"""Three signals in five phases of a training of one, two and four processes; each is given again and must end as one left alone."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import facecond.training.run as run
import facecond.training.state as state
from facecond import stopping
from facecond.errors import FacecondError
from facecond.processes import Processes
from facecond.training.loop import fit
from tests.torture.kills import PATIENCE, end_of_training, quietly, server
from tests.torture.trials import HARMLESS, SILENT, TRACEBACK, Trial
from tests.training.toy import Toy, trainer

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)

PHASES = ("it begins", "a step", "an evaluation", "a checkpoint is written", "the weights are written")

SIZES = (1, 2, 4)

OF_ALL = ("it begins", "a step")
"""Phases in which every process is, so that the last one is told; in the others the first one is."""

LAUNCHER = 3.0
"""Seconds after which the other processes are told to end, as torchrun does."""


def signals(folder: Path, count: int) -> Iterator[Trial]:
    """Send each signal in each phase to one of several processes; `count` trials, all of them when it is 45."""
    cases = [(size, phase, number) for size in SIZES for phase in PHASES for number in SIGNALS]
    expected: dict[int, str] = {}
    for size, phase, number in cases[:: max(1, len(cases) // max(count, 1))]:
        if size not in expected:
            _join(_start(folder / f"whole-{size}", size))
            expected[size] = end_of_training(folder / f"whole-{size}")
        what, place = f"{number.name} while {phase}, {size} processes", folder / "told"
        told = size - 1 if phase in OF_ALL else 0
        statuses = _join(_start(place, size, told, number, phase))
        ends = (0,) if number is signal.SIGUSR1 else (0, 128 + number)
        if None in statuses:
            yield Trial(what, TRACEBACK, "it hangs")
        elif statuses[told] not in ends:
            yield Trial(what, TRACEBACK, f"exit status {statuses[told]}")
        else:
            again = _join(_start(place, size))
            if any(again):
                yield Trial(what, TRACEBACK, f"given again: exit status {again}")
            else:
                same = end_of_training(place) == expected[size]
                yield Trial(what, HARMLESS if same else SILENT, "" if same else "another end")
        shutil.rmtree(place)


def _start(folder: Path, size: int, told: int = -1, number: int = 0, phase: str = "") -> list[Any]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    children = []
    for rank in range(size):
        mine = (number, phase) if rank == told else (0, "")
        child = server.Process(target=_member, args=(str(folder), rank, size, port, *mine))
        child.start()
        children.append(child)
    return children


def _join(children: list[Any]) -> list[int | None]:
    """Exit statuses; None = it had to be killed. When one has failed, the others are told to end, as torchrun does."""
    began, failed = time.monotonic(), None
    while any(child.exitcode is None for child in children) and time.monotonic() - began < PATIENCE:
        if failed is None and any(child.exitcode not in (None, 0) for child in children):
            failed = time.monotonic()
        if failed is not None and time.monotonic() - failed > LAUNCHER:
            for child in children:
                child.terminate()
            failed = float("inf")
        time.sleep(0.01)
    statuses = [child.exitcode for child in children]
    for child in children:
        child.kill()
    return statuses


def _member(folder: str, rank: int, size: int, port: int, number: int, phase: str) -> None:
    quietly()
    os.environ.update(
        RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(size), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port)
    )
    stopping.install()
    toy = Toy(norm=False)

    def tell() -> None:
        os.kill(os.getpid(), number)

    if phase == "it begins":
        _before(state.TrainState, "restore", tell)
    elif phase == "a step":
        _before(toy, "loss", tell, at=9)
    elif phase == "an evaluation":
        _before(toy, "evaluate", tell, at=2)
    elif phase == "a checkpoint is written":
        _before(state, "save_state", tell, at=2)
    elif phase == "the weights are written":
        _before(run, "save_weights", tell)
    try:
        with Processes.from_environment() as processes:
            fit(toy, trainer(), Path(folder), weights_config={"toy": True}, processes=processes)
    except FacecondError as error:
        os._exit(error.exit_status)
    except stopping.Stopped as stopped:
        os._exit(stopped.status)


def _before(owner: Any, name: str, tell: Callable[[], None], at: int = 1) -> None:
    """Let `tell` be called before the call number `at` of `owner.name`."""
    work, calls = getattr(owner, name), [0]

    def told(*values: Any, **named: Any) -> Any:
        calls[0] += 1
        if calls[0] == at:
            tell()
        return work(*values, **named)

    setattr(owner, name, told)
