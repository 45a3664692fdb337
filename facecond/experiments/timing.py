"""How long the work of a reproduction takes here: each kind of training timed for a few steps, sampling from its forward pass."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facecond.commands.timing import drawn_pack, time_training, write_noise_latents
from facecond.config.compose import compose

if TYPE_CHECKING:
    from facecond.config.commands import Device
    from facecond.experiments.plan import Plan, Work

log = logging.getLogger("facecond")

SECONDS = 1.0
"""Each training is timed for about that long."""

FORWARD = 0.25
"""Time of a forward pass as a share of a training step's."""

SMALL = "tiny"
"""Size that is timed at its own batch; larger ones are timed with one picture on a processor, which takes long enough."""


def seconds_of(works: Sequence[Work], plan: Plan, device: Device) -> dict[str, float]:
    """Key of each training and sampling -> seconds it will take on this machine, to within what a short timing tells."""
    from facecond.commands import train

    paces: dict[tuple[str, ...], float] = {}

    def pace(words: tuple[str, ...]) -> float:
        words = tuple(
            word for word in words if not word.startswith("trainer.") or word.startswith("trainer.batch_size=")
        )
        if words not in paces:
            log.info("timing %s", " ".join(words))
            paces[words] = seconds_per_image(words, plan, device)
        return paces[words]

    seconds = {work.key: work.amount * pace(work.training) for work in works if work.module is train}
    for work in works:
        if work.module is not train and work.training and work.amount:
            steps, evaluations = _sampling(work.training, plan.sampling)
            seconds[work.key] = work.amount * steps * evaluations * FORWARD * pace(work.training)
    return seconds


def _sampling(training: Sequence[str], sampling: Sequence[str]) -> tuple[int, int]:
    """Steps of a sampling, and forward passes of each picture in one."""
    config: Any = compose(
        "train", [*training, *(word for word in sampling if word.startswith(("sampler", "guidance")))]
    ).config
    weights = [config.guidance.weight(name) for name in config.model.conditions]
    return config.sampler.steps, 1 + sum(weight != 1.0 for weight in weights)


def seconds_per_image(words: Sequence[str], plan: Plan, device: Device) -> float:
    """Time of one image in the training that `words` say, on a few drawn faces and latents of noise."""
    from facecond.training.device import choose_device

    place, small = choose_device(device), plan.scale.size == SMALL
    batch = [] if small or place.type == "cuda" else ["trainer.batch_size=1"]
    config: Any = compose("train", [*words, *batch]).config
    faces = max(config.trainer.batch_size, 32)
    with tempfile.TemporaryDirectory() as folder:
        pack = drawn_pack(Path(folder) / "pack", 64 if small else 256, faces=2 * faces, validation=faces)
        write_noise_latents(pack)
        return time_training([*words, *batch], pack, place, seconds=SECONDS, warmup=1)[0]
