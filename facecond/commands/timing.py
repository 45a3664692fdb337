"""How fast this machine trains, before anything is trained: a few steps on a few drawn faces."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facecond.config.compose import compose
from facecond.config.models import GENERATIVE

if TYPE_CHECKING:
    import torch

    from facecond.data.pack import Pack
    from facecond.training.learner import Learner

EVALUATIONS = 4
"""Evaluations in a training that is planned by minutes, at most."""

EVALUATED_EVERY = 1600
"""Images between them, at least."""

TIMED_SECONDS = 3.0
"""Steps of training are timed for about so long."""

TRIED = 32
"""Items that an evaluation looks at to be timed, at most."""

LATENTS = "0" * 64
"""Stands for the hash of the first stage whose latents are noise."""


def drawn_pack(folder: Path, resolution: int, *, faces: int, validation: int) -> Pack:
    """Draw a pack of `faces` in all, `validation` of them held out."""
    from facecond.assembly.sources import open_source
    from facecond.config.data import DrawnConfig
    from facecond.data.packing import pack_source

    return pack_source(open_source(DrawnConfig(count=faces, validation=validation)), folder, resolution, workers=1)


def write_noise_latents(pack: Pack) -> None:
    """Give a pack latents of normal noise, a quarter of the picture's side."""
    import numpy as np

    from facecond.data.latents import LatentWriter

    side = pack.resolution // 4
    writer = LatentWriter(pack.path, LATENTS, count=len(pack), shape=(3, side, side), flips=True)
    latents = np.random.default_rng(0).standard_normal((len(pack), 3, side, side))
    writer.write(slice(0, len(pack)), latents, latents)
    writer.finish(pack.indices("train"))


def time_training(
    words: Sequence[str], pack: Pack, device: torch.device, *, seconds: float, warmup: int = 2
) -> tuple[float, Learner]:
    """Return seconds per image of the training that `words` say, measured for about `seconds`, and what was trained for it.

    `pack` comes from `drawn_pack`, with latents of noise for a diffusion model.
    """
    from facecond.assembly.training import learner as learner_of
    from facecond.config.catalogue import kind_of
    from facecond.training.timing import seconds_per_image

    composed = compose("train", [*words, "trainer.sample_grid=0", f"device={device.type}"])
    config, kind = composed.config, kind_of(composed.choices["model"])
    of_kind = {"latents": LATENTS, "first_stage": None} if kind == "diffusion" else {}
    learner, _ = learner_of(kind, config, pack, device, **of_kind)
    return seconds_per_image(learner, config.trainer, seconds=seconds, warmup=warmup), learner


def images_in(
    minutes: float, kind: str, config: Any, pack: Pack, device: torch.device, of_kind: Mapping[str, Any]
) -> int:
    """Return how many images a training of `config` learns from in about `minutes` here, its evaluations counted; timed
    for a few seconds.

    `of_kind`: what the learner of `kind` needs beside.
    """
    from facecond.assembly.training import learner as learner_of
    from facecond.training.timing import seconds_per_image, seconds_per_item

    grid, evaluated = config.trainer.sample_grid, min(config.trainer.evaluate_items, len(pack.indices("validation")))
    tried = min(evaluated, TRIED)
    trainer = dataclasses.replace(config.trainer, sample_grid=0, evaluate_items=tried)

    def timed(config: Any) -> tuple[float, float]:
        learner, _ = learner_of(kind, config, pack, device, **of_kind)
        return seconds_per_image(learner, trainer, seconds=TIMED_SECONDS), seconds_per_item(learner, tried)

    config = dataclasses.replace(config, trainer=trainer)
    each, item = timed(config)
    if kind == "vq" and (after := config.model.training.quantise_after) > 0:
        training = dataclasses.replace(config.model.training, quantise_after=0.0)
        quantised = dataclasses.replace(config, model=dataclasses.replace(config.model, training=training))
        each = after * each + (1 - after) * timed(quantised)[0]
    looked_at = evaluated
    if kind in GENERATIVE:
        looked_at += grid * predictions(config)
    images = minutes * 60 / each
    images -= looked_at * item / each * min(EVALUATIONS, max(1, images // EVALUATED_EVERY))
    return max(int(images), trainer.batch_size) // trainer.batch_size * trainer.batch_size


def predictions(config: Any) -> int:
    """How often the network answers for one sample of a model that is trained with `config`."""
    from facecond.diffusion.guidance import shares_of

    weights = [config.guidance.weight(name) for name in config.model.conditions]
    return int(config.sampler.steps * sum(share != 0 for share in shares_of(weights)))


def pace(kind: str, images: int) -> dict[str, int]:
    """Return what follows from the number of images in a training of minutes, by key: warm-up, evaluations, checkpoints, log."""
    keys = {
        "trainer.images": images,
        "trainer.warmup_images": max(64, images // 40),
        "trainer.evaluate_every": max(EVALUATED_EVERY, images // EVALUATIONS),
        "trainer.checkpoint_every": max(EVALUATED_EVERY, images // 8),
        "trainer.log_every": max(160, images // 100),
    }
    return keys | ({"model.training.restart_every": max(800, images // 40)} if kind == "vq" else {})
