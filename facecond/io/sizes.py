"""How many numbers a weights file holds, from its header alone and without torch, which takes seconds to load."""

import math
from pathlib import Path

from safetensors import SafetensorError, safe_open

from facecond.errors import CheckpointError
from facecond.io.files import open_regular


def count_values(path: Path) -> dict[str, int]:
    """Return how many numbers a safetensors file holds of each module (the name before the first dot), buffers included.

    Raises CheckpointError when the file is missing or damaged.
    """
    counts: dict[str, int] = {}
    open_regular(path, what="weights file", error=CheckpointError).close()
    try:
        with safe_open(path, framework="np") as stored:
            for name in stored.keys():  # noqa: SIM118 - not a mapping
                module = name.partition(".")[0]
                counts[module] = counts.get(module, 0) + math.prod(stored.get_slice(name).get_shape())
    except (SafetensorError, OSError) as reason:
        raise CheckpointError(f"{path}: not a readable safetensors file: {reason}") from reason
    return counts
