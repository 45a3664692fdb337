"""Positions on the bars that show a value beside its ceiling, its floor and further scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from facecond.io.results import ClassValue, Figure


class Mark(NamedTuple):
    """A score that a value is compared with."""

    kind: str
    """"ceiling", "floor" or "mark": the class that gives it its colour."""
    words: str
    """What it is the score of."""
    value: float


def marks(item: Figure | ClassValue) -> list[Mark]:
    """Return ceiling, further scores and floor, those that are finite, from the best to the worst."""
    if isinstance(item, Figure):
        others = [("ceiling", item.ceiling_of, item.ceiling), ("floor", item.floor_of, item.floor)]
        others += [("mark", words, value) for words, value in item.marks.items()]
        best_first = item.better == "higher"
    else:
        others, best_first = [("ceiling", "ceiling", item.ceiling), ("floor", "floor", item.floor)], True
    found = [Mark(kind, words, value) for kind, words, value in others if value is not None and math.isfinite(value)]
    return sorted(found, key=lambda mark: mark.value, reverse=best_first)


def positions(value: float | None, others: Sequence[Mark], better: str, among: Sequence[float] = ()) -> list[str]:
    """Return where a value and the marks beside it stand on one bar, as CSS lengths in percent of the bar.

    The bar reaches from 0 to 1 for fractions of which more is better, else from 0 (or the least value, where that is
    negative) to a little beyond the greatest; `among` are values of other bars that have the same scale. Empty when there is
    no value or it is not finite.
    """
    if value is None or not math.isfinite(value):
        return []
    values = [value, *(mark.value for mark in others)]
    scale = [*values, *(each for each in among if math.isfinite(each))]
    low, high = min(*scale, 0.0), max(scale)
    end = 1.0 if better == "higher" and low >= 0 and high <= 1 else 1.08 * high or 1.0
    return [f"{100 * min(1.0, max(0.0, (each - low) / (end - low))):.1f}%" for each in values]
