"""Which items training looks at, and which of them mirrored: pure functions of (seed, images seen).

The training set is read as one endless stream of images, epoch after epoch, each a fresh permutation. Position p of
the stream names the same item, and the same choice of mirroring, however the stream is cut into batches.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from facecond.config.training import TrainerConfig
from facecond.rng import numpy_generator
from facecond.training.learner import Items

_FLIP_BLOCK = 4096


def order(images_seen: int, global_batch: int, size: int, seed: int) -> NDArray[np.int64]:
    """Return int64 (global_batch,): the items (0..size-1) at positions images_seen, images_seen + 1, ... of the stream.

    Positions e * size .. (e + 1) * size - 1 are a permutation of all items, for every epoch e. Raises ValueError for
    a size below 1 or a negative position.
    """
    if size < 1 or images_seen < 0 or global_batch < 0:
        raise ValueError(f"no order of {global_batch} images from {images_seen} on, out of {size}")
    pieces = []
    position, stop = images_seen, images_seen + global_batch
    while position < stop:
        epoch, start = divmod(position, size)
        piece = _permutation(seed, epoch, size)[start : start + stop - position]
        pieces.append(piece)
        position += len(piece)
    return np.concatenate(pieces) if pieces else np.empty(0, dtype=np.int64)


def flips(images_seen: int, global_batch: int, seed: int) -> NDArray[np.bool_]:
    """Return bool (global_batch,): whether the image at each position of the stream is mirrored, with probability
    1/2.
    """
    if images_seen < 0 or global_batch < 0:
        raise ValueError(f"no flips of {global_batch} images from {images_seen} on")
    first, last = images_seen // _FLIP_BLOCK, (images_seen + max(global_batch, 1) - 1) // _FLIP_BLOCK
    coins = np.concatenate([_coins(seed, block) for block in range(first, last + 1)])
    start = images_seen - first * _FLIP_BLOCK
    return coins[start : start + global_batch].copy()


@lru_cache(maxsize=4)
def _permutation(seed: int, epoch: int, size: int) -> NDArray[np.int64]:
    permutation = numpy_generator(seed, "order", epoch).permutation(size).astype(np.int64)
    permutation.flags.writeable = False
    return permutation


@lru_cache(maxsize=4)
def _coins(seed: int, block: int) -> NDArray[np.bool_]:
    coins = numpy_generator(seed, "flips", block).integers(0, 2, _FLIP_BLOCK).astype(bool)
    coins.flags.writeable = False
    return coins


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
    piece = trainer.at_once or trainer.batch_size
    for start in range(0, count, piece):
        yield chosen[start : start + piece]
