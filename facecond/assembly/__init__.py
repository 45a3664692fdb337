"""From configurations to objects: the one layer that joins networks, conditions, data, samplers and judges.

device        where tensors live
sources       where faces come from
first_stage   a trained autoencoder, ready to encode and decode
generator     a trained diffusion model, ready to sample
judges        trained parsers and classifiers
training      what `facecond train` hands to the training loop

Each name is imported when it is asked for, so that commands without networks do not load torch.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facecond.assembly.device import choose_device
    from facecond.assembly.first_stage import FirstStage, check_resolution, keep_first_stage, load_first_stage
    from facecond.assembly.generator import Generator, load_generator
    from facecond.assembly.sources import open_source
    from facecond.assembly.training import learner

__all__ = [
    "FirstStage",
    "Generator",
    "check_resolution",
    "choose_device",
    "keep_first_stage",
    "learner",
    "load_first_stage",
    "load_generator",
    "open_source",
]

_ROOMS = {
    "choose_device": "device", "FirstStage": "first_stage", "check_resolution": "first_stage",
    "keep_first_stage": "first_stage",
    "load_first_stage": "first_stage", "Generator": "generator", "load_generator": "generator",
    "open_source": "sources", "learner": "training",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(name)
    return getattr(importlib.import_module(f"facecond.assembly.{_ROOMS[name]}"), name)
