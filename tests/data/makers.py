"""Small packs and releases made from random numbers, for the tests of this room."""

from pathlib import Path

import numpy as np
from facecond.data.pack import Pack, PackWriter


def random_items(count: int, resolution: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return random pictures, label maps (0..18) and attributes (-1, 0, 1) of `count` items."""
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 256, (count, resolution, resolution, 3)).astype(np.uint8)
    labels = generator.integers(0, 19, (count, resolution, resolution)).astype(np.uint8)
    attributes = generator.integers(-1, 2, (count, 40)).astype(np.int8)
    return images, labels, attributes


def random_pack(path: Path, count: int = 10, resolution: int = 8, validation: int = 3) -> Pack:
    """Write a pack of random items, the last `validation` of them held out."""
    writer = PackWriter(path, count=count, resolution=resolution, source={"kind": "random"})
    writer.write(slice(0, count), *random_items(count, resolution))
    splits = ["train"] * (count - validation) + ["validation"] * validation
    return writer.finish([f"face{index}" for index in range(count)], splits, [])
