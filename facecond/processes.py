"""The processes that share one command's work: as many as torchrun started, else one.

Training averages gradients by hand, because then accumulation, several phases and parameters without a gradient need no special
cases, a backward pass may be a CUDA graph, and one process runs exactly the code that many run. torch is loaded only where there
are several, or a tensor to hand on.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from facecond.errors import ConfigError, FacecondError
from facecond.stopping import Stopped

if TYPE_CHECKING:
    from torch import Tensor, nn

T = TypeVar("T")
R = TypeVar("R")

_BUCKET = 32 * 1024 * 1024
"""Gradients travel in pieces of about this many bytes."""


class OtherProcessError(FacecondError):
    """Another process failed and reported why; this one ends without a message."""

    exit_status = 2


def started(name: str, otherwise: int) -> int:
    """A number that torchrun tells the processes it starts in their environment. Raises ConfigError for what is none."""
    value = os.environ.get(name, str(otherwise))
    if not (value.isascii() and value.isdecimal()):
        raise ConfigError(
            f"{name}={value!r} in the environment: expected a number", hint="torchrun sets it; else unset it"
        )
    return int(value)


class Processes(NamedTuple):
    """This process among those of one command."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    """Number of this process on its machine, which is the number of its GPU."""

    @classmethod
    def from_environment(cls) -> Processes:
        """Join the other processes when torchrun started this one; else be alone. Use as a context manager, once,
        before any tensor reaches a GPU.
        """
        if started("WORLD_SIZE", 1) == 1:
            return cls()
        import torch
        import torch.distributed as dist

        rank, size, local_rank = (started(name, 0) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        if not dist.is_initialized():
            # The first process evaluates and writes alone; the others wait for it that long.
            timeout = timedelta(hours=2)
            store, rank, size = next(iter(dist.rendezvous("env://", timeout=timeout)))
            # torchrun keeps the store when it starts killed processes again: theirs are other addresses.
            store = dist.PrefixStore(f"start {os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store)
            dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=timeout)
        return cls(rank, size, local_rank)

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *reason: object) -> None:
        """Part from the other processes, if there are any."""
        if self.size == 1:
            return
        import torch.distributed as dist

        if dist.is_initialized():
            dist.destroy_process_group()

    @property
    def first(self) -> bool:
        """Whether this process writes the files and the log."""
        return self.rank == 0

    def all_do(self, work: Callable[[], R]) -> R:
        """Let every process do `work`, which calls no other one, and wait for all; what fails in one fails everywhere.

        Raises what `work` raises here, OtherProcessError when it failed elsewhere.
        """
        try:
            done = work()
        except Stopped:  # every process is told to stop: none waits for the others
            raise
        except BaseException:
            self.any([True])
            raise
        if any(self.any([False])):
            raise OtherProcessError("another process failed")
        return done

    def first_does(self, work: Callable[[], object]) -> None:
        """Let the first process do `work` while the others wait; see `all_do`."""
        self.all_do(lambda: work() if self.first else None)

    @contextmanager
    def first_enters(self, context: Callable[[], AbstractContextManager[object]]) -> Iterator[None]:
        """Let the first process be inside `context()` while the block runs in all; see `all_do` for what fails on the way in."""
        with ExitStack() as inside:
            self.first_does(lambda: inside.enter_context(context()))
            yield

    def average(self, tensors: Iterable[Tensor]) -> None:
        """Replace each tensor by its mean over the processes."""
        if self.size == 1:
            return
        import torch
        import torch.distributed as dist

        for bucket in _buckets(tensors):
            flat = torch.cat([tensor.reshape(-1) for tensor in bucket])
            dist.all_reduce(flat)
            flat /= self.size
            pieces = flat.split([tensor.numel() for tensor in bucket])
            for tensor, piece in zip(bucket, pieces, strict=True):
                tensor.copy_(piece.view_as(tensor))

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace the gradients of `parameters` by their means; which of them have one is the same in every process."""
        if self.size > 1:
            self.average(weight.grad for weight in parameters if weight.grad is not None)

    def total(self, tensor: Tensor) -> Tensor:
        """Replace a tensor by its sum over the processes, and return it."""
        if self.size > 1:
            import torch.distributed as dist

            dist.all_reduce(tensor)
        return tensor

    def gather(self, value: T) -> list[T]:
        """Return what every process hands in, in their order, in the first one; nothing in the others."""
        if self.size == 1:
            return [value]
        import torch.distributed as dist

        every: list[T] | None = [value] * self.size if self.first else None
        dist.gather_object(value, every)
        return every or []

    def as_first(self, value: T) -> T:
        """Return what the first process hands in."""
        if self.size == 1:
            return value
        import torch.distributed as dist

        told = [value]
        dist.broadcast_object_list(told)
        return told[0]

    def share_out(self, pieces: Sequence[T], work: Callable[[T], R], take: Callable[[R], object]) -> None:
        """Let the processes do `work` on one piece each until there are none left; the first process takes what comes of them,
        in the order of the pieces. See `all_do` for what fails.
        """
        for start in range(0, len(pieces), self.size):
            dealt = pieces[start : start + self.size]
            own = dealt[self.rank : self.rank + 1]
            done = self.gather(self.all_do(partial(_each, work, own)))
            self.first_does(partial(_each, take, [found for one in done for found in one]))

    def any(self, flags: Sequence[bool]) -> list[bool]:
        """Return for each flag whether some process raises it. Runs on the CPU: no accelerator is waited for."""
        if self.size == 1:
            return list(flags)
        import torch
        import torch.distributed as dist

        raised = torch.tensor(flags, dtype=torch.int32)
        dist.all_reduce(raised, op=dist.ReduceOp.MAX)
        return [bool(flag) for flag in raised.tolist()]

    def share(self, modules: Iterable[nn.Module]) -> None:
        """Give every process the first one's weights and buffers."""
        if self.size == 1:
            return
        import torch.distributed as dist

        for module in modules:
            for tensor in module.state_dict().values():
                dist.broadcast(tensor, src=0)


ALONE = Processes()
"""One process, the usual case."""


def _each(work: Callable[[T], R], pieces: Iterable[T]) -> list[R]:
    """What `work` gives for each piece."""
    return [work(piece) for piece in pieces]


def _buckets(tensors: Iterable[Tensor]) -> Iterable[list[Tensor]]:
    """Group tensors of one type into pieces of limited size, in order."""
    bucket: list[Tensor] = []
    size = 0
    for tensor in tensors:
        if bucket and (size >= _BUCKET or tensor.dtype != bucket[0].dtype):
            yield bucket
            bucket, size = [], 0
        bucket.append(tensor)
        size += tensor.numel() * tensor.element_size()
    if bucket:
        yield bucket
