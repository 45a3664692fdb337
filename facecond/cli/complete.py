"""Shell completion: `mo` -> `model=`, `model=` -> `multicond`, `run=` -> what was trained, `--attr +Male,-Smi` -> `+Male,-Smiling`.

bash splits words at '=', so what it hands over after `model=` is only the part behind it; zsh and fish hand over the whole word.
What is the name of a file is left to the shell.
"""

import dataclasses
import os
import typing
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any, get_args

import typer

from facecond.conditions.table import CONDITIONS
from facecond.config.catalogue import groups_of, options_of
from facecond.config.commands.base import NO_MAPS, CommandConfig
from facecond.config.commands.table import COMMANDS, command_named
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
        options = list(options_of(key)) if key in groups else _values(ctx, command, key.lstrip("-"), value)
        found = [f"{key}={option}" for option in options if option.startswith(value)]
    else:
        found = [f"{name}=" for name in [*groups, *_keys(command)] if name.startswith(word)]
    return [item[len(prefix) :] for item in dict.fromkeys(found)]


def measures_and_overrides(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of measures, then overrides."""
    return _named(MEASURES, incomplete) + overrides(ctx, incomplete)


def paper_and_overrides(ctx: typer.Context, incomplete: str) -> list[str]:
    """Tables and figures of the paper, and studies, then overrides."""
    return _named([*options_of("paper"), *options_of("study")], incomplete) + overrides(ctx, incomplete)


def runs_and_overrides(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of runs, then overrides."""
    from facecond.workspace.find import run_names

    return _named(run_names(_workspace(ctx)), incomplete) + overrides(ctx, incomplete)


def packs_and_overrides(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of packs, then overrides."""
    from facecond.workspace.find import pack_names

    return _named(pack_names(_workspace(ctx)), incomplete) + overrides(ctx, incomplete)


def names_and_overrides(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of what a workspace holds, then overrides."""
    from facecond.workspace.kinds import KINDS, folders_of

    names = [path.name for kind in KINDS for path in folders_of(Path(_workspace(ctx)), kind)]
    return _named(dict.fromkeys(names), incomplete) + overrides(ctx, incomplete)


def compared_and_overrides(ctx: typer.Context, incomplete: str) -> list[str]:
    """Two runs that can be compared, then measures, then overrides."""
    from facecond.workspace.find import usable_names

    named = [word for word in _words(ctx) if "=" not in word]
    if len(named) >= 2:
        return measures_and_overrides(ctx, incomplete)
    others = [name for name in usable_names(_workspace(ctx), "diffusion") if name not in named]
    return _named(others, incomplete) + overrides(ctx, incomplete)


def value(ctx: typer.Context, incomplete: str, key: str) -> list[str]:
    """What may stand behind the flag that is shorthand for `key`."""
    return [each for each in _values(ctx, _command(ctx), key, incomplete) if each.startswith(incomplete)]


def behind_a_dash(ctx: typer.Context, incomplete: str) -> list[str]:
    """A value that begins with a dash, `--attr -Smi` or `attr=-Smi`, which the parser takes for a flag."""
    flags = {f"--{each.word}": each.word for each in CONDITIONS.values()}
    key, equals, _ = _whole_word(incomplete).partition("=")
    before = key if equals else next(iter(_typed()[-2:-1]), "")
    if before in flags:
        return value(ctx, incomplete, flags[before])
    return overrides(ctx, incomplete) if equals else []


def _named(names: Iterable[str], incomplete: str) -> list[str]:
    """Those that begin with what is typed; none behind '=', whatever the shell makes of it."""
    return [name for name in names if name.startswith(incomplete)] if "=" not in _whole_word(incomplete) else []


def _workspace(ctx: typer.Context) -> str:
    """The workspace that was typed, else the usual one."""
    typed = [word.partition("=")[2] for word in _words(ctx) if word.startswith("workspace=")]
    return typed[-1] if typed else CommandConfig().workspace


def _words(ctx: typer.Context) -> list[str]:
    """The words before the one under the cursor that are no flags, also where the shell took them apart at '='."""
    joined: list[str] = []
    open_ended = False
    for word in [str(word) for name in ("words", "overrides") for word in ctx.params.get(name) or []]:
        if joined and (open_ended or word == "="):
            joined[-1] += word
        else:
            joined.append(word)
        open_ended = word == "="
    return joined


def photos_and_overrides(ctx: typer.Context, incomplete: str) -> list[str]:
    """Folders and pictures that begin with what is typed, then overrides."""
    return _named(_pictures(incomplete), incomplete) + overrides(ctx, incomplete)


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
        found = command_named([str(ctx.params.get("command") or "")])
        return found[0] if found else ""
    return " ".join(names)


def _typed() -> list[str]:
    """The words of the line up to the one under the cursor, as the shell took them apart."""
    line = os.environ.get("COMP_WORDS")
    if line is None:
        line = os.environ.get("_TYPER_COMPLETE_ARGS", "")
        return [*line.split(), *([""] if line.endswith(" ") else [])]
    words, at = line.split(), int(os.environ.get("COMP_CWORD", "0"))
    return [*words, ""][: at + 1]


def _whole_word(incomplete: str) -> str:
    """The word under the cursor including what stands before '=', whatever the shell made of it."""
    typed = _typed()
    last = typed[-1] if typed else ""
    if "=" in last and last.endswith(incomplete) and "=" not in incomplete:
        return last if last != "=" else f"{typed[-2]}="
    if len(typed) >= 3 and typed[-2] == "=" and last == incomplete:
        return f"{typed[-3]}={incomplete}"
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


def _values(ctx: typer.Context, command: str, key: str, begun: str) -> list[str]:
    """Values of a key: of those it chooses from, what the workspace holds, or what a condition can be told."""
    for kind in _types(COMMANDS[command], key.split(".")):
        for each in typing.get_args(kind) or (kind,):
            if each is bool:
                return ["true", "false"]
            if isinstance(each, type) and issubclass(each, Enum):
                return [member.name for member in each]
        is_list = typing.get_origin(kind) is list
        if key in KEPT and str in (typing.get_args(kind) or (kind,)):
            names = KEPT[key](_workspace(ctx), command)
            return _listed(names, begun) if is_list else names
    return next((each.completions(begun) for each in CONDITIONS.values() if each.word == key), [])


def _listed(names: Iterable[str], begun: str) -> list[str]:
    """Names as entries of a list, behind those that are there."""
    start = max(begun.rfind("["), begun.rfind(",")) + 1
    before = begun[:start] or "["
    return [f"{before}{name}" for name in names if name not in before.strip("[").split(",")]


def _runs_of(kind: str, *others: str) -> Callable[[str, str], list[str]]:
    """A function that names the usable runs of models of `kind`, and `others`."""

    def named(workspace: str, command: str) -> list[str]:
        from facecond.workspace.find import usable_names

        return [*usable_names(workspace, kind), *others]

    return named


def _runs(workspace: str, command: str) -> list[str]:
    from facecond.workspace.find import run_names, usable_names

    return usable_names(workspace, "diffusion") if command == "compare" else run_names(workspace)


def _packs(workspace: str, command: str) -> list[str]:
    from facecond.workspace.find import pack_names

    return pack_names(workspace)


def _samples(workspace: str, command: str) -> list[str]:
    from facecond.workspace.belonging import sample_names

    return [*sample_names(workspace), *_packs(workspace, command)]


KEPT: dict[str, Callable[[str, str], list[str]]] = {
    "run": _runs_of("diffusion"),
    "runs": _runs,
    "compare": _runs_of("diffusion"),
    "init": _runs,
    "first_stage": _runs_of("vq"),
    "parser": _runs_of("parser"),
    "classifier": _runs_of("classifier"),
    "maps": _runs_of("maps", NO_MAPS),
    "pack": _packs,
    "reference": _packs,
    "samples": _samples,
}
"""Key -> what a workspace holds that it may name, given the workspace and the command."""


def _types(schema: Any, names: list[str]) -> Iterator[Any]:
    """The type of a key in each class a section it goes through may be."""
    if not names:
        yield schema
        return
    for variant in VARIANTS.get(schema, {"": schema}).values():
        for field in dataclasses.fields(variant) if dataclasses.is_dataclass(variant) else ():
            if field.name == names[0]:
                yield from _types(_present(field.type), names[1:])
