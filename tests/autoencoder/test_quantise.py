import math

import pytest
import torch

from facecond.autoencoder import quantise
from facecond.autoencoder.quantise import (
    CodebookUsage,
    VectorQuantiser,
    fill_codebook,
    nearest_codes,
    restart_dead_codes,
)
from facecond.rng import torch_generator


def brute_force(latents: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    return (latents.double()[:, None] - codes.double()).square().sum(-1).argmin(1)


@pytest.mark.parametrize("spread", [1.0, 1e-3, 1e-7])
@pytest.mark.parametrize("width", [3, 12])  # by tree, by products
def test_nearest_is_the_exact_nearest(spread: float, width: int) -> None:
    generator = torch_generator(0, "test")
    latents = torch.randn(2500, width, generator=generator)
    codes = spread * torch.randn(500, width, generator=generator)
    assert torch.equal(nearest_codes(latents, codes), brute_force(latents, codes))


@pytest.mark.parametrize("width", [3, 12])
def test_equal_codes_give_the_lowest_index(width: int) -> None:
    generator = torch_generator(1, "test")
    codes = torch.randn(100, width, generator=generator)
    doubled = torch.cat([codes, codes.flip(0), codes])
    latents = torch.randn(3000, width, generator=generator)
    assert torch.equal(nearest_codes(latents, doubled), nearest_codes(latents, codes))
    assert torch.equal(nearest_codes(codes, doubled), torch.arange(100))


@pytest.mark.parametrize("spread", [1.0, 1e-7])
def test_both_searches_agree(monkeypatch: pytest.MonkeyPatch, spread: float) -> None:
    generator = torch_generator(4, "test")
    latents = torch.randn(3000, 3, generator=generator)
    codes = spread * torch.randn(700, 3, generator=generator)
    by_tree = nearest_codes(latents, codes)
    monkeypatch.setattr(quantise, "TREE_WIDTH", 0)
    assert torch.equal(nearest_codes(latents, codes), by_tree)


def test_the_search_is_exact_whatever_networks_run_in() -> None:
    """Codes too wide for the tree go by products, which autocast would take in bfloat16, as it does on a GPU for every width."""
    generator = torch.Generator().manual_seed(0)
    latents, codes = torch.randn(2000, 9, generator=generator), torch.randn(4000, 9, generator=generator)
    expected = torch.cdist(latents.double(), codes.double()).argmin(1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(nearest_codes(latents, codes), expected)


def test_odd_codebooks_and_latents() -> None:
    assert nearest_codes(torch.randn(5, 3), torch.randn(1, 3)).tolist() == [0] * 5
    assert nearest_codes(torch.zeros(0, 3), torch.randn(4, 3)).shape == (0,)
    latents = torch.tensor([[1.0, 0.0, 0.0], [float("nan"), 0.0, 0.0]])
    assert nearest_codes(latents, torch.eye(3))[0] == 0  # and the loss is not finite, which training reports


def test_gradients_pass_straight_through_and_the_loss_weighs_its_two_terms() -> None:
    quantiser = VectorQuantiser(8, 3, beta=0.25)
    h = torch.randn(2, 3, 4, 4, requires_grad=True)
    codes, indices, loss = quantiser(h)
    assert indices.shape == (2, 4, 4)
    torch.testing.assert_close(codes.detach(), quantiser.embedding.weight[indices].movedim(-1, 1).detach())
    torch.testing.assert_close(torch.autograd.grad(codes.sum(), h, retain_graph=True)[0], torch.ones_like(h))
    error = (codes.detach() - h.detach()).square().mean()
    assert float(loss.detach()) == pytest.approx(1.25 * float(error), rel=1e-5)
    to_h, to_codes = torch.autograd.grad(loss, [h, quantiser.embedding.weight])
    torch.testing.assert_close(to_h, 2 * (h.detach() - codes.detach()) / h.numel())
    expected = torch.zeros(8, 3).index_add_(0, indices.flatten(), (codes - h).detach().movedim(1, -1).reshape(-1, 3))
    torch.testing.assert_close(to_codes, 0.25 * 2 * expected / h.numel(), rtol=1e-4, atol=1e-7)


def test_usage_counts_dead_codes_and_perplexity() -> None:
    usage = CodebookUsage(8)
    usage.update(torch.tensor([[0, 1], [2, 3]]))
    usage.update(torch.tensor([3, 2, 1, 0]))
    assert usage.used == 0.5
    assert usage.perplexity == pytest.approx(4.0)
    assert usage.dead.tolist() == [False] * 4 + [True] * 4
    usage.update(torch.zeros(1000, dtype=torch.int64))
    assert 1 < usage.perplexity < math.e
    usage.reset()
    assert usage.used == 0


def test_filling_finds_separate_clusters() -> None:
    generator = torch_generator(2, "test")
    centres = 10 * torch.eye(6)
    rows = centres.repeat_interleave(50, 0) + 0.01 * torch.randn(300, 6, generator=generator)
    latents = rows.view(3, 10, 10, 6).movedim(-1, 1)
    quantiser = VectorQuantiser(6, 6)
    fill_codebook(quantiser, latents, torch_generator(3, "fill"))
    found = quantiser.embedding.weight.detach()
    assert (torch.cdist(centres, found).amin(1) < 0.01).all()
    again = VectorQuantiser(6, 6)
    fill_codebook(again, latents, torch_generator(3, "fill"))
    assert torch.equal(again.embedding.weight, quantiser.embedding.weight)


def test_filling_survives_fewer_cells_than_codes() -> None:
    quantiser = VectorQuantiser(16, 3)
    fill_codebook(quantiser, torch.ones(1, 3, 2, 2), torch_generator(0, "fill"))
    weight = quantiser.embedding.weight.detach()
    assert torch.isfinite(weight).all()
    torch.testing.assert_close(weight, torch.ones(16, 3), rtol=0, atol=0.01)


def test_restarting_moves_only_dead_codes_onto_latents() -> None:
    quantiser = VectorQuantiser(6, 3)
    before = quantiser.embedding.weight.detach().clone()
    dead = torch.tensor([True, False, False, True, False, False])
    latents = torch.randn(2, 3, 4, 4)
    assert restart_dead_codes(quantiser, dead, latents, torch_generator(0, "restart")) == 2
    after = quantiser.embedding.weight.detach()
    assert torch.equal(after[~dead], before[~dead])
    rows = latents.movedim(1, -1).reshape(-1, 3)
    assert all((rows == code).all(1).any() for code in after[dead])
    assert restart_dead_codes(quantiser, torch.zeros(6, dtype=torch.bool), latents, torch_generator(0, "r")) == 0
