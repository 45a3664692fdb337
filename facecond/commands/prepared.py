"""A command that knows everything it will use: its checked configuration, its name, and what was chosen for the person and why."""

import logging
from dataclasses import dataclass, field
from typing import Any

from facecond.config.compose import Composed
from facecond.processes import ALONE, Processes

log = logging.getLogger("facecond")


@dataclass(kw_only=True, slots=True)
class Prepared:
    """Ready to run; nothing has been written yet."""

    composed: Composed
    name: str
    """Name of the folder the command will write, so that a sweep's members do not meet in one."""
    used: dict[str, str] = field(default_factory=dict)
    """What is used and why."""
    found: dict[str, Any] = field(default_factory=dict)
    """Folders and settings found while preparing, for `run`."""
    processes: Processes = ALONE
    """Those that share the work; the command line sets them before `run`."""

    @property
    def config(self) -> Any:
        """The command's configuration dataclass."""
        return self.composed.config

    def announce(self) -> None:
        """Say what is used and why."""
        for what, which in self.used.items():
            log.info("%s: %s", what, which)
