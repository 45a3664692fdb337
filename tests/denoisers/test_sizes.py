"""The sizes of every denoiser: they build, and hold about as many parameters as the U-Net of the same size."""

import pytest
import torch

from facecond.config.catalogue import options_of
from facecond.config.compose import compose
from facecond.config.networks import DENOISERS as CONFIGS
from facecond.denoisers.denoiser import parameter_count
from facecond.denoisers.table import DENOISERS

WITHIN = {"tiny": 0.05, "small": 0.05, "base": 0.05, "paper": 0.10}


def parameters(denoiser: str, size: str) -> int:
    model = compose("train", ["model=multicond", f"denoiser={denoiser}", f"size={size}"]).config.model
    assert isinstance(model.denoiser, CONFIGS[denoiser])
    with torch.device("meta"):
        return parameter_count(
            DENOISERS[model.denoiser.kind](model.denoiser, channels=3, context_dim=model.token_width)
        )


def test_tables_name_the_same_denoisers() -> None:
    assert set(CONFIGS) == set(DENOISERS) == set(options_of("denoiser"))
    assert all(config().kind == kind for kind, config in CONFIGS.items())


@pytest.mark.parametrize("denoiser", CONFIGS)
@pytest.mark.parametrize("size", options_of("size"))
def test_parameters_of_every_size(denoiser: str, size: str) -> None:
    assert parameters(denoiser, size) == pytest.approx(parameters("unet", size), rel=WITHIN[size])
