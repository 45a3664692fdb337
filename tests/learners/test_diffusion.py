import numpy as np
import pytest
import torch

from facecond.conditions.conditioner import Conditioner
from facecond.conditions.spatial import Norm, SpatialSettings
from facecond.config.compose import compose
from facecond.config.diffusion import (
    DiffusionConfig,
    LevelDraw,
    ScheduleConfig,
    ScheduleShape,
    Target,
    Weighting,
    WeightingConfig,
)
from facecond.config.networks import Position, UNetConfig
from facecond.config.training import OptimizerKind
from facecond.denoisers.denoiser import LatentScale
from facecond.denoisers.unet import UNet
from facecond.diffusion.loss import Loss
from facecond.diffusion.schedule import BetaSchedule
from facecond.errors import ConfigError
from facecond.io.checkpoint import load_weights, split_modules
from facecond.io.documents import Record, read_records
from facecond.learners.diffusion import DiffusionLearner, by_snr
from facecond.rng import torch_generator
from facecond.training.loop import fit
from tests.learners.faces import SIZE, apart, last_state, step_of, trainer

UNET = UNetConfig(
    model_channels=16, channel_mult=[1, 2], num_res_blocks=1, attention_downsamplings=[2], head_channels=16,
    norm_groups=8, position=Position.shared,
)  # fmt: skip


def make(
    latents, *, norm=Norm.batch, dropout=0.1, conditions=("attributes", "mask"), draw_grid=None, target=Target.eps,
    schedule=None, candidates=1, **changes,
):  # fmt: skip
    torch.manual_seed(0)
    config = DiffusionConfig(
        conditions=list(conditions), token_width=16, denoiser=UNET, condition_dropout=dropout, partial_dropout=dropout,
        mask=SpatialSettings(width=4, channel_mult=[1, 2], depth=1, norm=norm),
        standardise_latents=True, target=target, schedule=schedule or ScheduleConfig(),
        noise_candidates=candidates,
    )  # fmt: skip
    unet = UNet(UNET, context_dim=16 if conditions else None)
    with torch.no_grad():  # without this the output is zero at the start, and so are nearly all gradients
        unet.out[-1].weight.normal_(0, 0.02, generator=torch.Generator().manual_seed(1))
    settings = trainer(**({"ema_decay": 0.99} | changes))
    scale = LatentScale(3, [0.1, 0.2, -0.1], [0.5, 0.4, 0.6])
    conditioner = Conditioner(config.told(), token_width=16, optional=config.optional, resolution=SIZE)
    return DiffusionLearner(
        unet, conditioner, scale, config, WeightingConfig(name=Weighting.p2), settings,
        train=latents[0], validation=latents[1], identity={"pack": "drawn"}, draw_grid=draw_grid,
    )  # fmt: skip


def test_learns(latents, tmp_path):
    asked = []

    def draw_grid(request):
        asked.append(request.noise_BCHW.clone())
        return np.zeros((8, 8, 3), np.uint8)

    learner = make(latents, images=640, evaluate_every=240, draw_grid=draw_grid)
    fit(learner, learner.trainer, tmp_path / "run", weights_config={"kind": "diffusion"})
    lines = read_records(tmp_path / "run" / "metrics.jsonl", Record)
    evaluations = [line for line in lines if line["kind"] == "evaluation"]
    assert [line["images_seen"] for line in evaluations] == [240, 480, 640]
    losses = [line["loss"] for line in lines if line["kind"] == "training"]
    assert losses[-1] < 0.75 * losses[0]
    assert evaluations[-1]["noise_error"] < evaluations[0]["noise_error"] < 1.2
    assert evaluations[-1]["noise_error_coarse"] < evaluations[-1]["noise_error_clean_up"]
    assert len(asked) == 3
    assert all(torch.equal(noise, asked[0]) for noise in asked)
    weights = load_weights(tmp_path / "run" / "weights.safetensors")
    modules = split_modules(weights.tensors)
    assert modules.keys() == {"denoiser", "conditioner", "scale"}
    assert torch.equal(modules["scale"]["std"], learner.scale.std)
    assert not torch.equal(modules["denoiser"]["out.2.weight"], learner.denoiser.out[-1].weight)  # the average


def test_same_evaluation_twice(latents):
    learner = make(latents)
    learner.denoiser.eval(), learner.conditioner.eval()
    with torch.no_grad():
        assert learner.evaluate(0).figures == learner.evaluate(640).figures


def test_loss_is_the_papers(latents):
    """Equation 4: the squared error of the noise over (1 + SNR)^0.5, here from the schedule's own definition."""
    learner = make(latents, dropout=0.0)
    learner.denoiser.eval(), learner.conditioner.eval()
    step = step_of(learner, count=8)
    loss, figures = learner.loss("diffusion", step)
    batch = latents[0].batch(step.indices_B, step.flips_B)
    noise = step.normal("noise", 3, 8, 8)
    t = step.drawn("timesteps", lambda count, source: torch.randint(1000, (count,), generator=source))
    assert t.min() >= 0
    assert t.max() <= 999
    betas = torch.linspace(0.0015**0.5, 0.0195**0.5, 1000, dtype=torch.float64) ** 2
    kept = (1 - betas).cumprod(0)[t].float()[:, None, None, None]
    mean, std = (torch.tensor(x)[:, None, None] for x in ([0.1, 0.2, -0.1], [0.5, 0.4, 0.6]))
    noisy = kept.sqrt() * (batch.latents_BCHW - mean) / std + (1 - kept).sqrt() * noise
    with torch.no_grad():
        errors = (
            (learner.denoiser(noisy, t, learner.conditioner(batch.conditions)) - noise).square().mean(dim=(1, 2, 3))
        )
    assert figures["noise_error"].item() == pytest.approx(errors.mean().item(), rel=1e-4)
    expected = (errors * (1 - kept.flatten()).sqrt()).mean()  # 1 / (1 + SNR)^0.5 = (1 - abar)^0.5
    assert loss.item() == pytest.approx(expected.item(), rel=1e-4)


@pytest.mark.parametrize("target", list(Target))
@pytest.mark.parametrize("shape", [ScheduleShape.linear_sqrt, ScheduleShape.straight])
def test_every_target_learns_and_is_watched_by_its_noise_error(latents, target, shape):
    """At the start the network answers next to nothing: the noise implied is the same multiple of z at every item."""
    schedule = ScheduleConfig(shape=shape, levels=LevelDraw.logit_normal)
    learner = make(latents, dropout=0.0, target=target, schedule=schedule)
    torch.nn.init.zeros_(learner.denoiser.out[-1].weight)
    step = step_of(learner, count=8)
    loss, figures = learner.loss("diffusion", step)
    loss.backward()
    assert learner.denoiser.out[-1].weight.grad.abs().sum() > 0
    batch = latents[0].batch(step.indices_B, step.flips_B)
    x0, eps = learner.scale.standardise(batch.latents_BCHW), step.normal("noise", 3, 8, 8)
    level = learner.schedule.at(step.drawn("timesteps", learner.schedule.draw))
    alpha, sigma = (share.float()[:, None, None, None] for share in level[:2])
    z = alpha * x0 + sigma * eps
    implied = {
        Target.eps: torch.zeros_like(z),
        Target.x0: z / sigma,
        Target.v: sigma / (alpha**2 + sigma**2) * z,
        Target.velocity: z / (alpha + sigma),
    }[target]
    assert figures["noise_error"].item() == pytest.approx((implied - eps).square().mean().item(), rel=1e-4)
    learner.denoiser.eval(), learner.conditioner.eval()
    with torch.no_grad():
        evaluation, again = learner.evaluate(0).figures, learner.evaluate(640).figures
    assert evaluation == again
    assert all(np.isfinite(value) for value in evaluation.values())


def test_by_snr():
    snr = torch.tensor([1e-3, 9e-3, 1e-2, 0.5, 1.0, 500.0], dtype=torch.float64)
    figures = by_snr(torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 7.0]), snr)
    assert figures["noise_error_coarse"] == pytest.approx(1.5)
    assert figures["noise_error_content"] == pytest.approx(3.5)
    assert figures["noise_error_clean_up"] == pytest.approx(6)
    assert figures["noise_error"] == pytest.approx(22 / 6)


def test_every_range_of_noise_is_looked_at(latents):
    learner = make(latents)
    learner.denoiser.eval(), learner.conditioner.eval()
    with torch.no_grad():
        figures = learner.evaluate(0).figures
    assert all(np.isfinite(value) for value in figures.values())
    snr = BetaSchedule().snr
    assert snr[0] > 1 > snr[500] > 1e-2 > snr[999]


@pytest.mark.parametrize("conditions", [(), ("attributes",), ("mask",), ("attributes", "mask")])
def test_every_set_of_conditions_takes_steps(latents, tmp_path, conditions):
    learner = make(latents, conditions=conditions, dropout=0.0 if not conditions else 0.1, images=32)
    before = {name: weight.clone() for name, weight in learner.conditioner.named_parameters()}
    fit(learner, learner.trainer, tmp_path / "run", weights_config={})
    moved = [name for name, weight in learner.conditioner.named_parameters() if not torch.equal(weight, before[name])]
    assert bool(moved) == bool(conditions)


@pytest.mark.parametrize(("optimizer", "kept"), [(OptimizerKind.adamw, "exp_avg"), (OptimizerKind.muon, "momentum")])
def test_stopped_and_continued_ends_the_same(latents, tmp_path, optimizer, kept):
    """Averages, what the optimiser keeps and BatchNorm's statistics of the mask encoder come back to the bit."""
    learner = make(latents, images=96, optimizer=optimizer)
    fit(learner, learner.trainer, tmp_path / "whole", weights_config={})
    for minutes in (1e-9, 1e-9, None):
        learner = make(latents, images=96, optimizer=optimizer, stop_after_minutes=minutes)
        fit(learner, learner.trainer, tmp_path / "parts", weights_config={})
    expected = last_state(tmp_path / "whole")
    assert any("running_mean" in name for name in expected)
    assert any(name.startswith("optimiser/") and name.endswith(kept) for name in expected)
    for name, tensor in last_state(tmp_path / "parts").items():
        assert torch.equal(tensor, expected[name]), name


def test_micro_batches_learn_the_same(latents, tmp_path):
    learner = make(latents, norm=Norm.group)
    before = {
        f"{key}.{name}": x.clone() for key, part in learner.modules.items() for name, x in part.state_dict().items()
    }
    for folder, micro in (("whole", None), ("parts", 4)):
        learner = make(latents, norm=Norm.group, images=48, micro_batch=micro)
        fit(learner, learner.trainer, tmp_path / folder, weights_config={})
    assert apart(tmp_path / "parts", tmp_path / "whole", before) < 0.05


def noise_of(learner, **part):
    """What the loss of a micro-batch takes for its noise."""
    taken = []
    learner._loss = lambda denoise, z0, noise, level: taken.append((z0, noise)) or Loss(noise.sum(), torch.zeros(1))
    learner.loss("diffusion", step_of(learner, images_seen=32, **part))
    return taken[0]


def test_one_candidate_is_the_noise_of_always(latents):
    """The stream of random numbers that runs of before there was a choice learnt from."""
    _, noise = noise_of(make(latents))
    assert torch.equal(noise, torch.randn(16, 3, 8, 8, generator=torch_generator(0, "noise", 32)))


@pytest.mark.parametrize("candidates", [2, 7])
def test_noise_is_the_nearest_of_the_candidates(latents, candidates):
    z0, noise = noise_of(make(latents, candidates=candidates))
    drawn = torch.randn(16, candidates, 3, 8, 8, generator=torch_generator(0, "noise", 32))
    numbers = []
    for item in range(16):
        distances = [float((each.double() - z0[item].double()).norm()) for each in drawn[item]]
        numbers.append(int(np.argmin(distances)))
        assert torch.equal(noise[item], drawn[item, numbers[-1]])
    assert len(set(numbers)) > 1


def test_candidates_are_chosen_alike_in_micro_batches(latents):
    learner = make(latents, candidates=5)
    _, whole = noise_of(learner)
    for size in (1, 4, 8):
        parts = [noise_of(learner, first=first, count=size)[1] for first in range(0, 16, size)]
        assert torch.equal(torch.cat(parts), whole)


def test_evaluation_knows_no_candidates(latents):
    figures = []
    for candidates in (1, 5):
        learner = make(latents, candidates=candidates)
        learner.denoiser.eval(), learner.conditioner.eval()
        with torch.no_grad():
            figures.append(learner.evaluate(0).figures)
    assert figures[0] == figures[1]


def test_less_than_one_candidate_is_refused():
    assert compose("train", ["model.noise_candidates=4"]).config.model.noise_candidates == 4
    with pytest.raises(ConfigError, match=r"model.noise_candidates=0 is out of range"):
        compose("train", ["model.noise_candidates=0"])


def test_scale_goes_there_and_back():
    scale = LatentScale(3, [0.1, 0.2, -0.1], [0.5, 0.4, 0.6])
    latents = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(scale.restore(scale.standardise(latents)), latents, atol=1e-6)
    assert torch.allclose(scale.standardise(latents)[:, 1], (latents[:, 1] - 0.2) / 0.4)
    assert torch.equal(LatentScale(3).standardise(latents), latents)
    with pytest.raises(ValueError, match="mean of 3 channels"):
        LatentScale(3, [1.0], [1.0])
