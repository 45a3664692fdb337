"""What a training takes of memory, said before it starts, and the micro-batch that fits (`trainer.micro_batch=auto`)."""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from facecond.bounds import LIFT
from facecond.config.commands.base import NO_FIRST_STAGE, Device
from facecond.config.commands.train import TrainConfig
from facecond.config.compose import compose
from facecond.config.settings import first_line
from facecond.config.training import AUTO, Precision
from facecond.errors import ConfigError, FacecondError
from facecond.memory import free_memory, total_memory
from facecond.processes import Processes
from facecond.quantities import bytes_in, in_bytes

if TYPE_CHECKING:
    import torch

    from facecond.assembly.account import Account
    from facecond.data.pack import Pack

log = logging.getLogger("facecond")

MARGIN = 0.1
"""Share of the device's memory that a plan leaves free."""


class Fit(NamedTuple):
    """A training's account beside the memory there is."""

    account: Account
    share: int
    """Images that each process learns from at a step."""
    micro_batch: int
    """Of them at once."""
    recompute: bool
    """With gradient checkpointing."""
    there: float | None
    """Bytes; None where the device is not here and memory= says nothing."""

    @property
    def fits(self) -> bool | None:
        """Whether the memory is enough; None where it is not known."""
        return None if self.there is None else self.account.needed(self.micro_batch) <= self.there * (1 - MARGIN)

    def __str__(self) -> str:
        told = self.account.told(self.micro_batch) + (", with gradient checkpointing" if self.recompute else "")
        if self.there is None:
            return f"{told} (memory=24GB says whether a device of 24 GB is enough)"
        enough = "enough" if self.fits else "too little"
        return f"{told}; {in_bytes(self.there)} less {MARGIN:.0%} are {enough}"

    def values(self) -> dict[str, Any]:
        """The same as JSON values, bytes where nothing else is said."""
        parts = ("weights", "gradients", "moments", "averages", "data")
        return {
            "micro_batch": self.micro_batch, "gradient_checkpointing": self.recompute,
            "needed": self.account.needed(self.micro_batch),
            **{name: getattr(self.account, name) for name in parts},
            "activations": self.account.activations(self.micro_batch), "there": self.there,
            "margin": MARGIN, "fits": self.fits,
        }  # fmt: skip


def fit(
    kind: str, config: TrainConfig, pack: Pack, latents: str | None, device: torch.device, processes: Processes
) -> Fit:
    """Count what the training of `config` takes on `device`, and choose micro-batch and gradient checkpointing where they are auto:
    without it the largest micro-batch that fits, and with it where none does.

    Raises ConfigError when no micro-batch fits that auto may choose.
    """
    import torch

    from facecond.assembly.account import accounts
    from facecond.assembly.passes import BLOCKS
    from facecond.data.latents import LatentStore
    from facecond.training.device import resolve_precision
    from facecond.training.run import divide

    here = device.type == "cpu" or torch.cuda.is_available()
    precision = config.trainer.precision
    if here or precision is not Precision.auto:
        precision = resolve_precision(precision, device) if here else precision
    else:
        precision = Precision.bfloat16
    there: float | None = bytes_in(config.memory, "memory") if config.memory else None
    if there is None and here:
        there = free_memory(device) / (processes.size if device.type == "cpu" else 1)
    memory = there or math.inf
    if config.memory is None and here:
        memory = total_memory(device)
    store = None if latents in (None, NO_FIRST_STAGE) else LatentStore.open(pack.path, str(latents))
    share, micro = divide(config.trainer, processes)
    auto, ways = config.trainer.micro_batch == AUTO, [config.trainer.recompute]
    if auto and there is None:
        raise ConfigError("trainer.micro_batch=auto: there is no GPU here to fit", hint="say its memory: memory=24GB")
    if config.trainer.gradient_checkpointing == AUTO and kind in BLOCKS and there is not None:
        ways = [False, True]
    both = accounts(kind, config, pack, device.type, precision, store, memory)
    for recompute in ways:
        found = both[recompute]
        if auto and there is not None:
            micro = found.largest(share, there * (1 - MARGIN)) or (1 if found.divisible else share)
        chosen = Fit(found, share, micro, recompute, there)
        if chosen.fits is not False:
            return chosen
    if auto and config.limits and there is not None:
        least = (
            "one image at a time" if found.divisible else f"{share} images, which batch normalisation keeps together,"
        )
        others = ["a smaller size="] if found.divisible else ["a smaller trainer.batch_size", "a smaller size="]
        if kind in BLOCKS and not recompute:
            others.insert(0, "trainer.gradient_checkpointing=true")
        raise ConfigError(
            f"trainer.micro_batch=auto: {least} takes {in_bytes(found.needed(micro))}, and of {in_bytes(there)} there are "
            f"{in_bytes(there * (1 - MARGIN))} with a margin of {MARGIN:.0%}",
            hint=f"choose {', or '.join(others)}; to try all the same: {LIFT}",
        )
    return chosen


def foresee(prepared: Any) -> dict[str, Any]:
    """Say what the training that was prepared takes of the device's memory, which need not be here; return it for JSON."""
    import torch

    from facecond.data.pack import Pack
    from facecond.io.files import trusting_sizes
    from facecond.training.device import choose_device

    config, found = prepared.config, prepared.found
    device = torch.device("cuda") if config.device is Device.cuda else choose_device(config.device)
    if device.type == "cpu" and config.memory is None and config.trainer.micro_batch != AUTO:
        return {}
    try:
        with trusting_sizes(True):
            fits = fit(found.kind, config, Pack.open(found.pack), found.latents, device, prepared.processes)
    except FacecondError:
        raise
    except Exception as error:  # what counts uses what torch may change
        log.info("memory: not counted (%s)", first_line(error))
        return {"memory": None}
    log.info("memory: %s", fits)
    return {"memory": fits.values()}


def settle(prepared: Any, pack: Pack, device: torch.device) -> None:
    """Let what was chosen take the place of `auto`; on a GPU, say in any case what the training takes."""
    config, found, composed = prepared.config, prepared.found, prepared.composed
    auto = config.trainer.fitted
    if not auto and device.type == "cpu":
        return
    try:
        chosen = fit(found.kind, config, pack, found.latents, device, prepared.processes)
    except FacecondError:
        raise
    except Exception as error:  # what counts uses what torch may change
        if config.trainer.micro_batch == AUTO:
            raise
        log.info("memory: not counted (%s)", first_line(error))  # a training goes without
        return
    log.log(logging.WARNING if chosen.fits is False else logging.INFO, "memory: %s", chosen)
    if not auto:
        return
    words, used = [], prepared.used
    if config.trainer.micro_batch == AUTO:
        whole = chosen.micro_batch == chosen.share
        used["micro-batch"] = f"{chosen.micro_batch} of {chosen.share} images at once (" + (
            "the most that fits)"
            if chosen.account.divisible or not whole
            else "batch normalisation keeps them together)"
        )
        words.append(f"trainer.micro_batch={'null' if whole else chosen.micro_batch}")
        log.info("micro-batch: %s", used["micro-batch"])
    if config.trainer.gradient_checkpointing == AUTO:
        off = "off: it fits without" if chosen.fits else "off: this kind of model has none"
        used["gradient checkpointing"] = "on: it does not fit without" if chosen.recompute else off
        words.append(f"trainer.gradient_checkpointing={str(chosen.recompute).lower()}")
        log.info("gradient checkpointing: %s", used["gradient checkpointing"])
    prepared.found = replace(found, settled=[*found.settled, *words])
    prepared.composed = compose(
        "train", composed.overrides, size=composed.choices.get("size"), above=prepared.found.settled
    )
