"""What a GPU does, seen on one: `pytest -m gpu tests/training/test_cuda.py`. Its numbers are the CPU's within the bounds below."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from facecond.assembly.generator import diffusion_networks
from facecond.autoencoder.quantise import nearest_codes
from facecond.commands.timing import drawn_pack, write_noise_latents
from facecond.config.compose import compose
from facecond.config.diffusion import Sampler
from facecond.data.pack import Pack
from facecond.diffusion.guidance import guide, stack
from facecond.diffusion.prediction import predictor
from facecond.diffusion.samplers import SAMPLERS
from facecond.diffusion.schedule import schedule_of
from facecond.training.loop import fit
from tests.training import steps
from tests.training.steps import run_of

pytestmark = pytest.mark.gpu

MODELS = ["vq", "parser", "classifier", "multicond", "mask_pooled", "uncond"]
STEPS = 12


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    pack = drawn_pack(tmp_path_factory.mktemp("cuda") / "pack", 64, faces=160, validation=16)
    write_noise_latents(pack)
    return pack


@pytest.fixture
def exact() -> Iterator[None]:
    """float32 is float32 in every product, and the same kernel every time."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cudnn.deterministic
    torch.backends.cudnn.allow_tf32, torch.backends.cudnn.deterministic = False, True
    yield
    torch.backends.cudnn.allow_tf32, torch.backends.cudnn.deterministic = before


def losses(model: str, pack: Pack, device: str, *words: str) -> list[float]:
    return steps.losses(run_of(model, pack, device, *words), STEPS)


@pytest.mark.usefixtures("exact")
@pytest.mark.parametrize("model", MODELS)
def test_learns_on_cuda_what_it_learns_on_the_cpu(model: str, pack: Pack) -> None:
    words = ("trainer.precision=float32", "trainer.capture=never")
    there, here = losses(model, pack, "cuda", *words), losses(model, pack, "cpu", *words)
    assert there[:4] == pytest.approx(here[:4], rel=1e-3)
    assert there == pytest.approx(here, rel=5e-2)  # rounding grows from step to step, fastest with batch normalisation


@pytest.mark.usefixtures("exact")
@pytest.mark.parametrize("model", MODELS)
def test_graphs_change_nothing(model: str, pack: Pack) -> None:
    words = "trainer.precision=float32", "trainer.capture=auto"
    run = run_of(model, pack, "cuda", *words)
    run.step()
    passes = [value for value in vars(run.learner).values() if type(value).__name__ == "Passes"]
    assert passes
    assert all(each._recorded is not None for each in passes)
    plain = losses(model, pack, "cuda", words[0], "trainer.capture=never")
    assert losses(model, pack, "cuda", *words) == pytest.approx(plain, rel=2e-3)


@pytest.mark.usefixtures("exact")
@pytest.mark.parametrize("capture", ["auto", "never"])
@pytest.mark.parametrize("model", ["vq", "multicond", "uncond"])
def test_gradient_checkpointing_changes_nothing(model: str, capture: str, pack: Pack) -> None:
    words = "trainer.precision=float32", f"trainer.capture={capture}"
    plain = losses(model, pack, "cuda", *words)
    assert losses(model, pack, "cuda", *words, "trainer.gradient_checkpointing=true") == pytest.approx(plain, rel=2e-3)


@pytest.mark.parametrize("model", MODELS)
def test_graphs_change_little_in_bfloat16(model: str, pack: Pack) -> None:
    words = "trainer.precision=bfloat16", "trainer.capture=auto"
    plain = losses(model, pack, "cuda", words[0], "trainer.capture=never")
    assert losses(model, pack, "cuda", *words) == pytest.approx(plain, rel=5e-2)


@pytest.mark.usefixtures("exact")
def test_micro_batches_add_up_with_graphs(pack: Pack) -> None:
    words = "trainer.precision=float32", "model.mask.norm=group"
    whole = losses("multicond", pack, "cuda", *words)
    assert losses("multicond", pack, "cuda", *words, "trainer.micro_batch=4") == pytest.approx(whole, rel=2e-3)


@pytest.mark.parametrize("capture", ["auto", "never"])
@pytest.mark.parametrize("model", MODELS)
def test_no_step_waits_for_the_device(model: str, capture: str, pack: Pack) -> None:
    """A first stage's does once its quantiser is in: whether the nearest code is certain is asked (nearest_codes)."""
    run = run_of(model, pack, "cuda", f"trainer.capture={capture}")
    for _ in range(3):
        run.step()
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(3):
            run.step()
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.usefixtures("exact")
@pytest.mark.parametrize("sampler", list(Sampler))
@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_samples_what_the_cpu_samples(sampler: Sampler, eta: float) -> None:
    config = compose("train", ["model=multicond", "size=tiny"]).config.model
    torch.manual_seed(0)
    denoiser, conditioner = diffusion_networks(config, 3, 64)
    with torch.no_grad():
        for weight in denoiser.parameters():
            weight.add_(0.02 * torch.randn_like(weight))  # what starts at zero would answer zero
    noise, fresh = torch.randn(2, 4, 3, 16, 16)
    found = {}
    for device in ("cpu", "cuda"):
        denoiser.to(device), conditioner.to(device)
        values = {each.name: each.nothing(4, 64, device) for each in conditioner.conditions}
        with torch.inference_mode():
            guided = stack(conditioner.chain(values), [2.0, 1.5])
            denoise = guide(denoiser.bind(guided.context), guided.shares)
            found[device] = SAMPLERS[sampler](
                predictor(denoise, config.target), noise.to(device), schedule_of(config.schedule), steps=10, eta=eta,
                noise_source=lambda step, device=device: fresh.to(device),
            ).cpu()  # fmt: skip
    torch.testing.assert_close(found["cuda"], found["cpu"], atol=1e-3, rtol=1e-3)


def test_nearest_codes_are_the_cpus() -> None:
    latents, codes = torch.randn(5000, 3), torch.randn(1024, 3)
    assert torch.equal(nearest_codes(latents.cuda(), codes.cuda()).cpu(), nearest_codes(latents, codes))


@pytest.mark.usefixtures("exact")
def test_continues_where_it_stopped(pack: Pack, tmp_path: Path) -> None:
    def ended(folder: str, *parts: int) -> torch.Tensor:
        for images in parts:
            run = run_of("multicond", pack, "cuda", "trainer.precision=float32", "trainer.schedule=constant")
            settings = dataclasses.replace(run.config, images=images, log_every=160, evaluate_every=160)
            state = fit(run.learner, settings, tmp_path / folder, weights_config={})
        return torch.cat([tensor.flatten().float().cpu() for tensor in state.exported().values()])

    start, whole, parts = ended("start", 16), ended("whole", 320), ended("parts", 160, 320)
    assert (parts - whole).norm() < 0.05 * (whole - start).norm()
