"""What a training will take of memory and disk, from the shapes of its networks, before any of them is built."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from facecond.assembly.generator import diffusion_networks
from facecond.autoencoder.vq import VQModel
from facecond.bounds import WIDEST
from facecond.config.commands.train import TrainConfig
from facecond.faces.names import NUM_CLASSES
from facecond.io.files import require_room
from facecond.judges.classifier import build_classifier
from facecond.judges.parser import build_parser
from facecond.memory import host_memory, require_memory

VALUE = 4
"""Bytes of a weight, its gradient, its average and each of the optimiser's two moments."""

NETWORKS: dict[str, Callable[[Any, int], tuple[nn.Module, ...]]] = {
    "diffusion": lambda model, resolution: diffusion_networks(model, 3, resolution),
    "maps": lambda model, resolution: diffusion_networks(model, NUM_CLASSES, resolution),
    "vq": lambda model, resolution: (VQModel(model.network),),
    "parser": lambda model, resolution: (build_parser(model.network),),
    "classifier": lambda model, resolution: (build_classifier(model.network),),
}
"""The networks of each kind of model."""


ORDINARY = 1024
"""Channels up to which networks are not counted first: building shapes loads, once, what torch takes seconds for."""


def _widest(config: Any) -> int:
    """The largest of the settings, nested ones included, that say how wide a layer is."""
    widest = 0
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            widest = max(widest, _widest(value))
        elif field.metadata.get("maximum") is WIDEST:
            widest = max([widest, *(value if isinstance(value, list) else [value or 0])])
    return widest


def require_what_training_takes(kind: str, config: TrainConfig, resolution: int, device: torch.device) -> None:
    """Raise ConfigError when the device's memory cannot hold what is kept of each weight, StorageError when the disk cannot.

    Only networks with layers wider than `ORDINARY` are looked at. Activations and data come on top, so that what passes may
    still be too large.
    """
    if _widest(config.model) <= ORDINARY:
        return
    with torch.device("meta"):
        networks = NETWORKS[kind](config.model, resolution)
    weights = sum(each.numel() for network in networks for each in network.parameters()) * VALUE
    average = config.trainer.ema_decay > 0
    there = torch.cuda.get_device_properties(device).total_memory if device.type == "cuda" else host_memory()
    count = weights / VALUE
    told = f"{count / 1e9:.3g} billion parameters" if count >= 1e9 else f"{count / 1e6:.3g} million parameters"
    if config.limits:
        require_memory(weights * (4 + average), there, f"training {told}")
    place = Path(config.workspace) / "runs"
    require_room(place, weights * (3 + average + 1), f"a checkpoint and the weights of {told}")
