import math

import torch

from facecond.denoisers.attention import LOCALITY, Attention, AttentionBlock, PositionCode, position_code
from facecond.denoisers.denoiser import cell_places
from tests.fused import fused


def test_cells_lie_at_their_centres_row_by_row() -> None:
    places = cell_places(2, 4, torch.device("cpu"))
    assert places[:, 0].tolist() == [0.125, 0.375, 0.625, 0.875] * 2
    assert places[:, 1].tolist() == [0.25] * 4 + [0.75] * 4
    assert places[:, 2].tolist() == [1.0] * 8


def test_the_product_of_two_codes_is_a_sum_of_cosines_of_their_distance() -> None:
    places = torch.tensor([[0.3, 0.8, 1.0], [0.65, 0.1, 1.0]])
    query, key = position_code(places[:1], query=True)[0], position_code(places[1:], query=False)[0]
    expected = sum(math.cos(math.pi * f * 0.35) + math.cos(math.pi * f * 0.7) for f in (0.5, 1, 2, 4))
    assert abs(float(query @ key) - expected) < 1e-5


def test_every_head_starts_local_and_gives_unplaced_tokens_the_best_places_chance() -> None:
    heads, width = 3, 32
    code = PositionCode(heads, width)
    cells = cell_places(8, 8, torch.device("cpu"))
    tokens = torch.cat([torch.zeros(1, 3), cells])
    queries = code(cells, query=True).view(64, heads, width)
    keys = code(tokens, query=False).view(65, heads, width)
    logits = torch.einsum("qhd,khd->hqk", queries, keys) / math.sqrt(width)
    raw = position_code(cells, query=True) @ position_code(tokens, query=False).T
    torch.testing.assert_close(logits, LOCALITY * raw.expand(heads, -1, -1), rtol=1e-4, atol=1e-3)
    placed = logits[:, :, 1:]
    assert (placed.argmax(-1) == torch.arange(64)).all()
    torch.testing.assert_close(logits[:, :, 0], placed.amax(-1), rtol=1e-4, atol=1e-3)


def test_values_are_left_alone_and_one_matrix_serves_queries_and_keys() -> None:
    layer = Attention(64, 16, head_channels=32, position=True)
    tokens, places = torch.randn(2, 4, 16), cell_places(2, 2, torch.device("cpu"))
    keys, values = layer.keys_values(tokens, places)
    plain_keys, plain_values = layer.keys_values(tokens)
    assert torch.equal(values, plain_values)
    added = (keys - plain_keys).transpose(1, 2).flatten(2)[0]
    torch.testing.assert_close(added, position_code(places, query=False) @ layer.position.weight.T)
    assert [name for name, _ in layer.named_parameters() if "position" in name] == ["position.weight"]


def test_plain_attention_is_fused() -> None:
    assert fused(AttentionBlock(64, head_channels=32), (2, 64, 8, 8))
