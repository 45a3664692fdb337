"""What is particular to the transformer: its position code, its first block, the layout its attention is given."""

import math

import pytest
import torch
from torch import Tensor

from facecond.config.networks import TransformerConfig
from facecond.denoisers import transformer
from facecond.denoisers.denoiser import cell_places
from facecond.denoisers.transformer import Block, Transformer, modulated, place_code
from facecond.errors import ConfigError
from facecond.types import Context
from tests.denoisers.test_unet import awake, places


def test_codes_tell_places_apart_and_depend_on_distance_alone() -> None:
    cells = cell_places(32, 32, torch.device("cpu"))
    code = place_code(cells, 64)
    assert code.shape == (1024, 64)
    products = (code @ code.T).view(32, 32, 32, 32)
    torch.testing.assert_close(products.diagonal(dim1=0, dim2=2).diagonal(dim1=0, dim2=1), torch.full((32, 32), 32.0))
    torch.testing.assert_close(products[3, 5, 9, 12], products[10, 11, 16, 18], rtol=1e-3, atol=1e-3)
    nearest = (code @ code.T - 100 * torch.eye(1024)).max()
    assert float(nearest) < 31
    assert not place_code(torch.zeros(2, 3), 64).any()


def test_a_block_starts_as_the_identity_and_follows_its_equations() -> None:
    """arXiv 2212.09748, figure 3: x + gate1 attention(norm(x) (1 + scale1) + shift1), then the same with the mlp."""
    block = Block(32, heads=2)
    x, embedding = torch.randn(2, 5, 32), torch.randn(2, 32)
    assert torch.equal(block(x, embedding), x)
    awake(block)
    shift1, scale1, gate1, shift2, scale2, gate2 = block.modulation(embedding).unsqueeze(1).split(32, dim=-1)
    normed = modulated(x, shift1, scale1)
    expected = (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True, correction=0) + 1e-6).sqrt()
    torch.testing.assert_close(normed, expected * (1 + scale1) + shift1, rtol=1e-4, atol=1e-5)
    q, k, v = (part.view(2, 5, 2, 16).transpose(1, 2) for part in block.qkv(normed).split(32, dim=-1))
    attended = ((q @ k.transpose(-1, -2)) / math.sqrt(16)).softmax(-1) @ v
    y = x + gate1 * block.proj(attended.transpose(1, 2).reshape(2, 5, 32))
    y = y + gate2 * block.mlp(modulated(y, shift2, scale2))
    torch.testing.assert_close(block(x, embedding), y, rtol=1e-4, atol=1e-5)


def test_queries_keys_and_values_keep_the_stride_of_the_fused_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    strides: list[int] = []
    attend = transformer.attend

    def watched(*parts: Tensor) -> Tensor:
        strides.extend(part.stride(-1) for part in parts)
        return attend(*parts)

    monkeypatch.setattr(transformer, "attend", watched)
    network = Transformer(TransformerConfig(width=32, depth=2, head_channels=16), context_dim=8)
    network(torch.randn(2, 3, 8, 8), torch.tensor([1, 2]), Context(torch.randn(2, 5, 8), places(4, 1)))
    assert strides == [1] * 6


def test_cells_go_out_where_they_came_in() -> None:
    """With the identity as its only layers, a network of patches gives back every latent cell at its place."""
    network = Transformer(TransformerConfig(width=12, depth=0, head_channels=4), context_dim=None)
    z = torch.randn(1, 3, 4, 6)
    with torch.no_grad():
        network.cell_embed.weight.copy_(torch.eye(12))
        network.cell_embed.bias.zero_()
        network.out.weight.copy_(torch.eye(12))
    cells = z.unfold(2, 2, 2).unfold(3, 2, 2).permute(0, 2, 3, 1, 4, 5).reshape(1, 6, 12)
    embedded = cells + place_code(cell_places(2, 3, z.device), 12)
    expected = modulated(embedded, torch.zeros(1, 1, 12), torch.zeros(1, 1, 12))
    found = network(z, torch.tensor([5])).unfold(2, 2, 2).unfold(3, 2, 2).permute(0, 2, 3, 1, 4, 5).reshape(1, 6, 12)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_sizes_that_do_not_fit_are_named() -> None:
    with pytest.raises(ConfigError, match="width=48 is not a multiple of head_channels"):
        Transformer(TransformerConfig(width=48, head_channels=32))
    with pytest.raises(ConfigError, match="width=6 is not a multiple of 4"):
        Transformer(TransformerConfig(width=6, head_channels=2))
