import pytest
import torch

from facecond.autoencoder.vq import AttnBlock, VQModel
from facecond.config.networks import VQConfig
from facecond.errors import ConfigError
from tests.denoisers.golden import arrays, names_and_shapes, relative
from tests.fused import fused


def test_encode_quantise_and_decode_equal_compvis() -> None:
    weights, data, metadata = arrays("vq_small")
    model = VQModel(VQConfig(ch=32, ch_mult=[1, 2, 2], num_res_blocks=1, n_embed=metadata["n_embed"]))
    model.load_state_dict(weights, strict=True)
    with torch.no_grad():
        h = model.encode(data["x"])
        codes, indices, loss = model.quantise(data["h"])
        assert relative(h, data["h"]) < 1e-5
        assert relative(codes, data["q"]) < 1e-5
        assert torch.equal(indices.flatten(), data["idx"])
        assert float(loss) == pytest.approx(float(data["loss"]), rel=1e-5)
        assert relative(model.decode(data["h"]), data["dec"]) < 1e-5
        assert relative(model.decode_unquantised(data["h"]), data["dec_noquant"]) < 1e-5


def test_names_and_shapes_at_the_papers_size() -> None:
    with torch.device("meta"):
        model = VQModel(VQConfig())
    assert sum(parameter.numel() for parameter in model.parameters()) == 55_322_782
    names = [(name, list(value.shape)) for name, value in model.state_dict().items()]
    assert names == names_and_shapes("vqmodelinterface_vq_f4")


@pytest.mark.parametrize("mid_attention", [True, False])
def test_a_small_variant_trains(mid_attention: bool) -> None:
    config = VQConfig(
        ch=16, ch_mult=[1, 3, 6], num_res_blocks=1, n_embed=32, norm_groups=8, mid_attention=mid_attention
    )
    model = VQModel(config)
    images = torch.rand(2, 3, 32, 32) * 2 - 1
    result = model(images)
    assert result.images.shape == images.shape
    assert result.latents.shape == (2, 3, 8, 8)
    (result.images - images).abs().mean().add(result.quantised.loss).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    assert float(model.encoder.conv_in.weight.grad.abs().sum()) > 0  # straight through the quantiser
    assert model(images, quantise=False).quantised is None
    assert any("attn" in name for name in model.state_dict()) is mid_attention


def test_groups_that_do_not_divide_the_channels_are_named() -> None:
    with pytest.raises(ConfigError, match=r"16 x 1 channels.*norm_groups=32"):
        VQModel(VQConfig(ch=16, ch_mult=[1, 3, 6]))


@pytest.mark.parametrize(("side", "expected"), [(16, True), (8, False)])
def test_attention_is_fused_where_cells_are_many(side: int, expected: bool) -> None:
    block = AttnBlock(64, VQConfig(norm_groups=8))
    assert fused(block, (1, 64, side, side)) is expected
