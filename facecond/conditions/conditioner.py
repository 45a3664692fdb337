"""All conditions of a model as one sequence of tokens (the paper, section 3: "multicond" is 1 + 64 = 65 tokens), and what is
withheld from it in training, so that a condition can later be left unspecified (classifier-free guidance).

Which conditions are kept for which item is passed in to `Conditioner`; nothing there depends on it being training or use.
`withhold` draws three things apart: everything at once (what guidance starts from), each condition as a whole, and a part
of each condition. Everything random is drawn for the whole global batch, each condition from a stream of its own, so that
what one condition withholds does not depend on which others there are; rows can be sliced.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from facecond.conditions.condition import ConditionSettings
from facecond.conditions.encoders import ConditionEncoder
from facecond.conditions.table import CONDITIONS, chosen
from facecond.errors import ConfigError
from facecond.memory import send
from facecond.types import Context, Values


class Conditioner(nn.Module):
    """Encoders of a model's conditions, in the order of the table.

    `settings` holds one entry per condition of the model. Raises ConfigError for a condition that does not exist.
    """

    def __init__(
        self, settings: Mapping[str, ConditionSettings], *, token_width: int, optional: bool, resolution: int
    ) -> None:
        super().__init__()
        self.conditions = chosen(settings)
        self.names = [condition.name for condition in self.conditions]
        self.resolution = resolution
        self.guidance_order = self.names[::-1]
        """The order in which `chain` adds the conditions."""
        self.optional = optional
        build = partial(ConditionEncoder, token_width=token_width, optional=optional, resolution=resolution)
        self.encoders = nn.ModuleDict({each.name: build(each, settings[each.name]) for each in self.conditions})

    def forward(self, values: Values, keep: Mapping[str, Tensor] | None = None) -> Context | None:
        """Return the context of `values`, or None when the model has no conditions.

        `keep[name]`, bool (B,), is False for the items for which condition `name` is withheld; a name that is
        missing is kept for all. Raises ConfigError when something is withheld from a model that has no null tokens.
        """
        return self._join(self.encode(values), keep or {})

    def encode(self, values: Values) -> dict[str, Tensor]:
        """Return the tokens (B, T, D) of each condition. Values that say nothing give null tokens (see the encoder)."""
        return {name: self.encoders[name](values[name]) for name in self.names}

    def chain(self, values: Values) -> list[Context]:
        """Return contexts for guidance: nothing, then one condition more each time, in `guidance_order`.

        Each condition is encoded once. Raises ConfigError when the model has no null tokens or no conditions.
        """
        if not self.names:
            raise ConfigError("guidance needs conditions, and this model has none", hint="leave guidance at 1")
        tokens = self.encode(values)
        first = next(iter(tokens.values()))
        nobody_B = torch.zeros(len(first), dtype=torch.bool, device=first.device)
        chain = []
        for said in range(len(self.names) + 1):
            context = self._join(tokens, dict.fromkeys(self.guidance_order[said:], nobody_B))
            assert context is not None
            chain.append(context)
        return chain

    def places(self) -> Tensor:
        """float32 (T, 3): places of all tokens (see types.Context)."""
        places = [self._encoder(name).places_TP for name in self.names]
        return torch.cat(places) if places else torch.zeros(0, 3)

    def check_specified(self, values: Values) -> None:
        """Raise ConfigError when `values` leave something unspecified that this model must be told.

        Looks at the values, so it is for the start of a run, not for the inside of a loop.
        """
        if self.optional:
            return
        for condition in self.conditions:
            if not bool(condition.says_everything(values[condition.name]).all()):
                raise ConfigError(
                    f"{condition.unsaid} are not specified, and this model was trained with all of them",
                    hint="specify all of them, or train with model.condition_dropout=0.1 model.partial_dropout=0.1",
                )

    def _encoder(self, name: str) -> ConditionEncoder:
        return cast(ConditionEncoder, self.encoders[name])

    def _join(self, tokens: Mapping[str, Tensor], keep: Mapping[str, Tensor]) -> Context | None:
        if not tokens:
            return None
        parts = []
        for name, tokens_BTD in tokens.items():
            if name in keep:
                null_tokens = self._encoder(name).null_tokens
                if null_tokens is None:
                    raise ConfigError(
                        f"the condition {name!r} cannot be left out: the model was trained with it always present",
                        hint="train with model.condition_dropout=0.1, or leave guidance at 1 and specify the condition",
                    )
                keep_B11 = keep[name][:, None, None]
                tokens_BTD = torch.where(keep_B11, tokens_BTD, null_tokens.to(tokens_BTD.dtype))
            parts.append(tokens_BTD)
        return Context(torch.cat(parts, dim=1), self.places())


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

        away_B, *hidden = (send(drawn[rows], device) for drawn in once(f"withheld {name}", draw))
        keep[name] = ~(away_B | send(joint_B[rows], device))
        shown[name] = CONDITIONS[name].hide(values[name], *hidden)
    return shown, keep
