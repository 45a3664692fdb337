"""Bits that flip and files that are cut, in every file that a command reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from tests.torture.places import files, use_of
from tests.torture.trials import Trial, attempt, number


def flips(workspace: Path, count: int) -> Iterator[Trial]:
    """Flip one bit, `count` times: each file in turn, at a place that depends on its name and the turn."""
    for turn, path in enumerate(_in_turn(files(workspace), count)):
        seed = number(path.relative_to(workspace).name, path.parent.name, turn)
        place, bit = seed % path.stat().st_size, 1 << (seed >> 48) % 8
        yield _damaged(path, workspace, f"bit {bit} of byte {place}", partial(_flipped, place=place, bit=bit))


def cuts(workspace: Path, count: int) -> Iterator[Trial]:
    """Cut a file short, `count` times."""
    for turn, path in enumerate(_in_turn(files(workspace), count)):
        left = number("cut", path.name, path.parent.name, turn) % path.stat().st_size
        yield _damaged(path, workspace, f"cut to {left} bytes", partial(_cut, left=left))


def _in_turn(there: list[Path], count: int) -> list[Path]:
    """`count` of the files: all of them again and again, or, where there are more, as many that lie equally far apart."""
    if count >= len(there):
        return [there[turn % len(there)] for turn in range(count)]
    return [there[turn * len(there) // count] for turn in range(count)]


def _flipped(content: bytes, place: int, bit: int) -> bytes:
    damaged = bytearray(content)
    damaged[place] ^= bit
    return bytes(damaged)


def _cut(content: bytes, left: int) -> bytes:
    return content[:left]


def _damaged(path: Path, workspace: Path, what: str, damage: Callable[[bytes], bytes]) -> Trial:
    use = use_of(path, workspace)
    expected, content = use(), path.read_bytes()
    beside = {
        other: other.read_bytes()
        for other in path.parent.iterdir()
        if other.is_file() and other.stat().st_size < 1 << 20
    }
    path.write_bytes(damage(content))
    try:
        return attempt(f"{path.relative_to(workspace)}: {what}", use, expected)
    finally:
        path.write_bytes(content)
        for other, whole in beside.items():  # what was mended meanwhile
            if not other.is_file() or other.read_bytes() != whole:
                other.write_bytes(whole)
