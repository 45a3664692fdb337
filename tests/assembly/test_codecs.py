"""Every codec gives pictures back in their size; the one that is none gives them back exactly."""

from pathlib import Path

import numpy as np
import pytest
import torch

from facecond.assembly.first_stage import CODECS, load_first_stage
from facecond.autoencoder.pixels import Pixels
from facecond.autoencoder.vq import VQModel
from facecond.config.commands.base import NO_FIRST_STAGE
from facecond.config.networks import VQConfig
from facecond.types import Codec

SMALL: dict[str, Codec] = {
    "vq": VQModel(VQConfig(ch=8, ch_mult=[1, 2, 2], num_res_blocks=1, n_embed=32, mid_attention=False, norm_groups=4)),
    NO_FIRST_STAGE: Pixels(),
}


def test_every_kind_is_tried() -> None:
    assert set(SMALL) == {*CODECS, NO_FIRST_STAGE}


@pytest.mark.parametrize("kind", SMALL)
def test_latents_have_the_size_that_is_said(kind: str) -> None:
    codec = SMALL[kind]
    images = torch.rand(2, 3, 16, 24) * 2 - 1
    with torch.no_grad():
        latents = codec.encode(images)
        assert latents.shape == (2, codec.channels, 16 // codec.factor, 24 // codec.factor)
        assert latents.dtype == torch.float32
        assert codec.decode(latents).shape == images.shape


def test_no_first_stage_gives_every_colour_back() -> None:
    stage = load_first_stage(Path(NO_FIRST_STAGE), torch.device("cpu"))
    colours = torch.arange(256, dtype=torch.uint8).repeat(3).view(1, 3, 16, 16)
    assert stage.sha256 == NO_FIRST_STAGE
    np.testing.assert_array_equal(stage.decode(stage.encode(colours)), colours.permute(0, 2, 3, 1).numpy())
