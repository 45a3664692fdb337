"""A pack of items of other packs: some of each, in the splits they are wanted in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facecond.data.pack import Finding, Pack
from facecond.data.source import Items, digest_of
from facecond.io.files import sha256_file

KIND = "mixed"


@dataclass(frozen=True, slots=True)
class Part:
    """Items of a pack."""

    pack: Path
    items: NDArray[np.int64]
    split: str
    """The split they form."""
    called: str
    """What stands before their ids."""


class Mixed:
    """Items of several packs of one resolution, one part after another; a `Source`."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = [part for part in parts if len(part.items)]
        opened = [Pack.open(part.pack) for part in self._parts]
        own = [[pack.ids[item] for item in part.items] for part, pack in zip(self._parts, opened, strict=True)]
        self.ids = [f"{part.called}-{name}" for part, names in zip(self._parts, own, strict=True) for name in names]
        self.splits = [part.split for part in self._parts for _ in part.items]
        self.findings: list[Finding] = []
        self._about = [
            {
                "pack": sha256_file(part.pack / "manifest.json"), "split": part.split, "count": len(names),
                "items": digest_of(names),
            }
            for part, names in zip(self._parts, own, strict=True)
        ]  # fmt: skip
        self._places = [(place, int(item)) for place, part in enumerate(self._parts) for item in part.items]
        self._packs = opened

    def __len__(self) -> int:
        return len(self._places)

    def describe(self) -> dict[str, Any]:
        """Return the packs and the items taken from them."""
        return {"kind": KIND, "of": self._about}

    def read_many(self, indices: Sequence[int], resolution: int) -> Items:
        """Copy items; the packs have the resolution."""
        chosen = [self._places[index] for index in indices]
        images, labels, attributes = (
            np.stack([np.asarray(self._packs[place].arrays[name][item]) for place, item in chosen])
            for name in ("images", "labels", "attributes")
        )
        return Items(images, labels, attributes, [[] for _ in chosen])
