"""Sampling with a loaded model, where commands do not look: its weights are cast once."""

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from facecond.assembly.generator import Generator, diffusion_networks
from facecond.config.compose import compose
from facecond.config.diffusion import GuidanceConfig, SamplerConfig
from facecond.config.training import Precision
from facecond.denoisers.denoiser import LatentScale


class Casts(TorchDispatchMode):
    """Counts how often each weight is cast."""

    def __init__(self, weights: list[Tensor]) -> None:
        super().__init__()
        self.places = {weight.data_ptr() for weight in weights}
        self.counts: dict[int, int] = {}

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function in (torch.ops.aten._to_copy.default, torch.ops.aten.to.dtype):
            for leaf in tree_leaves(args):
                if isinstance(leaf, Tensor) and leaf.data_ptr() in self.places:
                    self.counts[leaf.data_ptr()] = self.counts.get(leaf.data_ptr(), 0) + 1
        return function(*args, **(kwargs or {}))


def test_weights_are_cast_once_for_all_steps() -> None:
    torch.manual_seed(0)
    config = compose("train", ["model=multicond", "size=tiny", "model.denoiser.model_channels=32"]).config.model
    denoiser, conditioner = diffusion_networks(config, 3, 64)
    stage: Any = SimpleNamespace(network=SimpleNamespace(channels=3, factor=4))
    generator = Generator(
        config, denoiser.eval(), conditioner.eval(), LatentScale(3), "0" * 64, 64, torch.device("cpu"), stage
    )
    counts = []
    for steps in (1, 4):
        with Casts([*denoiser.parameters(), *conditioner.parameters()]) as casts:
            generator.latents(
                {},
                torch.zeros(1, 3, 16, 16),
                SamplerConfig(steps=steps),
                GuidanceConfig(scale=2.0),
                None,
                Precision.bfloat16,
            )
        counts.append(casts.counts)
    assert len(counts[0]) > 40
    assert counts[0] == counts[1]
