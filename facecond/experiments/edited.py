"""What studies of edits share: pictures that were made are kept, and figures are means over edits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import mean, stdev
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from facecond.experiments.table import Number
from facecond.io.arrays import read_archive
from facecond.io.files import atomic_write

if TYPE_CHECKING:
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
