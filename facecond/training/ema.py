"""Averaged weights: latent diffusion's LitEma, in a few fused operations.

decay_n = min(decay, (1 + n) / (10 + n)), n counted from 1;   average <- average - (1 - decay_n) (average - weight)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Average:
    """An exponential moving average of the trainable weights of some modules; everything else in them is copied.

    Copied are the buffers (running statistics, counters) and the frozen weights. The average lives where the modules
    live and is float32 when the weights are.
    """

    def __init__(self, modules: Mapping[str, nn.Module], decay: float) -> None:
        self.decay = decay
        self.updates = 0
        weights, rest = _tensors(modules)
        self._names, self._weights = list(weights), list(weights.values())
        self._rest_names, self._rest = list(rest), list(rest.values())
        self._averages = [weight.detach().clone() for weight in self._weights]
        self._copies = [tensor.detach().clone() for tensor in self._rest]

    @torch.no_grad()
    def update(self) -> None:
        """Take the modules' present weights into the average."""
        if not self._names and not self._rest_names:
            return
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        if self._averages:
            torch._foreach_lerp_(self._averages, self._weights, 1 - decay)
        if self._copies:
            torch._foreach_copy_(self._copies, self._rest)

    @torch.no_grad()
    def reset(self) -> None:
        """Start anew from the modules' present weights."""
        self.updates = 0
        for kept, tensor in zip(self._averages + self._copies, self._weights + self._rest, strict=True):
            kept.copy_(tensor)

    def state(self) -> dict[str, Tensor]:
        """Return the averaged weights and copied buffers under `module.name`."""
        return dict(zip(self._names + self._rest_names, self._averages + self._copies, strict=True))

    @torch.no_grad()
    def restore(self, tensors: Mapping[str, Tensor], updates: int) -> None:
        """Set the average to what `state` returned, after `updates` updates."""
        for name, tensor in self.state().items():
            tensor.copy_(tensors[name])
        self.updates = updates

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Let the modules hold the averaged weights inside the block; afterwards their own, to the last bit."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    @torch.no_grad()
    def _exchange(self) -> None:
        pairs = zip(self._weights + self._rest, self._averages + self._copies, strict=True)
        for ours, average in pairs:
            kept = ours.clone()
            ours.copy_(average)
            average.copy_(kept)


def _tensors(modules: Mapping[str, nn.Module]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return (trainable weights, everything else) of the modules' state dicts, as the live tensors."""
    weights: dict[str, Tensor] = {}
    rest: dict[str, Tensor] = {}
    for prefix, module in modules.items():
        trainable = {name for name, weight in module.named_parameters(remove_duplicate=False) if weight.requires_grad}
        for name, tensor in module.state_dict(keep_vars=True).items():
            (weights if name in trainable else rest)[f"{prefix}.{name}"] = tensor
    return weights, rest
