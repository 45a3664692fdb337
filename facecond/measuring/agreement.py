"""Do samples agree with what they were told? The shape of every measure that asks so, whatever it looks at."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from facecond.measuring.measure import REAL, SAMPLES, Scores

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from facecond.io.results import Figure
    from facecond.measuring.evidence import Evidence

T = TypeVar("T")

SHUFFLED = "shuffled conditions"


class Agreement(Scores, Generic[T]):
    """Agreement of samples with their condition; ceiling: real pictures with theirs; floor: samples with another item's.

    Of the real pictures themselves there is no ceiling.
    """

    condition: ClassVar[str]

    def __init__(self, evidence: Evidence) -> None:
        super().__init__(evidence)
        self._parts: dict[str, list[T]] = {}

    def seen(self, images: NDArray[np.uint8], found: Any) -> Any:
        """What is compared, of pictures (n, H, W, 3) and of what the detector says of them: the latter, unless overridden."""
        return found

    @abstractmethod
    def score(self, asked: NDArray[Any], seen: Any) -> T:
        """Compare values asked for with what is seen, both with first axis n."""

    @abstractmethod
    def merge(self, parts: Sequence[T]) -> T:
        """Join the scores of several pieces."""

    @abstractmethod
    def show(self, scores: T, ceiling: T | None, floor: T, marks: Mapping[str, T]) -> list[Figure]:
        """Turn scores into figures."""

    def add(self, which: str, rows: NDArray[np.int64], images: NDArray[np.uint8], found: NDArray[Any] | None) -> None:
        """Score a piece; samples against another item's condition as well."""
        items, seen = self.evidence.behind, self.seen(images, found)
        if which == SAMPLES:
            asked = {
                SAMPLES: items.asked(self.condition, rows),
                SHUFFLED: items.asked(self.condition, items.partners[rows]),
            }
        else:
            asked = {which: items.own(self.condition, items.unique[rows])}
        for name, values in asked.items():
            self._parts.setdefault(name, []).append(self.score(values, seen))

    def figures(self) -> dict[str, Figure]:
        """The figures of the samples, with ceiling, floor and the reconstructions as a mark."""
        merged = {name: self.merge(parts) for name, parts in self._parts.items()}
        ceiling = merged.pop(REAL, None)
        shown = self.show(merged.pop(SAMPLES), ceiling, merged.pop(SHUFFLED), merged)
        if ceiling is None:
            from facecond.metrics.figures import of_real_pictures

            shown = of_real_pictures(shown)
        return {figure.name: figure for figure in shown}
