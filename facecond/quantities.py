"""Numbers as people read and write them."""

from __future__ import annotations

import re

from facecond.errors import ConfigError


def grouped(count: int, space: str = "\u202f") -> str:
    """A count with its thousands apart: 32 000.

    `space` is narrow, and no line is broken at it; files of other programs and letters that we draw take a plain one.
    """
    return f"{count:,}".replace(",", space)


def in_bytes(count: float) -> str:
    """A number of bytes for people: 640 bytes, 3.2 GB."""
    for unit, size in (("PB", 1e15), ("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count:.0f} bytes"


def bytes_in(text: str, key: str) -> float:
    """Return the bytes that `text` says, as `in_bytes` writes them, or in GiB and the like. Raises ConfigError naming `key`."""
    found = re.fullmatch(r"(\d+(?:\.\d*)?) ?([kKMGTP])(i?)B", text)
    if found is None or float(found[1]) == 0:
        raise ConfigError(f"{key}={text} is no amount of memory", hint=f"write a number and its unit: {key}=24GB")
    return float(found[1]) * (1024 if found[3] else 1000) ** (1 + "KMGTP".index(found[2].upper()))
