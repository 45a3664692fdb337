import dataclasses

import numpy as np
import pytest
import torch

from facecond.autoencoder.losses import VQLoss
from facecond.autoencoder.vq import VQModel
from facecond.config.networks import Perceptual, VQConfig, VQLossConfig
from facecond.config.training import FirstStageTrainingConfig
from facecond.errors import ConfigError, TrainingError
from facecond.io.checkpoint import load_weights, split_modules
from facecond.io.documents import Record, read_records
from facecond.learners.vq import FirstStageLearner
from facecond.training.loop import fit
from tests.learners.faces import SIZE, apart, last_state, step_of, trainer

NETWORK = VQConfig(ch=8, ch_mult=[1, 2, 2], num_res_blocks=1, n_embed=32, mid_attention=False, norm_groups=4)
LATE = FirstStageTrainingConfig(quantise_after=0.4, restart_every=64, restart_until=0.9)


def make(pictures, config=None, *, discriminator=0.0, start=0, **changes):
    torch.manual_seed(0)
    terms = VQLossConfig(
        perceptual=Perceptual.gradient, perceptual_weight=0.5, discriminator_weight=discriminator,
        discriminator_start=start, discriminator_channels=8, discriminator_layers=1,
    )  # fmt: skip
    return FirstStageLearner(
        VQModel(NETWORK), VQLoss(terms), config or FirstStageTrainingConfig(), trainer(**changes),
        train=pictures[0], validation=pictures[1], identity={},
    )  # fmt: skip


def run(learner, folder):
    return fit(learner, learner.trainer, folder, weights_config=dataclasses.asdict(NETWORK))


def test_late_quantiser_learns_and_uses_its_codes(pictures, tmp_path):
    learner = make(pictures, LATE, images=480, batch_size=8, learning_rate=4e-3)
    run(learner, tmp_path / "run")
    lines = read_records(tmp_path / "run" / "metrics.jsonl", Record)
    training = [line for line in lines if line["kind"] == "training"]
    assert training[-1]["l1"] < 0.75 * training[0]["l1"]
    assert [line["images_seen"] for line in training if "codes_filled" in line] == [192]
    assert all(("codebook" in line) == (line["images_seen"] > 192) for line in training)
    restarts = [line["images_seen"] for line in training if "codes_restarted" in line]
    assert restarts == [256, 320, 384]  # until 0.9 x 480 = 432
    last = lines[-1]
    assert last["codes_used"] > 0.5
    assert last["codes_dead"] == round((1 - last["codes_used"]) * 32)
    assert 1 < last["codes_perplexity"] <= 32
    weights = load_weights(tmp_path / "run" / "weights.safetensors")
    fresh = VQModel(VQConfig(**weights.config))
    fresh.load_state_dict(split_modules(weights.tensors)["first_stage"])
    images = pictures[1].images(np.arange(4))[0].float() / 127.5 - 1
    with torch.no_grad():
        assert torch.equal(fresh.decode(fresh.encode(images)), learner.model.decode(learner.model.encode(images)))


def test_figures_of_an_evaluation(pictures):
    learner = make(pictures, evaluate_items=16)
    learner.model.eval()
    with torch.no_grad():
        evaluation = learner.evaluate(0)
        images = pictures[1].images(np.arange(16))[0]
        real = images.float() / 127.5 - 1
        decoded = learner.model(real).images
    seen = ((decoded + 1) * 127.5).round().clamp(0, 255).double()
    squares = (seen - images.double()).square().mean(dim=(1, 2, 3))
    assert evaluation.figures["psnr"] == pytest.approx((10 * torch.log10(255**2 / squares)).mean().item(), rel=1e-5)
    assert evaluation.figures["l1"] == pytest.approx((decoded - real).abs().mean().item(), rel=1e-4)
    assert evaluation.grid.shape == (2 * SIZE, 2 * SIZE, 3)
    assert np.array_equal(evaluation.grid[:SIZE, :SIZE], images[0].permute(1, 2, 0).numpy())


def test_stopped_and_continued_ends_the_same(pictures, tmp_path):
    """Stops before the quantiser is inserted, right after, and in the middle of a count of codes."""
    settings = {"images": 208, "discriminator": 0.5, "start": 64}
    run(make(pictures, LATE, **settings), tmp_path / "whole")
    for stop in (64, 96, 144, None):
        learner = make(pictures, LATE, **settings, stop_after_minutes=None if stop is None else 1e9)
        if stop is not None:
            after = learner.after_step
            learner.after_step = lambda seen, images, total, after=after, stop=stop, learner=learner: (
                (setattr(learner.trainer, "stop_after_minutes", 0.0) if seen == stop else None)
                or after(seen, images, total)
            )
        state = run(learner, tmp_path / "parts")
        assert state.images_seen == (stop or 208)
    expected = last_state(tmp_path / "whole")
    assert any(name.startswith("optimiser/discriminator/") for name in expected)
    for name, tensor in last_state(tmp_path / "parts").items():
        assert torch.equal(tensor, expected[name]), name


def test_discriminator_waits_for_its_start(pictures):
    learner = make(pictures, discriminator=0.5, start=64)
    _, early = learner.loss("autoencoder", step_of(learner, images_seen=48))
    assert "adversarial" not in early
    assert learner.loss("discriminator", step_of(learner, images_seen=48)) is None
    step = step_of(learner, images_seen=64)
    _, late = learner.loss("autoencoder", step)
    assert "adversarial" in late
    loss, parts = learner.loss("discriminator", step)
    assert loss.item() == pytest.approx(parts["discriminator"].item())
    loss.backward()
    assert all(weight.grad is None for weight in learner.model.parameters())


def test_frozen_encoder_stays(pictures, tmp_path):
    learner = make(pictures, FirstStageTrainingConfig(freeze_encoder=True), images=64)
    before = {name: tensor.clone() for name, tensor in learner.model.state_dict().items()}
    run(learner, tmp_path / "run")
    changed = {
        name.split(".")[0] for name, tensor in learner.model.state_dict().items() if (tensor != before[name]).any()
    }
    assert changed == {"decoder", "post_quant_conv"}


def test_micro_batches_learn_the_same(pictures, tmp_path):
    before = {f"first_stage.{name}": x.clone() for name, x in make(pictures).model.state_dict().items()}
    run(make(pictures, images=48), tmp_path / "whole")
    run(make(pictures, images=48, micro_batch=4), tmp_path / "parts")
    assert apart(tmp_path / "parts", tmp_path / "whole", before) < 0.05


def test_settings_that_exclude_one_another(pictures):
    with pytest.raises(ConfigError, match="freeze_encoder"):
        make(pictures, FirstStageTrainingConfig(freeze_encoder=True, quantise_after=0.5))
    with pytest.raises(ConfigError, match=r"trainer\.ema_decay=0\.99"):
        make(pictures, LATE, ema_decay=0.99)


def test_codes_used_in_another_process_are_alive(pictures):
    """Counts of a step are summed over the processes, so that no code is restarted that another process uses."""
    learner = make(pictures, FirstStageTrainingConfig(restart_every=32), images=96)
    elsewhere = torch.zeros_like(learner.codebook.counts)
    elsewhere[:7] = 3
    learner.loss("autoencoder", step_of(learner, images_seen=0))
    here = torch.bincount(learner._used_now[0], minlength=len(elsewhere))
    learner.after_step(learner.trainer.batch_size, 96, lambda counts: counts + elsewhere)
    assert torch.equal(learner.codebook.counts, here + elsewhere)
    assert (here == 0).any()


def short_of_memory(learner, most, of):
    """The learner with room for `most` images at once in the phase `of`; it finds out after a forward pass, not the first one."""
    loss = learner.loss

    def limited(phase, step):
        answer = loss(phase, step)
        if phase == of and len(step.indices_B) > most and (step.first > 0 or len(step.indices_B) == 8):
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return answer

    learner.loss = limited
    return learner


def test_codes_are_counted_once_when_memory_is_out(pictures, tmp_path):
    settings = {"images": 96, "batch_size": 8, "learning_rate": 4e-3}
    early = dataclasses.replace(LATE, quantise_after=0.0)  # codes from the first step on, in which memory runs out
    small = make(pictures, early, micro_batch=2, **settings)
    halved = short_of_memory(make(pictures, early, **settings), 2, small.phases[0].name)
    after, counted = halved.after_step, []

    def counting(images_seen, images_total, total):
        counted.append(sum(len(used) for used in halved._used_now.values()))
        return after(images_seen, images_total, total)

    halved.after_step = counting
    run(small, tmp_path / "small")
    run(halved, tmp_path / "halved")
    assert set(counted) == {8 * (SIZE // 4) ** 2}
    first, second = (load_weights(tmp_path / name / "weights.safetensors").tensors for name in ("small", "halved"))
    assert all(torch.equal(second[name], tensor) for name, tensor in first.items())


def test_a_discriminator_allows_no_smaller_micro_batch(pictures, tmp_path):
    learner = short_of_memory(make(pictures, discriminator=0.5, images=48, batch_size=8), 4, "discriminator")
    with pytest.raises(
        TrainingError, match="memory is not enough for a micro-batch of 8 images, and batch normalisation"
    ):
        run(learner, tmp_path / "run")
