"""Errors that the user can act on: one line, a hint, an exit status.

A mistake of the user raises a `FacecondError`; a mistake of the programmer is a plain exception. The command line catches
`FacecondError` in one place (`facecond.cli.main`), prints it as one line and leaves with its status.
"""

import difflib
import re
from collections.abc import Iterable


class FacecondError(Exception):
    """A mistake that the user can correct.

    `message` names the file or key, what was found and what was expected; `hint` says what to do.
    """

    exit_status = 2

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        """The whole error on one line."""
        text = " ".join(self.message.split())
        return f"{text} ({' '.join(self.hint.split())})" if self.hint else text


class ConfigError(FacecondError):
    """A wrong key, type, option or value in a configuration."""


class DataError(FacecondError):
    """A data set, pack, picture or label map that is missing, damaged or of the wrong shape."""


class CheckpointError(FacecondError):
    """Weights that are missing, damaged, foreign or of another architecture."""


class NotFiniteError(FacecondError):
    """Values of some items of a batch that are NaN or infinite."""

    def __init__(self, what: str, rows: list[int]) -> None:
        super().__init__(f"{what} of items {', '.join(map(str, rows[:5]))} of a batch are not finite")
        self.what, self.rows = what, rows


class StorageError(FacecondError):
    """A file or folder that cannot be written: no room, no permission."""


class TrainingError(FacecondError):
    """Training that cannot go on, for example because the loss is no longer finite."""


def in_order(names: Iterable[str]) -> list[str]:
    """Each name once, by letters, and numbers in them by their value: figure2 before figure10."""
    return sorted(
        {*names},
        key=lambda name: [(0, int(each), "") if each.isdigit() else (1, 0, each) for each in re.split(r"(\d+)", name)],
    )


def nearest(name: str, choices: Iterable[str]) -> str:
    """Return a hint that names the choice closest to `name`, or lists all choices when none is close."""
    known = in_order(choices)
    close = difflib.get_close_matches(name.lower(), [choice.lower() for choice in known], n=1, cutoff=0.5)
    if close:
        return f"did you mean {next(choice for choice in known if choice.lower() == close[0])!r}?"
    return "choose from " + ", ".join(known) if known else "there is nothing to choose from"
