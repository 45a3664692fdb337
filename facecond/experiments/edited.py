"""What studies of edits share: pictures that were made are kept, and figures are means over edits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from facecond.experiments.plan import override
from facecond.experiments.table import Number, said
from facecond.io.arrays import read_archive
from facecond.io.files import atomic_write
from facecond.metrics.spread import mean_over, share_over
from facecond.reports.tables import MISSING

if TYPE_CHECKING:
    from facecond.assembly.edits import Edited
    from facecond.experiments.studies import Rows, Work

TOGETHER = 32
"""Pictures edited at once."""


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
    # What is not packed is no larger than its file, so that the size of the file, which was written here, bounds the memory.
    again = f"delete {file}, and the same command makes it again"
    content = read_archive(file, Made._fields, most=file.stat().st_size if file.is_file() else 0, hint=again)
    return Made(content["pictures_NHWC"], content["region_NHW"], float(content["seconds"]))


class Column(NamedTuple):
    """What is measured of every edit."""

    heading: str
    values: Sequence[float | None]
    """One for each edit; None where it cannot be measured, of every way alike. Of a share 1 and 0."""
    share: bool = False
    lower: bool = False
    """Less of it is better."""
    digits: int = 1


Columns = dict[str, Column]
"""Name of a measure -> what it is of every edit."""


def cell(column: Column, groups: Sequence[int]) -> str:
    """The mean and half of Student's 95 % interval, or a share in percent with Wilson's; over the groups that edits belong to."""
    values, known = _known(column, groups)
    if not len(values):
        return MISSING
    digits = column.digits
    if column.share:
        part, low, high = (f"{100 * each:.{digits}f}" for each in share_over(values > 0, known))
        return f"{part} ({low} to {high})"
    found = mean_over(values, known)
    return f"{found.value:.{digits}f}" + (f" ± {found.half:.{digits}f}" if found.half is not None else "")


def differences(
    measured: Mapping[str, Columns], pairs: Sequence[tuple[str, str]], groups: Sequence[int], what: str
) -> Rows:
    """Head row, then for each pair of ways and each measure what the first has more than the second, edit by edit.

    The interval is Student's over groups, which are so many `what`. A difference that is the same in all of them has none.
    """
    rows = [["difference", "measure", "value", "interval over", "decided"]]
    for one, other in pairs:
        for name, column in measured[one].items():
            (a, known), (b, _) = (_known(measured[way][name], groups) for way in (one, other))
            if not len(a):
                continue
            scale = 100.0 if column.share else 1.0
            value, half = mean_over(scale * (a - b), known)
            half = half if half is not None and half > 1e-12 else None  # all differ alike, but for rounding
            apart = Number(value, half, f"{len(np.unique(known))} {what}")
            text = f"{value:+.{column.digits}f}" + (f" ± {half:.{column.digits}f}" if half else "")
            rows.append([f"{one} less {other}", column.heading, text, apart.over, said(apart, lower=column.lower)])
    return rows


def _known(column: Column, groups: Sequence[int]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The values that could be measured, and the groups of their edits."""
    kept = [(value, group) for value, group in zip(column.values, groups, strict=True) if value is not None]
    return np.array([value for value, _ in kept], np.float64), np.array([group for _, group in kept], np.int64)


INTERVALS = (
    "±: half of the 95 % interval of a mean (Student); in brackets the 95 % interval of a share (Wilson); both over {what}.",
    "Differences are taken edit by edit, and their intervals (Student) over {what}; each is decided by itself, so that of twenty "
    "that are none one is expected to look decided. One that is the same in every edit has no interval.",
)
"""What the tables' intervals are, in words."""
