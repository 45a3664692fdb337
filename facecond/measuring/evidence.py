"""What is measured: samples, the items behind them, and detectors; read in pieces, each piece once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from facecond.conditions.table import CONDITIONS
from facecond.data.learnt import count_learnt
from facecond.data.pack import Pack
from facecond.errors import DataError
from facecond.measuring.kept import Kept
from facecond.measuring.measure import (
    REAL,
    RECONSTRUCTIONS,
    REFERENCE,
    SAMPLES,
    VARIATIONS,
    Detector,
    Measure,
    Scores,
)
from facecond.metrics.figures import Circumstances
from facecond.metrics.resampling import derangement
from facecond.progress import bar
from facecond.sampling.generation import Generation

if TYPE_CHECKING:
    from facecond.io.results import Figure

PIECE = 64
"""Pictures looked at together."""


@dataclass(frozen=True)
class Evidence:
    """Samples of a generation, the validation items of a pack behind them, and detectors."""

    samples: Generation
    pack: Pack
    detectors: Mapping[str, Detector]
    reconstruct: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
    """Pictures (n, H, W, 3) -> the same after a round trip through the first stage."""
    first_stage: str = ""
    """SHA-256 of that, so that what is said of reconstructions can be kept."""
    seed: int = 0
    """Of the floor: which other item's condition a sample is compared with."""
    variations: Generation | None = None
    """Several samples of each of some conditions; None = those of `samples`."""
    kept: Path | None = None
    """Folder in which detectors keep what they say of pictures; None = nowhere."""

    @cached_property
    def places(self) -> NDArray[np.int64]:
        """int64 (N,): number in the pack of the item behind each sample, the unit of every interval.

        Raises DataError for samples with no item behind them, and when all have the same.
        """
        return self._behind(self.samples)

    def _behind(self, samples: Generation) -> NDArray[np.int64]:
        known, folder = {name: place for place, name in enumerate(self.pack.ids)}, samples.folder
        places = []
        for record in samples.records:
            if record["source"] not in known:
                raise DataError(
                    f"image {record['index']} of {folder} has no item of {self.pack.path} behind it: nothing to compare with",
                    hint="measure samples of validation conditions",
                )
            places.append(known[record["source"]])
        if len(set(places)) < 2:
            raise DataError(
                f"{folder} has conditions of one item only", hint="the floor needs the conditions of others"
            )
        return np.array(places, dtype=np.int64)

    @cached_property
    def told(self) -> set[str]:
        """Conditions that some of the samples were told."""
        return {name for record in self.samples.records for name in record["told"]}

    @cached_property
    def items(self) -> NDArray[np.int64]:
        """int64 (M,): the items behind the samples, each once, ascending. The real pictures are theirs."""
        return np.unique(self.places)

    @cached_property
    def partners(self) -> NDArray[np.int64]:
        """int64 (N,): for each sample the first sample of another item, whose condition is the floor."""
        _, first, person = np.unique(self.places, return_index=True, return_inverse=True)
        return first[derangement(len(first), self.seed)[person]]

    @cached_property
    def varied(self) -> NDArray[np.int64]:
        """int64 (V,): number in the pack of the item behind each of the variations, in their order (`rows_varied`)."""
        return self._behind(self.variations or self.samples)[self.rows_varied]

    @cached_property
    def rows_varied(self) -> NDArray[np.int64]:
        """int64 (V,): the variations so that those of one condition follow one another."""
        return np.argsort(self._behind(self.variations or self.samples), kind="stable")

    def asked(self, condition: str, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Return the values of `condition` that samples `rows` are compared with: what they were told, else their item's own.

        Raises DataError when only some were told, or a value of another form, which cannot be compared.
        """
        own, column = self.own(condition, self.places[rows]), CONDITIONS[condition].column
        if condition not in self.told:
            return own
        values = []
        for row in rows:
            text = self.samples.records[row]["told"].get(condition, {}).get("value")
            value = None if text is None else CONDITIONS[condition].recall(text, self.samples.folder)
            if value is None or value.shape != own.shape[1:] or value.dtype != column.dtype:
                raise DataError(
                    f"{condition}: image {row} of {self.samples.folder} was not told it, or got overlapping parts",
                    hint="measure samples that were given the whole condition",
                )
            values.append(value)
        return np.stack(values)

    def own(self, condition: str, places: NDArray[np.int64]) -> NDArray[Any]:
        """Return the values of `condition` of items `places` of the pack."""
        return np.asarray(self.pack.values(CONDITIONS[condition])[places])

    def circumstances(self, scores: Scores) -> Circumstances:
        """What figures of these scores share."""
        detector = self.detectors[scores.detector] if scores.detector else None
        cautions = [detector.caution if detector else ""]
        if detector is not None and detector.learns_faces:
            cautions.append(self._learnt(detector.name, detector.learnt_from))
        if scores.condition and scores.condition not in self.told:
            name = scores.condition
            cautions.append(f"the samples were not told {name}, and are compared with that of the items behind them")
        count = self.count(REFERENCE) if REFERENCE in scores.sets else len(self.items)
        return Circumstances(
            reference=f"validation split of {self.pack.path.name}, {count} items",
            preprocessing=detector.preprocessing if detector else "",
            judge=detector.name if detector else "", judge_hash=detector.sha256 if detector else "",
            caution="; ".join(filter(None, cautions)),
        )  # fmt: skip

    def _learnt(self, name: str, learnt: Any) -> str:
        """Say when a judge has learnt from the very faces it looks at here, or when that is not known."""
        if learnt is None:
            return f"it is not known which faces the {name} learnt from"
        met = count_learnt(learnt, self.pack, self.items)
        return f"the {name} learnt from {met} of the {len(self.items)} real faces" if met else ""

    def count(self, which: str) -> int:
        """Pictures in a set."""
        return len(self._rows(which))

    def _rows(self, which: str) -> NDArray[np.int64]:
        """Where the pictures of a set are: in its generation, or in the pack."""
        if which == SAMPLES:
            return np.arange(len(self.places))
        if which == VARIATIONS:
            return self.rows_varied
        return self.pack.indices("validation") if which == REFERENCE else self.items

    def pictures(self, which: str, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Pictures `rows` of a set: uint8 (n, H, W, 3)."""
        of_samples = {SAMPLES: self.samples, VARIATIONS: self.variations or self.samples}
        places = self._rows(which)[rows]
        if which in of_samples:
            return np.asarray(of_samples[which].images[places])
        real = np.asarray(self.pack.images[places])
        return self.reconstruct(real) if which == RECONSTRUCTIONS else real

    def pieces(self, which: str) -> Iterator[NDArray[np.int64]]:
        """Rows of a set, piece by piece; variations of one condition stay together."""
        count = self.count(which)
        if which != VARIATIONS:
            yield from (np.arange(start, min(start + PIECE, count)) for start in range(0, count, PIECE))
            return
        begins = [*np.flatnonzero(np.diff(self.varied, prepend=-1)).tolist(), count]
        start = 0
        for end, after in zip(begins[1:], [*begins[2:], None], strict=True):
            if after is None or after - start > PIECE:
                yield np.arange(start, end)
                start = end

    def content(self, which: str) -> str:
        """SHA-256 that names the pictures of a set."""
        digest = hashlib.sha256()
        if which in (SAMPLES, VARIATIONS):
            for rows in self.pieces(which):
                digest.update(self.pictures(which, rows).tobytes())
        else:
            digest.update(self.pack.manifest["sha256"]["images.npy"].encode() + self._rows(which).tobytes())
            digest.update(self.first_stage.encode() if which == RECONSTRUCTIONS else b"")
        return digest.hexdigest()

    def kept_by(self, name: str, which: str) -> Kept | None:
        """Where the detector called `name` keeps what it says of a set; None where it keeps nothing."""
        detector = self.detectors[name]
        if self.kept is None or not detector.keeps:
            return None
        about = hashlib.sha256(f"{detector.sha256} {detector.preprocessing} {self.content(which)}".encode())
        return Kept(self.kept / f"{about.hexdigest()[:16]}.npy", self.count(which))


def measure(measures: Iterable[Measure], evidence: Evidence) -> list[Figure]:
    """Look at every set of pictures once, with every detector once; return the figures of `measures` in their order."""
    measures = list(measures)
    scores = {kind: kind(evidence) for kind in dict.fromkeys(each.scores for each in measures)}
    for which in (SAMPLES, REAL, RECONSTRUCTIONS, VARIATIONS, REFERENCE):
        interested = [each for each in scores.values() if which in each.sets]
        if interested:
            _look(which, interested, evidence)
    figures = {kind: each.figures() for kind, each in scores.items()}
    shown = [figure for each in measures for figure in each.of(figures[each.scores])]
    return list({figure.name: figure for figure in shown}.values())


def _look(which: str, interested: list[Scores], evidence: Evidence) -> None:
    """Let everyone who is interested in a set see it."""
    detectors = {each.detector: evidence.detectors[each.detector] for each in interested if each.detector}
    kept = {name: keeping for name in detectors if (keeping := evidence.kept_by(name, which))}
    needed = any(each.looks for each in interested) or any(not kept[n].whole if n in kept else True for n in detectors)
    nothing = np.zeros((0, 0, 0, 3), dtype=np.uint8)
    with ExitStack() as ending, bar(f"measuring {which}", evidence.count(which)) as progress:
        for keeping in kept.values():
            ending.enter_context(keeping)
        for rows in evidence.pieces(which):
            images = evidence.pictures(which, rows) if needed else nothing
            found = {}
            for name, detector in detectors.items():
                if name in kept and kept[name].whole:
                    found[name] = kept[name].read(rows)
                else:
                    found[name] = detector(images)
                    if name in kept:
                        kept[name].write(rows, found[name])
            for each in interested:
                each.add(which, rows, images, found.get(each.detector or ""))
            progress.update(len(rows))
