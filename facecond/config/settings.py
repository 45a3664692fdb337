"""Composed settings as values: unchangeable, written to files as plain values, read back, compared with those of now.

A recorded key that today's schema does not have is named: code that ignored it would make something else. A key that was
not recorded is younger than the record; it means what its default in today's schema says (docs/formats.md, "settings").
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Collection, Mapping
from functools import cache
from typing import Any, NamedTuple, TypeVar

from facecond.bounds import check_bounds
from facecond.config.models import VARIANTS
from facecond.errors import ConfigError

C = TypeVar("C")


def freeze(config: C) -> C:
    """Make a configuration dataclass, and those in it, refuse changes (dataclasses.FrozenInstanceError); return it."""
    if hasattr(config, "__frozen__"):
        return config
    for field in dataclasses.fields(config):  # type: ignore[arg-type]
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            freeze(value)
    schema: type = type(config)
    config.__class__ = _frozen(schema)
    return config


@cache
def _frozen(schema: type) -> type:
    """`schema` with the same layout, fields and name, whose instances cannot be changed."""

    def refuse(self: Any, name: str, *value: Any) -> None:
        raise dataclasses.FrozenInstanceError(f"{schema.__name__}.{name}: a composed configuration is not changed")

    def copy(self: Any) -> tuple[Any, ...]:
        return _make, (schema, {field.name: getattr(self, field.name) for field in dataclasses.fields(self)})

    def make(cls: type, **values: Any) -> Any:
        return schema(**values)  # a new configuration (dataclasses.replace) is not frozen

    def equal(self: Any, other: object) -> bool:
        fields = dataclasses.fields(self)
        return isinstance(other, schema) and all(getattr(self, f.name) == getattr(other, f.name) for f in fields)

    members = {
        "__slots__": (), "__frozen__": True, "__new__": make, "__eq__": equal, "__hash__": None,
        "__setattr__": refuse, "__delattr__": refuse, "__reduce__": copy,
    }  # fmt: skip
    names = {"__module__": schema.__module__, "__qualname__": schema.__qualname__, "__doc__": schema.__doc__}
    return type(schema.__name__, (schema,), members | names)


def _make(schema: type, values: dict[str, Any]) -> Any:
    return freeze(schema(**values))


def plain(config: Any) -> Any:
    """Turn a configuration dataclass into dicts, lists, strings and numbers; an enum becomes its name."""
    if dataclasses.is_dataclass(config):
        return {field.name: plain(getattr(config, field.name)) for field in dataclasses.fields(config)}
    if isinstance(config, list):
        return [plain(item) for item in config]
    return getattr(config, "name", config) if hasattr(config, "value") else config


def to_yaml(values: dict[str, Any]) -> str:
    """Plain values as YAML, in their order."""
    from omegaconf import OmegaConf

    return OmegaConf.to_yaml(OmegaConf.create(values))


def restore(schema: type, values: dict[str, Any], origin: str) -> Any:
    """Build the dataclass `schema` from what `plain` gave, checking keys, types and limits; `origin` names the file in errors.

    Nothing in a file is looked up elsewhere: text that OmegaConf would replace (`${oc.env:HOME}`) is refused.
    """
    if not isinstance(values, dict):
        raise ConfigError(f"{origin}: expected settings, found {type(values).__name__}", hint=_EDITED)
    return restore_onto(of_kinds(schema, values, origin), values, origin)


_EDITED = "the file was written by another version or edited by hand"


_restored: dict[tuple[type, str, str], Any] = {}
"""What this process restored, by defaults and values: commands read the settings of one run several times."""


def restore_onto(base: Any, values: dict[str, Any], origin: str) -> Any:
    """The same with the defaults of an instance, `base`, which also says of which kind its sections are."""
    key = (type(base), repr(base), repr(values))
    if key not in _restored:
        _restored[key] = _merged(base, values, origin)
    return copy.deepcopy(_restored[key])


def _merged(base: Any, values: dict[str, Any], origin: str) -> Any:
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    hint = _EDITED
    for key, value in flatten(values).items():
        if "${" in str(value) or "${" in key:
            raise ConfigError(f"{origin}: {key}={_short(value)} refers to something else", hint=hint)
    try:
        merged = OmegaConf.merge(OmegaConf.structured(base), OmegaConf.create(values))
        settings = OmegaConf.to_object(merged)
    except (OmegaConfBaseException, RecursionError, TypeError) as error:
        raise ConfigError(f"{origin}: {first_line(error)}", hint=hint) from error
    try:
        check_bounds(settings)
    except ConfigError as error:
        raise ConfigError(f"{origin}: {error.message}", hint=error.hint or hint) from None
    return settings


def of_kinds(schema: type, values: dict[str, Any], origin: str) -> Any:
    """The defaults of `schema`, with the class that `values` names in each section that is one of several."""
    sections = {}
    for field in dataclasses.fields(schema):
        if variants := VARIANTS.get(field.type):
            if field.name not in values:
                continue
            section = values[field.name]
            kind = section.get("kind") if isinstance(section, dict) else None
            if kind not in variants:
                raise ConfigError(f"{origin}: {field.name} is of kind {kind}", hint=f"known: {', '.join(variants)}")
            sections[field.name] = variants[kind]()
    return schema(**sections)


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


def known(recorded: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of `recorded` (nested JSON values) has a default, at every depth: settings that there still are."""
    return {
        key: known(value, defaults[key]) if isinstance(value, Mapping) and isinstance(defaults[key], Mapping) else value
        for key, value in recorded.items()
        if key in defaults
    }


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


def first_line(error: BaseException) -> str:
    """What an error says first."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
