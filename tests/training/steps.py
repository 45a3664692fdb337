"""Trainings of small models of every kind, a step at a time."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from facecond.assembly.training import learner as learner_of
from facecond.autoencoder.vq import VQModel
from facecond.commands.timing import LATENTS
from facecond.config.catalogue import kind_of
from facecond.config.compose import compose
from facecond.data.pack import Pack
from facecond.processes import Processes
from facecond.training.run import Run


def run_of(model: str, pack: Pack, device: str, *words: str, batch: int = 16) -> Run:
    """A training of size tiny that has not begun; its folder is never written. Diffusion models need latents of noise."""
    config: Any = compose("train", [
        f"model={model}", "size=tiny", "trainer.sample_grid=0", f"trainer.images={100 * batch}", f"trainer.batch_size={batch}",
        f"trainer.warmup_images={10 * batch}", "trainer.tensorboard=false", f"device={device}", *words,
    ]).config  # fmt: skip
    kind = kind_of(model)
    of_kind = {"latents": LATENTS, "first_stage": None} if kind == "diffusion" else {}
    learner, _ = learner_of(kind, config, pack, torch.device(device), **of_kind)
    for module in learner.modules.values():
        module.train()
    return Run(learner, config.trainer, Path(tempfile.gettempdir()), {}, Processes(), lambda event: None)


def losses(run: Run, steps: int) -> list[float]:
    """The loss of every step."""
    found = []
    for _ in range(steps):
        run.step()
        found.append(run.watch.means()["loss"])
    return found


class RoundTrip(nn.Module):
    """What a first stage makes of pictures without its codebook."""

    def __init__(self, model: VQModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, images_BCHW: Tensor) -> Tensor:
        return self.model.decode_unquantised(self.model.encode(images_BCHW))
