"""What is to be drawn: conditions, and which image gets which condition and which seed.

A plan is a list of requests. Seeds are functions of (base seed, places in the plan) such that a longer plan starts like
a shorter one: asking for more images later keeps those already made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facecond import rng


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Condition:
    """What a picture should show. None means that the model is not told."""

    labels: NDArray[Any] | None = None
    """uint8 label map (H, W), 255 where nothing is said; or bool (18, H, W), a channel per part, parts may overlap."""
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


def one_each(conditions: Sequence[Condition], seed: int) -> list[Request]:
    """One image per condition, each from its own noise (the paper's 5000 images for 5000 validation items)."""
    return [
        Request(index=index, seed=rng.mix(seed, "image", index), condition=condition)
        for index, condition in enumerate(conditions)
    ]


def several(conditions: Sequence[Condition], samples: int, seed: int) -> list[Request]:
    """`samples` images per condition (the paper's ten per condition for LPIPS); `place` has row and sample.

    Image (condition i, sample j) has number i * samples + j and a seed that depends on i and j only.
    """
    return [
        Request(
            index=row * samples + sample,
            seed=rng.mix(rng.mix(seed, "condition", row), "sample", sample),
            condition=condition,
            place={"row": row, "sample": sample},
        )
        for row, condition in enumerate(conditions)
        for sample in range(samples)
    ]


def same_noise(table: Sequence[Sequence[Condition]], seed: int) -> list[Request]:
    """A grid: every row has one noise, every cell its own condition (the paper's figure of attribute sets).

    Rows are equally long. Image (row r, column c) has number r * columns + c; all noise of a row is the same, step noise
    included.
    """
    columns = len(table[0])
    return [
        Request(
            index=row * columns + column,
            seed=rng.mix(seed, "row", row),
            condition=condition,
            place={"row": row, "column": column},
        )
        for row, conditions in enumerate(table)
        for column, condition in enumerate(conditions)
    ]
