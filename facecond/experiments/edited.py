"""What studies of edits share: pictures that were made are kept, and figures are means over edits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from statistics import mean, stdev
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from facecond.experiments.plan import override
from facecond.experiments.table import Number
from facecond.io.arrays import read_archive
from facecond.io.files import atomic_write

if TYPE_CHECKING:
    from facecond.assembly.edits import Edited
    from facecond.experiments.studies import Work

TOGETHER = 32
"""Pictures edited at once."""

MOST = 1 << 31
"""Bytes of the pictures of one way that are read back."""


class Made(NamedTuple):
    """What one way of editing made of all pictures."""

    pictures_NHWC: NDArray[np.uint8]
    region_NHW: NDArray[np.bool_]
    """Where each picture was allowed to change."""
    seconds: float
    """Of one edit."""

    def leaks(self, before_NHWC: NDArray[np.uint8]) -> int:
        """Number of pictures of which a byte outside of the region differs from `before_NHWC`."""
        differs_NHW = (self.pictures_NHWC != before_NHWC).any(axis=-1)
        return int((differs_NHW & ~self.region_NHW).any(axis=(1, 2)).sum())


Group = tuple[Sequence[int], Callable[[Sequence[int]], "list[Edited]"]]
"""Numbers of pictures, no picture twice, and what edits some of them."""


def edit_groups(title: str, count: int, groups: Iterable[Group]) -> Made:
    """Edit `count` pictures, each of which is in one group, at most `TOGETHER` at once."""
    from facecond.progress import bar

    edited: dict[int, Edited] = {}
    began = time.perf_counter()
    with bar(title, count) as progress:
        for places, edit in groups:
            for start in range(0, len(places), TOGETHER):
                some = places[start : start + TOGETHER]
                edited |= zip(some, edit(some), strict=True)
                progress.update(len(some))
    seconds = (time.perf_counter() - began) / count
    each = [edited[k] for k in range(count)]
    return Made(np.stack([one.picture_HWC for one in each]), np.stack([one.region_HW for one in each]), seconds)


def source_words(work: Work) -> list[str]:
    """The run and the pack that were named, as words of `facecond edit`."""
    named = {"run": work.study.run, "pack": work.config.pack}
    return [override(key, value) for key, value in named.items() if value is not None]


def kept(work: Work, title: str, way: str, words: Sequence[str], make: Callable[[], Made]) -> Made:
    """What `make` returns, made once: `way` names its file, `words` say what decides it."""
    file = work.folder / "edits" / f"{way.replace(', ', '-').replace(' ', '-')}.npz"

    def do() -> dict[str, str]:
        done = make()
        with atomic_write(file) as temporary, temporary.open("wb") as content:
            np.savez(content, **done._asdict())
        return {"edits": str(file)}

    work.step(title, do, words)
    content = read_archive(file, Made._fields, most=MOST, hint=f"delete {file}, and the same command makes it again")
    return Made(content["pictures_NHWC"], content["region_NHW"], float(content["seconds"]))


def number(values: Sequence[float]) -> Number:
    """The mean with half of its 95 % interval."""
    return Number(mean(values), 1.96 * stdev(values) / len(values) ** 0.5 if len(values) > 1 else None, "edits")


def cell(values: Sequence[float], digits: int) -> str:
    """The mean and half of its interval, in words."""
    found = number(values)
    return f"{found.value:.{digits}f}" + (f" ± {found.half:.{digits}f}" if found.half is not None else "")
