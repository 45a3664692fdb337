"""Memory of a long training and a long sampling: what a process holds near the end is what it held near the beginning."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from facecond.sampling.generation import generate
from facecond.sampling.plans import several
from facecond.training.loop import fit
from tests.sampling.test_generation import LATENT, MADE_WITH, StandIn, prompts
from tests.torture.kills import quietly, server
from tests.torture.trials import HARMLESS, SILENT, TRACEBACK, Trial
from tests.training.toy import Toy, trainer

STEPS, PICTURES = 5_000, 50_000

GROWTH = 8 * 2**20
"""Bytes that a process may hold more near the end than after a fifth; an array of all steps or pictures would be larger."""


def held() -> int:
    """Bytes of this process in memory that are its own."""
    resident, shared = Path("/proc/self/statm").read_text(encoding="ascii").split()[1:3]
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")


def flat(folder: Path, count: int) -> Iterator[Trial]:
    """Train for 5,000 steps, and sample 50,000 pictures (less for a share of the trials)."""
    share = min(1.0, count / 2)
    for what, work, times in (("training", _train, STEPS), ("sampling", _sample, PICTURES)):
        place, times = folder / what, int(times * share)
        place.mkdir(parents=True)
        child = server.Process(target=work, args=(str(place), times))
        child.start()
        child.join(3600)
        name = f"{what}, {times} times"
        if child.exitcode != 0:
            child.kill()
            yield Trial(name, TRACEBACK, f"exit status {child.exitcode}")
            continue
        early, late = (int(word) for word in (place / "held").read_text().split())
        said = f"{early / 2**20:.1f} MiB, then {late / 2**20:.1f} MiB"
        yield Trial(name, HARMLESS if late - early < GROWTH else SILENT, said)
        shutil.rmtree(place)


def _watched(work: Callable[..., Any], seen: list[int], early: int, late: int) -> Callable[..., Any]:
    calls = [0]

    def watching(*values: Any) -> Any:
        calls[0] += 1
        if calls[0] in (early, late):
            seen.append(held())
        return work(*values)

    return watching


def _train(folder: str, steps: int) -> None:
    quietly()
    toy, seen = Toy(), []  # type: ignore[var-annotated]
    toy.loss = _watched(toy.loss, seen, 2 * steps // 5, 2 * steps - 1)  # type: ignore[method-assign] # two phases a step
    settings = {"images": 8 * steps, "evaluate_every": 800, "checkpoint_every": 800}
    fit(toy, trainer(**settings), Path(folder) / "run", weights_config={"toy": True})
    (Path(folder) / "held").write_text(" ".join(map(str, seen)))


def _sample(folder: str, pictures: int) -> None:
    quietly()
    batch, seen = 50, []  # type: ignore[var-annotated]
    kinds = prompts()
    plan = several(kinds, -(-pictures // len(kinds)), seed=3)
    render = _watched(StandIn(), seen, len(plan) // batch // 5, len(plan) // batch)
    made = generate(plan, render, Path(folder) / "made", made_with=MADE_WITH, latent_shape=LATENT, batch_size=batch)
    assert made >= pictures
    (Path(folder) / "held").write_text(" ".join(map(str, seen)))
