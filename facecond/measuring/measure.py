"""What a measure is: the sets of pictures it looks at, the detector it looks with, and the figures it ends in.

Pictures come in pieces, each piece once; a detector looks at it once, whatever number of measures asks for its answer.
What a measure keeps of a piece is small (sums per picture), so that memory does not grow with the pictures themselves.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from facecond.errors import ConfigError, FacecondError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import torch
    from numpy.typing import NDArray

    from facecond.config.commands.evaluate import EvalConfig
    from facecond.data.pack import Pack
    from facecond.io.results import Figure
    from facecond.measuring.evidence import Evidence
    from facecond.workspace.find import Found

log = logging.getLogger("facecond")

SAMPLES, REAL, RECONSTRUCTIONS = "samples", "real pictures", "reconstructions"
"""Sets of pictures: what is measured; the pictures behind its conditions; and these after a round trip through the first stage."""

VARIATIONS, REFERENCE = "samples of one condition", "reference"
"""Several samples of each of some conditions, those of one condition together; and the pictures of the validation split."""

AVERAGE = "average picture"
"""The mean of the reference, pixel by pixel, again and again: as far from it as what knows nothing else of it."""

SETS = (SAMPLES, REAL, RECONSTRUCTIONS, VARIATIONS, REFERENCE, AVERAGE)
"""In the order in which they are looked at."""


class Detector(Protocol):
    """A network that looks at pictures, never one that is measured."""

    @property
    def name(self) -> str:
        """What it is, for the results."""

    @property
    def sha256(self) -> str:
        """Of its weights file."""

    @property
    def preprocessing(self) -> str:
        """What it does to the pictures first, for the results."""

    @property
    def published(self) -> bool:
        """Whether measures with it bear their published names."""

    @property
    def learnt_from(self) -> list[dict[str, Any]] | None:
        """The faces it learnt from (see `data.learnt`); None when that is not known."""

    @property
    def keeps(self) -> bool:
        """Whether what it says of a picture is small (a row of features) and worth keeping on the disk."""

    def __call__(self, images_NHWC: NDArray[np.uint8]) -> NDArray[Any]:
        """uint8 pictures (N, H, W, 3) -> what it sees in each, first axis N."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """One way to come by a detector."""

    find: Callable[[EvalConfig, Pack | None], Found]
    """Configuration and pack (None: no pack) -> run or weights file, with the reason. Raises FacecondError when there is none."""
    load: Callable[[Path, EvalConfig, torch.device], Detector]
    """Raises UnavailableError when it cannot be had after all, CheckpointError for other weights than expected."""
    named: Callable[[EvalConfig], bool] = lambda config: False
    """Whether the user asked for this one, so that no other will do."""
    classes: bool = False
    """Whether ImageNet's classes follow from what it says."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DetectorKind:
    """What measures look with, by one of several networks."""

    sources: tuple[Source, ...]
    """From the published one to what is at hand."""

    def named(self, config: EvalConfig) -> bool:
        """Whether the user asked for one of the sources."""
        return any(source.named(config) for source in self.sources)

    def candidates(self, config: EvalConfig, pack: Pack | None, *, classes: bool = False) -> list[tuple[Source, Found]]:
        """The sources that may do, first the one to try first. Raises FacecondError when there is none.

        `classes`: only those that tell ImageNet's classes.
        What is named, and the first where `config.strict`, is alone. What there is not is said in a warning.
        """
        sources = [source for source in self.sources if source.named(config)] or list(self.sources)
        if classes and not (sources := [source for source in sources if source.classes]):
            raise no_classes()
        found, reasons = [], []
        for source in sources[:1] if config.strict else sources:
            try:
                found.append((source, source.find(config, pack)))
            except FacecondError as reason:
                if not found:  # what would come after one that is there is not missed
                    reasons.append(reason)
        if not found:
            raise reasons[0]
        for missing in reasons:
            log.warning("warning: %s; another network may take its place, under other names", missing)
        return found


def no_classes() -> ConfigError:
    """What is said when the user named a network that cannot answer what a measure asks."""
    return ConfigError("the network that is named tells no classes of ImageNet", hint="name another: features=")


class Scores(ABC):
    """Sums over pictures, from which figures follow. One object for all measures that share them."""

    detector: ClassVar[str | None] = None
    """Key of `table.DETECTORS`; None for what needs no network."""
    condition: ClassVar[str | None] = None
    """The condition whose values the pictures are compared with."""
    sets: ClassVar[tuple[str, ...]] = (SAMPLES, REAL, RECONSTRUCTIONS)
    """The sets of pictures it looks at, as far as they are there; the first is needed."""
    looks: ClassVar[bool] = False
    """Whether it looks at the pictures themselves, beside what its detector says of them."""

    classes: ClassVar[bool] = False
    """Whether it needs ImageNet's classes, which only some detectors tell."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence

    @abstractmethod
    def add(self, which: str, rows: NDArray[np.int64], images: NDArray[np.uint8], found: NDArray[Any] | None) -> None:
        """Take pictures in.

        Args:
            which: the set.
            rows: int64 (n,), places of the pictures in the set, ascending; no place comes twice.
            images: the pictures, uint8 (n, H, W, 3); empty unless it `looks`.
            found: what the detector says of them, first axis n; None without one.
        """

    @abstractmethod
    def figures(self) -> Mapping[str, Figure]:
        """Return the figures, once all pictures of all sets were taken in, by what measures call them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """One name that `facecond eval` takes."""

    help: str
    """What it is, for `--help`."""
    scores: type[Scores]
    figures: tuple[str, ...] = ()
    """Those it shows of what `scores` ends in; empty = all."""

    def of(self, figures: Mapping[str, Figure]) -> list[Figure]:
        """The figures it shows, of all that its scores end in."""
        return [figures[name] for name in self.figures or figures]
