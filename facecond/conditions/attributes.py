"""The attribute condition: an MLP that turns 40 attributes into one token (the paper, section 3: "attr").

Values are int8 (40,) in {-1, 0, +1}; 0 = not specified, which adds nothing to the MLP's first layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facecond.bounds import WIDEST, bounded
from facecond.conditions.condition import Column, Condition, ConditionSettings
from facecond.errors import ConfigError, DataError
from facecond.faces.names import ATTRIBUTES, NUM_ATTRIBUTES
from facecond.types import UNSPECIFIED_ATTRIBUTE

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from torch import Tensor, nn


@dataclass(kw_only=True, slots=True)
class AttributesSettings(ConditionSettings):
    """The attribute encoder: an MLP, 40 attributes -> one token."""

    hidden: list[int] = bounded([512], minimum=1, maximum=WIDEST)
    """Widths of the hidden layers."""


class Attributes(Condition):
    """40 binary attributes of CelebA -> one token of the whole picture."""

    name = "attributes"
    word = "attr"
    help = "Attributes, for example +Smiling,-Male,Eyeglasses; what is not named stays unspecified"
    heading = "attributes"
    unsaid = "some attributes"
    settings = AttributesSettings
    column = Column("attributes", lambda resolution: (NUM_ATTRIBUTES,), "int8", (-1, UNSPECIFIED_ATTRIBUTE, 1))
    measures = ("attributes",)
    changes_items = True

    def read(self, text: str, resolution: int) -> NDArray[Any]:
        """Read "+Smiling,-Male,Eyeglasses"; see `faces.attributes.parse_attributes`."""
        from facecond.faces.attributes import parse_attributes

        return parse_attributes(text)

    def check(self, text: str) -> None:
        """Raise ConfigError for an unknown attribute."""
        from facecond.faces.attributes import parse_attributes

        parse_attributes(text)

    def identify(self, text: str) -> str:
        """The attributes in CelebA's order."""
        from facecond.faces.attributes import format_attributes, parse_attributes

        return format_attributes(parse_attributes(text))

    def short(self, text: str) -> list[str]:
        """The attributes with their signs, those that are present first."""
        named = self.identify(text).split(",") if self.identify(text) else []
        return sorted(named, key=lambda each: each[0] == "-")

    def completions(self, begun: str) -> list[str]:
        """Complete the name behind the last comma by those that are not named yet; its sign stays."""
        before, comma, word = begun.rpartition(",")
        sign = word[:1] if word[:1] in ("+", "-") else ""
        named = {each.strip().lstrip("+-") for each in before.split(",")}
        left = [name for name in ATTRIBUTES if name not in named and name.startswith(word[len(sign) :])]
        return [f"{before}{comma}{sign}{name}" for name in left]

    def leaves_open(self, text: str) -> bool:
        """Say whether an attribute is not named."""
        from facecond.faces.attributes import parse_attributes

        return not parse_attributes(text).all()

    def change(self, own: NDArray[Any], given: NDArray[Any]) -> NDArray[Any]:
        """Return `own` with the attributes that `given` names."""
        import numpy as np

        return np.where(given != UNSPECIFIED_ATTRIBUTE, given, own).astype(np.int8)

    def describe(self, value: NDArray[Any], origin: str) -> str:
        """The attributes by name."""
        from facecond.faces.attributes import format_attributes

        return format_attributes(value)

    def record(self, value: NDArray[Any], folder: Path, digest: str) -> str:
        """Forty characters +, - and 0, in CelebA's order."""
        return "".join("-0+"[int(sign) + 1] for sign in value)

    def recall(self, text: str, folder: Path) -> NDArray[Any]:
        """Undo `record`."""
        import numpy as np

        if len(text) != NUM_ATTRIBUTES or set(text) - set("-0+"):
            raise DataError(f"{folder}: {text!r} is not {NUM_ATTRIBUTES} signs -, 0 or +", hint="sample again")
        return np.array(["-0+".index(sign) - 1 for sign in text], dtype=np.int8)

    def nothing(self, count: int, resolution: int, device: torch.device | str = "cpu") -> Tensor:
        """All zeros."""
        import torch

        return torch.zeros(count, NUM_ATTRIBUTES, dtype=torch.int8, device=device)

    def says_something(self, values: Tensor) -> Tensor:
        """Items that specify an attribute."""
        return (values != UNSPECIFIED_ATTRIBUTE).any(dim=1)

    def says_everything(self, values: Tensor) -> Tensor:
        """Items that specify all 40."""
        return (values != UNSPECIFIED_ATTRIBUTE).all(dim=1)

    def mirror(self, values: Tensor) -> Tensor:
        """Attributes have no sides."""
        return values

    def draw_hidden(self, share_B: Tensor, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Bool (B, 40): single attributes that are hidden."""
        import torch

        return (torch.rand(len(share_B), NUM_ATTRIBUTES, generator=generator) < share_B[:, None],)

    def hide(self, values: Tensor, *hidden: Tensor) -> Tensor:
        """Put 0 where `hidden` is true."""
        return values.masked_fill(hidden[0], UNSPECIFIED_ATTRIBUTE)

    def network(self, settings: Any, *, token_width: int, optional: bool, resolution: int) -> nn.Module:
        """An MLP. Raises ConfigError for a hidden layer without units."""
        from facecond.conditions.encoders import VectorNetwork

        if any(width < 1 for width in settings.hidden):
            raise ConfigError(f"model.{self.name}.hidden={settings.hidden} holds a width below 1")
        return VectorNetwork([NUM_ATTRIBUTES, *settings.hidden, token_width])

    def channels(self, values: Tensor, *, optional: bool) -> Tensor:
        """The values as they are."""
        return values

    def places(self, settings: Any) -> list[tuple[float, float, float]]:
        """One token of the whole picture."""
        return [(0.0, 0.0, 0.0)]
