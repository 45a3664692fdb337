"""Random numbers as pure functions of (seed, stream, index).

No function of this package reads or changes a global generator. Whoever needs noise names a stream ("noise", "order", ...) and an
index (an image, an epoch, a number of images seen) and gets a generator that depends on nothing else: not on what ran before, not
on the number of processes, not on the device.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import torch


def mix(seed: int, stream: str, index: int = 0) -> int:
    """Return 63 well-mixed bits for (seed, stream, index): the first eight bytes of their SHA-256."""
    digest = hashlib.sha256(f"{seed}/{stream}/{index}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def torch_generator(seed: int, stream: str, index: int = 0) -> torch.Generator:
    """Return a fresh CPU generator for (seed, stream, index)."""
    import torch

    return torch.Generator().manual_seed(mix(seed, stream, index))


def numpy_generator(seed: int, stream: str, index: int = 0) -> np.random.Generator:
    """Return a fresh numpy generator for (seed, stream, index)."""
    import numpy as np

    return np.random.Generator(np.random.PCG64(mix(seed, stream, index)))
