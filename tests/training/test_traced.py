"""torch.compile sees each network as one graph: nothing in a pass falls back to Python (traced here, not compiled)."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from facecond.assembly.generator import diffusion_networks
from facecond.autoencoder.vq import VQModel
from facecond.config.compose import compose
from facecond.config.networks import ClassifierConfig, ClassifierKind, ParserConfig, ParserKind
from facecond.denoisers.table import DENOISERS
from facecond.judges.classifier import build_classifier
from facecond.judges.parser import build_parser
from facecond.learners.diffusion import RECOMPUTED, Answer
from facecond.learners.parser import Heads
from facecond.training.recompute import recompute
from tests.training.steps import RoundTrip

pytestmark = pytest.mark.slow

SMALL = {
    "unet": ["model.denoiser.model_channels=32", "model.denoiser.head_channels=32"],
    "transformer": ["model.denoiser.width=64", "model.denoiser.head_channels=32"],
}


def check(network: nn.Module, *inputs: Any) -> None:
    """Trace a pass and its backward pass whole; both give what the network gives."""
    torch.set_num_threads(1)
    torch._dynamo.reset()
    network.eval()
    traced = torch.compile(network, backend="eager", fullgraph=True)  # raises where a graph would break
    found, expected = traced(*inputs), network(*inputs)
    torch.testing.assert_close(found, expected)
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    gradients = [torch.autograd.grad(total(answer), weights, allow_unused=True) for answer in (found, expected)]
    torch.testing.assert_close(gradients[0], gradients[1])


def total(answer: Any) -> Tensor:
    return (
        sum((each.square().mean() for each in answer), torch.zeros(()))
        if isinstance(answer, tuple)
        else answer.square().mean()
    )


@pytest.mark.parametrize("again", [False, True], ids=["kept", "recomputed"])
@pytest.mark.parametrize("model", ["multicond", "mask_pooled", "uncond"])
@pytest.mark.parametrize("kind", sorted(DENOISERS))
def test_denoisers(kind: str, model: str, again: bool) -> None:
    config = compose("train", [f"model={model}", "size=tiny", f"denoiser={kind}", *SMALL[kind]]).config.model
    torch.manual_seed(0)
    denoiser, conditioner = diffusion_networks(config, 3, 64)
    with torch.no_grad():
        for weight in denoiser.parameters():
            weight.add_(0.02 * torch.randn_like(weight))  # what starts at zero would answer zero
    if again:
        recompute(denoiser, RECOMPUTED)
    values = {each.name: each.nothing(2, 64) for each in conditioner.conditions}
    keep = {name: torch.tensor([True, False]) for name in values}
    check(Answer(denoiser, conditioner), torch.randn(2, 3, 16, 16), torch.tensor([3.0, 500.0]).double(), values, keep)


def test_the_first_stage() -> None:
    config = compose("train", ["model=vq", "size=tiny"]).config.model.network
    check(RoundTrip(VQModel(config)), torch.randn(2, 3, 64, 64))


@pytest.mark.parametrize("kind", list(ParserKind))
def test_parsers(kind: ParserKind) -> None:
    check(Heads(build_parser(ParserConfig(kind=kind, input_size=64))), torch.zeros(2, 3, 64, 64, dtype=torch.uint8))


@pytest.mark.parametrize("kind", list(ClassifierKind))
def test_classifiers(kind: ClassifierKind) -> None:
    check(build_classifier(ClassifierConfig(kind=kind, input_size=64)), torch.zeros(2, 3, 64, 64, dtype=torch.uint8))
