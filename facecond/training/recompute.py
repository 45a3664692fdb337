"""Gradient checkpointing (Chen et al. 2016, arXiv 1604.06174): a block's activations are worked out again in the backward pass
instead of being kept from the forward pass. Less memory, about a third more time, the same gradients."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint


def recompute(network: nn.Module, blocks: tuple[type[nn.Module], ...]) -> None:
    """Let every module of `network` whose type is in `blocks`, none within another, keep its inputs alone.

    For blocks that draw no random numbers and count nothing (BatchNorm would count twice).
    """
    for module in network.modules():
        if isinstance(module, blocks):
            module.forward = partial(_again, module.forward)


def _again(forward: Any, *inputs: Any) -> Any:
    if not torch.is_grad_enabled():
        return forward(*inputs)
    return checkpoint(forward, *inputs, use_reentrant=False, preserve_rng_state=False)
