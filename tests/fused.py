"""Which kernel attention runs in."""

import torch


def fused(block: torch.nn.Module, shape: tuple[int, ...]) -> bool:
    """Whether attention of `block` on an input of `shape` runs in torch's fused kernel."""
    with torch.no_grad(), torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        block(torch.randn(shape))
    return any("flash_attention" in event.name for event in profile.events())
