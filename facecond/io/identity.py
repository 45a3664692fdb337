"""Whether work on disk may be continued: the settings recorded there against those of now, key by key.

A key that was not recorded is younger than the record; it means what its default in today's schema says. A recorded key
that today's schema does not have is named: code that ignored it would make something else (docs/formats.md, "settings").
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

_LONGEST = 60
"""Characters of a value that a message shows."""


class Difference(NamedTuple):
    """One setting that is not what it was; as text: `KEY=OLD, not KEY=NEW`."""

    key: str
    recorded: Any
    now: Any
    gone: bool
    """Today's schema does not have the key."""

    def __str__(self) -> str:
        before = f"{self.key}={_short(self.recorded)}"
        return (
            f"{before}, a setting this version does not have"
            if self.gone
            else f"{before}, not {self.key}={_short(self.now)}"
        )


def completed(recorded: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return `recorded` (nested JSON values) with the `defaults` of the keys it does not have, at every depth."""
    values = {**defaults, **recorded}
    for key, default in defaults.items():
        if isinstance(default, Mapping) and isinstance(values[key], Mapping):
            values[key] = completed(values[key], default)
    return values


def difference(
    recorded: Mapping[str, Any],
    now: Mapping[str, Any],
    *,
    defaults: Mapping[str, Any] | None = None,
    ignoring: Collection[str] = (),
) -> Difference | None:
    """Return the first setting, by name, in which `recorded` (from a file) is not `now`; None when there is none.

    All are nested JSON values; `defaults` says what a key of `now` that was not recorded means, `ignoring` names keys
    (`a.b.c`) that may differ.
    """
    before, wanted, usual = flatten(recorded), flatten(now), flatten(defaults or {})
    before = {key: usual.get(key) for key in wanted} | before
    for key in sorted(before.keys() - set(ignoring)):
        if key not in wanted or before[key] != wanted[key]:
            return Difference(key, before[key], wanted.get(key), key not in wanted)
    return None


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings as `a.b.c` -> value; tuples become lists, as JSON has them."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = list(value) if isinstance(value, tuple) else value
    return flat


def _short(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= _LONGEST else text[:12] + "..."
