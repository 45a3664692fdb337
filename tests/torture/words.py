"""Overrides as people and programs may type them, and recorded settings that were changed."""

from __future__ import annotations

import copy
import importlib
import random
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from facecond.cli.execute import MODULES
from facecond.config.catalogue import groups_of, options_of
from facecond.config.commands.table import COMMANDS
from facecond.config.compose import compose
from facecond.config.settings import flatten, plain
from facecond.errors import FacecondError
from facecond.io.documents import Record, read_json, write_json
from tests.torture.trials import FOUND, HARMLESS, SILENT, TRACEBACK, Trial

WRONG = (
    "", "null", "true", "-1", "0", "1e30", "1e-30", "nan", "inf", "99999999999999999999", "[]", "[1,2]", "{}", "{a:1}", "x",
    "'", '"', "${now:}", "${oc.env:HOME}",
    "../../x", "/etc/passwd", "a b", "é", "\\", ",", "=", "[", "$", "~", "\u202e", "-rf", "*", "0x10",
    "1_000", "01", "  ",
)  # fmt: skip
"""Values that few keys take."""

SHAPES = (
    "{key}={value}", "{key}={value}", "{key}={value}", "+{key}={value}", "++{key}={value}", "~{key}", "{key}", "={value}",
    "{key}.more={value}", "{key}={value} ",
)  # fmt: skip
"""Ways to write an override; the first are the usual one."""


def words(count: int) -> Iterator[Trial]:
    """Compose a configuration from random overrides, `count` times: it is valid, or one line says what is not."""
    for command, typed in _typed(count):
        yield _tried(command, typed, partial(compose, command, typed))


def prepared(workspace: Path, count: int) -> Iterator[Trial]:
    """Let commands prepare what random overrides say, as `--dry-run` does: they do, or one line says why not; nothing is made."""
    before = _files(workspace)
    for command, typed in _typed(count):
        words = typed if any("workspace" in word for word in typed) else [*typed, f"workspace={workspace}"]
        module = importlib.import_module(MODULES[command])
        trial = _tried(command, typed, partial(module.prepare, words))
        if _files(workspace) != before:
            trial = Trial(trial.what, SILENT, "it wrote something")
            before = _files(workspace)
        yield trial


def _files(workspace: Path) -> set[Path]:
    return {path for path in workspace.rglob("*") if path.suffix != ".lock" and path.name != ".unaltered.json"}


def _typed(count: int) -> Iterator[tuple[str, list[str]]]:
    dice = random.Random(0)
    known = {command: _known(command) for command in COMMANDS}
    for _ in range(count):
        command = dice.choice(list(known))
        yield command, [_override(dice, command, known[command]) for _ in range(dice.choice((1, 1, 1, 2)))]


def _tried(command: str, typed: list[str], work: Callable[[], object]) -> Trial:
    what = " ".join([command, *map(repr, typed)])
    try:
        work()
    except FacecondError as error:
        said = str(error)
        return Trial(what, FOUND if said and "\n" not in said and error.exit_status == 2 else TRACEBACK, said)
    except Exception as error:  # would be a traceback for the user
        return Trial(what, TRACEBACK, f"{type(error).__name__}: {error}")
    return Trial(what, HARMLESS)


def _known(command: str) -> dict[str, Any]:
    """Keys of a command and their defaults, those of every kind of model for `train`."""
    models = [f"model={kind}" for kind in options_of("model")] if command == "train" else [""]
    found: dict[str, Any] = {}
    for model in models:
        found |= flatten(plain(compose(command, [model] if model else [], blank=True).config))
    return found


def _override(dice: random.Random, command: str, known: dict[str, Any]) -> str:
    groups = list(groups_of(command))
    if groups and dice.random() < 0.3:
        group = dice.choice(groups)
        options = [*options_of(group), "nothing", ""]
        return f"{group}={dice.choice(options)}"
    key = dice.choice(list(known))
    if dice.random() < 0.8:
        return f"{key}={_near(dice, known[key])}"
    return dice.choice(SHAPES).format(key=key, value=dice.choice(WRONG))


def _near(dice: random.Random, value: Any) -> str:
    """A value of the kind of the default."""
    if isinstance(value, bool):
        return dice.choice(["true", "false"])
    if isinstance(value, int):
        return str(dice.choice([value, value * 2, value + 1, 1, 8]))
    if isinstance(value, float):
        return str(dice.choice([value, value / 2, 0.5, 1.0]))
    if isinstance(value, list):
        return "[" + ",".join(map(str, value)) + "]"
    return "null" if value is None else str(value)


def settings(run: Path, count: int) -> Iterator[Trial]:
    """Change one recorded setting of a run, or another key of run.json, `count` times; then read the run."""
    from facecond.workspace.find import read_run

    dice = random.Random(1)
    file = run / "run.json"
    text, content = file.read_bytes(), read_json(file, Record)
    values: list[Any] = [
        None,
        True,
        -1,
        0,
        10**30,
        0.5,
        float(10**300),
        "",
        "x",
        "${oc.env:HOME}",
        "../x",
        [],
        [[]],
        [None],
        {},
        {"a": 1},
    ]
    try:
        for _ in range(count):
            changed = copy.deepcopy(content)
            inner, key = _somewhere(dice, changed)
            value = dice.choice([*values, ...])
            if value is ...:
                del inner[key]
            else:
                inner[key] = value
            write_json(file, changed, checksum=True)
            what = f"{key} of run.json is {'gone' if value is ... else repr(value)}"
            try:
                read_run(run)
            except FacecondError as error:
                yield Trial(what, FOUND if "\n" not in str(error) else TRACEBACK, str(error))
            except Exception as error:  # would be a traceback for the user
                yield Trial(what, TRACEBACK, f"{type(error).__name__}: {error}")
            else:
                yield Trial(what, HARMLESS)
    finally:
        file.write_bytes(text)


def _somewhere(dice: random.Random, content: dict[str, Any]) -> tuple[Any, Any]:
    inner: Any = content
    key: Any = dice.choice(["config"] * 6 + list(content))
    while isinstance(inner[key], dict | list) and inner[key] and dice.random() < 0.85:
        inner = inner[key]
        key = dice.choice(list(inner)) if isinstance(inner, dict) else dice.randrange(len(inner))
    return inner, key
