import pytest
import torch

from facecond.config.networks import GlobalTokens, PlacedTokens, Position, UNetConfig
from facecond.denoisers.unet import UNet
from facecond.types import Context
from tests.denoisers.test_unet import awake, places


@pytest.mark.parametrize("position", list(Position))
@pytest.mark.parametrize("global_tokens", list(GlobalTokens))
@pytest.mark.parametrize("placed_tokens", list(PlacedTokens))
def test_a_bound_context_is_read_once_and_gives_the_same(
    position: Position, global_tokens: GlobalTokens, placed_tokens: PlacedTokens
) -> None:
    config = UNetConfig(
        model_channels=32,
        channel_mult=[1, 2],
        num_res_blocks=1,
        attention_downsamplings=[1, 2],
        transformer_depth=2,
        position=position,
        global_tokens=global_tokens,
        placed_tokens=placed_tokens,
    )
    unet = awake(UNet(config, context_dim=24)).eval()
    where = places(16, 1)
    first, second = Context(torch.randn(2, 17, 24), where), Context(torch.randn(2, 17, 24), where)
    reads = []
    unet.input_blocks[1][1].transformer_blocks[0].attn2.to_k.register_forward_hook(lambda *_: reads.append(1))
    with torch.no_grad():
        bound = [unet.bind(context) for context in (first, second)]
        assert len(reads) == 2
        for step in (900, 30):
            z, t = torch.randn(2, 3, 8, 8), torch.full((2,), step)
            for denoise, context in zip(bound, (first, second), strict=True):
                assert torch.equal(denoise(z, t), unet(z, t, context))
        assert not torch.allclose(bound[0](z, t), bound[1](z, t))
        assert len(reads) == 2 + 4  # only the plain forwards read again
