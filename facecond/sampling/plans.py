"""What is to be drawn: prompts, and which image gets which prompt and which seed.

A plan is a list of requests. Seeds are functions of (base seed, places in the plan) such that a longer plan starts like
a shorter one: asking for more images later keeps those already made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from facecond import rng


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Prompt:
    """What one picture should show: values of conditions. A condition without a value is left unspecified."""

    values: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    """Name of the condition -> its value (`facecond.conditions`)."""
    description: Mapping[str, Any] = field(default_factory=dict)
    """Words for the record (JSON values): {"mask": "validation item 17", "attributes": "+Smiling"}."""
    source: str | None = None
    """Id of the data item the values come from."""


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


def one_each(prompts: Sequence[Prompt], seed: int) -> list[Request]:
    """One image per prompt, each from its own noise (the paper's 5000 images for 5000 validation items)."""
    return [
        Request(index=index, seed=rng.mix(seed, "image", index), prompt=prompt) for index, prompt in enumerate(prompts)
    ]


def several(prompts: Sequence[Prompt], samples: int, seed: int) -> list[Request]:
    """`samples` images per prompt (the paper's ten per condition for LPIPS); `place` has row and sample.

    Image (prompt i, sample j) has number i * samples + j and a seed that depends on i and j only.
    """
    return [
        Request(
            index=row * samples + sample,
            seed=rng.mix(rng.mix(seed, "condition", row), "sample", sample),
            prompt=prompt,
            place={"row": row, "sample": sample},
        )
        for row, prompt in enumerate(prompts)
        for sample in range(samples)
    ]


def same_noise(table: Sequence[Sequence[Prompt]], seed: int) -> list[Request]:
    """A grid: every row has one noise, every cell its own prompt (the paper's figure of attribute sets).

    Rows are equally long. Image (row r, column c) has number r * columns + c; all noise of a row is the same, step noise
    included.
    """
    columns = len(table[0])
    return [
        Request(
            index=row * columns + column,
            seed=rng.mix(seed, "row", row),
            prompt=prompt,
            place={"row": row, "column": column},
        )
        for row, prompts in enumerate(table)
        for column, prompt in enumerate(prompts)
    ]
