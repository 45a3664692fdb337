"""What the record of a reproduced table, figure or study holds: reproduced.json (docs/formats.md, "reproduced")."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from typing_extensions import TypedDict

from facecond.io.documents import Digest, read_json, write_json
from facecond.io.files import inside, require_sha256, sha256_file

FORMAT, VERSION = "facecond-reproduction", 1

REPRODUCED_FILE = "reproduced.json"

AGAIN = "give its command again (facecond reproduce): what is done is not done again, and its files are written anew"
"""What helps where a file is missing or damaged."""


class Reproduced(TypedDict):
    """What reproduced.json holds."""

    title: str
    words: list[str]
    """Of the command, behind `facecond reproduce`."""
    finished: bool
    files: dict[str, Digest]
    """SHA-256 of what was made, by places in the folder, with slashes; nothing before it is finished."""


def read_reproduced(folder: Path) -> Reproduced:
    """What reproduced.json of a folder says. Raises DataError when it is missing, damaged or of another version."""
    return read_json(folder / REPRODUCED_FILE, Reproduced, format=(FORMAT, VERSION), hint=AGAIN)


def begin(folder: Path, title: str, words: Sequence[str]) -> None:
    """Note that a reproduction is under way, unless there is a record of one already."""
    if not (folder / REPRODUCED_FILE).is_file():
        _write(folder, Reproduced(title=title, words=[*words], finished=False, files={}))


def finish(folder: Path, title: str, words: Sequence[str], made: Iterable[Path]) -> None:
    """Note what was made; files that lie elsewhere are left out."""
    inner = sorted(file for file in made if file.is_file() and file.is_relative_to(folder))
    files = {file.relative_to(folder).as_posix(): sha256_file(file) for file in inner}
    _write(folder, Reproduced(title=title, words=[*words], finished=True, files=files))


def _write(folder: Path, content: Reproduced) -> None:
    write_json(folder / REPRODUCED_FILE, {"format": FORMAT, "version": VERSION, **content}, checksum=True)


def compare(folder: Path, name: str, digest: str) -> None:
    """Raise DataError when a file of the folder is missing or not the one that was written, or its name leads out of the folder."""
    require_sha256(inside(folder, name, of=f"{folder / REPRODUCED_FILE}, files"), digest, hint=AGAIN)
