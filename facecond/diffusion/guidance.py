"""Guidance for each condition apart: a chain of contexts, each of which says more than the one before.

With contexts c_0 (nothing), c_1 (the mask), c_2 (the mask and the attributes) and weights w_1, w_2:

    r = r(c_0) + w_1 [r(c_1) - r(c_0)] + w_2 [r(c_2) - r(c_1)]

With w_1 = w_2 this is classifier-free guidance (Ho and Salimans 2022, equation 6, whose w is ours less 1), with all
weights 1 it is the plain model. Contexts whose share in the sum is zero are not evaluated; the others are evaluated as
one batch. Raw answers r of any kind are combined: converting one into another adds the same multiple of z to each
(`facecond.diffusion.prediction`), and since the shares add up to 1 it makes no difference which kind is combined.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from facecond.types import Context, Denoise


class Guided(NamedTuple):
    """The contexts that guidance evaluates, one after another along the batch, and the share of each in the sum."""

    context: Context
    """Tokens (E*B, T, D): E evaluations of B items, the first B rows belonging to the first share."""
    shares: tuple[float, ...]
    """E numbers that add up to 1."""


def shares_of(weights: Sequence[float]) -> list[float]:
    """Return the coefficient of each r(c_i), i = 0..n, in the chain with weights w_1..w_n; they add up to 1."""
    chain = [1.0, *weights, 0.0]
    return [here - after for here, after in itertools.pairwise(chain)]


def stack(contexts: Sequence[Context], weights: Sequence[float]) -> Guided:
    """Return the contexts of the chain that count, joined along the batch, with their shares.

    `contexts` goes from the one that says least to the one that says all; `weights` has one entry fewer. Raises
    ValueError when the numbers do not fit.
    """
    if len(contexts) != len(weights) + 1:
        raise ValueError(f"{len(weights)} guidance weights need {len(weights) + 1} contexts, got {len(contexts)}")
    kept = [(context, share) for context, share in zip(contexts, shares_of(weights), strict=True) if share != 0.0]
    tokens = torch.cat([context.tokens_BTD for context, _ in kept])
    return Guided(Context(tokens, kept[0][0].places_TP), tuple(share for _, share in kept))


def guide(denoise: Denoise, shares: Sequence[float]) -> Denoise:
    """Return a `Denoise` of B items that evaluates `denoise`, bound to a stack of E contexts, once and sums by `shares`.

    `denoise` takes E*B rows, as the context of `Guided` has them.
    """
    times = len(shares)
    if times == 1:
        return denoise

    def guided(z_BCHW: Tensor, time_B: Tensor) -> Tensor:
        raw = denoise(z_BCHW.repeat(times, 1, 1, 1), time_B.repeat(times))
        parts = raw.to(z_BCHW.dtype).chunk(times)
        total = shares[0] * parts[0]
        for share, part in zip(shares[1:], parts[1:], strict=True):
            total = total + share * part
        return total

    return guided
