"""How long the work of a reproduction takes here: each kind of training timed for a few steps, sampling from its forward pass."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facecond.commands.timing import drawn_pack, predictions, time_training, write_noise_latents
from facecond.config.compose import compose

if TYPE_CHECKING:
    from facecond.config.commands.base import Device
    from facecond.experiments.plan import Plan, Work

log = logging.getLogger("facecond")

SECONDS = 1.0
"""Each training is timed for about that long."""

TRIED = 8
"""Items whose evaluation is timed, or one in place of a batch."""

OF_THE_PACE = (
    "trainer.batch_size", "trainer.optimizer", "trainer.precision", "trainer.gradient_checkpointing",
)  # fmt: skip
"""Settings of the trainer that a step's time depends on."""

SMALL = "tiny"
"""Size that is timed at its own batch; larger ones are timed with one picture on a processor, which takes long enough."""


def seconds_of(works: Sequence[Work], plan: Plan, device: Device) -> dict[str, float]:
    """Key of each training and sampling -> seconds it will take on this machine, to within what a short timing tells."""
    from facecond.commands import train

    paces: dict[tuple[str, ...], tuple[float, float]] = {}

    def pace(words: tuple[str, ...]) -> tuple[float, float]:
        words = tuple(
            word for word in words if not word.startswith("trainer.") or word.partition("=")[0] in OF_THE_PACE
        )
        if words not in paces:
            log.info("timing %s", " ".join(words))
            paces[words] = seconds_per_image(words, plan, device)
        return paces[words]

    seconds = {work.key: work.amount * pace(work.training)[0] for work in works if work.module is train}
    for work in works:
        if work.module is not train and work.training and work.amount:
            said = [word for word in plan.sampling if word.startswith(("sampler", "guidance"))]
            answers = predictions(compose("train", [*work.training, *said]).config)
            seconds[work.key] = work.amount * answers * pace(work.training)[1]
    return seconds


def seconds_per_image(words: Sequence[str], plan: Plan, device: Device) -> tuple[float, float]:
    """Time of one image in the training that `words` say, and in an evaluation, on a few drawn faces and latents of noise."""
    from facecond.training.device import choose_device
    from facecond.training.timing import seconds_per_item

    on, small = choose_device(device), plan.scale.size == SMALL
    alone = not small and on.type != "cuda"
    tried = 1 if alone else TRIED
    batch = [*(["trainer.batch_size=1"] if alone else []), f"trainer.evaluate_items={tried}"]
    config: Any = compose("train", [*words, *batch]).config
    faces = max(config.trainer.batch_size, 32)
    with tempfile.TemporaryDirectory() as folder:
        pack = drawn_pack(Path(folder) / "pack", 64 if small else 256, faces=2 * faces, validation=faces)
        write_noise_latents(pack)
        image, learner = time_training([*words, *batch], pack, on, seconds=SECONDS, warmup=1)
        return image, seconds_per_item(learner, tried, times=1 if alone else 2)
