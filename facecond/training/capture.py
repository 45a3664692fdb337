"""Forward and backward pass of a network as two CUDA graphs, recorded once and replayed at every step.

A small network's step is hundreds of kernels, each shorter than the time the host takes to start it; a graph starts them all
at once. What is recorded is what runs otherwise: the same kernels, on inputs of the same shapes, with the weights where they
are. On a CPU nothing is recorded.
"""

from __future__ import annotations

import logging
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from facecond.config.settings import first_line
from facecond.config.training import Capture, Precision
from facecond.memory import is_out_of_memory
from facecond.training.device import autocast
from facecond.training.learner import Step

log = logging.getLogger("facecond")


class Passes:
    """Calls `module` on tensors (also nested in dicts and tuples) in the precision of a step; on a GPU by replaying graphs.

    The answers live until the next call. Graphs are recorded at the first call whose step passes its whole share of the batch at
    once: gradients of several micro-batches would lie in one place.
    """

    def __init__(self, module: nn.Module, capture: Capture) -> None:
        """`capture`: as the trainer says, or never where the answers of a step are needed twice."""
        self.module = module
        self._wanted = capture is Capture.auto
        self._recorded: _Pass | None = None
        self._shapes: list[torch.Size] = []

    def __call__(self, step: Step, *inputs: Any) -> Any:
        """Return `module(*inputs)`."""
        if not step.whole:
            self._recorded = None  # what it keeps for itself is memory that the smaller micro-batches want
        elif self._wanted and step.device.type == "cuda" and torch.is_grad_enabled():
            if self._recorded is None:
                self._record(step.precision, step.device, inputs)
            if self._recorded is not None and self._shapes == _shapes(inputs):
                return self._recorded(*inputs)
        with step.autocast():
            return self.module(*inputs)

    def _record(self, precision: Precision, device: torch.device, inputs: tuple[Any, ...]) -> None:
        """Record both passes; where that fails, say so and never try again."""
        buffers = [(buffer, buffer.clone()) for buffer in self.module.buffers()]  # running statistics count no trial
        places = tree_map(lambda each: each.detach().clone().requires_grad_(each.requires_grad), inputs)
        try:
            recorded = torch.cuda.make_graphed_callables(
                _Pass(self.module, precision, device), places, allow_unused_input=True
            )
        except (RuntimeError, AssertionError) as error:
            if is_out_of_memory(error):
                raise
            self._wanted = False
            log.info("steps are not captured in a CUDA graph (%s)", first_line(error))
            return
        finally:
            with torch.no_grad():
                for buffer, kept in buffers:
                    buffer.copy_(kept)
        # The nodes that gather gradients were made while recording, on a stream of its own: torch says so at every step.
        if silence := getattr(torch.autograd.graph, "set_warn_on_accumulate_grad_stream_mismatch", None):
            silence(False)
        self._recorded, self._shapes = cast(_Pass, recorded), _shapes(inputs)


class _Pass(nn.Module):
    """What is recorded. Its own type, since recording replaces the `forward` of the module it is given."""

    def __init__(self, module: nn.Module, precision: Precision, device: torch.device) -> None:
        super().__init__()
        self.module, self.precision, self.device = module, precision, device

    def forward(self, *inputs: Any) -> Any:
        # The weights cast once for all of a pass would be cast at recording alone: no cache.
        with autocast(self.precision, self.device, cache=False):
            return self.module(*inputs)


def _shapes(inputs: tuple[Any, ...]) -> list[torch.Size]:
    return [leaf.shape for leaf in tree_leaves(inputs) if isinstance(leaf, Tensor)]
