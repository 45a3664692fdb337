"""What each key means, read from the schema: the string below a field of a configuration class."""

import ast
import dataclasses
import inspect
import itertools
import textwrap
from collections.abc import Callable
from enum import Enum
from functools import cache
from typing import Any


@cache
def meanings(schema: type) -> dict[str, str]:
    """Return the text below each field of a dataclass, on one line, its bases' fields included; fields without one are absent."""
    added = {
        field.name: field.metadata["meaning"] for field in dataclasses.fields(schema) if "meaning" in field.metadata
    }
    found: dict[str, str] = {}
    for owner in reversed(schema.__mro__):
        if not dataclasses.is_dataclass(owner):
            continue
        (body,) = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
        statements = body.body if isinstance(body, ast.ClassDef) else []
        for field, below in itertools.pairwise(statements):
            if not (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)):
                continue
            if (
                isinstance(below, ast.Expr)
                and isinstance(below.value, ast.Constant)
                and isinstance(below.value.value, str)
            ):
                found[field.target.id] = " ".join(below.value.value.split())
    return found | added


def commented(config: Any, render: Callable[[str, Any], list[str]], indent: str = "") -> list[str]:
    """Return the lines of a configuration as YAML, each key with its meaning (and the names it chooses between) above it.

    `render(name, value)` gives the YAML lines of a key that is no section.
    """
    lines = []
    schema: type = type(config)
    known = meanings(schema)
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        text = known.get(field.name, "")
        if isinstance(value, Enum):
            text += f" ({', '.join(member.name for member in type(value))})"
        lines += textwrap.wrap(text.strip(), 110, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")
        if dataclasses.is_dataclass(value):
            lines += [f"{indent}{field.name}:", *commented(value, render, indent + "  ")]
        else:
            lines += [indent + line for line in render(field.name, value)]
    return lines
