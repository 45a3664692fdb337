"""Which arithmetic a training step runs in, and how it is switched on."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import torch

from facecond.config.training import Precision
from facecond.errors import ConfigError


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


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Return the context in which a forward pass runs at a resolved `precision`."""
    if precision is Precision.bfloat16:
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()
