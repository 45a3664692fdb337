"""What a measure is: the sets of pictures it looks at, the detector it looks with, and the figures it ends in.

Pictures come in pieces, each piece once; a detector looks at it once, whatever number of measures asks for its answer.
What a measure keeps of a piece is small (sums per picture), so that memory does not grow with the pictures themselves.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import torch
    from numpy.typing import NDArray

    from facecond.config.commands import EvalConfig
    from facecond.data.pack import Pack
    from facecond.io.results import Figure
    from facecond.measuring.evidence import Evidence
    from facecond.workspace.find import Found

SAMPLES, REAL, RECONSTRUCTIONS = "samples", "real pictures", "reconstructions"
"""Sets of pictures: what is measured; the pictures behind its conditions; and these after a round trip through the first stage."""


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

    def __call__(self, images_NHWC: NDArray[np.uint8]) -> NDArray[Any]:
        """uint8 pictures (N, H, W, 3) -> what it sees in each, first axis N."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class DetectorKind:
    """How a detector is found and loaded."""

    find: Callable[[EvalConfig, Pack], Found]
    """Configuration and pack -> run or weights file, with the reason. Raises FacecondError when there is none."""
    load: Callable[[Path, torch.device], Detector]


class Scores(ABC):
    """Sums over pictures, from which figures follow. One object for all measures that share them."""

    detector: ClassVar[str | None] = None
    """Key of `table.DETECTORS`; None for what needs no network."""
    condition: ClassVar[str | None] = None
    """The condition whose values the pictures are compared with."""
    sets: ClassVar[tuple[str, ...]] = (SAMPLES, REAL, RECONSTRUCTIONS)
    """The sets of pictures it looks at."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence

    @abstractmethod
    def add(self, which: str, rows: NDArray[np.int64], images: NDArray[np.uint8], found: NDArray[Any] | None) -> None:
        """Take pictures in.

        Args:
            which: the set.
            rows: int64 (n,), places of the pictures in the set, ascending; no place comes twice.
            images: the pictures, uint8 (n, H, W, 3).
            found: what the detector says of them, first axis n.
        """

    @abstractmethod
    def figures(self) -> list[Figure]:
        """Return the figures, once all pictures of all sets were taken in."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """One name that `facecond eval` takes."""

    help: str
    """What it is, for `--help`."""
    scores: type[Scores]
    figures: tuple[str, ...] = ()
    """Names of the figures it shows, of those `scores` ends in; empty = all."""

    def of(self, figures: Mapping[str, Figure]) -> list[Figure]:
        """The figures it shows, of all that its scores end in."""
        return [figure for name, figure in figures.items() if not self.figures or name in self.figures]
