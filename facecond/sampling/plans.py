"""What is to be drawn: prompts, and which image gets which prompt and which seed.

A plan is a sequence of requests; request i is image i. Seeds are functions of (base seed, places in the plan) such that
a longer plan starts like a shorter one: asking for more images later keeps those already made. Plans and prompts can
be `Lazy`: made when they are asked for, so that 50,000 label maps are never held together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeVar, overload

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
class Prompt:
    """What one picture should show: values of conditions. A condition without a value is left unspecified."""

    values: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    """Name of the condition -> its value (`facecond.conditions`)."""
    description: Mapping[str, Any] = field(default_factory=dict)
    """Words for the record (JSON values): {"mask": "validation item 17", "attributes": "+Smiling"}."""
    source: str | None = None
    """Id of the data item the values come from."""
    given: Mapping[str, NDArray[Any] | None] = field(default_factory=dict)
    """Of values that were completed (a map whose open parts were drawn): what had been given, None for nothing."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Request:
    """One image to be made."""

    index: int
    """Its number in the folder, from 0."""
    seed: int
    """Where all of its noise comes from."""
    prompt: Prompt
    place: Mapping[str, int] = field(default_factory=dict)
    """Where it belongs in a grid: {"row": 0, "column": 3}."""


def one_each(prompts: Sequence[Prompt], seed: int) -> Sequence[Request]:
    """One image per prompt, each from its own noise (the paper's 5000 images for 5000 validation items)."""
    return Lazy(
        len(prompts),
        lambda i: Request(index=i, seed=rng.mix(seed, "image", i), prompt=prompts[i]),
    )


def several(prompts: Sequence[Prompt], samples: int, seed: int) -> Sequence[Request]:
    """`samples` images per prompt (the paper's ten per condition for LPIPS); `place` has row and sample.

    Image (prompt i, sample j) has number i * samples + j and a seed that depends on i and j only.
    """

    def request(index: int) -> Request:
        row, sample = divmod(index, samples)
        seed_of_row = rng.mix(seed, "condition", row)
        return Request(
            index=index, seed=rng.mix(seed_of_row, "sample", sample), prompt=prompts[row],
            place={"row": row, "sample": sample},
        )  # fmt: skip

    return Lazy(len(prompts) * samples, request)


def same_noise(table: Sequence[Sequence[Prompt]], seed: int) -> Sequence[Request]:
    """A grid: every row has one noise, every cell its own prompt (the paper's figure of attribute sets).

    Rows are equally long. Image (row r, column c) has number r * columns + c; all noise of a row is the same, step noise
    included.
    """
    columns = len(table[0])

    def request(index: int) -> Request:
        row, column = divmod(index, columns)
        return Request(
            index=index, seed=rng.mix(seed, "row", row), prompt=table[row][column],
            place={"row": row, "column": column},
        )  # fmt: skip

    return Lazy(len(table) * columns, request)
