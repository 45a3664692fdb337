"""Memory: asked before large work, and when it is out, recognised whichever allocator says so and answered with smaller pieces."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from facecond.bounds import LIFT
from facecond.errors import ConfigError
from facecond.quantities import in_bytes

if TYPE_CHECKING:
    import torch
    from torch import Tensor

log = logging.getLogger("facecond")

R = TypeVar("R")

CONTROL_GROUP = Path("/sys/fs/cgroup/memory.max")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory, of the host or of a GPU, was not enough."""
    words = str(error).lower()
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and ("can't allocate memory" in words or "out of memory" in words))
    )


def host_memory() -> int:
    """Bytes of memory that this process may have: the machine's, or what its control group leaves it."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        return min(machine, int(CONTROL_GROUP.read_text(encoding="ascii")))
    except (OSError, ValueError):  # no control groups here, or no limit
        return machine


def require_memory(needed: float, there: float, what: str) -> None:
    """Raise ConfigError when `needed` bytes, a lower estimate, are more than `there` is."""
    if needed > there:
        raise ConfigError(
            f"{what} takes at least {in_bytes(needed)} of memory, and there are {in_bytes(there)}",
            hint=f"choose a smaller size=, or fewer channels; to try all the same: {LIFT}",
        )


def free_memory(device: torch.device) -> int:
    """Bytes that are free on a GPU; of a CPU, those of the host that this process may have."""
    if device.type == "cpu":
        return host_memory()
    import torch

    return int(torch.cuda.mem_get_info(device)[0])


def total_memory(device: torch.device) -> int:
    """Bytes that a GPU has, free or not; of a CPU, those of the host that this process may have."""
    if device.type == "cpu":
        return host_memory()
    import torch

    return int(torch.cuda.mem_get_info(device)[1])


def release() -> None:
    """Give back what allocators keep for later."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


class Halving:
    """Does work in the pieces that memory allows: the whole at first, half as much at once from when it was not enough."""

    def __init__(self, key: str | None = None) -> None:
        """`key` is the setting that says how much is done at once, for the line that tells of it; None where there is none."""
        self._key = key
        self.most: int | None = None
        """Items at once; None = all of them."""

    def over(self, count: int, work: Callable[[slice], R]) -> list[R]:
        """Return what `work` gives for slices that cover `count` items, in order. What fails with a single item is raised."""
        done: list[R] = []
        start = 0
        while start < count:
            size = min(self.most or count, count - start)
            try:
                done.append(work(slice(start, start + size)))
                start += size
                continue
            except (MemoryError, RuntimeError) as error:
                if size == 1 or not is_out_of_memory(error):
                    raise
            self.most = (size + 1) // 2  # outside the block above, which keeps alive what it was working on
            release()
            setting = f" ({self._key}={self.most})" if self._key else ""
            log.warning("memory is not enough for %d at once; going on with %d%s", size, self.most, setting)
        return done


def send(tensor: Tensor, device: torch.device | str) -> Tensor:
    """Return a CPU tensor on `device`; the host does not wait for a GPU, since the copy starts from pinned memory."""
    import torch

    if torch.device(device).type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)
