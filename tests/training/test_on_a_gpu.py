"""What a GPU would do, seen without one: forward passes of every network on fake CUDA tensors, on which nothing is computed.

A tensor of the CPU among them is a copy at every step; a value that the host reads would wait for the device. Neither can be
recorded in a CUDA graph (facecond.training.capture).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from facecond.assembly.generator import diffusion_networks
from facecond.autoencoder.vq import VQModel
from facecond.conditions.table import CONDITIONS
from facecond.config.compose import compose
from facecond.config.diffusion import Sampler, ScheduleConfig, Target
from facecond.config.networks import ClassifierConfig, ClassifierKind, ParserConfig, ParserKind
from facecond.denoisers.table import DENOISERS
from facecond.diffusion.guidance import guide, stack
from facecond.diffusion.prediction import predictor
from facecond.diffusion.samplers import SAMPLERS
from facecond.diffusion.schedule import Spacing, schedule_of
from facecond.judges.classifier import build_classifier
from facecond.judges.parser import build_parser
from facecond.learners.diffusion import Answer, nearest
from facecond.learners.parser import Heads
from facecond.training.muon import Muon
from facecond.types import Level

CUDA = torch.device("cuda")
BATCH = 4

DIFFUSION = ["attr", "mask", "mask_pooled", "multicond", "sketch", "sketch_attr", "uncond"]


class OnDevice(TorchDispatchMode):
    """Fails where an operation takes or gives a tensor of the CPU; fake tensors fail by themselves where the host reads one."""

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        given = function(*args, **kwargs)
        for leaf in tree_leaves((args, kwargs, given)):
            assert not isinstance(leaf, Tensor) or leaf.device.type == "cuda", f"{function} meets a tensor of the CPU"
        return given


def check(build: Callable[[], Callable[[], Any]]) -> Any:
    """Build networks and inputs on the fake GPU, then run what `build` returned under `OnDevice`."""
    with FakeTensorMode():
        with CUDA:
            run = build()
        with OnDevice():
            return run()


@cache
def composed(*words: str) -> Any:
    return compose("train", words).config


def diffusion(name: str, *words: str) -> tuple[Any, Any, Any, dict[str, Tensor]]:
    config = composed(f"model={name}", *words)
    resolution = 256 if config.model.denoiser.kind == "unet" and config.model.denoiser.model_channels > 100 else 64
    denoiser, conditioner = diffusion_networks(config.model, 3, resolution)
    values = {}
    for each in conditioner.conditions:
        values[each.name] = each.nothing(BATCH, resolution, CUDA)
    return config.model, denoiser, conditioner, values


@pytest.mark.parametrize("name", DIFFUSION)
@pytest.mark.parametrize("kind", sorted(DENOISERS))
def test_training_pass_of_every_model_stays_on_the_device(name: str, kind: str) -> None:
    def build() -> Callable[[], Any]:
        _, denoiser, conditioner, values = diffusion(name, "size=tiny", f"denoiser={kind}")
        z, time = torch.zeros(BATCH, 3, 16, 16), torch.zeros(BATCH, dtype=torch.float64)
        keep = {each: torch.zeros(BATCH, dtype=torch.bool) for each in values} if conditioner.optional else {}
        answer = Answer(denoiser, conditioner)
        return lambda: answer(z, time, values, keep)

    assert check(build).shape == (BATCH, 3, 16, 16)


def test_paper_sized_pass_stays_on_the_device() -> None:
    def build() -> Callable[[], Any]:
        _, denoiser, conditioner, values = diffusion("multicond")
        answer = Answer(denoiser, conditioner)
        z, time = torch.zeros(BATCH, 3, 64, 64), torch.zeros(BATCH, dtype=torch.int64)
        return lambda: answer(z, time, values, {})

    assert check(build).shape == (BATCH, 3, 64, 64)


@pytest.mark.parametrize("kind", list(ParserKind))
def test_parsers_stay_on_the_device(kind: ParserKind) -> None:
    def build() -> Callable[[], Any]:
        heads = Heads(build_parser(ParserConfig(kind=kind)))
        pictures = torch.zeros(BATCH, 3, 64, 64, dtype=torch.uint8)
        return lambda: heads(pictures)

    assert check(build)[0].shape == (BATCH, 19, 64, 64)


@pytest.mark.parametrize("kind", list(ClassifierKind))
def test_classifiers_stay_on_the_device(kind: ClassifierKind) -> None:
    def build() -> Callable[[], Any]:
        network = build_classifier(ClassifierConfig(kind=kind))
        pictures = torch.zeros(BATCH, 3, 64, 64, dtype=torch.uint8)
        return lambda: network(pictures)

    assert check(build).shape == (BATCH, 40)


@pytest.mark.parametrize("size", ["tiny", "paper"])
def test_first_stage_stays_on_the_device(size: str) -> None:
    def build() -> Callable[[], Any]:
        network = VQModel(composed("model=vq", f"size={size}").model.network)
        pictures = torch.zeros(BATCH, 3, 64, 64)
        return lambda: network.decode_unquantised(network.encode(pictures))

    assert check(build).shape == (BATCH, 3, 64, 64)


class Planned:
    """A schedule whose levels are planned beforehand, on the CPU."""

    def __init__(self) -> None:
        schedule = schedule_of(ScheduleConfig())
        self.levels = {spacing: schedule.falling(3, spacing) for spacing in Spacing}

    def falling(self, steps: int, spacing: Spacing) -> list[Level[float]]:
        assert steps == 3
        return self.levels[spacing]


@pytest.mark.parametrize("sampler", list(Sampler))
@pytest.mark.parametrize("eta", [0.0, 1.0])
@pytest.mark.parametrize("target", list(Target))
def test_sampling_reads_nothing_on_the_host(sampler: Sampler, eta: float, target: Target) -> None:
    schedule = Planned()

    def build() -> Callable[[], Any]:
        network = nn.Conv2d(3, 3, 3, padding=1)
        noise, fresh = torch.zeros(BATCH, 3, 16, 16), torch.zeros(BATCH, 3, 16, 16)

        def denoise(z_BCHW: Tensor, time_B: Tensor) -> Tensor:
            return network(z_BCHW) * time_B[:, None, None, None].to(z_BCHW)

        def run() -> Any:
            return SAMPLERS[sampler](
                predictor(denoise, target), noise, schedule, steps=3, eta=eta,  # type: ignore[arg-type]
                noise_source=lambda step: fresh,
            )  # fmt: skip

        return run

    assert check(build).shape == (BATCH, 3, 16, 16)


def test_a_guided_step_stays_on_the_device() -> None:
    def build() -> Callable[[], Any]:
        _, denoiser, conditioner, values = diffusion("multicond", "size=tiny")
        guided = stack(conditioner.chain(values), [2.0, 1.5])
        denoise = guide(denoiser.bind(guided.context), guided.shares)
        z, time = torch.zeros(BATCH, 3, 16, 16), torch.zeros(BATCH)
        return lambda: denoise(z, time)

    assert check(build).shape == (BATCH, 3, 16, 16)


def test_an_update_of_muon_stays_on_the_device() -> None:
    def build() -> Callable[[], Any]:
        weights = [nn.Parameter(torch.zeros(*shape)) for shape in [(32, 32), (32, 20, 3, 3), (96, 32), (96, 32), (32,)]]
        muon = Muon(weights, set(weights[:4]), lr=0.1, betas=(0.9, 0.999), weight_decay=0.1)
        for weight in weights:
            weight.grad = torch.ones_like(weight)
        return lambda: muon.step() or weights[1]

    assert check(build).shape == (32, 20, 3, 3)


def test_the_nearest_noise_is_chosen_on_the_device() -> None:
    def build() -> Callable[[], Any]:
        candidates, z0 = torch.zeros(BATCH, 5, 3, 8, 8), torch.zeros(BATCH, 3, 8, 8)
        return lambda: nearest(candidates, z0)

    assert check(build).shape == (BATCH, 3, 8, 8)


def test_every_condition_is_among_the_models() -> None:
    met = {name for model in DIFFUSION for name in composed(f"model={model}").model.conditions}
    assert met == set(CONDITIONS)


def test_a_tensor_of_the_cpu_is_seen() -> None:
    def build() -> Callable[[], Any]:
        here, there = torch.zeros(2), torch.ones(2, device="cpu")
        return lambda: here + there.to(CUDA)

    with pytest.raises(AssertionError, match="CPU"):
        check(build)
