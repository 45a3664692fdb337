"""The paper's configuration is runnable: 414,713,603 U-Net parameters, a training step and a sampling step (minutes on a CPU)."""

import pytest
import torch

from facecond.assembly.generator import diffusion_networks
from facecond.config.compose import compose
from facecond.denoisers.denoiser import parameter_count
from facecond.diffusion.loss import denoising_loss
from facecond.diffusion.prediction import predictor
from facecond.diffusion.samplers import ddim
from facecond.diffusion.schedule import schedule_of


def test_paper_configuration_has_the_published_number_of_parameters() -> None:
    """414,713,603 is the U-Net of latent diffusion's CelebA-HQ widths with transformers of depth 1 and 512-wide tokens."""
    config = compose("train", ["experiment=paper"]).config
    with torch.device("meta"):
        unet, conditioner = diffusion_networks(config.model, 3, 256)
    assert parameter_count(unet) == 414_713_603
    assert conditioner.places().shape == (65, 3)
    assert unet.config.head_channels == 32


@pytest.mark.slow
def test_paper_configuration_takes_a_training_step_and_a_sampling_step() -> None:
    config = compose("train", ["experiment=paper"]).config
    torch.manual_seed(0)
    unet, conditioner = diffusion_networks(config.model, 3, 256)
    generator = torch.Generator().manual_seed(0)
    z0 = torch.randn(2, 3, 64, 64, generator=generator)
    told = {
        "attributes": torch.randint(0, 2, (2, 40), generator=generator).mul(2).sub(1).to(torch.int8),
        "mask": torch.randint(0, 19, (2, 256, 256), generator=generator).to(torch.uint8),
    }
    noise, t = torch.randn(2, 3, 64, 64, generator=generator), torch.tensor([10, 900])
    schedule = schedule_of(config.model.schedule)
    optimiser = torch.optim.AdamW([*unet.parameters(), *conditioner.parameters()], lr=config.trainer.learning_rate)
    loss, errors = denoising_loss(
        unet.bind(conditioner(told)), z0, noise, schedule.at(t), config.model.target, config.weighting
    )
    loss.backward()
    optimiser.step()
    # The last convolution starts at zero, so that the first prediction is no noise at all and the error that of N(0, 1).
    torch.testing.assert_close(errors, noise.square().flatten(1).mean(1))
    unet.eval()
    conditioner.eval()
    with torch.inference_mode():
        predict = predictor(unet.bind(conditioner(told)), config.model.target)
        latents = ddim(predict, noise, schedule, steps=1)
    assert torch.isfinite(latents).all()
