"""From measurements to the paper's rows and columns, with what it lacks (counts, ceilings, floors), and its claims tested."""

from __future__ import annotations

import csv
import io
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from facecond.config.reproduce import OrderingConfig, PaperConfig
from facecond.errors import DataError
from facecond.io.results import Figure
from facecond.measuring.measure import RECONSTRUCTIONS
from facecond.reports.tables import MISSING, value_text

N = TypeVar("N", int, float)

Key = tuple[str, float, int | None]
"""A row's measurement: name of the variant, eta, snapshot (None = the end)."""

Measured = Mapping[Key, Mapping[int, Sequence[Figure]]]
"""Key -> seed of training -> figures."""


@dataclass(frozen=True, slots=True)
class Number:
    """A value with half of its 95 % interval, and what the interval is over."""

    value: float
    half: float | None
    over: str

    def __str__(self) -> str:
        half = "" if self.half is None or not math.isfinite(self.half) else f" ± {value_text(self.half)}"
        return value_text(self.value) + half


def primary(figures: Sequence[Figure], measure: str) -> Figure | None:
    """The figure that stands for a measure in a table: the first it shows."""
    return next((figure for figure in figures if figure.measure == measure), None)


def number(by_seed: Mapping[int, Sequence[Figure]], measure: str) -> Number | None:
    """A measure over all seeds: their mean with Student's interval over seeds; for one seed with its own, over conditions."""
    figures = primaries(by_seed, measure)
    if not figures:
        return None
    check_alike(figures)
    if len(figures) == 1:
        return Number(figures[0].value, figures[0].spread, "conditions")
    return over_seeds([figure.value for figure in figures])


def check_alike(figures: Sequence[Figure]) -> None:
    """Raise DataError when figures of one measure were measured in different ways."""
    ways = {(figure.name, figure.judge_hash, figure.preprocessing): figure for figure in figures}
    if len(ways) > 1:
        one, two = list(ways.values())[:2]
        raise DataError(
            f"{one.heading} was measured with {one.judge}, and {two.heading} with {two.judge}",
            hint="delete the account of steps in WORKSPACE/reproduced, so that both are measured again",
        )


def over_seeds(values: Sequence[float]) -> Number:
    """The mean of values, one for each seed of two or more, with Student's 95 % interval."""
    from scipy.special import stdtrit

    half = float(stdtrit(len(values) - 1, 0.975)) * statistics.stdev(values) / math.sqrt(len(values))
    return Number(statistics.fmean(values), half, f"{len(values)} seeds")


def sampling(eta: float) -> str:
    """The paper's word for how samples are drawn."""
    return {0.0: "d.", 1.0: "s."}.get(eta, f"eta {eta:g}")


def shown(paper: PaperConfig, measured: Measured) -> dict[str, Figure]:
    """Measure -> a figure that stands for it, of the measures that were had. Their headings say what they are, the published
    one or another.
    """
    every = {
        name: [figure for each in measured.values() for figure in primaries(each, name)] for name in paper.measures
    }
    for figures in every.values():
        check_alike(figures)
    return {name: figures[0] for name, figures in every.items() if figures}


def headings(paper: PaperConfig, measured: Measured) -> dict[str, str]:
    """Measure -> heading of its column, which says when it is not the published one."""
    return {
        name: f"{figure.heading} ({'lower' if figure.better == 'lower' else 'higher'} is better)"
        for name, figure in shown(paper, measured).items()
    }


def table_rows(paper: PaperConfig, measured: Measured) -> list[list[str]]:
    """Head row, a row for each variant and sampling, then what the numbers are compared with (`mark_rows`)."""
    columns = headings(paper, measured)
    short = {name: figure.heading.partition(",")[0] for name, figure in shown(paper, measured).items()}
    rows = [["", "sampling", "images", *columns.values()]]
    for variant in paper.variants:
        for eta in paper.etas:
            by_seed = measured.get((variant.name, eta, None), {})
            cells = [_cell(number(by_seed, name)) for name in columns]
            if set(cells) != {MISSING}:
                counts = counts_text({short[name]: primaries(by_seed, name) for name in columns})
                rows.append([variant.name, sampling(eta), counts, *cells])
    marked = [[figure for by_seed in measured.values() for figure in primaries(by_seed, name)] for name in columns]
    return rows + [[title, "", "", *cells] for title, cells in mark_rows(marked).items()]


def curve_rows(paper: PaperConfig, measured: Measured, images: Mapping[str, int]) -> list[list[str]]:
    """Head row, then a row for each number of images learnt from; a column for each variant. `images`: of each at its end."""
    (measure,), names = paper.measures, [variant.name for variant in paper.variants]
    (heading,) = headings(paper, measured).values()
    rows = [["images seen", "images", *(f"{name}: {heading}" for name in names)]]
    for place, points in curve_points(paper, measured, images).items():
        counts = counts_text({name: primaries(points.get(name, {}), measure) for name in names})
        rows.append([f"{place}", counts, *(_cell(number(points.get(name, {}), measure)) for name in names)])
    marked = [
        [figure for key, by_seed in measured.items() if key[0] == name for figure in primaries(by_seed, measure)]
        for name in names
    ]
    return rows + [[title, "", *cells] for title, cells in mark_rows(marked).items()]


def primaries(by_seed: Mapping[int, Sequence[Figure]], measure: str) -> list[Figure]:
    """The figure that stands for a measure, of each seed that has it."""
    return [figure for figures in by_seed.values() if (figure := primary(figures, measure)) is not None]


def counts_text(by_column: Mapping[str, Sequence[Figure]]) -> str:
    """Pictures that the figures of a row rest on, by what its columns are called: the first column's, then others by name."""
    columns: dict[str, list[str]] = {}
    for name, figures in by_column.items():
        if figures:
            columns.setdefault(_range([figure.count for figure in figures], str), []).append(name)
    if not columns:
        return MISSING
    first, *others = columns
    more = ", ".join(f"{name} {count}" for count in others for name in columns[count])
    return f"{first} ({more})" if more else first


def mark_rows(columns: Sequence[Sequence[Figure]]) -> dict[str, list[str]]:
    """What figures are compared with -> a cell for each column of figures; from the least to the greatest where they differ."""
    marks: dict[str, dict[int, list[float]]] = {}
    for pick in _MARKS:
        for place, figures in enumerate(columns):
            for title, value in map(pick, figures):
                if value is not None and math.isfinite(value):
                    marks.setdefault(title, {}).setdefault(place, []).append(value)
    return {
        title: [_range(values[place], value_text) if place in values else MISSING for place in range(len(columns))]
        for title, values in marks.items()
    }


_MARKS: list[Callable[[Figure], tuple[str, float | None]]] = [
    lambda figure: (f"ceiling: {figure.ceiling_of}", figure.ceiling),
    lambda figure: (RECONSTRUCTIONS, figure.marks.get(RECONSTRUCTIONS)),
    lambda figure: (f"floor: {figure.floor_of}", figure.floor),
    lambda figure: ("majority class", figure.marks.get("majority class")),
]


def _range(values: Sequence[N], text: Callable[[N], str]) -> str:
    """Numbers as one where they look alike, else the least and the greatest."""
    return " to ".join(dict.fromkeys([text(min(values)), text(max(values))]))


def curve_points(
    paper: PaperConfig, measured: Measured, images: Mapping[str, int]
) -> dict[int, dict[str, Mapping[int, Sequence[Figure]]]]:
    """Images learnt from -> variant -> its measurements there."""
    points: dict[int, dict[str, Mapping[int, Sequence[Figure]]]] = {}
    for (name, _, snapshot), by_seed in measured.items():
        points.setdefault(snapshot or images[name], {})[name] = by_seed
    return dict(sorted(points.items()))


def long_rows(measured: Measured) -> list[list[str]]:
    """Head row, then one row for each variant, sampling, snapshot, seed and figure, numbers unrounded: for a spreadsheet."""
    head = ["variant", "eta", "snapshot", "seed", "measure", "name", "value", "half_interval", "ceiling", "floor", "count",
            "judge", "judge_sha256", "reference", "preprocessing"]  # fmt: skip
    rows = [head]
    for (name, eta, snapshot), by_seed in measured.items():
        for seed, figures in by_seed.items():
            for figure in figures:
                numbers = [figure.value, figure.spread, figure.ceiling, figure.floor]
                rows.append([
                    name, f"{eta:g}", "" if snapshot is None else str(snapshot), str(seed), figure.measure, figure.name,
                    *("" if value is None else repr(float(value)) for value in numbers), str(figure.count), figure.judge,
                    figure.judge_hash, figure.reference, figure.preprocessing,
                ])  # fmt: skip
    return rows


def orderings(paper: PaperConfig, measured: Measured) -> list[list[str]]:
    """Head row, then each claim with the difference that it is about, its interval, and whether it held."""
    rows = [["claim", "measure", "sampling", "difference", "interval over", "held"]]
    names = {name: figure.heading for name, figure in shown(paper, measured).items()}
    for claim in paper.orderings:
        about = [claim.claim, names.get(claim.measure, MISSING), sampling(claim.eta)]
        found = difference(claim, measured)
        if found is None:
            rows.append([*about, MISSING, MISSING, "not measured"])
            continue
        apart, lower = found
        rows.append([*about, str(apart), apart.over, verdict(apart, lower=lower)])
    return rows


def difference(claim: OrderingConfig, measured: Measured) -> tuple[Number, bool] | None:
    """The measure of `better` less that of `worse`, in pairs, and whether less of it is claimed; None when one is missing.

    Pairs are trainings with the same seed; of one seed only, the conditions are (`Spread.of_difference`).
    """
    from facecond.metrics.spread import Spread

    sides = [measured.get((name, claim.eta, None), {}) for name in (claim.better, claim.worse)]
    pairs = []
    for seed in sides[0].keys() & sides[1].keys():
        one, two = (primary(side[seed], claim.measure) for side in sides)
        if one is not None and two is not None:
            pairs.append((one, two))
    if not pairs:
        return None
    lower = pairs[0][0].better == "lower" if claim.lower is None else claim.lower
    if len(pairs) > 1:
        return over_seeds([one.value - two.value for one, two in pairs]), lower
    one, two = pairs[0]
    half: float | None = None
    if isinstance(one.spread, Spread) and isinstance(two.spread, Spread):
        with suppress(ValueError):  # other conditions: no pairs
            half = float(one.spread.of_difference(two.spread))
    return Number(one.value - two.value, half, "conditions, in pairs"), lower


def verdict(apart: Number, *, lower: bool) -> str:
    """What an interval says of a claim: yes, no, or not decided."""
    if apart.half is None or not math.isfinite(apart.half):
        return "no interval"
    if abs(apart.value) <= apart.half:
        return "not decided"
    return "yes" if (apart.value < 0) == lower else "no: the other way round"


def said(apart: Number, *, lower: bool = False) -> str:
    """What an interval says of a difference: better, worse, or not decided; `lower`: less is better."""
    if apart.half is None or not math.isfinite(apart.half):
        return "no interval"
    if abs(apart.value) <= apart.half:
        return "no"
    return "better" if (apart.value < 0) == lower else "worse"


def as_csv(rows: Sequence[Sequence[str]]) -> str:
    """Rows as CSV (RFC 4180)."""
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _cell(found: Number | None) -> str:
    return MISSING if found is None else str(found)
