"""Processes that are killed, stopped and started beside one another; what they make must be what one that is left alone makes.

Children are forked from a server that has everything imported, so that one costs a tenth of a second.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from facecond.cli.execute import MODULES
from facecond.errors import FacecondError
from facecond.io.checkpoint import find_states, load_state, load_weights
from facecond.training.loop import fit
from facecond.training.run import TrainingStoppedError
from tests.torture.places import digest
from tests.torture.trials import FOUND, HARMLESS, SILENT, TRACEBACK, Trial, number
from tests.torture.writes import COMMANDS
from tests.training.toy import Toy, trainer

PATIENCE = 120
"""Seconds after which a child hangs."""

TIMES = 1.2
"""A child is killed within so many times what it takes when it is left alone, so that some end."""

server = multiprocessing.get_context("forkserver")
server.set_forkserver_preload(["tests.torture.kills", "torch._dynamo"])  # which the first step of an optimiser imports


def training(folder: str) -> None:
    """Train the toy: a checkpoint every three steps of twelve."""
    quietly()
    fit(Toy(pause=0.004), trainer(), Path(folder), weights_config={"toy": True})


def command(name: str, words: list[str], said: str) -> None:
    """Run a command; exit 2 with its line in the file `said` when it is refused."""
    quietly()
    module = importlib.import_module(MODULES[name])
    try:
        module.run(module.prepare(words))
    except FacecondError as error:
        Path(said).write_text(str(error), encoding="utf-8")
        os._exit(2)


def quietly() -> None:
    torch.set_num_threads(1)
    sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 - for as long as the child lives


def end_of_training(folder: Path) -> str:
    """A digest of everything a training ends with."""
    state = load_state(find_states(folder / "checkpoints")[0])
    tensors = {f"{group}/{name}": value for group, held in state.groups.items() for name, value in held.items()}
    weights = load_weights(folder / "weights.safetensors").sha256
    return digest([weights, [(name, tensors[name].float().numpy().tobytes().hex()) for name in sorted(tensors)]])


def kills(folder: Path, count: int) -> Iterator[Trial]:
    """Kill trainings `count` times, each again and again until one comes to its end."""
    yield from _killed("training", folder, count, lambda place: (training, (str(place),)), end_of_training)


def kills_of_commands(workspace: Path, folder: Path, count: int) -> Iterator[Trial]:
    """Kill commands `count` times over all of `writes.COMMANDS`, each again and again until one comes to its end."""
    start = _start(workspace, folder)
    for name, (words, made) in COMMANDS.items():

        def work(place: Path, name: str = name, words: tuple[str, ...] = words) -> tuple[Callable[..., None], Any]:
            if not place.exists():
                shutil.copytree(start, place)
            return command, (name, [f"workspace={place}", *words], str(place / "said"))

        yield from _killed(name, folder / name.replace(" ", "-"), -(-count // len(COMMANDS)), work, made)


def _killed(
    what: str,
    folder: Path,
    count: int,
    work: Callable[[Path], tuple[Callable[..., None], Any]],
    made: Callable[[Path], str],
) -> Iterator[Trial]:
    took = min(_alone(*work(folder / f"whole-{turn}")) for turn in range(2))
    expected, done, place = made(folder / "whole-0"), 0, 0
    while done < count:
        at, moments = folder / f"killed-{place}", []
        while True:
            child = _begin(*work(at))
            child.join(timeout=number(what, place, len(moments)) % 10_000 / 10_000 * TIMES * took)
            if child.exitcode is not None or done + len(moments) >= count:
                break
            child.kill()
            child.join()
            moments.append(time.monotonic())
        outcome, said = _judged(child, lambda at=at: made(at), expected)
        yield from (
            Trial(f"{what} {place}: kill {turn + 1} of {len(moments)}", outcome, said) for turn in range(len(moments))
        )
        done, place = done + len(moments), place + 1
        shutil.rmtree(at)


def continuations(folder: Path, count: int) -> Iterator[Trial]:
    """Stop a training after each of `count` steps and continue it."""
    settings = {"images": 8 * (count + 1), "checkpoint_every": 24}
    fit(Toy(), trainer(**settings), folder / "whole", weights_config={"toy": True})
    expected = end_of_training(folder / "whole")
    for step in range(1, count + 1):
        learner, place = Toy(), folder / f"stopped-{step}"
        loss = learner.loss

        def stopping(phase: str, at: Any, loss: Any = loss, step: int = step) -> Any:
            if at.images_seen == 8 * (step - 1) and phase == "critic":
                os.kill(os.getpid(), signal.SIGTERM)
            return loss(phase, at)

        learner.loss = stopping  # type: ignore[method-assign]
        outcome, said = HARMLESS, ""
        try:
            fit(learner, trainer(**settings), place, weights_config={"toy": True})
            outcome, said = SILENT, "it was not stopped"
        except TrainingStoppedError:
            fit(Toy(), trainer(**settings), place, weights_config={"toy": True})
            if end_of_training(place) != expected:
                outcome, said = SILENT, "another end"
        yield Trial(f"stopped after step {step}", outcome, said)
        shutil.rmtree(place)


def pairs(workspace: Path, folder: Path, count: int) -> Iterator[Trial]:
    """Start a command twice at once, `count` pairs over all of `writes.COMMANDS`; the second some time after the first."""
    start = _start(workspace, folder)
    for name, (words, made) in COMMANDS.items():
        whole = shutil.copytree(start, folder / "whole")
        took = _alone(command, (name, [f"workspace={whole}", *words], str(folder / "said")))
        expected = made(whole)
        shutil.rmtree(whole)
        for turn in range(-(-count // len(COMMANDS))):
            place = shutil.copytree(start, folder / "pair")
            both = []
            for which in "ab":
                both.append(_begin(command, (name, [f"workspace={place}", *words], str(folder / f"said-{which}"))))
                time.sleep(number(name, turn) % 1000 / 1000 * took)
            outcome, said = HARMLESS, ""
            for which, child in zip("ab", both, strict=True):
                child.join(PATIENCE)
                if child.exitcode == 2 and " is in use by process " in (line := (folder / f"said-{which}").read_text()):
                    outcome, said = FOUND, line
                elif child.exitcode != 0:
                    outcome, said = TRACEBACK, f"exit status {child.exitcode}"
                    break
            if outcome != TRACEBACK and made(place) != expected:
                outcome, said = SILENT, "the two made something else than one"
            yield Trial(f"{name}: pair {turn + 1}", outcome, said)
            shutil.rmtree(place)


def _start(workspace: Path, folder: Path) -> Path:
    start = shutil.copytree(workspace, folder / "start")
    shutil.copytree(start / "packs" / "drawn-64", start / "packs" / "second", ignore=shutil.ignore_patterns("latents"))
    return start


def _begin(work: Callable[..., None], words: Any) -> Any:
    child = server.Process(target=work, args=words)
    child.start()
    return child


def _alone(work: Callable[..., None], words: Any) -> float:
    began = time.monotonic()
    child = _begin(work, words)
    child.join(PATIENCE)
    assert child.exitcode == 0, f"left alone it ends with {child.exitcode}"
    return time.monotonic() - began


def _judged(child: Any, made: Callable[[], str], expected: str) -> tuple[str, str]:
    """What a process that nobody kills any more comes to."""
    child.join(PATIENCE)
    if child.exitcode != 0:
        child.kill()
        return TRACEBACK, "it hangs" if child.exitcode is None else f"exit status {child.exitcode}"
    try:
        return (HARMLESS, "") if made() == expected else (SILENT, "another end")
    except Exception as error:  # what was made cannot be read
        return TRACEBACK, f"{type(error).__name__}: {error}"
