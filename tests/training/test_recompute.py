"""Gradient checkpointing keeps less and learns the same."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from facecond.autoencoder.vq import AttnBlock, ResnetBlock, VQModel
from facecond.commands.timing import drawn_pack, write_noise_latents
from facecond.config.networks import VQConfig
from facecond.data.pack import Pack
from facecond.denoisers.table import DENOISERS
from facecond.learners.diffusion import RECOMPUTED
from facecond.training.recompute import recompute
from tests.denoisers.test_table import CONFIGURATIONS, SMALL, example
from tests.denoisers.test_unet import awake
from tests.training.steps import RoundTrip, losses, run_of


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    pack = drawn_pack(tmp_path_factory.mktemp("recompute") / "pack", 32, faces=40, validation=8)
    write_noise_latents(pack)
    return pack


def passed(network: nn.Module, *inputs: Any) -> tuple[dict[str, Tensor], int]:
    """Gradients of a pass, and the bytes kept for it besides weights."""
    kept: dict[int, int] = {}
    weights = {weight.untyped_storage().data_ptr() for weight in network.parameters()}

    def keep(tensor: Tensor) -> Tensor:
        place = tensor.untyped_storage().data_ptr()
        if place not in weights:
            kept[place] = tensor.untyped_storage().nbytes()
        return tensor

    network.zero_grad(set_to_none=True)
    with saved_tensors_hooks(keep, lambda tensor: tensor):
        answer = network(*inputs)
    answer.square().mean().backward()
    return {name: weight.grad for name, weight in network.named_parameters() if weight.grad is not None}, sum(
        kept.values()
    )


def check(network: nn.Module, blocks: tuple[type[nn.Module], ...], *inputs: Any) -> None:
    plain, of_all = passed(network, *inputs)
    names = list(network.state_dict())
    recompute(network, blocks)
    again, of_inputs = passed(network, *inputs)
    assert list(network.state_dict()) == names
    assert plain.keys() == again.keys()
    for name, gradient in plain.items():
        torch.testing.assert_close(again[name], gradient, rtol=1e-6, atol=1e-7)
    assert of_inputs < 0.5 * of_all
    network.eval()
    with torch.no_grad():
        network(*inputs)


@pytest.mark.parametrize("conditional", [True, False])
@pytest.mark.parametrize("kind", sorted(DENOISERS))
def test_denoisers_keep_less_and_have_the_same_gradients(kind: str, conditional: bool) -> None:
    torch.manual_seed(0)
    z, time, context = example()
    network = DENOISERS[kind](CONFIGURATIONS[kind](**SMALL[kind]), channels=3, context_dim=24 if conditional else None)
    check(awake(network), RECOMPUTED, z, time, context if conditional else None)


def test_first_stages_keep_less_and_have_the_same_gradients() -> None:
    torch.manual_seed(0)
    network = RoundTrip(VQModel(VQConfig(ch=8, ch_mult=[1, 2], num_res_blocks=1, n_embed=16, norm_groups=4)))
    check(network, (ResnetBlock, AttnBlock), torch.randn(2, 3, 32, 32))


def fifty(model: str, pack: Pack, *words: str) -> list[float]:
    return losses(run_of(model, pack, "cpu", "trainer.precision=float32", *words, batch=8), 50)


SETTINGS = {
    # Before the codebook is filled. The L1 term's gradient has a sign alone, so that rounding grows with the learning rate.
    "vq": [
        "model.network.ch=8", "model.network.norm_groups=4", "model.network.n_embed=64", "model.training.quantise_after=1",
        "trainer.learning_rate=1e-4",
    ],
    "multicond": [
        "model.denoiser.model_channels=32", "model.denoiser.head_channels=32", "model.mask.width=8", "model.token_width=32",
        "trainer.learning_rate=1e-4",  # at ten times the rate rounding has grown to 8e-5 after 50 steps
    ],
}  # fmt: skip


@pytest.mark.parametrize("more", [
    pytest.param(["trainer.gradient_checkpointing=true"], marks=pytest.mark.slow),
    pytest.param(["trainer.gradient_checkpointing=true", "trainer.micro_batch=4"], marks=pytest.mark.slow),
    pytest.param(["trainer.micro_batch=1"], marks=pytest.mark.slow),
    pytest.param(["trainer.micro_batch=2"], marks=pytest.mark.slow),
    pytest.param(["trainer.micro_batch=4"], marks=pytest.mark.slow),
], ids=" ".join)  # fmt: skip
@pytest.mark.parametrize(
    "model", [pytest.param(model, marks=[pytest.mark.slow] if model == "vq" else []) for model in SETTINGS]
)
def test_fifty_steps_are_the_same(model: str, more: list[str], pack: Pack) -> None:
    plain = fifty(model, pack, *SETTINGS[model])
    assert fifty(model, pack, *SETTINGS[model], *more) == pytest.approx(plain, rel=1e-5)
