"""Shell completion of overrides: `mo` -> `model=`, `model=` -> `multicond`, `trainer.b` -> `trainer.batch_size=`.

bash splits words at '=', so what it hands over after `model=` is only the part behind it; zsh and fish hand over the whole word.
"""

import dataclasses
import os
from collections.abc import Iterator
from enum import Enum
from typing import Any, get_args

import typer

from facecond.config.catalogue import groups_of, options_of
from facecond.config.commands import COMMANDS, CommandConfig
from facecond.config.models import VARIANTS
from facecond.measuring.table import MEASURES


def commands(_: typer.Context, incomplete: str) -> list[str]:
    """Names of commands, as `facecond config show` takes them."""
    return [name.replace(" ", "-") for name in COMMANDS if name.replace(" ", "-").startswith(incomplete)]


def overrides(ctx: typer.Context, incomplete: str) -> list[str]:
    """Groups, options and keys that begin with what is typed."""
    command = _command(ctx)
    if command not in COMMANDS:
        return []
    word = _whole_word(incomplete)
    prefix = "" if word == incomplete else word[: len(word) - len(incomplete)]
    key, equals, value = word.partition("=")
    groups = groups_of(command)
    if equals:
        options = list(options_of(key)) if key in groups else _values(command, key)
        found = [f"{key}={option}" for option in options if option.startswith(value)]
    else:
        found = [f"{name}=" for name in [*groups, *_keys(command)] if name.startswith(word)]
    return [item[len(prefix) :] for item in dict.fromkeys(found)]


def metrics_and_overrides(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of measures, then overrides."""
    named = [metric for metric in MEASURES if "=" not in incomplete and metric.startswith(incomplete)]
    return named + overrides(ctx, incomplete)


def paper_and_overrides(ctx: typer.Context, incomplete: str) -> list[str]:
    """Tables and figures of the paper, then overrides."""
    named = [name for name in options_of("paper") if "=" not in incomplete and name.startswith(incomplete)]
    return named + overrides(ctx, incomplete)


def runs_and_overrides(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of runs in the workspace that was typed, else in the default one; then overrides."""
    from facecond.workspace.find import run_names

    typed = [
        str(word).partition("=")[2] for word in ctx.params.get("words") or [] if str(word).startswith("workspace=")
    ]
    workspace = typed[-1] if typed else CommandConfig().workspace
    named = [name for name in run_names(workspace) if "=" not in incomplete and name.startswith(incomplete)]
    return named + overrides(ctx, incomplete)


def photos_and_overrides(ctx: typer.Context, incomplete: str) -> list[str]:
    """Folders and pictures that begin with what is typed, then overrides."""
    return [*_pictures(incomplete), *overrides(ctx, incomplete)]


def _pictures(incomplete: str) -> list[str]:
    from facecond.data.labelmaps import PICTURE_SUFFIXES

    before, slash, begun = incomplete.rpartition("/")
    try:
        entries = sorted(os.scandir(before + slash or "."), key=lambda entry: entry.name)
    except OSError:
        return []
    shown = [entry for entry in entries if entry.name.startswith(begun) and (begun or not entry.name.startswith("."))]
    folders = [f"{before}{slash}{entry.name}/" for entry in shown if entry.is_dir()]
    return folders + [
        f"{before}{slash}{entry.name}" for entry in shown if entry.name.lower().endswith(PICTURE_SUFFIXES)
    ]


def _command(ctx: typer.Context) -> str:
    names = ctx.command_path.split()[1:]
    if names[:2] == ["config", "show"]:
        return str(ctx.params.get("command") or "").replace("data-", "data ")
    return " ".join(names)


def _whole_word(incomplete: str) -> str:
    """The word under the cursor including what stands before '=', whatever the shell made of it."""
    line = os.environ.get("COMP_WORDS", "")
    last = line.split()[-1] if line.split() and not line.endswith((" ", "\n")) else ""
    if "=" in last and last.endswith(incomplete) and "=" not in incomplete:
        return last
    parts = line.split()
    if len(parts) >= 2 and parts[-1] == "=" and not incomplete:
        return f"{parts[-2]}="
    if len(parts) >= 3 and parts[-2] == "=" and parts[-1] == incomplete:
        return f"{parts[-3]}={incomplete}"
    return incomplete


def _keys(command: str) -> list[str]:
    return list(_flatten(COMMANDS[command], ""))


def _flatten(schema: Any, prefix: str) -> Iterator[str]:
    """Keys of a section; of all it may be, where it is one of several classes."""
    for variant in VARIANTS.get(schema, {"": schema}).values():
        for field in dataclasses.fields(variant):
            kind = _present(field.type)
            if dataclasses.is_dataclass(kind):
                yield from _flatten(kind, f"{prefix}{field.name}.")
            else:
                yield prefix + field.name


def _present(kind: Any) -> Any:
    """The class of a section that may be none."""
    return next((each for each in get_args(kind) if dataclasses.is_dataclass(each)), kind)


def _values(command: str, key: str) -> list[str]:
    """Values of a key that chooses from a few names, or is true or false."""
    for kind in _types(COMMANDS[command], key.split(".")):
        if kind is bool:
            return ["true", "false"]
        if isinstance(kind, type) and issubclass(kind, Enum):
            return [member.name for member in kind]
    return []


def _types(schema: Any, names: list[str]) -> Iterator[Any]:
    """The type of a key in each class a section it goes through may be."""
    if not names:
        yield schema
        return
    for variant in VARIANTS.get(schema, {"": schema}).values():
        for field in dataclasses.fields(variant) if dataclasses.is_dataclass(variant) else ():
            if field.name == names[0]:
                yield from _types(_present(field.type), names[1:])
