"""Where tensors live, and which arithmetic networks run in."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import torch

from facecond.config.commands.base import Device
from facecond.config.training import Precision
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
    number = processes.local_rank if processes else 0
    if number >= torch.cuda.device_count():
        raise ConfigError(
            f"process {number} has no GPU of its own: there are {torch.cuda.device_count()}",
            hint="start as many processes as there are GPUs, or use device=cpu",
        )
    torch.cuda.set_device(number)
    return torch.device("cuda", number)


def has_bfloat16(device: torch.device) -> bool:
    """Say whether the hardware multiplies bfloat16 itself: CUDA from Ampere on, CPUs with AVX512-BF16 or AMX."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        flags = _cpu_flags()
        return "avx512_bf16" in flags or "amx_bf16" in flags
    return False


def _cpu_flags() -> set[str]:
    """Return the processor's feature names, from torch where it tells them (2.12 on), else from the system."""
    capabilities = getattr(torch.cpu, "get_capabilities", None)
    if capabilities is not None:
        return {name for name, present in capabilities().items() if present is True}
    listing = Path("/proc/cpuinfo")
    return set(listing.read_text().split()) if listing.is_file() else set()


def resolve_precision(precision: Precision, device: torch.device) -> Precision:
    """Return `float32` or `bfloat16`: what is asked for, or for `auto` the faster one the hardware has.

    Raises ConfigError when bfloat16 is asked of a GPU without it; a CPU without it emulates, slowly.
    """
    if precision is Precision.auto:
        return Precision.bfloat16 if has_bfloat16(device) else Precision.float32
    if precision is Precision.bfloat16 and device.type == "cuda" and not has_bfloat16(device):
        raise ConfigError(
            f"trainer.precision=bfloat16: {torch.cuda.get_device_name(device)} has no bfloat16 arithmetic",
            hint="use trainer.precision=auto",
        )
    return precision


def autocast(precision: Precision, device: torch.device, *, cache: bool = True) -> AbstractContextManager[object]:
    """Return the context in which a forward pass runs at a resolved `precision`; `cache` keeps the weights it casts."""
    if precision is Precision.bfloat16:
        return torch.autocast(device.type, dtype=torch.bfloat16, cache_enabled=cache)
    return nullcontext()
