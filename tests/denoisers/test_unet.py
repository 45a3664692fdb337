from dataclasses import replace
from typing import TypeVar

import pytest
import torch
from torch.nn import functional as F

from facecond.config.networks import GlobalTokens, PlacedTokens, Position, UNetConfig
from facecond.denoisers.denoiser import over_cells, parameter_count
from facecond.denoisers.unet import UNet
from facecond.errors import ConfigError
from facecond.types import Context
from tests.denoisers.golden import arrays, names_and_shapes, relative

Network = TypeVar("Network", bound=torch.nn.Module)
SMALL = UNetConfig(model_channels=32, channel_mult=[1, 2], num_res_blocks=1, attention_downsamplings=[2])


def places(placed: int, unplaced: int) -> torch.Tensor:
    side = int(placed**0.5)
    centres = (torch.arange(side) + 0.5) / side
    y, x = torch.meshgrid(centres, centres, indexing="ij")
    return torch.cat([torch.zeros(unplaced, 3), torch.stack([x, y, torch.ones_like(x)], -1).view(-1, 3)])


def awake(network: Network) -> Network:
    """Give the layers that start at zero something to say."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in network.parameters():
            if not parameter.any():
                parameter.copy_(0.05 * torch.randn(parameter.shape, generator=generator))
    return network


def test_conditional_forward_and_gradients_equal_compvis() -> None:
    weights, data, metadata = arrays("unet_small_cond")
    _, reference, gradients = arrays("unet_small_cond_grad")
    assert metadata["cfg"]["model_channels"] == SMALL.model_channels
    unet = UNet(SMALL, context_dim=512)
    unet.load_state_dict(weights, strict=True)
    tokens = data["c"].requires_grad_()
    predicted = unet(data["x"], data["t"], Context(tokens, places(64, 1)))
    assert relative(predicted, data["y"]) < 1e-5

    loss = F.mse_loss(predicted, reference["noise"])
    loss.backward()
    assert float(loss.detach()) == pytest.approx(float(reference["loss"]), rel=1e-5)
    assert relative(tokens.grad, reference["ctx_grad"]) < 1e-5
    norms = gradients["grad_norms"]
    ours = {name: float(parameter.grad.norm()) for name, parameter in unet.named_parameters()}
    assert ours.keys() == norms.keys()
    largest = max(norms.values())
    for name, norm in norms.items():
        # Gradients that are zero in exact arithmetic (a bias in front of a normalisation) are rounding noise on both
        # sides.
        assert ours[name] == pytest.approx(norm, rel=1e-5, abs=1e-6 * largest), name


def test_unconditional_forward_equals_compvis() -> None:
    weights, data, _ = arrays("unet_small_uncond")
    unet = UNet(SMALL, context_dim=None)
    unet.load_state_dict(weights, strict=True)
    assert relative(unet(data["x"], data["t"]), data["y"]) < 1e-5


@pytest.mark.parametrize(
    ("golden", "context_dim", "parameters"),
    [("unet_celebahq_uncond", None, 274_056_163), ("unet_celebahq_st_ctx512", 512, 414_713_603)],
)
def test_names_and_shapes_at_the_papers_size(golden: str, context_dim: int | None, parameters: int) -> None:
    with torch.device("meta"):
        unet = UNet(UNetConfig(), context_dim=context_dim)
    assert parameter_count(unet) == parameters
    assert [(name, list(value.shape)) for name, value in unet.state_dict().items()] == names_and_shapes(golden)


@pytest.mark.parametrize("cells", [(16, 16), (8, 24)])
@pytest.mark.parametrize("mults", [[1, 2], [1, 2, 2]])
def test_any_size_trains(cells: tuple[int, int], mults: list[int]) -> None:
    config = UNetConfig(
        model_channels=32,
        channel_mult=mults,
        num_res_blocks=1,
        attention_downsamplings=[2],
        position=Position.shared,
        global_tokens=GlobalTokens.modulate,
    )
    unet = awake(UNet(config, context_dim=24))
    z = torch.randn(2, 3, *cells)
    predicted = unet(z, torch.tensor([0, 999]), Context(torch.randn(2, 17, 24), places(16, 1)))
    assert predicted.shape == z.shape
    predicted.square().mean().backward()
    without = [name for name, parameter in unet.named_parameters() if parameter.grad is None]
    assert without == []


def test_options_add_only_their_own_parameters() -> None:
    config = UNetConfig(
        model_channels=32,
        channel_mult=[1, 2],
        num_res_blocks=1,
        attention_downsamplings=[2],
        position=Position.shared,
        global_tokens=GlobalTokens.modulate,
    )
    plain = {name for name, _ in UNet(SMALL, context_dim=24).named_parameters()}
    added = {name for name, _ in UNet(config, context_dim=24).named_parameters()} - plain
    assert added
    assert all("attn2.position." in name or name.startswith("global_embed.") for name in added)


def test_modulation_starts_without_effect_and_then_follows_the_global_token() -> None:
    def build(global_tokens: GlobalTokens) -> UNet:
        torch.manual_seed(0)
        config = UNetConfig(
            model_channels=32,
            channel_mult=[1],
            num_res_blocks=1,
            attention_downsamplings=[],
            global_tokens=global_tokens,
        )
        unet = UNet(config, context_dim=24)
        generator = torch.Generator().manual_seed(1)
        for name, parameter in unet.named_parameters():
            if not name.startswith("global_embed"):
                parameter.data += 0.05 * torch.randn(parameter.shape, generator=generator)
        return unet

    z, t = torch.randn(2, 3, 8, 8), torch.tensor([5, 500])
    tokens = torch.randn(2, 6, 24)
    where = places(4, 2)
    attend, modulate = build(GlobalTokens.attend), build(GlobalTokens.modulate)
    torch.testing.assert_close(modulate(z, t, Context(tokens, where)), attend(z, t, Context(tokens, where)))
    reading = modulate.read(Context(tokens, where))
    torch.testing.assert_close(reading.shift, torch.zeros(2, 128))
    torch.nn.init.normal_(modulate.global_embed.weight)
    expected = modulate.global_embed(tokens[:, :2].mean(1))
    torch.testing.assert_close(modulate.read(Context(tokens, where)).shift, expected)
    placed_only = modulate.read(Context(tokens[:, 2:], where[2:])).shift
    torch.testing.assert_close(placed_only, torch.zeros(2, 128))


def test_tokens_are_laid_over_cells_as_interpolation_and_pooling_lay_them() -> None:
    tokens = torch.randn(2, 64, 5, generator=torch.Generator().manual_seed(2))
    grid = tokens.transpose(1, 2).unflatten(-1, (8, 8))
    for unplaced in (0, 3):
        whole, where = torch.cat([torch.full((2, unplaced, 5), 9.0), tokens], dim=1), places(64, unplaced)
        torch.testing.assert_close(over_cells(whole, where, 8, 8), grid)
        smooth = F.interpolate(grid, scale_factor=2, mode="bilinear", align_corners=False)
        torch.testing.assert_close(over_cells(whole, where, 16, 16), smooth)
        torch.testing.assert_close(over_cells(whole, where, 4, 4), F.avg_pool2d(grid, 2))
    assert not over_cells(tokens[:, :3], places(0, 3), 8, 8).any()


def test_added_tokens_start_without_effect_and_then_reach_the_cells_where_they_lie() -> None:
    def build(placed_tokens: PlacedTokens) -> UNet:
        torch.manual_seed(0)
        config = replace(SMALL, channel_mult=[1], attention_downsamplings=[], placed_tokens=placed_tokens)
        unet = UNet(config, context_dim=24)
        generator = torch.Generator().manual_seed(1)
        for name, parameter in unet.named_parameters():
            if not name.startswith("placed.join"):
                parameter.data += 0.05 * torch.randn(parameter.shape, generator=generator)
        return unet.eval()

    z, t, tokens, where = torch.randn(1, 3, 16, 16), torch.tensor([500]), torch.randn(1, 17, 24), places(16, 1)
    attended, added = build(PlacedTokens.attend), build(PlacedTokens.add)
    torch.testing.assert_close(added(z, t, Context(tokens, where)), attended(z, t, Context(tokens, where)))
    torch.nn.init.normal_(added.placed.join.weight)
    seen = []
    added.input_blocks[1].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    for each in (tokens, torch.cat([tokens[:, :-1], tokens[:, -1:] + 1], dim=1)):  # the last lies lower right
        added(z, t, Context(each, where))
    changed = (seen[1] - seen[0]).abs().amax(dim=(0, 1)) > 1e-6
    assert changed[13:, 13:].all()
    assert not changed[:10].any()
    assert not changed[:, :10].any()


@pytest.mark.parametrize("dtype", [torch.bfloat16])
def test_bfloat16_autocast_stays_close_to_float32(dtype: torch.dtype) -> None:
    weights, data, _ = arrays("unet_small_cond")
    unet = UNet(SMALL, context_dim=512)
    unet.load_state_dict(weights)
    with torch.no_grad(), torch.autocast("cpu", dtype=dtype):
        predicted = unet(data["x"], data["t"], Context(data["c"], places(64, 1)))
    assert predicted.dtype == torch.float32
    assert relative(predicted, data["y"]) < 0.05


def test_sizes_that_do_not_fit_are_named() -> None:
    with pytest.raises(ConfigError, match=r"level 0 has 48 channels.*norm_groups=32"):
        UNet(UNetConfig(model_channels=48))
    with pytest.raises(ConfigError, match=r"64 channels.*head_channels=48"):
        UNet(UNetConfig(model_channels=32, channel_mult=[1, 2], head_channels=48))
    for wrong in ([], [1, 0]):
        with pytest.raises(ConfigError, match=r"channel_mult=\[.*one multiple, 1 or more, for each level"):
            UNet(UNetConfig(channel_mult=wrong))


def test_context_must_match_the_model() -> None:
    z, t = torch.randn(1, 3, 8, 8), torch.tensor([1])
    with pytest.raises(ValueError, match="context of width 24"):
        UNet(SMALL, context_dim=24)(z, t)
    with pytest.raises(ValueError, match="no context"):
        UNet(SMALL)(z, t, Context(torch.randn(1, 4, 24), places(4, 0)))
    with pytest.raises(ValueError, match="multiples of 2"):
        UNet(SMALL)(torch.randn(1, 3, 8, 9), t)


def test_a_patch_of_one_changes_nothing_and_a_larger_one_only_the_ends() -> None:
    torch.manual_seed(0)
    plain = UNet(SMALL, context_dim=24)
    torch.manual_seed(0)
    patched = UNet(replace(SMALL, patch=2), context_dim=24)
    assert plain.state_dict().keys() == patched.state_dict().keys()
    shapes = {name: (weight.shape, patched.state_dict()[name].shape) for name, weight in plain.state_dict().items()}
    changed = {name: found for name, found in shapes.items() if found[0] != found[1]}
    assert changed == {
        "input_blocks.0.0.weight": ((32, 3, 3, 3), (32, 12, 3, 3)),
        "out.2.weight": ((3, 32, 3, 3), (12, 32, 3, 3)),
        "out.2.bias": ((3,), (12,)),
    }
    assert (plain.multiple, patched.multiple) == (2, 4)
