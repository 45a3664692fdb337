"""The state of a training: everything that must come back for a continued run to end with the same weights, bit by bit.

No state of a random generator is among it: random numbers are functions of (seed, images seen).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from facecond.config.settings import difference
from facecond.config.training import OptimizerKind, TrainerConfig
from facecond.errors import CheckpointError, TrainingError
from facecond.io.checkpoint import (
    StoredState,
    find_states,
    join_modules,
    load_state,
    load_strictly,
    save_state,
    split_modules,
)
from facecond.training.ema import Average
from facecond.training.learner import Learner
from facecond.training.muon import Muon, hidden_matrices

log = logging.getLogger("facecond")

MAY_CHANGE = {f"trainer.{key}" for key in (
    "images", "micro_batch", "precision", "capture", "gradient_checkpointing", "compile", "log_every", "evaluate_every",
    "evaluate_items", "sample_grid", "checkpoint_every", "checkpoint_minutes", "keep_checkpoints", "snapshot_every",
    "stop_after_minutes", "tensorboard",
)}  # fmt: skip
"""Settings that may differ when a run is continued; all others decide what the weights become. (Of `micro_batch` this holds
without BatchNorm only.)"""

BATCH_NORM = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


def newest_whole(folder: Path) -> StoredState | None:
    """Read the newest state below `folder` that is whole; None when there is none at all.

    Damaged ones that are newer are put aside, with a warning. Raises CheckpointError, and changes nothing, when all are.
    """
    damaged: list[tuple[Path, CheckpointError]] = []
    for path in find_states(folder):
        try:
            stored = load_state(path)
        except CheckpointError as reason:
            damaged.append((path, reason))
            continue
        for broken, why in damaged:
            log.warning("warning: %s; going on from %d images", why, int(path.name))
            with suppress(OSError):  # another process of the run did it
                broken.rename(broken.with_name(f"{broken.name}.damaged"))
        return stored
    if damaged:
        raise CheckpointError(
            f"no checkpoint below {folder} is whole; of the newest: {damaged[0][1].message}",
            hint=f"bring it back, or delete {folder} to start anew",
        )
    return None


class TrainState:
    """Progress, weights, averages and optimisers of one training."""

    def __init__(self, learner: Learner, config: TrainerConfig, defaults: Mapping[str, Any] | None = None) -> None:
        """`defaults` (nested JSON values): what settings mean that an older state does not hold."""
        self.learner, self.defaults = learner, defaults
        self.images_seen = 0
        self.seconds = 0.0
        """Time spent learning so far, over all continuations."""
        self.pending: dict[str, list[float]] = {}
        """Figures collected since the last line of metrics.jsonl."""
        self.finished = False
        self.trained = {phase.name: _trainable(learner, phase.modules) for phase in learner.phases}
        self.optimisers = {
            phase.name: _optimiser(
                config, self.trained[phase.name].values(), [learner.modules[name] for name in phase.modules]
            )
            for phase in learner.phases
        }
        self.average = Average({name: learner.modules[name] for name in learner.averaged}, config.ema_decay)

    @contextmanager
    def only(self, phase: str) -> Iterator[None]:
        """Let nothing but the weights of one phase gather gradients inside the block."""
        others = [
            weight for name, weights in self.trained.items() if name != phase for weight in weights.values()
        ]  # fmt: skip
        for weight in others:
            weight.requires_grad_(False)
        try:
            yield
        finally:
            for weight in others:
                weight.requires_grad_(True)

    def exported(self, *, averaged: bool = True) -> dict[str, Tensor]:
        """Return the tensors of weights.safetensors, `module.name` -> tensor: averages where there are any."""
        tensors = self._network()
        if averaged:
            tensors |= self.average.state()
        return {name: tensor for name, tensor in tensors.items() if name.partition(".")[0] in self.learner.exported}

    def save(self, folder: Path, config: dict[str, Any]) -> Path:
        """Write the state below `folder`; raise TrainingError, and write nothing, when a weight is not finite."""
        groups = {"network": self._network(), "average": self.average.state(), "optimiser": self._optimiser()}
        broken = [name for group in groups.values() for name, tensor in group.items() if not _finite(tensor)]
        if broken:
            raise TrainingError(
                f"after {self.images_seen} images {len(broken)} tensors are not finite, first {broken[0]}; "
                "no checkpoint was written",
                hint="run again to continue from the last good checkpoint, with a lower trainer.learning_rate or "
                "trainer.clip_norm=1",
            )
        values = {
            "seconds": self.seconds, "pending": self.pending, "average_updates": self.average.updates,
            "identity": dict(self.learner.identity), "trainer": config,
        }  # fmt: skip
        return save_state(folder, self.images_seen, groups, values, keep=config["keep_checkpoints"])

    def restore(self, folder: Path, config: dict[str, Any]) -> bool:
        """Take up the newest whole state below `folder`; say whether there was one.

        Raises CheckpointError when all are damaged, or it was made on other data or with other settings that matter.
        """
        stored = newest_whole(folder)
        if stored is None:
            return False
        path = stored.path
        recorded = {**stored.values["identity"], "trainer": stored.values["trainer"]}
        now = {**self.learner.identity, "trainer": config}
        if other := difference(recorded, now, defaults=self.defaults, ignoring=MAY_CHANGE):
            raise CheckpointError(
                f"{folder.parent}: this run was started with {other}",
                hint="give the new run a name of its own, or go on with the old setting",
            )
        before, micro = (item["trainer"].get("micro_batch") or config["batch_size"] for item in (recorded, now))
        parts = (part for module in self.learner.modules.values() for part in module.modules())
        if before != micro and any(isinstance(part, BATCH_NORM) for part in parts):
            raise CheckpointError(
                f"{folder.parent}: this run was started with trainer.micro_batch={before}, not trainer.micro_batch={micro}, "
                "and its BatchNorm statistics depend on it",
                hint="give the new run a name of its own, or go on with the old setting",
            )
        networks = split_modules(stored.groups["network"])
        for name, module in self.learner.modules.items():
            load_strictly(module, networks.get(name, {}), str(path / "network.safetensors"))
        self.average.restore(stored.groups["average"], stored.values["average_updates"])
        self._restore_optimiser(stored.groups["optimiser"])
        self.images_seen = stored.values["images_seen"]
        self.seconds = stored.values["seconds"]
        self.pending = stored.values["pending"]
        return True

    def _network(self) -> dict[str, Tensor]:
        return join_modules({name: module.state_dict() for name, module in self.learner.modules.items()})

    def _optimiser(self) -> dict[str, Tensor]:
        """Return what the optimisers keep of every weight (AdamW: step count and both moments) under `phase/weight/entry`."""
        return {
            f"{phase}/{name}/{entry}": value
            for phase, weights in self.trained.items()
            for name, weight in weights.items()
            for entry, value in self.optimisers[phase].state.get(weight, {}).items()
        }

    def _restore_optimiser(self, tensors: dict[str, Tensor]) -> None:
        for key, value in tensors.items():
            phase, name, entry = key.split("/")
            weight = self.trained[phase][name]
            entries = self.optimisers[phase].state[weight]
            entries[entry] = (
                torch.empty_like(weight) if value.shape == weight.shape else value.to(weight.device)
            ).copy_(value)


def _optimiser(config: TrainerConfig, weights: Iterable[nn.Parameter], modules: Iterable[nn.Module]) -> Optimizer:
    """The optimiser of the `weights` of `modules` that are trained."""
    betas = config.beta1, config.beta2
    if config.optimizer is OptimizerKind.muon:
        matrices = hidden_matrices(modules)
        return Muon(weights, matrices, lr=config.learning_rate, betas=betas, weight_decay=config.weight_decay)
    return AdamW(weights, lr=config.learning_rate, betas=betas, weight_decay=config.weight_decay, fused=True)


def _trainable(learner: Learner, modules: tuple[str, ...]) -> dict[str, nn.Parameter]:
    return {
        f"{module}.{name}": weight
        for module in modules
        for name, weight in learner.modules[module].named_parameters()
        if weight.requires_grad
    }


def _finite(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() or bool(torch.isfinite(tensor).all())
