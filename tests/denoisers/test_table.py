"""What every denoiser of the table keeps: shapes, zero at the start, gradients everywhere, one reading of a context."""

from typing import Any

import pytest
import torch

from facecond.config.networks import DENOISERS as CONFIGURATIONS
from facecond.config.networks import GlobalTokens, PlacedTokens, Position
from facecond.denoisers.denoiser import Denoiser
from facecond.denoisers.table import DENOISERS
from facecond.types import Context
from tests.denoisers.test_unet import awake, places

SMALL: dict[str, dict[str, Any]] = {
    "unet": {
        "model_channels": 32, "channel_mult": [1, 2], "num_res_blocks": 1, "attention_downsamplings": [2],
        "position": Position.shared, "global_tokens": GlobalTokens.modulate, "placed_tokens": PlacedTokens.add,
    },
    "transformer": {"width": 32, "depth": 2, "head_channels": 16, "placed_tokens": PlacedTokens.add},
}  # fmt: skip
EVERY = [(kind, patch) for kind in DENOISERS for patch in (1, 2, 4)]

pytestmark = pytest.mark.parametrize(("kind", "patch"), EVERY)


def small(kind: str, patch: int, context_dim: int | None = 24) -> Denoiser:
    torch.manual_seed(0)
    return DENOISERS[kind](CONFIGURATIONS[kind](patch=patch, **SMALL[kind]), channels=3, context_dim=context_dim)


def example(unplaced: int = 2) -> tuple[torch.Tensor, torch.Tensor, Context]:
    generator = torch.Generator().manual_seed(1)
    z = torch.randn(2, 3, 16, 24, generator=generator)
    tokens = torch.randn(2, 16 + unplaced, 24, generator=generator)
    return z, torch.tensor([3.0, 900.5], dtype=torch.float64), Context(tokens, places(16, unplaced))


def test_answers_zero_at_the_start_in_the_shape_of_the_latents(kind: str, patch: int) -> None:
    z, time, context = example()
    assert torch.equal(small(kind, patch)(z, time, context), torch.zeros_like(z))
    assert torch.equal(small(kind, patch, None)(z, time), torch.zeros_like(z))


def test_every_parameter_learns(kind: str, patch: int) -> None:
    denoiser = awake(small(kind, patch))
    z, time, context = example()
    denoiser(z, time, context).square().mean().backward()
    unmoved = [name for name, weight in denoiser.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert unmoved == []


def test_a_bound_context_is_read_once_and_gives_the_same(kind: str, patch: int) -> None:
    denoiser = awake(small(kind, patch)).eval()
    z, time, context = example()
    other = Context(context.tokens_BTD.flip(0), context.places_TP)
    with torch.no_grad():
        bound, bound_to_other = denoiser.bind(context), denoiser.bind(other)
        denoiser.read = None  # type: ignore[assignment, method-assign]
        first = bound(z, time)
        del denoiser.read
        assert torch.equal(first, denoiser(z, time, context))
        assert torch.equal(bound_to_other(z, time), denoiser(z, time, other))
        assert not torch.allclose(first, bound_to_other(z, time))


def test_the_order_of_tokens_without_a_place_says_nothing(kind: str, patch: int) -> None:
    denoiser = awake(small(kind, patch)).eval()
    z, time, context = example(unplaced=3)
    order = [2, 0, 1, *range(3, 19)]
    with torch.no_grad():
        found = denoiser(z, time, Context(context.tokens_BTD[:, order], context.places_TP))
        torch.testing.assert_close(found, denoiser(z, time, context), rtol=1e-4, atol=1e-5)


def test_where_a_token_lies_matters(kind: str, patch: int) -> None:
    denoiser = awake(small(kind, patch)).eval()
    z, time, context = example()
    order = [0, 1, *reversed(range(2, 18))]
    moved = context.places_TP[order]
    with torch.no_grad():
        plain = denoiser(z, time, context)
        assert not torch.allclose(denoiser(z, time, Context(context.tokens_BTD, moved)), plain, rtol=1e-3, atol=1e-4)
        same = denoiser(z, time, Context(context.tokens_BTD[:, order], moved))
    torch.testing.assert_close(same, plain, rtol=1e-4, atol=1e-5)


def test_contexts_and_sides_that_do_not_fit_are_refused(kind: str, patch: int) -> None:
    z, time, context = example()
    with pytest.raises(ValueError, match="context of width 24"):
        small(kind, patch)(z, time)
    with pytest.raises(ValueError, match="no context"):
        small(kind, patch, None)(z, time, context)
    denoiser = small(kind, patch)
    if denoiser.multiple > 1:
        with pytest.raises(ValueError, match=f"multiples of {denoiser.multiple}"):
            denoiser(z[..., 1:], time, context)


def test_bfloat16_autocast_stays_close_to_float32(kind: str, patch: int) -> None:
    denoiser = awake(small(kind, patch)).eval()
    z, time, context = example()
    with torch.no_grad():
        exact = denoiser(z, time, context)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rough = denoiser.bind(context)(z, time)
    assert rough.dtype == torch.float32
    assert float((rough - exact).abs().max() / exact.abs().max()) < 0.1
