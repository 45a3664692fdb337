"""What a training takes of memory, counted before it starts: what is kept of weights and data, and what a forward pass keeps.

Networks are built without contents and pass fake images forward in the precision of the training. Counted are the distinct
storages that the graph keeps for the backward pass, the weights' casts among them. Left out are evaluations and sample grids, what
the backward pass needs for a moment, and what torch takes for itself: who plans leaves a margin for these.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain
from types import SimpleNamespace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from facecond.assembly.passes import BLOCKS, META, PASSES
from facecond.conditions.table import chosen
from facecond.config.models import GENERATIVE
from facecond.config.training import OptimizerKind, Precision
from facecond.data.batches import resident_bytes
from facecond.data.latents import LatentStore
from facecond.data.pack import Pack
from facecond.faces.names import NUM_CLASSES
from facecond.quantities import in_bytes
from facecond.training.muon import hidden_matrices
from facecond.training.state import BATCH_NORM

ON_A_GPU = 4 / 3
"""What an image is taken to need on a GPU for each byte counted, with kernels' own copies and gaps between blocks of memory: an
assumption. On an H200 it was enough for the first stage, and too little for a face parser and for what CUDA graphs keep
(benchmarks/results/2026-11-27-gpu.md)."""

COUNTED = 101
"""Images of the pass that is counted: a prime that divides no number of channels, so that what it divides grows with the images."""


class Growing(NamedTuple):
    """Bytes that grow with the number of images."""

    fixed: int
    each: int

    def of(self, images: int) -> int:
        """Bytes for so many images."""
        return self.fixed + self.each * images


class Account(NamedTuple):
    """Bytes that a training takes on its device."""

    weights: int
    """Weights and buffers, float32, those that are not trained included."""
    gradients: int
    moments: int
    """AdamW keeps two values a weight, Muon one of its matrices'."""
    averages: int
    data: int
    """What of the pack lies on the device."""
    kept: Growing
    """What a forward pass keeps for the backward pass; with gradient checkpointing, what it keeps outside of blocks, and their
    inputs."""
    blocks: tuple[Growing, ...]
    """What each block keeps while it is worked out again; none without gradient checkpointing."""
    divisible: bool
    """Whether a smaller micro-batch learns the same: there is no batch normalisation."""

    @property
    def states(self) -> int:
        """What does not depend on the micro-batch."""
        return self.weights + self.gradients + self.moments + self.averages + self.data

    def activations(self, images: int) -> int:
        """Bytes kept at once of a forward pass of `images` images; of blocks, the largest (the forward pass keeps their casts)."""
        casts = sum(block.fixed for block in self.blocks)
        return self.kept.of(images) + max([casts, *(block.of(images) for block in self.blocks)])

    def needed(self, images: int) -> int:
        """Bytes of a training whose micro-batches are `images` images."""
        return self.states + self.activations(images)

    def largest(self, images: int, there: float) -> int | None:
        """The largest divisor of `images` (with batch normalisation, all of them) that `there` bytes are enough for, or None."""
        fits = (part for part in range(images, 0, -1) if images % part == 0 and self.needed(part) <= there)
        return next((part for part in fits if self.divisible or part == images), None)

    def told(self, images: int) -> str:
        """What takes how much, for people."""
        parts = [(name, getattr(self, name)) for name in ("weights", "gradients", "moments", "averages", "data")]
        parts.append((f"activations of {images} images", self.activations(images)))
        return f"{in_bytes(self.needed(images))}: " + ", ".join(
            f"{name} {in_bytes(count)}" for name, count in parts if count
        )


def accounts(
    kind: str,
    config: Any,
    pack: Pack,
    device: str,
    precision: Precision,
    latents: LatentStore | None = None,
    memory: float = math.inf,
) -> tuple[Account, Account]:
    """Return what the training of `config` (a `TrainConfig` of `kind`) takes on a device of type `device` ("cpu", "cuda") that has
    `memory` bytes: without gradient checkpointing, and with it, whatever `config` says of that. One forward pass tells both.

    Nothing is read but shapes, and the GPU need not exist. `latents` are those a diffusion model learns, None for the pictures
    themselves. A first stage's perceptual network must be there, as for its training.
    """
    trainer = dataclasses.replace(config.trainer, gradient_checkpointing=False, compile=False)
    side = pack.resolution
    shape = latents.shape if latents else (NUM_CLASSES if kind == "maps" else 3, side, side)
    # A diffusion model's weights lie on a GPU as its learner says; the others' learner makes tensors where its data is.
    data: Any = SimpleNamespace(device=torch.device(device) if kind in GENERATIVE else META)
    with torch.random.fork_rng(devices=[]):
        learner, more, run = PASSES[kind](dataclasses.replace(config, trainer=trainer), side, shape, data)
    networks = nn.ModuleList([*learner.modules.values(), *more])
    parameters = (
        weight for phase in learner.phases for name in phase.modules for weight in learner.modules[name].parameters()
    )
    trained = {weight for weight in parameters if weight.requires_grad}
    muon = trainer.optimizer is OptimizerKind.muon
    matrices = hidden_matrices(learner.modules.values()) & trained if muon else set()
    averaged = (tensor for name in learner.averaged for tensor in learner.modules[name].state_dict().values())
    weights, gradients, averages = _size([*networks.parameters(), *networks.buffers()]), _size(trained), _size(averaged)
    moments = 2 * gradients - _size(matrices)
    with FakeTensorMode(allow_non_fake_inputs=True):  # `to_empty` would take twice as long
        networks._apply(lambda each: torch.empty_strided(each.size(), each.stride(), dtype=each.dtype, device=device))
        kept = _Kept(networks, BLOCKS.get(kind, ()))
        with kept, torch.device(device), _cast(device, precision), _Fused():
            kept.hold(run(COUNTED))
    share = ON_A_GPU if device == "cuda" else 1
    divisible = not any(isinstance(part, BATCH_NORM) for part in networks[: len(learner.modules)].modules())
    resident = _data(kind, config, pack, latents, memory)
    plain = Account(weights, gradients, moments, averages, resident, kept.whole(share), (), divisible)
    always, *blocks = kept.by_block(share)
    return plain, plain._replace(kept=always, blocks=tuple(blocks))


def _size(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _data(kind: str, config: Any, pack: Pack, latents: LatentStore | None, memory: float) -> int:
    conditions = chosen(config.model.conditions) if kind in GENERATIVE else ()
    maps = kind == "maps"
    images = not maps and latents is None
    return resident_bytes(pack, memory, latents=latents, images=images, maps=maps, conditions=conditions)


@contextmanager
def _cast(device: str, precision: Precision) -> Iterator[None]:
    """Autocast in bfloat16. Not `torch.autocast`, which turns itself off where there is no GPU."""
    before = torch.is_autocast_enabled(device), torch.get_autocast_dtype(device)
    torch.set_autocast_enabled(device, precision is Precision.bfloat16)
    torch.set_autocast_dtype(device, torch.bfloat16)
    try:
        yield
    finally:
        torch.set_autocast_enabled(device, before[0])
        torch.set_autocast_dtype(device, before[1])
        torch.clear_autocast_cache()


class _Fused(TorchFunctionMode):
    """Lets attention on a fake GPU keep what fused kernels do; where there is no GPU, torch plans to keep the probabilities."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function is F.scaled_dot_product_attention and args[0].device.type == "cuda":
            kind = torch.bfloat16 if torch.is_autocast_enabled("cuda") else torch.float32
            q, k, v = (each.to(kind) for each in args)
            return torch.ops.aten._scaled_dot_product_efficient_attention(q, k, v, None, True)[0]
        return function(*args, **(kwargs or {}))


class _Kept:
    """The storages that the graph of what runs inside keeps, `networks`' weights left out, by the block that they are of."""

    def __init__(self, networks: nn.Module, blocks: tuple[type[nn.Module], ...]) -> None:
        self._parts = [module for module in networks.modules() if isinstance(module, blocks)]
        tensors = [*networks.parameters(), *networks.buffers()]
        self._weights = {tensor.untyped_storage()._cdata for tensor in tensors}
        self._outside: dict[int, Any] = {}  # storages by their place; held, so that no place is used twice
        self._inputs: dict[int, Any] = {}
        self._blocks: list[dict[int, Any]] = []
        self._now = self._outside
        self._hooks = saved_tensors_hooks(lambda tensor: self._keep(tensor, self._now), lambda tensor: tensor)

    def __enter__(self) -> None:
        for part in self._parts:
            part.forward = partial(self._block, part.forward)
        self._hooks.__enter__()

    def __exit__(self, *reason: object) -> None:
        self._hooks.__exit__(*reason)
        for part in self._parts:
            del part.forward

    def _keep(self, tensor: Tensor, among: dict[int, Any]) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in self._weights:
            among[storage._cdata] = storage
        return tensor

    def hold(self, tensors: Iterable[Tensor]) -> None:
        """Count tensors that live as long as the graph."""
        for tensor in tensors:
            self._keep(tensor, self._outside)

    def _block(self, forward: Any, *inputs: Any) -> Any:
        for leaf in tree_leaves(inputs):
            if isinstance(leaf, Tensor):
                self._keep(leaf, self._inputs)
        self._now = {}
        self._blocks.append(self._now)
        answer = forward(*inputs)
        self._now = self._outside
        return answer

    def whole(self, share: float) -> Growing:
        """What is kept all the time without gradient checkpointing; `share`: what an image takes for each byte counted."""
        return _growing(dict(chain(self._outside.items(), *(block.items() for block in self._blocks))), share)

    def by_block(self, share: float) -> list[Growing]:
        """With gradient checkpointing, what is kept all the time, then what each block keeps while it runs again."""
        always = self._outside | self._inputs
        blocks = ({place: held for place, held in block.items() if place not in always} for block in self._blocks)
        return [_growing(each, share) for each in (always, *blocks)]


def _growing(storages: dict[int, Any], share: float) -> Growing:
    sizes = [held.nbytes() for held in storages.values()]
    growing = sum(size for size in sizes if size % COUNTED == 0)
    return Growing(sum(sizes) - growing, round(growing // COUNTED * share))
