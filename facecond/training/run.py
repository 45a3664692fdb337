"""What the training loop does, each thing a few lines: step, log, evaluate, checkpoint, leave, finish."""

from __future__ import annotations

import dataclasses
import enum
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from facecond.config.training import LearningRateSchedule, Precision, TrainerConfig
from facecond.errors import ConfigError, TrainingError
from facecond.io.checkpoint import save_weights
from facecond.io.documents import finishing_time, write_json
from facecond.io.runs import WEIGHTS, read_done
from facecond.memory import is_out_of_memory, release
from facecond.processes import Processes
from facecond.stopping import StopRequest, status_of
from facecond.training.device import resolve_precision
from facecond.training.learner import Draws, Items, Learner, Step
from facecond.training.losses import LossWatch
from facecond.training.state import BATCH_NORM, TrainState
from facecond.training.tracking import Tracker

log = logging.getLogger("facecond")


class TrainingStoppedError(TrainingError):
    """The user or the system asked training to stop; a checkpoint was written."""

    exit_status = 130


FIRST_STEPS = 2
"""Steps after which the pace is timed."""

TIMED_SECONDS = 3.0


class Event(NamedTuple):
    """One event of a training, for the log."""

    kind: str
    """start, resume, pace, training, evaluation, checkpoint, stopped, finished."""
    images_seen: int
    images_total: int
    figures: Mapping[str, float]
    seconds_left: float | None = None
    """Estimate from this run's throughput, evaluations and checkpoints included."""
    path: Path | None = None
    """The grid, checkpoint or weights that were written."""


class Run:
    """The parts of one call of `fit`, each a few lines."""

    def __init__(
        self, learner: Learner, config: TrainerConfig, folder: Path, weights_config: dict[str, Any],
        processes: Processes, on_event: Callable[[Event], None], defaults: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        if config.fitted:
            config = dataclasses.replace(config, micro_batch=config.at_once, gradient_checkpointing=config.recompute)
        self.learner, self.config, self.folder, self.processes = learner, config, folder, processes
        self.weights_config, self.on_event = weights_config, on_event
        self.total = -(-config.images // config.batch_size) * config.batch_size
        self.local, self.micro = divide(config, processes)
        self.device = next(
            tensor.device for module in learner.modules.values() for tensor in module.state_dict().values()
        )
        self.precision = resolve_precision(config.precision, self.device)
        self.state = TrainState(learner, config, defaults)
        self.watch = LossWatch(processes, self._looked_at)
        self.tracker: Tracker | None = None
        self.after: dict[str, float] = {}
        self.clock = self.started = self.checkpointed = time.monotonic()
        self.seen_at_start = 0
        self.logged = (0, self.started)  # images seen and time at the last line of figures
        self.timed: tuple[int, float] | None = None  # images seen and time after the first steps
        self.pace_told = False

    def already_finished(self) -> bool:
        """Say whether done.json stands for at least as many images as asked for; the state then holds no weights."""
        done = self.folder / "done.json"
        if not done.is_file() or (seen := read_done(self.folder)["images_seen"]) < self.total:
            return False
        self.state.images_seen, self.state.finished = seen, True
        self.tell("finished", path=self.folder / WEIGHTS)
        return True

    def begin(self) -> float:
        """Take up the last checkpoint, if there is one; return the time."""
        resumed = self.state.restore(self.folder / "checkpoints", self._settings())
        if not resumed:
            self.processes.share(self.learner.modules.values())
            self.state.average.reset()
        self.watch.restore(self.state.pending, self.device)
        self.seen_at_start = self.state.images_seen
        self.processes.first_does(self._open_tracker)
        self.tell("resume" if resumed else "start", {"bfloat16": float(self.precision is Precision.bfloat16)})
        if resumed:
            self.evaluate_if_due()
        self.clock = self.started = self.checkpointed = time.monotonic()
        self.logged = (self.state.images_seen, self.started)
        return self.started

    def _open_tracker(self) -> None:
        self.tracker = Tracker(self.folder, self.state.images_seen, tensorboard=self.config.tensorboard)

    def step(self) -> None:
        """Learn from one global batch: forward, backward, average over processes, clip, update; one phase after
        another."""
        config, state = self.config, self.state
        items = self.learner.items(state.images_seen, config.batch_size)
        draws = Draws(config.seed, state.images_seen, config.batch_size)
        rate = learning_rate(config, state.images_seen + config.batch_size, self.total)
        for phase in self.learner.phases:
            optimiser, weights = state.optimisers[phase.name], list(state.trained[phase.name].values())
            while (rests := self._gradients(phase.name, optimiser, items, draws)) is None:
                self._halve()
            if rests:
                continue
            self.processes.average_gradients(weights)
            if config.clip_norm is not None:
                norm = nn.utils.clip_grad_norm_(weights, config.clip_norm)
                self.watch.add_gradient(state.images_seen, phase.name, norm.detach())
            if self.device.type == "cpu":  # nothing to wait for: stop before anything is spoilt
                self.watch.check(partial(_not_finite, state.trained[phase.name]))
            for group in optimiser.param_groups:
                group["lr"] = rate
            optimiser.step()
        state.images_seen += config.batch_size
        if done := self.learner.after_step(state.images_seen, self.total, self.processes.total):
            self.after |= done
            self.processes.share(self.learner.modules.values())
        state.average.update()

    def _gradients(self, phase: str, optimiser: Optimizer, items: Items, draws: Draws) -> bool | None:
        """Gather the gradients of one batch, micro-batch after micro-batch.

        Returns whether the phase rests; None when memory is not enough, and nothing has changed.
        """
        optimiser.zero_grad(set_to_none=True)
        first = self.processes.rank * self.local
        starts = range(first, first + self.local, self.micro)
        before = self.watch.mark()
        try:
            with self.state.only(phase):
                for start in starts:
                    part = slice(start, start + self.micro)
                    micro = Step(
                        items.indices_B[part],
                        items.flips_B[part],
                        start,
                        self.total,
                        draws,
                        self.device,
                        self.precision,
                        whole=len(starts) == 1,
                    )
                    answer = self.learner.loss(phase, micro)
                    if answer is None:
                        return True
                    loss, figures = answer
                    (loss / len(starts)).backward()
                    self.watch.add(self.state.images_seen, phase, loss.detach(), figures, 1 / len(starts))
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            optimiser.zero_grad(set_to_none=True)
            self.watch.rewind(before)
            return None
        return False

    def _halve(self) -> None:
        """Learn from fewer images at once, the batch staying what it is. Raises TrainingError where that is not possible."""
        release()
        parts = (part for module in self.learner.modules.values() for part in module.modules())
        if self.micro == 1 or any(isinstance(part, BATCH_NORM) for part in parts):
            why = "" if self.micro == 1 else ", and batch normalisation does not allow a smaller trainer.micro_batch"
            raise TrainingError(
                f"memory is not enough for a micro-batch of {self.micro} images{why}",
                hint="choose a smaller trainer.batch_size, a smaller size=, or another device",
            )
        before = self.micro
        # A divisor, so that every micro-batch begins anew where one began: what learners keep by its first image is replaced.
        self.micro = next(part for part in range(before // 2, 0, -1) if before % part == 0)
        log.warning(
            "memory is not enough for %d images at once; going on with trainer.micro_batch=%d, the batch stays %d",
            before, self.micro, self.config.batch_size,
        )  # fmt: skip

    def tell_pace(self) -> None:
        """Say once, after the first seconds, how long all of it will take; the first steps are slower and not counted."""
        if self.pace_told:
            return
        seen, now = self.state.images_seen, time.monotonic()
        if self.timed is None:
            if seen - self.seen_at_start >= FIRST_STEPS * self.config.batch_size:
                self.timed = (seen, now)
            return
        before, since = self.timed
        if now - since >= TIMED_SECONDS:
            self.watch.check()  # waits for the device
            speed = (seen - before) / (time.monotonic() - since)
            self.pace_told = True
            self.tell("pace", {"images_per_second": speed}, left=(self.total - seen) / speed)

    def log(self) -> dict[str, float]:
        """Look at the losses since the last time, write a line, and return their means."""
        self.watch.check()
        now = time.monotonic()
        self.state.seconds += now - self.clock
        self.clock = now
        means = self.watch.means()
        figures = means | self.after
        self.after = {}
        figures["learning_rate"] = learning_rate(self.config, self.state.images_seen, self.total)
        seen, since = self.logged
        figures["images_per_second"] = (self.state.images_seen - seen) / max(now - since, 1e-9)
        self.logged = (self.state.images_seen, now)
        figures["seconds"] = self.state.seconds
        if self.tracker:
            self.tracker.figures("training", self.state.images_seen, figures)
        self.tell("training", figures)
        return means

    def evaluate_if_due(self) -> None:
        """Look at the validation items at every multiple of `evaluate_every` and at the end: once, in the first
        process."""
        seen = self.state.images_seen
        if not (self.due(self.config.evaluate_every) or seen >= self.total):
            return
        self.watch.check()
        self.processes.first_does(lambda: self._evaluate(seen))

    def _evaluate(self, seen: int) -> None:
        if self.tracker is None or self.tracker.evaluated_at >= seen:
            return
        with torch.no_grad(), self.state.average.in_place(), evaluation_mode(self.learner):
            evaluation = self.learner.evaluate(seen)
        path = self.tracker.grid(seen, evaluation.grid) if evaluation.grid is not None else None
        self.tracker.figures("evaluation", seen, evaluation.figures)
        self.tell("evaluation", evaluation.figures, path=path)

    def checkpoint(self) -> None:
        """Write the state, unless a loss or a weight is not finite."""
        self.watch.check()
        self.state.pending = self.watch.pending()
        now = time.monotonic()
        self.state.seconds += now - self.clock
        self.clock = now
        self.processes.first_does(self._save)
        self.checkpointed = time.monotonic()

    def _save(self) -> None:
        path = self.state.save(self.folder / "checkpoints", self._settings())
        if self.tracker:
            self.tracker.flush()
        self.tell("checkpoint", path=path)

    def snapshot(self) -> None:
        """Keep the averaged weights of this moment for good."""
        self.watch.check()
        path = self.folder / "snapshots" / f"{self.state.images_seen:012d}.safetensors"
        self.processes.first_does(lambda: self._write_weights(path))

    def finish(self) -> None:
        """Evaluate, write the last checkpoint, the weights, and done.json last of all."""
        self.evaluate_if_due()
        self.checkpoint()
        self.state.finished = True
        self.processes.first_does(self._write_results)  # no process ends before the files are there

    def _write_results(self) -> None:
        path = self.folder / WEIGHTS
        digest = self._write_weights(path)
        done = {
            "images_seen": self.state.images_seen, "seconds": self.state.seconds, "weights_sha256": digest,
            "finished": finishing_time(), "metrics_lines": self.tracker.lines if self.tracker else 0,
        }  # fmt: skip
        write_json(self.folder / "done.json", done, checksum=True)
        self.tell("finished", path=path)

    def leave(self, stop: StopRequest) -> None:
        """Write a checkpoint before the end; raise when a signal was the reason."""
        self.checkpoint()
        self.tell("stopped")
        if any(self.processes.any([stop.received is not None])):
            name = stop.received.name if stop.received else "another process"
            error = TrainingStoppedError(
                f"stopped by {name} at {self.state.images_seen} of {self.total} images; a checkpoint was written",
                hint="the same command continues",
            )
            error.exit_status = status_of(stop.received) if stop.received else error.exit_status
            raise error

    def close(self) -> None:
        """Close the files."""
        if self.tracker:
            self.tracker.close()

    def due(self, every: int | None) -> bool:
        """Say whether the last step reached or crossed a multiple of `every` images."""
        if every is None:
            return False
        seen = self.state.images_seen
        return seen // every > (seen - self.config.batch_size) // every

    def out_of_time(self, began: float) -> bool:
        """Say whether `stop_after_minutes` are over."""
        minutes = self.config.stop_after_minutes
        return minutes is not None and time.monotonic() - began > 60 * minutes

    def checkpoint_overdue(self) -> bool:
        """Say whether `checkpoint_minutes` went by since the last checkpoint. The first process's clock decides."""
        minutes = self.config.checkpoint_minutes
        return self.processes.first and minutes is not None and time.monotonic() - self.checkpointed > 60 * minutes

    def tell(
        self,
        kind: str,
        figures: Mapping[str, float] | None = None,
        path: Path | None = None,
        left: float | None = None,
    ) -> None:
        """Pass an event on, from the first process."""
        if self.processes.first:
            done, spent = self.state.images_seen - self.seen_at_start, time.monotonic() - self.started
            if left is None and done > 0:
                left = (self.total - self.state.images_seen) * spent / done
            self.on_event(Event(kind, self.state.images_seen, self.total, figures or {}, left, path))

    def _write_weights(self, path: Path) -> str:
        return save_weights(
            path,
            self.state.exported(),
            self.weights_config,
            images_seen=self.state.images_seen,
            averaged=list(self.learner.averaged),
            identity=dict(self.learner.identity),
        )

    def _looked_at(self, images_seen: int) -> str:
        indices = self.learner.items(images_seen, self.config.batch_size).indices_B
        shown = ", ".join(map(str, indices[:8])) + (", ..." if len(indices) > 8 else "")
        return f"which looked at training items {shown}"

    def _settings(self) -> dict[str, Any]:
        """Return the trainer's settings as JSON values."""
        return {
            name: value.name if isinstance(value, enum.Enum) else value
            for name, value in dataclasses.asdict(self.config).items()
        }


def _not_finite(trained: Mapping[str, Tensor]) -> str:
    """The first weight whose gradient is not finite, for a message; "" when all are."""
    names = (name for name, weight in trained.items() if weight.grad is not None and not weight.grad.isfinite().all())
    name = next(names, "")
    return f", first of {name}" if name else ""


def divide(config: TrainerConfig, processes: Processes) -> tuple[int, int]:
    """Return (images per process, images per forward pass). Raises ConfigError when a batch cannot be divided so."""
    if config.batch_size % processes.size:
        raise ConfigError(f"trainer.batch_size={config.batch_size} cannot be divided among {processes.size} processes")
    local = config.batch_size // processes.size
    micro = min(config.at_once or local, local)
    if local % micro:
        raise ConfigError(
            f"trainer.micro_batch={config.micro_batch} does not divide the {local} images each process has of a batch"
        )
    return local, micro


@contextmanager
def evaluation_mode(learner: Learner) -> Iterator[None]:
    """Put all modules into evaluation mode inside the block, and each part back into the mode it was in."""
    before = [(part, part.training) for module in learner.modules.values() for part in module.modules()]
    for part, _ in before:
        part.training = False
    try:
        yield
    finally:
        for part, training in before:
            part.training = training


def learning_rate(config: TrainerConfig, images_seen: int, images_total: int) -> float:
    """Return the learning rate of the update made after `images_seen` images (those of the update included).

    With w = `warmup_images` and p = (images_seen - w) / (images_total - w) in [0, 1]:
    rate = learning_rate * min(1, images_seen / w) * (floor + (1 - floor) * (1 + cos(pi p)) / 2)    [cosine]
    """
    rate = config.learning_rate
    if images_seen < config.warmup_images:
        return rate * images_seen / config.warmup_images
    if config.schedule is LearningRateSchedule.cosine:
        progress = min(1.0, (images_seen - config.warmup_images) / max(1, images_total - config.warmup_images))
        floor = config.learning_rate_floor
        rate *= floor + (1 - floor) * (1 + math.cos(math.pi * progress)) / 2
    return rate
