"""Values and encoders for the tests of conditions."""

from typing import Any

import torch

from facecond.conditions.encoders import ConditionEncoder
from facecond.conditions.table import CONDITIONS
from facecond.types import Values

SIZE = 32
SMALL: dict[str, dict[str, Any]] = {
    "vector": {"hidden": [8]},
    "map": {"width": 8, "channel_mult": [1, 2], "depth": 1, "grid": 4},
}


def settings(name: str, **changes: Any) -> Any:
    """Small settings of a condition, whichever kind of encoder it has."""
    schema = CONDITIONS[name].settings
    kind = "map" if "grid" in schema.__dataclass_fields__ else "vector"
    norm = {"norm": type(schema().norm)["group"]} if kind == "map" else {}
    return schema(**(SMALL[kind] | norm | changes))


def encoder(
    name: str, *, optional: bool = False, token_width: int = 16, resolution: int = SIZE, **changes: Any
) -> ConditionEncoder:
    torch.manual_seed(0)
    sizes = {"token_width": token_width, "optional": optional, "resolution": resolution}
    return ConditionEncoder(CONDITIONS[name], settings(name, **changes), **sizes).eval()


def said(name: str, count: int = 3, size: int = SIZE) -> torch.Tensor:
    """Values of a condition that leave nothing unsaid, all different: random numbers of what its values may hold."""
    generator = torch.Generator().manual_seed(1)
    shape = (count, *CONDITIONS[name].column.shape(size))
    nothing = CONDITIONS[name].nothing(1, size)
    if nothing.dtype == torch.int8:
        return torch.randint(0, 2, shape, generator=generator, dtype=torch.int8) * 2 - 1
    high = 19 if name == "mask" else 2
    return torch.randint(0, high, shape, generator=generator, dtype=torch.uint8)


def all_said(count: int = 3) -> Values:
    return {name: said(name, count) for name in CONDITIONS}


def unsaid(count: int = 3) -> Values:
    return {name: condition.nothing(count, SIZE) for name, condition in CONDITIONS.items()}
