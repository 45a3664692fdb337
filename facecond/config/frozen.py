"""Configurations that nobody changes after they were composed.

OmegaConf cannot merge into frozen dataclasses, so the schema is not frozen; `freeze` gives what was composed from it.
"""

import dataclasses
from functools import cache
from typing import Any, TypeVar

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
