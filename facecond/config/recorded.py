"""Configurations as plain values, for files and for people, and back again through the defaults of the schema."""

import dataclasses
from typing import Any

from facecond.config.models import VARIANTS
from facecond.config.refusals import first_line
from facecond.errors import ConfigError


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
    """Build the dataclass `schema` from what `plain` gave, checking keys and types; `origin` names the file in errors."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        merged = OmegaConf.merge(OmegaConf.structured(of_kinds(schema, values, origin)), OmegaConf.create(values))
        return OmegaConf.to_object(merged)
    except OmegaConfBaseException as error:
        raise ConfigError(
            f"{origin}: {first_line(error)}", hint="the file was written by another version or edited by hand"
        ) from error


def of_kinds(schema: type, values: dict[str, Any], origin: str) -> Any:
    """The defaults of `schema`, with the class that `values` names in each section that is one of several."""
    sections = {}
    for field in dataclasses.fields(schema):
        if variants := VARIANTS.get(field.type):
            if field.name not in values:
                continue
            kind = values[field.name].get("kind")
            if kind not in variants:
                raise ConfigError(f"{origin}: {field.name} is of kind {kind}", hint=f"known: {', '.join(variants)}")
            sections[field.name] = variants[kind]()
    return schema(**sections)
