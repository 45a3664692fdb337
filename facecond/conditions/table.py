"""The conditions there are. Whatever the program does with conditions, it does for every entry of this table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from facecond.conditions.attributes import Attributes
from facecond.conditions.condition import Condition
from facecond.conditions.mask import Mask
from facecond.conditions.sketch import Sketch
from facecond.errors import ConfigError, nearest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CONDITIONS: dict[str, Condition] = {condition.name: condition for condition in (Attributes(), Mask(), Sketch())}
"""By name, in the order of their tokens. Guidance adds them in the opposite order: the most spatial one first."""


def pictures_of(values: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.uint8]]:
    """Return what there is to see of the values of one picture, by heading; see `Condition.picture`."""
    seen = {each.heading: each.picture(values[name]) for name, each in CONDITIONS.items() if name in values}
    return {heading: picture for heading, picture in seen.items() if picture is not None}


def measured_by(measure: str) -> str:
    """Return the name of the condition that `measure` asks after."""
    return next(name for name, each in CONDITIONS.items() if measure in each.measures)


def chosen(names: Iterable[str]) -> list[Condition]:
    """Return the conditions called `names`, in the table's order.

    Raises ConfigError for one that does not exist or is named twice.
    """
    asked = list(names)
    for name in asked:
        if name not in CONDITIONS:
            raise ConfigError(f"unknown condition {name!r} in model.conditions", hint=nearest(name, CONDITIONS))
    if len(set(asked)) != len(asked):
        raise ConfigError(f"model.conditions={asked} names a condition twice")
    return [condition for name, condition in CONDITIONS.items() if name in asked]
