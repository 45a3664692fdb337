"""What the training loop asks of a learner, and what it hands to one: a step, its items, its random numbers.

The loop knows no network, no condition and no loss. A learner knows no optimiser, no checkpoint and no process but its
own. Data order, flips and every random number are functions of (seed, images seen): they are drawn for the whole global
batch and then sliced, so that any number of processes and any micro-batch learn from the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from facecond.config.training import Precision
from facecond.memory import send
from facecond.rng import torch_generator
from facecond.training.device import autocast

T = TypeVar("T")

Total = Callable[[Tensor], Tensor]
"""Replaces a tensor by its sum over the processes, and returns it; every process calls it equally often."""


class Items(NamedTuple):
    """Which items of the data set one step looks at."""

    indices_B: NDArray[np.int64]
    """Indices into the data set."""
    flips_B: NDArray[np.bool_]
    """Which of them are mirrored."""


class Phase(NamedTuple):
    """One optimiser and what it moves. A GAN has two, in turn at every step; everything else has one."""

    name: str
    modules: tuple[str, ...]
    """Names in `Learner.modules`; their weights that require a gradient are trained."""


class Evaluation(NamedTuple):
    """What a learner found on its validation items."""

    figures: Mapping[str, float]
    grid: NDArray[np.uint8] | None = None
    """Pictures to look at, (H, W, 3)."""


@dataclass(frozen=True, slots=True)
class Draws:
    """Random numbers of one step, drawn once for the whole global batch and kept while its micro-batches pass."""

    seed: int
    images_seen: int
    global_batch: int
    drawn: dict[str, Any] = field(default_factory=dict)

    def once(self, stream: str, draw: Callable[[torch.Generator, int], T]) -> T:
        """Return draw(generator of this stream and step, global batch): called at the first asking, then remembered."""
        if stream not in self.drawn:
            self.drawn[stream] = draw(torch_generator(self.seed, stream, self.images_seen), self.global_batch)
        return cast(T, self.drawn[stream])


@dataclass(frozen=True, slots=True)
class Step:
    """One micro-batch of one step: which items, where they stand in the stream of images, and their random numbers."""

    indices_B: NDArray[np.int64]
    flips_B: NDArray[np.bool_]
    first: int
    """Place of the first item in the global batch."""
    images_total: int
    draws: Draws
    device: torch.device
    precision: Precision
    whole: bool = False
    """Whether it is all that this process learns from at this step."""

    @property
    def images_seen(self) -> int:
        """Images learnt from before this step."""
        return self.draws.images_seen

    @property
    def rows(self) -> slice:
        """Place of this micro-batch in the global batch."""
        return slice(self.first, self.first + len(self.indices_B))

    def normal(self, stream: str, *shape: int) -> Tensor:
        """Return float32 (B, *shape), standard normal, on the device. A stream is asked for in one shape only."""
        return self._mine(self.draws.once(stream, lambda source, count: torch.randn(count, *shape, generator=source)))

    def uniform(self, stream: str, *shape: int) -> Tensor:
        """Return float32 (B, *shape), uniform in [0, 1), on the device. A stream is asked for in one shape only."""
        return self._mine(self.draws.once(stream, lambda source, count: torch.rand(count, *shape, generator=source)))

    def drawn(self, stream: str, draw: Callable[[int, torch.Generator], Tensor]) -> Tensor:
        """Return this micro-batch's rows, on the device, of what `draw(global batch, generator)` gives on the CPU."""
        return self._mine(self.draws.once(stream, lambda source, count: draw(count, source)))

    def _mine(self, drawn: Tensor) -> Tensor:
        return send(drawn[self.rows], self.device)

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context in which the networks' forward passes run."""
        return autocast(self.precision, self.device)


class Learner(Protocol):
    """What one training step of one kind of model is."""

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        """Everything that is saved, by name (no dots), on its device; running counters are buffers of some module."""
        ...

    @property
    def phases(self) -> tuple[Phase, ...]:
        """Optimisers, in the order in which they step."""
        ...

    @property
    def averaged(self) -> tuple[str, ...]:
        """Names of the modules whose weights are averaged; averages are what is evaluated and kept in the end."""
        ...

    @property
    def exported(self) -> tuple[str, ...]:
        """Names of the modules that weights.safetensors holds."""
        ...

    @property
    def identity(self) -> Mapping[str, Any]:
        """JSON values that say what is learnt, and from what (model, pack): a run is continued on the same only."""
        ...

    def items(self, images_seen: int, global_batch: int) -> Items:
        """Return the items of the whole global batch that follows `images_seen`; a pure function."""
        ...

    def loss(self, phase: str, step: Step) -> tuple[Tensor, dict[str, Tensor]] | None:
        """Return (mean loss over the micro-batch, detached scalars to log), or None when the phase rests at this step.

        Items count the same however they are divided into micro-batches. Nothing in here waits for the device.
        """
        ...

    def after_step(self, images_seen: int, images_total: int, total: Total) -> dict[str, float]:
        """Do what is due after the update that reached `images_seen`, and return figures about it, {} for nothing.

        A pure function of the modules, the data and the arguments; what a process counted of its own share of the batch
        goes through `total`. Runs in every process; when it reports anything, the first process's modules are then given
        to all.
        """
        ...

    def evaluate(self, images_seen: int) -> Evaluation:
        """Look at the validation items; modules are in evaluation mode, without gradients. Changes nothing."""
        ...
