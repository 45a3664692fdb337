"""Losses, summed on the device and read when a line is logged, so that no step waits for the device."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from facecond.errors import TrainingError
from facecond.processes import Processes

Mark = tuple[int, dict[str, Tensor], dict[str, float]]


class LossWatch:
    """Collects the scalars of every step and finds the first step whose loss was not finite."""

    def __init__(self, processes: Processes, describe: Callable[[int], str]) -> None:
        self._processes = processes
        self._describe = describe
        self._rows: list[tuple[int, str, Tensor]] = []
        self._sums: dict[str, Tensor] = {}
        self._steps: dict[str, float] = {}

    def add(self, images_seen: int, phase: str, loss: Tensor, figures: dict[str, Tensor], share: float) -> None:
        """Take in one micro-batch that is `share` (0..1] of a step; all tensors are detached scalars on the device."""
        self._rows.append((images_seen, f"{phase} loss", loss))
        for name, value in figures.items():
            value = value.float() * share
            self._sums[name] = self._sums[name] + value if name in self._sums else value
            self._steps[name] = self._steps.get(name, 0.0) + share

    def add_gradient(self, images_seen: int, phase: str, norm: Tensor) -> None:
        """Take in the norm of the gradient of one step, a detached scalar on the device."""
        self._rows.append((images_seen, f"gradient of the {phase} loss", norm))

    def mark(self) -> Mark:
        """What was collected so far, for `rewind`."""
        return len(self._rows), dict(self._sums), dict(self._steps)

    def rewind(self, mark: Mark) -> None:
        """Forget what was added since `mark` returned this."""
        rows, self._sums, self._steps = mark[0], dict(mark[1]), dict(mark[2])
        del self._rows[rows:]

    def check(self, where: Callable[[], str] = str) -> None:
        """Raise TrainingError for the first value that is not finite since the last look, in every process at once.

        `where` says more about a gradient that is not finite.
        """
        values = torch.stack([row[2].float() for row in self._rows]).tolist() if self._rows else []
        broken = next((at for at, value in enumerate(values) if not math.isfinite(value)), None)
        (anywhere,) = self._processes.any([broken is not None])
        if broken is not None:
            images_seen, what, _ = self._rows[broken]
            more = where() if what.startswith("gradient") else ""
            raise TrainingError(
                f"the {what} was {values[broken]} in the step after {images_seen} images{more}, "
                f"{self._describe(images_seen)}",
                hint="run again to continue from the last checkpoint, with a lower trainer.learning_rate, "
                "trainer.clip_norm=1 or trainer.precision=float32",
            )
        if anywhere:
            raise TrainingError("a loss or gradient of another process was not finite")
        self._rows.clear()

    def pending(self) -> dict[str, list[float]]:
        """Return what was collected since the last `means`, as JSON values: figure -> [mean over processes, steps]."""
        steps = dict(self._steps)
        return {name: [mean, steps[name]] for name, mean in self._means().items()}

    def restore(self, pending: Mapping[str, list[float]], device: torch.device) -> None:
        """Take up what `pending` returned."""
        for name, (mean, steps) in pending.items():
            self._steps[name] = steps
            self._sums[name] = torch.tensor(mean, device=device) * steps

    def means(self) -> dict[str, float]:
        """Return the mean of each figure over the steps since the last call that had it, and over the processes."""
        means = self._means()
        self._sums.clear()
        self._steps.clear()
        return means

    def _means(self) -> dict[str, float]:
        names = sorted(self._sums)
        if not names:
            return {}
        stacked = torch.stack([self._sums[name] / self._steps[name] for name in names])
        self._processes.average([stacked])
        return dict(zip(names, stacked.tolist(), strict=True))
