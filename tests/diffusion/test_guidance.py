"""Guidance against the written-out chain, and the number of evaluations it costs."""

import pytest
import torch
from torch import Tensor

from facecond.diffusion.guidance import guide_stacked, shares_of, stack
from facecond.types import Context

PLACES = torch.zeros(1, 3)


class Counting:
    """A stand-in network eps = z * token + t whose rows evaluated are counted."""

    def __init__(self) -> None:
        self.calls = 0
        self.rows = 0

    def __call__(self, z: Tensor, t: Tensor, context: Context | None) -> Tensor:
        assert context is not None
        self.calls += 1
        self.rows += len(z)
        return z * context.tokens_BTD[:, :1, :1, None] + t[:, None, None, None]


def contexts_of(*values: tuple[float, float]) -> list[Context]:
    return [Context(torch.tensor(pair)[:, None, None], PLACES) for pair in values]


@pytest.mark.parametrize(
    ("weights", "evaluations"),
    [((1, 1), 1), ((2, 2), 2), ((1.5, 2), 3), ((1, 2), 2), ((2, 1), 3), ((0, 0), 1), ((2, 0), 2)],
)
def test_chain_and_its_cost(weights: tuple[float, float], evaluations: int) -> None:
    nothing, mask, both = contexts_of((0.0, 1.0), (2.0, -1.0), (3.0, 5.0))
    z, t = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0)), torch.tensor([7, 7])
    network = Counting()
    found = guide_stacked(network, stack([nothing, mask, both], weights))(z, t, None)
    assert (network.calls, network.rows) == (1, 2 * evaluations)
    plain = Counting()
    eps = [plain(z, t, context) for context in (nothing, mask, both)]
    expected = eps[0] + weights[0] * (eps[1] - eps[0]) + weights[1] * (eps[2] - eps[1])
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_equal_weights_are_classifier_free_guidance() -> None:
    assert shares_of([2.5, 2.5]) == [-1.5, 0.0, 2.5]


def test_shares_add_up_to_one() -> None:
    assert sum(shares_of([1.7, 0.2, 3.1])) == pytest.approx(1.0)


def test_weight_one_is_the_plain_model_bit_for_bit() -> None:
    contexts = contexts_of((0.0, 1.0), (2.0, -1.0))
    z, t = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0)), torch.tensor([3, 3])
    assert torch.equal(guide_stacked(Counting(), stack(contexts, [1.0]))(z, t, None), Counting()(z, t, contexts[1]))


def test_wrong_number_of_weights() -> None:
    with pytest.raises(ValueError, match="contexts"):
        guide_stacked(Counting(), stack(contexts_of((0.0, 0.0)), [1.0]))
