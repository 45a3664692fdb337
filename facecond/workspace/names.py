"""The rules for names that become folders of a workspace: those that people give, and those of generations that have none."""

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from facecond.errors import ConfigError

LONGEST = 100
"""Bytes of a name in UTF-8; what commands put behind it still fits into a file system's 255."""


def check_name(name: str) -> None:
    """Raise ConfigError unless `name` can be one folder: printable, neither blank nor hidden nor like an option, no path."""
    faults = {
        "is blank": not name.strip(),
        "begins or ends with a blank": name != name.strip(),
        "holds a path": any(separator in name for separator in "/\\:"),
        "begins with a dot or a dash": name.startswith((".", "-")),
        "holds characters that cannot be printed": not name.isprintable(),
        f"is longer than {LONGEST} bytes": len(name.encode(errors="replace")) > LONGEST,
    }
    for fault, found in faults.items():
        if found:
            raise ConfigError(
                f"name={name!r} {fault}", hint="a name is one folder of the workspace, for example name=my-first_2"
            )


def pack_of_faces(name: str, count: int, *, read: bool = False) -> str:
    """Name of the pack of the synthesized set `name`, of `count` faces asked for; `read`: its labels are what judges read, though
    the faces were told some.
    """
    return f"{name}-{count}{'-read' if read else ''}"


TOLD = 60
"""Characters of what the name of a generation says between its run and its key."""


def generation_name(folder: Path, run: str, told: Sequence[str], key: str, *, checkpoints: bool = False) -> str:
    """Name in `folder` of the generation that `key` stands for: of the one that is there, else RUN-TOLD-KEY.

    What decides is the key: a generation whose folder ends with it is meant, whatever stands before (older versions said less, and
    runs are renamed). One of several `checkpoints`, a folder of generations, has the key of one of the weights alone. `told` says
    in pieces what a person would look for; those that begin with a sign follow one another.
    """
    marker = "*/generation.json" if checkpoints else "generation.json"
    there = sorted(place.name for place in folder.glob(f"*-{key}") if any(place.glob(marker)))
    if there:
        return next((name for name in there if name.startswith(f"{run}-")), there[0])
    return f"{run}{_joined([plain for piece in told if (plain := plainly(piece))])}-{key}"


def plainly(text: str) -> str:
    """Text in letters that every file system takes: small ASCII letters, digits, `+`, `-`, `_` and `.`, no dot at its ends."""
    letters = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9+_.-]+", "-", letters).strip(".")


def _joined(pieces: Sequence[str]) -> str:
    """The pieces, each behind a dash unless it and the one before bear a sign; of too many the first, and how many are left."""
    text, signed = "", False
    for place, piece in enumerate(pieces):
        own = piece[0] in "+-"
        more = piece if own and signed else f"-{piece}"
        left = f"-and-{len(pieces) - place}-more"
        if len(text + more) + (len(left) if place < len(pieces) - 1 else 0) > TOLD:
            return text + left
        text, signed = text + more, own
    return text
