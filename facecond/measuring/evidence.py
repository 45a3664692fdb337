"""What is measured: samples, the items behind them, and detectors; read in pieces, each piece once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from facecond.conditions.table import CONDITIONS
from facecond.data.learnt import count_learnt
from facecond.data.pack import Pack
from facecond.errors import DataError
from facecond.measuring.measure import REAL, RECONSTRUCTIONS, SAMPLES, Detector, Measure, Scores
from facecond.metrics.figures import Circumstances
from facecond.metrics.resampling import derangement
from facecond.progress import bar
from facecond.sampling.folder import read_values
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
    seed: int = 0
    """Of the floor: which other item's condition a sample is compared with."""

    @cached_property
    def places(self) -> NDArray[np.int64]:
        """int64 (N,): number in the pack of the item behind each sample, the unit of every interval.

        Raises DataError for samples with no item behind them, and when all have the same.
        """
        known, folder = {name: place for place, name in enumerate(self.pack.ids)}, self.samples.folder
        places = []
        for record in self.samples.records:
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

    def asked(self, condition: str, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Return the values of `condition` that samples `rows` are compared with: what they were told, else their item's own.

        Raises DataError when only some were told, or a value of another form, which cannot be compared.
        """
        own, column = self.own(condition, self.places[rows]), CONDITIONS[condition].column
        if condition not in self.told:
            return own
        values = []
        for row in rows:
            value = read_values(self.samples.folder, self.samples.records[row]).get(condition)
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
        cautions = [self._learnt(detector) if detector else ""]
        if scores.condition and scores.condition not in self.told:
            name = scores.condition
            cautions.append(f"the samples were not told {name}, and are compared with that of the items behind them")
        return Circumstances(
            reference=f"validation split of {self.pack.path.name}, {len(self.items)} items",
            preprocessing=detector.preprocessing if detector else "",
            judge=detector.name if detector else "", judge_hash=detector.sha256 if detector else "",
            caution="; ".join(filter(None, cautions)),
        )  # fmt: skip

    def _learnt(self, detector: Detector) -> str:
        """Say when a detector has learnt from the very faces it looks at here, or when that is not known."""
        learnt = getattr(detector, "learnt_from", None)
        if learnt is None:
            return f"it is not known which faces the {detector.name} learnt from"
        met = count_learnt(learnt, self.pack, self.items)
        return f"the {detector.name} learnt from {met} of the {len(self.items)} real faces" if met else ""

    def pieces(self, which: str) -> Iterable[tuple[NDArray[np.int64], NDArray[np.uint8]]]:
        """Yield (places, pictures (n, H, W, 3)) of a set until all of it was seen."""
        of_samples = which == SAMPLES
        for start in range(0, self.count(which), PIECE):
            rows = np.arange(start, min(start + PIECE, self.count(which)))
            pictures = np.asarray(self.samples.images[rows] if of_samples else self.pack.images[self.items[rows]])
            yield rows, self.reconstruct(pictures) if which == RECONSTRUCTIONS else pictures

    def count(self, which: str) -> int:
        """Pictures in a set."""
        return len(self.places if which == SAMPLES else self.items)


def measure(measures: Iterable[Measure], evidence: Evidence) -> list[Figure]:
    """Look at every set of pictures once, with every detector once; return the figures of `measures` in their order."""
    kinds = dict.fromkeys(each.scores for each in measures)
    scores = {kind: kind(evidence) for kind in kinds}
    for which in (SAMPLES, REAL, RECONSTRUCTIONS):
        interested = [each for each in scores.values() if which in each.sets]
        names = {each.detector for each in interested if each.detector}
        if not interested:
            continue
        with bar(f"measuring {which}", evidence.count(which)) as progress:
            for rows, images in evidence.pieces(which):
                found = {name: evidence.detectors[name](images) for name in names}
                for each in interested:
                    each.add(which, rows, images, found.get(each.detector or ""))
                progress.update(len(rows))
    figures = {kind: {figure.name: figure for figure in each.figures()} for kind, each in scores.items()}
    shown = [figure for each in measures for figure in each.of(figures[each.scores])]
    return list({figure.name: figure for figure in shown}.values())
