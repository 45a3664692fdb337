"""Where tensors live, and in which arithmetic networks run when nothing is learnt."""

import torch

from facecond.config.commands import Device
from facecond.errors import ConfigError
from facecond.processes import Processes


def choose_device(device: Device, processes: Processes | None = None) -> torch.device:
    """Return the device a command computes on; with several processes each takes the GPU of its local rank.

    Raises ConfigError when CUDA is asked for and there is none.
    """
    if device is Device.cpu or (device is Device.auto and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise ConfigError("device=cuda, but torch finds no CUDA device", hint="use device=cpu or device=auto")
    torch.backends.cudnn.allow_tf32 = False  # where float32 is asked for, float32 is meant; bfloat16 is chosen by name
    place = processes.local_rank if processes else 0
    if place >= torch.cuda.device_count():
        raise ConfigError(
            f"process {place} has no GPU of its own: there are {torch.cuda.device_count()}",
            hint="start as many processes as there are GPUs, or use device=cpu",
        )
    torch.cuda.set_device(place)
    return torch.device("cuda", place)
