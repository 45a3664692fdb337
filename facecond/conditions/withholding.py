"""What is withheld from the model in training, so that it can later be left unspecified (classifier-free guidance).

Three things, drawn apart: everything at once (what guidance starts from), each condition as a whole, and a part of each
condition. Everything random is drawn for the whole global batch, each condition from a stream of its own, so that what
one condition withholds does not depend on which others there are; rows can be sliced.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from facecond.conditions.table import CONDITIONS
from facecond.types import Values

Once = Callable[[str, Callable[[torch.Generator, int], tuple[Tensor, ...]]], tuple[Tensor, ...]]
"""`training.learner.Draws.once`: draw(generator of a stream, global batch size), called at the first asking only."""


class Rates(NamedTuple):
    """Shares of the training items."""

    whole: Mapping[str, float]
    """For which each condition is withheld, apart from the others."""
    joint: float
    """For which all conditions are withheld together."""
    partial: float
    """For which a part of each condition is hidden, apart from the others; how much is drawn evenly from [0, 1]."""


def withhold(
    values: Values, rates: Rates, once: Once, rows: slice = slice(None), device: torch.device | str = "cpu"
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return (values with parts of them hidden, keep) for the items `rows` of the global batch.

    Only the conditions of `rates` are looked at. `keep[name]`, bool (B,), is False where condition `name` is withheld as
    a whole: for `Conditioner.forward`.
    """
    (joint_B,) = once("withheld", lambda source, count: (torch.rand(count, generator=source) < rates.joint,))
    shown, keep = {}, {}
    for name in rates.whole:

        def draw(source: torch.Generator, count: int, name: str = name) -> tuple[Tensor, ...]:
            whole_B, partial_B, share_B = torch.rand(3, count, generator=source)
            share_B = torch.where(partial_B < rates.partial, share_B, 0.0)
            return whole_B < rates.whole[name], *CONDITIONS[name].draw_hidden(share_B, source)

        away_B, *hidden = (drawn[rows].to(device) for drawn in once(f"withheld {name}", draw))
        keep[name] = ~(away_B | joint_B[rows].to(device))
        shown[name] = CONDITIONS[name].hide(values[name], *hidden)
    return shown, keep
