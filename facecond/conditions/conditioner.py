"""All conditions of a model as one sequence of tokens (the paper, section 3: "multicond" is 1 + 64 = 65 tokens).

The ordered table CONDITIONS is the only place that knows which conditions there are. Which conditions are kept for
which item is passed in; nothing here depends on it being training or use.
"""

from collections.abc import Callable, Mapping
from typing import cast

import torch
from torch import Tensor, nn

from facecond.conditions.attributes import AttributesCondition
from facecond.conditions.mask import NUM_PARTS, MaskCondition
from facecond.config.diffusion import DiffusionConfig
from facecond.errors import ConfigError, nearest
from facecond.types import UNSPECIFIED_ATTRIBUTE, UNSPECIFIED_LABEL, Batch, Context

Encoder = AttributesCondition | MaskCondition


def _attributes(config: DiffusionConfig) -> AttributesCondition:
    return AttributesCondition(config.attributes, token_width=config.token_width, optional=is_optional(config))


def _mask(config: DiffusionConfig) -> MaskCondition:
    return MaskCondition(config.mask, token_width=config.token_width, optional=is_optional(config))


CONDITIONS: dict[str, tuple[Callable[[DiffusionConfig], Encoder], str]] = {
    "attributes": (_attributes, "attributes_BA"),
    "mask": (_mask, "labels_BHW"),
}
"""Name -> (encoder, field of Batch it reads), in the order of the tokens."""

GUIDANCE_ORDER = ("mask", "attributes")
"""The order in which guidance adds conditions; its weights are asked for in this order."""


def is_optional(config: DiffusionConfig) -> bool:
    """Whether conditions may be left out, wholly or in part: the model has learned null tokens."""
    return config.condition_dropout > 0 or config.partial_dropout > 0 or (config.mask_dropout or 0) > 0


class Conditioner(nn.Module):
    """Encoders of a model's conditions. Raises ConfigError for a condition that does not exist or is named twice."""

    def __init__(self, config: DiffusionConfig) -> None:
        super().__init__()
        for name in config.conditions:
            if name not in CONDITIONS:
                raise ConfigError(f"unknown condition {name!r} in model.conditions", hint=nearest(name, CONDITIONS))
        if len(set(config.conditions)) != len(config.conditions):
            raise ConfigError(f"model.conditions={config.conditions} names a condition twice")
        self.optional = is_optional(config)
        self.names = [name for name in CONDITIONS if name in config.conditions]
        self.encoders = nn.ModuleDict({name: CONDITIONS[name][0](config) for name in self.names})

    def forward(self, batch: Batch, keep: Mapping[str, Tensor] | None = None) -> Context | None:
        """Return the context of `batch`, or None when the model has no conditions.

        `keep[name]`, bool (B,), is False for the items for which condition `name` is withheld; a name that is
        missing is kept for all. Raises ConfigError when something is withheld from a model that has no null tokens.
        """
        return self._join(self.encode(batch), keep or {})

    def encode(self, batch: Batch) -> dict[str, Tensor]:
        """Return the tokens (B, T, D) of each condition. Values that are not specified give null tokens (see there)."""
        return {name: self.encoders[name](getattr(batch, CONDITIONS[name][1])) for name in self.names}

    @property
    def guidance_order(self) -> list[str]:
        """This model's conditions in the order in which `chain` adds them."""
        return [name for name in GUIDANCE_ORDER if name in self.names]

    def chain(self, batch: Batch) -> list[Context]:
        """Return contexts for guidance: nothing, then one condition more each time, in `guidance_order`.

        Each condition is encoded once. Raises ConfigError when the model has no null tokens or no conditions.
        """
        if not self.names:
            raise ConfigError("guidance needs conditions, and this model has none", hint="leave guidance at 1")
        tokens = self.encode(batch)
        count = len(next(iter(tokens.values())))
        nobody_B = torch.zeros(count, dtype=torch.bool, device=next(iter(tokens.values())).device)
        chain = []
        for said in range(len(self.names) + 1):
            context = self._join(tokens, dict.fromkeys(self.guidance_order[said:], nobody_B))
            assert context is not None
            chain.append(context)
        return chain

    def places(self) -> Tensor:
        """float32 (T, 3): places of all tokens (see types.Context)."""
        places = [self._encoder(name).places() for name in self.names]
        return torch.cat(places) if places else torch.zeros(0, 3)

    def check_specified(self, batch: Batch) -> None:
        """Raise ConfigError when `batch` leaves something unspecified that this model must be told.

        Looks at the values, so it is for the start of a run, not for the inside of a loop.
        """
        if self.optional:
            return
        labels = batch.labels_BHW
        unsaid_BHW = labels[:, NUM_PARTS:] if labels.dtype == torch.bool else labels == UNSPECIFIED_LABEL
        if "attributes" in self.names and bool((batch.attributes_BA == UNSPECIFIED_ATTRIBUTE).any()):
            unsaid = "attributes"
        elif "mask" in self.names and bool(unsaid_BHW.any()):
            unsaid = "regions of the mask"
        else:
            return
        raise ConfigError(
            f"some {unsaid} are not specified, and this model was trained with all of them",
            hint="specify all of them, or train with model.condition_dropout=0.1 model.partial_dropout=0.1",
        )

    def _encoder(self, name: str) -> Encoder:
        return cast(Encoder, self.encoders[name])

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
        return Context(torch.cat(parts, dim=1), self.places().to(parts[0].device))
