"""The noise of an image: where its sampling starts, and what each of its steps adds.

Every image has a seed; its starting noise and the noise of each of its sampling steps are functions of that seed alone.
So a batch of other images, another batch size, another order or another number of processes leaves it as it is, and the
paper's comparisons from the same starting noise (figures of section 4) need no more than giving two images one seed.
Noise is drawn on the CPU in float32, so that a seed means the same picture on every device, and then moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch import Tensor

from facecond import rng

STEPS_PER_BLOCK = 16
"""Steps drawn with one generator. Part of what a seed means: another number gives other pictures at eta > 0."""


def start_noise(seeds: Sequence[int], shape: Sequence[int], device: torch.device | str = "cpu") -> Tensor:
    """Return standard normal noise_BCHW (float32, on `device`), item i a function of `seeds[i]`; `shape` is C, H, W."""
    noise_BCHW = torch.empty((len(seeds), *shape))
    for item, seed in zip(noise_BCHW, seeds, strict=True):
        torch.randn(tuple(shape), generator=rng.torch_generator(seed, "start"), out=item)
    return noise_BCHW.to(device)


class StepNoise:
    """The `NoiseSource` of a batch: standard normal noise_BCHW for step k, item i a function of (seed i, k).

    Blocks of `STEPS_PER_BLOCK` steps are drawn at a time, and the next block in a background thread while the network
    works: an eta-1 sampler of 500 steps does not wait for its noise. A sampler that never asks (eta 0) costs nothing.
    Any order of steps is allowed; ascending order is the fast one. Use it as a context manager, or `close()` it.
    """

    def __init__(self, seeds: Sequence[int], shape: Sequence[int], device: torch.device | str = "cpu") -> None:
        self._seeds = tuple(seeds)
        self._shape = tuple(shape)
        self._device = torch.device(device)
        self._block = -1
        self._noise_SBCHW: Tensor | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._ahead: tuple[int, Future[Tensor]] | None = None

    def __call__(self, step: int) -> Tensor:
        """Return noise_BCHW (float32, on the device) for sampling step `step` = 0, 1, ...; ValueError below 0."""
        if step < 0:
            raise ValueError(f"sampling steps count from 0, got {step}")
        block, place = divmod(step, STEPS_PER_BLOCK)
        if self._noise_SBCHW is None or block != self._block:
            self._noise_SBCHW = self._fetch(block).to(self._device, non_blocking=True)
            self._block = block
        return self._noise_SBCHW[place]

    def __enter__(self) -> StepNoise:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the background thread."""
        self.close()

    def close(self) -> None:
        """Stop the background thread; the source can still be asked afterwards."""
        if self._thread is not None:
            self._thread.shutdown(wait=True, cancel_futures=True)
        self._thread, self._ahead = None, None

    def _fetch(self, block: int) -> Tensor:
        """Return noise_SBCHW of one block, and have the next one drawn meanwhile."""
        if self._thread is None:
            self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="step-noise")
        if self._ahead is not None and self._ahead[0] == block:
            noise_SBCHW = self._ahead[1].result()
        else:
            noise_SBCHW = self._draw(block)
        self._ahead = (block + 1, self._thread.submit(self._draw, block + 1))
        return noise_SBCHW

    def _draw(self, block: int) -> Tensor:
        size = (STEPS_PER_BLOCK, *self._shape)
        # Pinned memory lets the copy run beside the network's kernels.
        noise_SBCHW = torch.empty(
            (STEPS_PER_BLOCK, len(self._seeds), *self._shape), pin_memory=self._device.type == "cuda"
        )
        for item, seed in enumerate(self._seeds):
            noise_SBCHW[:, item] = torch.randn(size, generator=rng.torch_generator(seed, "step", block))
        return noise_SBCHW
