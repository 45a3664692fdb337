"""What a page asks for, compared with types and limits before anything is made of it; and maps and sketches as JSON.

A label map or a sketch travels as runs, [value, length, value, length, ...] row after row: it has few values and long stretches of
them, and both sides read it in a few lines.
"""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import numpy as np
from annotated_types import Ge, Le, Len
from numpy.typing import NDArray
from typing_extensions import TypedDict

from facecond.conditions.sketch import Sketch, require_lines
from facecond.config.diffusion import Sampler
from facecond.errors import DataError, nearest
from facecond.faces.labels import NUM_CLASSES, UNSPECIFIED, check_labels
from facecond.faces.names import NUM_ATTRIBUTES
from facecond.io.documents import check, parse

ORIGIN = "the request"
"""What messages call it."""

MOST_STEPS, MOST_COUNT, MOST_SEED, MOST_GUIDANCE = 250, 4, 2**53 - 1, 20.0
"""Limits of numbers; a seed is a whole number that JavaScript holds exactly."""

MOST_RUNS = 2
"""Runs that a page compares."""


Runs = list[Annotated[int, Ge(0), Le(1 << 30)]]
"""[value, length, ...] of pixels, row after row."""


class Asked(TypedDict):
    """Faces that a page asks for."""

    page: Annotated[str, Len(1, 64)]
    """Names the page: its newest request ends those before."""
    run: Annotated[int, Ge(0), Le(MOST_RUNS - 1)]
    """Place in the list of runs."""
    map: Runs | None
    """Of a label map, values 0..18 and 255; None = nothing is said."""
    sketch: Runs | None
    """Of a sketch: 1 = on a line, 0 = beside one, 255 = nothing is said; None = nothing is said anywhere."""
    signs: Annotated[list[Annotated[int, Ge(-1), Le(1)]], Len(NUM_ATTRIBUTES, NUM_ATTRIBUTES)]
    """Of each attribute: 1 = yes, -1 = no, 0 = nothing is said."""
    seed: Annotated[int, Ge(0), Le(MOST_SEED)]
    count: Annotated[int, Ge(1), Le(MOST_COUNT)]
    sampler: Annotated[str, Len(1, 32)]
    steps: Annotated[int, Ge(1), Le(MOST_STEPS)]
    eta: Annotated[float, Ge(0), Le(1)]
    guidance: dict[str, Annotated[float, Ge(0), Le(MOST_GUIDANCE)]]
    """Condition -> weight; conditions that are left out have the run's own."""
    draw: bool
    """Draw what the map leaves open before the face is sampled."""


class Wanted(NamedTuple):
    """A request that was understood."""

    asked: Asked
    labels_HW: NDArray[np.uint8] | None
    """uint8 (size, size); None where the map says nothing at all."""
    sketch_HW: NDArray[np.uint8] | None
    """uint8 (size, size) of 0, 1 and 255; None where the sketch says nothing at all."""
    attributes_A: NDArray[np.int8] | None
    """int8 (40,) in {-1, 0, 1}; None where nothing is said."""


def read_asked(content: bytes, size: int) -> Wanted:
    """Return what the JSON of a request asks for, its map and sketch of `size` x `size`. Raises DataError for anything else."""
    value = parse(content, ORIGIN)
    if isinstance(value, dict):  # a number without a fraction is written as a whole one
        value["eta"] = _real(value.get("eta"))
        if isinstance(value.get("guidance"), dict):
            value["guidance"] = {name: _real(weight) for name, weight in value["guidance"].items()}
    asked = check(Asked, value, ORIGIN)
    if asked["sampler"] not in Sampler.__members__:
        raise DataError(
            f"{ORIGIN}: unknown sampler {asked['sampler']!r}", hint=nearest(asked["sampler"], Sampler.__members__)
        )
    labels_HW = None if asked["map"] is None else labels_of(asked["map"], size)
    drawn: Any = {**asked}[Sketch.name]
    sketch_HW = None if drawn is None else sketch_of(drawn, size)
    attributes_A = np.array(asked["signs"], dtype=np.int8)
    return Wanted(
        asked,
        _unless_open(labels_HW),
        _unless_open(sketch_HW),
        attributes_A if attributes_A.any() else None,
    )


def _unless_open(values_HW: NDArray[np.uint8] | None) -> NDArray[np.uint8] | None:
    return values_HW if values_HW is not None and (values_HW != UNSPECIFIED).any() else None


def _real(value: Any) -> Any:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1e6 else value


def labels_of(runs: list[int], size: int) -> NDArray[np.uint8]:
    """Return the label map, uint8 (size, size), that `runs` say.

    Raises DataError for a length that does not fit and for values that are neither a class nor 255.
    """
    labels_HW = _values_of(runs, size, "map", f"values 0..{NUM_CLASSES - 1} and 255")
    check_labels(labels_HW, origin=f"{ORIGIN}: the map")
    return labels_HW


def sketch_of(runs: list[int], size: int) -> NDArray[np.uint8]:
    """Return the sketch, uint8 (size, size), that `runs` say.

    Raises DataError for a length that does not fit, for values other than 0, 1 and 255, and for one that says something and has no
    line: what `facecond sample` refuses in a file is refused here.
    """
    expected = "values 0, 1 and 255"
    sketch_HW = _values_of(runs, size, Sketch.name, expected)
    if others := sorted(set(runs[::2]) - set(Sketch.column.entries)):
        raise DataError(f"{ORIGIN}: the sketch has {', '.join(map(str, others[:5]))}, expected {expected}")
    if (sketch_HW != UNSPECIFIED).any():
        require_lines(sketch_HW == 1, f"{ORIGIN}: the sketch")
    return sketch_HW


def _values_of(runs: list[int], size: int, what: str, expected: str) -> NDArray[np.uint8]:
    if len(runs) % 2 or len(runs) > 2 * size * size:
        raise DataError(f"{ORIGIN}: a {what} of {len(runs)} numbers, expected pairs of value and length")
    values, lengths = np.array(runs[::2], dtype=np.int64), np.array(runs[1::2], dtype=np.int64)
    if (values > 255).any() or (lengths < 1).any() or int(lengths.sum()) != size * size:
        raise DataError(f"{ORIGIN}: a {what} of {int(lengths.sum())} pixels, expected {size * size} with {expected}")
    return np.repeat(values, lengths).astype(np.uint8).reshape(size, size)


def runs_of(values_HW: NDArray[np.uint8]) -> list[int]:
    """Return [value, length, ...] of a label map or a sketch, row after row."""
    flat = np.asarray(values_HW).ravel()
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    lengths = np.diff(np.concatenate([starts, [flat.size]]))
    return [int(number) for pair in zip(flat[starts], lengths, strict=True) for number in pair]
