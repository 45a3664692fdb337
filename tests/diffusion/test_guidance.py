"""Guidance against the written-out chain, and the number of evaluations it costs."""

import pytest
import torch
from torch import Tensor

from facecond.config.diffusion import Target
from facecond.diffusion.guidance import Guided, guide, shares_of, stack
from facecond.diffusion.prediction import convert
from facecond.types import Context, Denoise, Level

PLACES = torch.zeros(1, 3)


class Counting:
    """A stand-in network eps = z * token + t whose rows evaluated are counted."""

    def __init__(self) -> None:
        self.calls = 0
        self.rows = 0

    def bind(self, context: Context) -> Denoise:
        def denoise(z: Tensor, t: Tensor) -> Tensor:
            self.calls += 1
            self.rows += len(z)
            return z * context.tokens_BTD[:, :1, :1, None] + t[:, None, None, None]

        return denoise

    def guided(self, guided: Guided) -> Denoise:
        return guide(self.bind(guided.context), guided.shares)


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
    found = network.guided(stack([nothing, mask, both], weights))(z, t)
    assert (network.calls, network.rows) == (1, 2 * evaluations)
    plain = Counting()
    eps = [plain.bind(context)(z, t) for context in (nothing, mask, both)]
    expected = eps[0] + weights[0] * (eps[1] - eps[0]) + weights[1] * (eps[2] - eps[1])
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_equal_weights_are_classifier_free_guidance() -> None:
    assert shares_of([2.5, 2.5]) == [-1.5, 0.0, 2.5]


def test_shares_add_up_to_one() -> None:
    assert sum(shares_of([1.7, 0.2, 3.1])) == pytest.approx(1.0)


def test_weight_one_is_the_plain_model_bit_for_bit() -> None:
    contexts = contexts_of((0.0, 1.0), (2.0, -1.0))
    z, t = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0)), torch.tensor([3, 3])
    assert torch.equal(Counting().guided(stack(contexts, [1.0]))(z, t), Counting().bind(contexts[1])(z, t))


def test_wrong_number_of_weights() -> None:
    with pytest.raises(ValueError, match="contexts"):
        stack(contexts_of((0.0, 0.0)), [1.0])


@pytest.mark.parametrize("source", list(Target))
@pytest.mark.parametrize("to", list(Target))
def test_guiding_and_converting_commute(source: Target, to: Target) -> None:
    guided = stack(contexts_of((0.0, 1.0), (2.0, -1.0), (3.0, 5.0)), [1.7, 2.4])
    z, time = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0)).double(), torch.tensor([7, 7])
    level = Level(0.6, 0.8, 7.0)
    network = Counting().bind(guided.context)

    def converted(z: Tensor, time: Tensor) -> Tensor:
        return convert(network(z, time), z, level, source, to)

    first = convert(guide(network, guided.shares)(z, time), z, level, source, to)
    torch.testing.assert_close(first, guide(converted, guided.shares)(z, time), rtol=1e-10, atol=1e-10)
