"""Fields of configuration classes: limits, lists with entries of one kind, and fields that a table adds.

Values outside the limits are refused with the key's name before anything runs.
"""

import dataclasses
import math
import typing
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from facecond.errors import ConfigError

WORDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
"""Kinds of values, for people."""


LIFT = "limits=false"
"""What lets through numbers that look like slips, and networks that look too large for this machine."""


class Slip(int):
    """A limit that is there to catch slips of the finger: `limits=false` lifts it."""


WIDEST, DEEPEST, MOST = Slip(8192), Slip(1024), Slip(10_000_000)
"""Channels of a layer, layers in a row and pictures of one command beyond which a number is a slip."""


def bounded(
    default: Any, *, minimum: float = -math.inf, maximum: float = math.inf, above: float = -math.inf,
    words: tuple[str, ...] = (),
) -> Any:  # fmt: skip
    """Return a dataclass field for a number with `minimum <= value <= maximum` and `value > above`, or a list of such numbers.

    `words` may stand in the place of a number.
    """
    limits = {"minimum": minimum, "maximum": maximum, "above": above, "words": words}
    if isinstance(default, list):
        return dataclasses.field(default_factory=lambda: list(default), metadata=limits)
    return dataclasses.field(default=default, metadata=limits)


def choice(default: bool, *words: str) -> Any:
    """Return a dataclass field that is true or false, or one of `words`."""
    return dataclasses.field(default=default, metadata={"words": words, "truth": True})


T = TypeVar("T")


def with_fields(fields: Iterable[tuple[str, Any, Any, str]]) -> Callable[[type[T]], type[T]]:
    """Return a decorator that adds `fields` to a configuration class: (name, type, `dataclasses.field`, meaning) each."""
    added = list(fields)

    def extend(base: type[T]) -> type[T]:
        for _, _, default, meaning in added:
            default.metadata = {**default.metadata, "meaning": meaning}
        extended = dataclasses.make_dataclass(
            base.__name__, [field[:3] for field in added], bases=(base,), kw_only=True, slots=True
        )
        extended.__module__, extended.__qualname__, extended.__doc__ = base.__module__, base.__qualname__, base.__doc__
        return extended

    return extend


def fixed(default: Any) -> Any:
    """Return a dataclass field that says of what kind a section is, and that is not set by itself."""
    return dataclasses.field(default=default, metadata={"fixed": default})


def check_bounds(config: Any, prefix: str = "", *, slips: bool = True) -> None:
    """Raise a `ConfigError` that names the first value of a dataclass (nested ones included) outside its limits.

    Limits that are a `Slip` count only with `slips`.
    """
    for field in dataclasses.fields(config):
        value, key = getattr(config, field.name), prefix + field.name
        if dataclasses.is_dataclass(value):
            check_bounds(value, key + ".", slips=slips)
            continue
        if "fixed" in field.metadata and value != field.metadata["fixed"]:
            section = prefix.rstrip(".").rpartition(".")[2]
            raise ConfigError(f"{key}={value} cannot be set by itself", hint=f"write {section}={value}")
        if isinstance(value, str) and value not in field.metadata.get("words", [value]):
            others = "neither true, false" if "truth" in field.metadata else "neither a number"
            raise ConfigError(f"{key}={value} is {others} nor {' or '.join(field.metadata['words'])}")
        if isinstance(value, list):
            _check_entries(value, field.type, key)
        numbers = value if isinstance(value, list) else [value]
        for number in numbers:
            if isinstance(number, bool) or not isinstance(number, (int, float)):
                continue
            if not math.isfinite(number):
                raise ConfigError(f"{key}={number} is not a finite number")
            if "minimum" in field.metadata and not _inside(number, field.metadata):
                lifted = isinstance(field.metadata["maximum"], Slip) and number > field.metadata["maximum"]
                if lifted and not slips:
                    continue
                hint = f"expected {_describe(field.metadata)}" + (f"; {LIFT} lets it through" if lifted else "")
                raise ConfigError(f"{key}={number} is out of range", hint=hint)


def _check_entries(entries: list[Any], kind: Any, key: str) -> None:
    """Raise a `ConfigError` for an entry of a list that is not of the kind the schema says."""
    (wanted,) = typing.get_args(kind) or (object,)
    for entry in entries:
        if not isinstance(entry, wanted):
            raise ConfigError(
                f"{key}={entries}: the entry {entry} is not {WORDS.get(wanted, wanted.__name__)}",
                hint="write a flat list, and quotes around an entry with commas: ['a,b',c]",
            )


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
