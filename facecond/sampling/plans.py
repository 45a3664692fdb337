"""What is to be drawn: conditions, and which image gets which condition and which seed.

A plan is a sequence of requests; request i is image i. Seeds are functions of (base seed, places in the plan) such that
a longer plan starts like a shorter one: asking for more images later keeps those already made. Plans and conditions can
be `Lazy`: made when they are asked for, so that 50,000 label maps are never held together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from facecond import rng

T = TypeVar("T")


class Lazy(Sequence[T]):
    """`length` values, value i made by `make(i)` when it is asked for; the last `keep` of them are kept."""

    def __init__(self, length: int, make: Callable[[int], T], *, keep: int = 64) -> None:
        self._length, self._make = length, lru_cache(keep)(make)

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, place: int) -> T: ...
    @overload
    def __getitem__(self, place: slice) -> list[T]: ...
    def __getitem__(self, place: int | slice) -> T | list[T]:
        """Return value `place` (0, 1, ...; IndexError beyond), or those of a slice."""
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(self._length))]
        return self._make(range(self._length)[place])


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Condition:
    """What a picture should show. None means that the model is not told."""

    labels: NDArray[Any] | None = None
    """uint8 label map (H, W), 255 where nothing is said; or bool (18, H, W), a channel per part, parts may overlap,
    and a 19th where nothing is said."""
    attributes: NDArray[np.int8] | None = None
    """int8 (40,) in {-1, 0, +1}."""
    description: Mapping[str, Any] = field(default_factory=dict)
    """Words for the record (JSON values): {"mask": "validation item 17", "attributes": "+Smiling"}."""
    source: str | None = None
    """Id of the data item the condition comes from."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Request:
    """One image to be made."""

    index: int
    """Its number in the folder, from 0."""
    seed: int
    """Where all of its noise comes from."""
    condition: Condition
    place: Mapping[str, int] = field(default_factory=dict)
    """Where it belongs in a grid: {"row": 0, "column": 3}."""


def one_each(conditions: Sequence[Condition], seed: int) -> Sequence[Request]:
    """One image per condition, each from its own noise (the paper's 5000 images for 5000 validation items)."""
    return Lazy(
        len(conditions),
        lambda i: Request(index=i, seed=rng.mix(seed, "image", i), condition=conditions[i]),
    )


def several(conditions: Sequence[Condition], samples: int, seed: int) -> Sequence[Request]:
    """`samples` images per condition (the paper's ten per condition for LPIPS); `place` has row and sample.

    Image (condition i, sample j) has number i * samples + j and a seed that depends on i and j only.
    """

    def request(index: int) -> Request:
        row, sample = divmod(index, samples)
        seed_of_row = rng.mix(seed, "condition", row)
        return Request(
            index=index, seed=rng.mix(seed_of_row, "sample", sample), condition=conditions[row],
            place={"row": row, "sample": sample},
        )  # fmt: skip

    return Lazy(len(conditions) * samples, request)


def same_noise(table: Sequence[Sequence[Condition]], seed: int) -> Sequence[Request]:
    """A grid: every row has one noise, every cell its own condition (the paper's figure of attribute sets).

    Rows are equally long. Image (row r, column c) has number r * columns + c; all noise of a row is the same, step noise
    included.
    """
    columns = len(table[0])

    def request(index: int) -> Request:
        row, column = divmod(index, columns)
        return Request(
            index=index, seed=rng.mix(seed, "row", row), condition=table[row][column],
            place={"row": row, "column": column},
        )  # fmt: skip

    return Lazy(len(table) * columns, request)
