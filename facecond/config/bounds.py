"""Fields with limits: a value outside them is refused with the key's name before anything runs."""

import dataclasses
import math
from typing import Any

from facecond.errors import ConfigError


def bounded(default: Any, *, minimum: float = -math.inf, maximum: float = math.inf, above: float = -math.inf) -> Any:
    """Return a dataclass field for a number with `minimum <= value <= maximum` and `value > above`."""
    return dataclasses.field(default=default, metadata={"minimum": minimum, "maximum": maximum, "above": above})


def check_bounds(config: Any, prefix: str = "") -> None:
    """Raise a `ConfigError` that names the first value of a dataclass (nested ones included) outside its limits."""
    for field in dataclasses.fields(config):
        value, key = getattr(config, field.name), prefix + field.name
        if dataclasses.is_dataclass(value):
            check_bounds(value, key + ".")
            continue
        numbers = value if isinstance(value, list) else [value]
        for number in numbers:
            if isinstance(number, bool) or not isinstance(number, (int, float)):
                continue
            if not math.isfinite(number):
                raise ConfigError(f"{key}={number} is not a finite number")
            if field.metadata and not _inside(number, field.metadata):
                raise ConfigError(f"{key}={number} is out of range", hint=f"expected {_describe(field.metadata)}")


def _inside(number: float, limits: Any) -> bool:
    return limits["minimum"] <= number <= limits["maximum"] and number > limits["above"]


def _describe(limits: Any) -> str:
    parts = []
    if limits["above"] > -math.inf:
        parts.append(f"more than {limits['above']:g}")
    if limits["minimum"] > -math.inf:
        parts.append(f"at least {limits['minimum']:g}")
    if limits["maximum"] < math.inf:
        parts.append(f"at most {limits['maximum']:g}")
    return " and ".join(parts)
