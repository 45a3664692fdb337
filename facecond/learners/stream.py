"""What all learners read their items from: the endless stream of training images."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from facecond.config.training import TrainerConfig
from facecond.data.order import flips, order
from facecond.training.learner import Items


def stream_items(trainer: TrainerConfig, images_seen: int, global_batch: int, size: int) -> Items:
    """Return the items, out of `size`, of the global batch that follows `images_seen`; half mirrored if so set."""
    mirrored = (
        flips(images_seen, global_batch, trainer.seed) if trainer.flips else np.zeros(global_batch, dtype=np.bool_)
    )
    return Items(order(images_seen, global_batch, size, trainer.seed), mirrored)


def validation_pieces(trainer: TrainerConfig, size: int) -> Iterator[NDArray[np.int64]]:
    """Yield the items an evaluation looks at, spread evenly over `size`, in pieces of at most one micro-batch."""
    count = min(trainer.evaluate_items, size)
    chosen = np.arange(count, dtype=np.int64) * size // count
    piece = trainer.micro_batch or trainer.batch_size
    for start in range(0, count, piece):
        yield chosen[start : start + piece]
