"""What the record of an exported folder holds: export.json (docs/formats.md, "exports")."""

from __future__ import annotations

from pathlib import Path

from typing_extensions import TypedDict

from facecond.io.documents import Count, Digest, Record, read_json
from facecond.io.files import inside, require_sha256

FORMAT, VERSION = "facecond-export", 1

EXPORT_FILE = "export.json"

AGAIN = "give its command again (facecond export): a folder that is not whole is written anew"
"""What helps where a file is missing or damaged."""


class File(TypedDict):
    """A file of the folder."""

    sha256: Digest
    bytes: Count


class Exported(TypedDict):
    """What export.json holds."""

    made_with: Record
    """All that decides the other files (JSON values)."""
    files: dict[str, File]
    """By their places in the folder, with slashes."""


def read_exported(folder: Path) -> Exported:
    """What export.json of a folder says. Raises DataError when it is missing, damaged or of another version."""
    return read_json(folder / EXPORT_FILE, Exported, format=(FORMAT, VERSION), hint=AGAIN)


def incomplete(folder: Path, exported: Exported) -> list[str]:
    """The files that are missing or of another size; what they hold is not looked at.

    Raises DataError for a name that leads out of the folder.
    """
    return [
        name for name, each in exported["files"].items()
        if not (file := _place(folder, name)).is_file() or file.stat().st_size != each["bytes"]
    ]  # fmt: skip


def compare(folder: Path, name: str, recorded: File) -> None:
    """Raise DataError when a file of the folder is missing or not the one that was written, or its name leads out of the folder."""
    require_sha256(_place(folder, name), recorded["sha256"], hint=AGAIN)


def _place(folder: Path, name: str) -> Path:
    return inside(folder, name, of=f"{folder / EXPORT_FILE}, files")
