"""A command that knows everything it will use: its checked configuration, its name, and what was chosen by default and why."""

import logging
import re
import shlex
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from facecond.config.commands import CommandConfig
from facecond.config.compose import Composed
from facecond.processes import ALONE, Processes
from facecond.workspace.names import check_name

log = logging.getLogger("facecond")


C = TypeVar("C", bound=CommandConfig)
F = TypeVar("F")


@dataclass(kw_only=True, slots=True)
class Prepared(Generic[C, F]):
    """Ready to run; nothing has been written yet. C is the command's configuration, F what it finds on disk."""

    composed: Composed
    name: str
    """Name of the folder the command will write, so that no two commands of a sweep write the same."""
    found: F
    """What was found while preparing, for `run`; None where there is nothing to find."""
    used: dict[str, str] = field(default_factory=dict)
    """What is used and why."""
    processes: Processes = ALONE
    """Those that share the work; the command line sets them before `run`."""

    def __post_init__(self) -> None:
        """Raise ConfigError when name= is no name of a folder of the workspace."""
        if (name := getattr(self.config, "name", None)) is not None:
            check_name(name)

    @property
    def config(self) -> C:
        """The command's configuration dataclass."""
        config: C = self.composed.config
        return config

    def suggest(self, command: str, **named: str | None) -> str:
        """A command to type next: with what is `named` (None = leave it out), and the workspace the person named."""
        if self.config.workspace != CommandConfig().workspace:
            named["workspace"] = self.config.workspace
        return " ".join(
            ["facecond", command, *(_word(key, value) for key, value in named.items() if value is not None)]
        )

    def announce(self) -> None:
        """Say what is used and why."""
        for what, which in self.used.items():
            log.info("%s: %s", what, which)


def _word(key: str, value: str) -> str:
    """`key=value` as a person types it: quoted for Hydra and for the shell where either needs it."""
    if re.fullmatch(r"[\w./+@-]+", value):
        return f"{key}={value}"
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return shlex.quote(f"{key}='{escaped}'")
