import json

import numpy as np
import pytest
import torch

from facecond.autoencoder.vq import VQModel
from facecond.config.networks import UNetConfig, VQConfig
from facecond.denoisers.unet import UNet
from facecond.errors import CheckpointError
from facecond.interop.compvis import (
    SCHEDULE,
    average_name,
    first_stage,
    first_stage_sizes,
    join_checkpoint,
    schedule_buffers,
    split_checkpoint,
)
from tests.denoisers.golden import GOLDEN

NAMES = json.loads((GOLDEN / "latentdiffusion_celebahq.json").read_text())


def full_checkpoint() -> dict[str, torch.Tensor]:
    return {name: torch.empty(shape, dtype=getattr(torch, dtype[6:]), device="meta") for name, shape, dtype in NAMES}


def test_the_full_checkpoint_comes_apart_into_our_networks() -> None:
    tensors = full_checkpoint()
    parts = split_checkpoint(tensors)
    with torch.device("meta"):
        unet, model = UNet(UNetConfig()), VQModel(VQConfig())
    for ours, theirs in ((unet, parts.unet), (unet, parts.average), (model, parts.first_stage)):
        assert {n: v.shape for n, v in ours.state_dict().items()} == {n: v.shape for n, v in theirs.items()}
    assert tuple(parts.schedule) == SCHEDULE
    assert set(parts.others) == {"model_ema.decay", "model_ema.num_updates"}
    assert first_stage(tensors).keys() == parts.first_stage.keys()


def test_joining_gives_every_name_shape_and_type_of_the_original() -> None:
    parts = split_checkpoint(full_checkpoint())
    betas = torch.linspace(0.0015**0.5, 0.0195**0.5, 1000, dtype=torch.float64) ** 2
    joined = join_checkpoint(parts.unet, parts.average, parts.first_stage, betas=betas, updates=7)
    assert {name: (list(v.shape), str(v.dtype)) for name, v in joined.items()} == {
        name: (shape, dtype) for name, shape, dtype in NAMES
    }
    assert int(joined["model_ema.num_updates"]) == 7


def test_average_names_lose_their_dots_and_stay_different() -> None:
    assert average_name("time_embed.0.weight") == "model_ema.diffusion_modeltime_embed0weight"
    parameters = [name for name, _, _ in NAMES if name.startswith("model.diffusion_model.")]
    assert len({average_name(name) for name in parameters}) == len(parameters)


def test_values_go_where_they_belong_and_back() -> None:
    unet = UNet(UNetConfig(model_channels=32, channel_mult=[1], num_res_blocks=1, attention_downsamplings=[]))
    weights = unet.state_dict()
    average = {name: value + 1 for name, value in weights.items()}
    stage = {"encoder.conv_in.weight": torch.ones(2), "quantize.embedding.weight": torch.ones(3)}
    joined = join_checkpoint(weights, average, stage, betas=torch.full((10,), 0.1), updates=1)
    joined["cond_stage_model.weight"] = torch.zeros(1)
    joined["first_stage_model.loss.discriminator.main.0.bias"] = torch.zeros(1)
    parts = split_checkpoint(joined)
    for ours, theirs in ((parts.unet, weights), (parts.average, average), (parts.first_stage, stage)):
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert "cond_stage_model.weight" in parts.others


def test_schedule_buffers_equal_the_originals() -> None:
    stored = np.load(GOLDEN / "schedule_celebahq.npz")
    buffers = schedule_buffers(torch.linspace(0.0015**0.5, 0.0195**0.5, 1000, dtype=torch.float64) ** 2)
    compared = [name for name in stored.files if name in buffers]
    assert {"betas", "alphas_cumprod"} <= set(compared)
    for name in compared:
        np.testing.assert_allclose(buffers[name].numpy(), stored[name], rtol=1e-6, atol=1e-7)
    # DDPM, equation 7: the posterior's mean has weights that carry x_0 = x_t / sqrt(abar_t) onto sqrt(abar_{t-1}) x_0.
    abar, before = buffers["alphas_cumprod"].double(), buffers["alphas_cumprod_prev"].double()
    mean = buffers["posterior_mean_coef1"].double() + buffers["posterior_mean_coef2"].double() * abar.sqrt()
    torch.testing.assert_close(mean, before.sqrt(), rtol=1e-5, atol=1e-6)


def test_a_first_stage_of_its_own_training_loses_its_loss() -> None:
    own = {"encoder.conv_in.weight": torch.ones(1), "loss.discriminator.main.0.weight": torch.ones(1)}
    assert list(first_stage(own)) == ["encoder.conv_in.weight"]


def test_other_checkpoints_are_refused() -> None:
    with pytest.raises(CheckpointError, match="not one of latent diffusion"):
        split_checkpoint({"cp.resnet.conv1.weight": torch.ones(1)})
    with pytest.raises(CheckpointError, match="no first stage"):
        first_stage({"cp.resnet.conv1.weight": torch.ones(1)})
    tensors = full_checkpoint()
    del tensors["model_ema.diffusion_modelout2bias"]
    with pytest.raises(CheckpointError, match=r"averaged weights lack model_ema\.diffusion_modelout2bias"):
        split_checkpoint(tensors)


F4 = VQConfig()
F8 = VQConfig(ch_mult=[1, 2, 2, 4], z_channels=4, embed_dim=4, n_embed=16384, attention_levels=[3])
F16 = VQConfig(ch_mult=[1, 1, 2, 2, 4], z_channels=8, embed_dim=8, n_embed=16384, attention_levels=[4])
NARROW = VQConfig(ch=64, ch_mult=[1, 2], num_res_blocks=1, z_channels=4, embed_dim=3, n_embed=512, mid_attention=False)
ODD = VQConfig(ch=24, ch_mult=[1, 3], norm_groups=24)


@pytest.mark.parametrize("config", [F4, F8, F16, NARROW, ODD])
def test_sizes_of_a_first_stage_are_read_off_its_tensors(config: VQConfig) -> None:
    with torch.device("meta"):
        tensors = VQModel(config).state_dict()
    assert first_stage_sizes(tensors) == config
    assert first_stage_sizes(tensors, norm_groups=8).norm_groups == 8


def test_f8_has_the_names_latent_diffusion_gives_its_attention() -> None:
    """vq-f8: attn_resolutions [32] at 256 px is level 3, in the encoder (2 blocks) and in the decoder (3)."""
    with torch.device("meta"):
        names = {name.rpartition(".q.")[0] for name in VQModel(F8).state_dict() if name.endswith(".q.weight")}
    assert names == {
        "encoder.down.3.attn.0", "encoder.down.3.attn.1", "encoder.mid.attn_1", "decoder.mid.attn_1",
        "decoder.up.3.attn.0", "decoder.up.3.attn.1", "decoder.up.3.attn.2",
    }  # fmt: skip


def test_an_autoencoder_without_a_codebook_is_refused() -> None:
    with torch.device("meta"):
        tensors = {name: value for name, value in VQModel(NARROW).state_dict().items() if "quantize" not in name}
    with pytest.raises(CheckpointError, match="not an autoencoder with a codebook"):
        first_stage_sizes(tensors)
