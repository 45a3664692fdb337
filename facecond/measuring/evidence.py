"""What is measured: sets of pictures, detectors, and the items behind samples; each set is read in pieces, each piece once."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from facecond.data.learnt import count_learnt
from facecond.errors import DataError
from facecond.measuring import pictures
from facecond.measuring.items import Items
from facecond.measuring.kept import Kept
from facecond.measuring.measure import AVERAGE, REAL, REFERENCE, SAMPLES, SETS, VARIATIONS, Detector, Measure, Scores
from facecond.measuring.pictures import Averaged, Pictures
from facecond.memory import Halving
from facecond.metrics.figures import Circumstances
from facecond.processes import ALONE, Processes
from facecond.progress import bar

if TYPE_CHECKING:
    from facecond.io.results import Figure


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Sets of pictures and what looks at them."""

    sets: Mapping[str, Pictures]
    """By their names in `measure.SETS`, those there are."""
    detectors: Mapping[str, Detector]
    reference: str
    """Words for the pictures that samples are compared with."""
    items: Items | None = None
    """What is behind the samples; None for pictures from anywhere."""
    varied: NDArray[np.int64] | None = None
    """int64 (V,): the item behind each picture of the variations; those of one item follow one another."""
    kept: Path | None = None
    """Folder in which detectors keep what they say of pictures; None = nowhere."""

    halving: Halving = field(default_factory=Halving)
    """Looks at fewer pictures together where memory is not enough for `pictures.PIECE`."""

    @property
    def behind(self) -> Items:
        """The items behind the samples, for measures that need them."""
        if self.items is None:
            raise ValueError("nothing is known of these pictures' conditions")
        return self.items

    @property
    def conditions_N(self) -> NDArray[np.int64] | None:  # noqa: N802
        """int64 (N,): the condition of each sample, the unit of every interval; None: each has its own."""
        return None if self.items is None else self.items.places

    @property
    def conditions(self) -> int:
        """Number of conditions behind the samples; of samples where each has its own."""
        return len(self.sets[SAMPLES]) if self.items is None else len(np.unique(self.items.places))

    def circumstances(self, scores: Scores, caution: str = "") -> Circumstances:
        """What figures of these scores share; `caution` as in `io.results.Figure`."""
        detector = self.detectors[scores.detector] if scores.detector else None
        cautions = [caution]
        if detector is not None and self.items is not None:
            cautions.append(self._learnt(detector.name, detector.learnt_from))
        cautions += [] if self.items is None else self._told(self.items, scores)
        against = REFERENCE if REFERENCE in scores.sets or REAL not in self.sets else REAL
        count = len(self.sets[against])
        return Circumstances(
            reference=f"{self.reference}, {count} items",
            preprocessing=detector.preprocessing if detector else "",
            judge=detector.name if detector else "", judge_hash=detector.sha256 if detector else "",
            caution="; ".join(filter(None, cautions)),
        )  # fmt: skip

    def _told(self, items: Items, scores: Scores) -> list[str]:
        """Say where samples were not told what is true of the items behind them, or are compared with something else."""
        said, name = [], scores.condition
        if SAMPLES in scores.sets or VARIATIONS in scores.sets:
            for told, judge in items.noisy.items():
                against = f", and is compared with the true {name}" if told == name else ""
                said.append(f"the model was told {told} as {judge} reads it off the real pictures{against}")
        if name is None or name in items.noisy:
            return said
        if name not in items.told:
            return [*said, f"the samples were not told {name}, and are compared with that of the items behind them"]
        if others := items.told_otherwise(name):
            said.append(
                f"{others} of {len(items.places)} samples were told another {name} than that of the items behind them, and are "
                "compared with what they were told"
            )
        return said

    def _learnt(self, name: str, learnt: Any) -> str:
        """Say when a judge has learnt from the very faces it looks at here, or when that is not known."""
        if learnt is None:
            return f"it is not known which faces the {name} learnt from"
        met = 0 if not learnt else count_learnt(learnt, self.behind.pack, self.behind.unique)
        return f"the {name} learnt from {met} of the {len(self.behind.unique)} real faces" if met else ""

    @cached_property
    def average(self) -> Averaged:
        """The average picture of the reference."""
        return Averaged(self.sets[REFERENCE])

    def has(self, which: str) -> bool:
        """Whether there is the set called `which`; of a reference there is its average."""
        return which in self.sets or (which == AVERAGE and REFERENCE in self.sets)

    def pictures(self, which: str) -> Pictures:
        """The set called `which`."""
        return self.average if which == AVERAGE else self.sets[which]

    @cached_property
    def _contents(self) -> dict[str, str]:
        """What names the sets that were asked for, each worked out once."""
        return {}

    def _content(self, which: str) -> str:
        if which not in self._contents:
            of_average = which == AVERAGE
            self._contents[which] = (
                self.average.content(self._content(REFERENCE)) if of_average else self.sets[which].content()
            )
        return self._contents[which]

    def pieces(self, which: str) -> Iterator[NDArray[np.int64]]:
        """Rows of a set, piece by piece; variations of one condition stay together."""
        count, most = len(self.pictures(which)), pictures.PIECE
        if which != VARIATIONS or self.varied is None:
            yield from (np.arange(start, min(start + most, count)) for start in range(0, count, most))
            return
        begins = [*np.flatnonzero(np.diff(self.varied, prepend=-1)).tolist(), count]
        start = 0
        for end, after in zip(begins[1:], [*begins[2:], None], strict=True):
            if after is None or after - start > most:
                yield np.arange(start, end)
                start = end

    def kept_by(self, name: str, which: str) -> Kept | None:
        """Where the detector called `name` keeps what it says of a set; None where it keeps nothing."""
        detector = self.detectors[name]
        if self.kept is None or not detector.keeps:
            return None
        about = hashlib.sha256(f"{detector.sha256} {detector.preprocessing} {self._content(which)}".encode())
        return Kept(self.kept / f"{about.hexdigest()[:16]}.npy", len(self.pictures(which)))


def measure(measures: Mapping[str, Measure], evidence: Evidence, processes: Processes = ALONE) -> list[Figure]:
    """Look at every set of pictures once, with every detector once; return the figures of `measures` in their order.

    Each says which of the names it belongs to; one that several show stands there once. Several processes share the looking; the
    first has the figures, the others none.
    """
    scores = {kind: kind(evidence) for kind in dict.fromkeys(each.scores for each in measures.values())}
    for which in SETS:
        interested = [each for each in scores.values() if which in each.sets]
        if interested and evidence.has(which):
            _look(which, interested, evidence, processes)
    shown: dict[str, Figure] = {}
    processes.first_does(lambda: shown.update(_figures(measures, scores)))
    return list(shown.values())


def _figures(measures: Mapping[str, Measure], scores: Mapping[type[Scores], Scores]) -> dict[str, Figure]:
    """By their names."""
    figures = {kind: each.figures() for kind, each in scores.items()}
    shown: dict[str, Figure] = {}
    for name, each in measures.items():
        for figure in each.of(figures[each.scores]):
            shown.setdefault(figure.name, dataclasses.replace(figure, measure=name))
    return shown


class Seen(NamedTuple):
    """A piece of a set, and what detectors say of it."""

    rows: NDArray[np.int64]
    images_NHWC: NDArray[np.uint8]
    """None of them where nobody looks at pictures."""
    found: dict[str, NDArray[Any]]


def _look(which: str, interested: list[Scores], evidence: Evidence, processes: Processes) -> None:
    """Let everyone who is interested in a set see it, in the first process."""
    detectors = {each.detector: evidence.detectors[each.detector] for each in interested if each.detector}
    kept = {name: keeping for name in detectors if (keeping := evidence.kept_by(name, which))}
    averaged = which == REFERENCE and any(AVERAGE in each.sets for each in interested)
    known = processes.as_first([name for name, keeping in kept.items() if keeping.whole])
    asked = {name: detector for name, detector in detectors.items() if name not in known}
    needed = bool(asked) or any(each.looks for each in interested)
    shown = averaged or any(each.looks for each in interested)
    nothing = np.zeros((0, 0, 0, 3), dtype=np.uint8)

    def look(rows: NDArray[np.int64]) -> Seen:
        parts = evidence.halving.over(len(rows), lambda part: seen(rows[part]))
        images = np.concatenate([each.images_NHWC for each in parts])
        return Seen(rows, images, {name: np.concatenate([each.found[name] for each in parts]) for name in asked})

    def seen(rows: NDArray[np.int64]) -> Seen:
        images = evidence.pictures(which).read(rows) if needed else nothing
        found = {name: detector(images) for name, detector in asked.items()}
        for name, said in found.items():
            if not np.isfinite(said).all():
                row = rows[np.flatnonzero(~np.isfinite(said).reshape(len(rows), -1).all(axis=1))[0]]
                raise DataError(
                    f"what {asked[name].name} says of picture {row} of the {which} is not finite",
                    hint="are its weights damaged? facecond verify reads them again",
                )
        return Seen(rows, images if shown else nothing, found)

    def take(seen: Seen) -> None:
        rows, images, found = seen
        if averaged and needed:
            evidence.average.take(rows, images)
        for name, said in found.items():
            if name in kept:
                kept[name].write(rows, said)
        found |= {name: kept[name].read(rows) for name in known}
        for each in interested:
            each.add(which, rows, images, found.get(each.detector or ""))
        progress.update(len(rows))

    count = len(evidence.pictures(which))
    with ExitStack() as ending, bar(f"measuring {which}", count, shown=processes.first) as progress:
        for keeping in kept.values() if processes.first else []:
            ending.enter_context(keeping)
        processes.share_out(list(evidence.pieces(which)), look, take)
