"""How fast this machine trains, before anything is trained: a few steps on a few drawn faces."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facecond.config.compose import compose

if TYPE_CHECKING:
    import torch

    from facecond.data.pack import Pack
    from facecond.training.learner import Learner

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

    config: Any = compose("train", [*words, "trainer.sample_grid=0", f"device={device.type}"]).config
    kind = kind_of(next(word.partition("=")[2] for word in words if word.startswith("model=")))
    of_kind = {"latents": LATENTS, "first_stage": None} if kind == "diffusion" else {}
    learner, _ = learner_of(kind, config, pack, device, **of_kind)
    return seconds_per_image(learner, config.trainer, seconds=seconds, warmup=warmup), learner
