"""From measurements to the paper's rows and columns, with the rows it lacks (ceiling, floor), and its claims tested."""

from __future__ import annotations

import csv
import io
import math
import statistics
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from facecond.config.reproduce import OrderingConfig, PaperConfig
from facecond.errors import DataError
from facecond.io.results import Figure
from facecond.reports.tables import MISSING, value_text

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
    figures = [figure for each in by_seed.values() if (figure := primary(each, measure)) is not None]
    if not figures:
        return None
    check_alike(figures)
    if len(figures) == 1:
        return Number(figures[0].value, figures[0].spread, "conditions")
    return _over_seeds([figure.value for figure in figures])


def check_alike(figures: Sequence[Figure]) -> None:
    """Raise DataError when figures of one measure were measured in different ways."""
    ways = {(figure.name, figure.judge_hash, figure.preprocessing): figure for figure in figures}
    if len(ways) > 1:
        one, two = list(ways.values())[:2]
        raise DataError(
            f"{one.heading} was measured with {one.judge}, and {two.heading} with {two.judge}",
            hint="delete the account of steps in WORKSPACE/reproduced, so that both are measured again",
        )


def _over_seeds(values: Sequence[float]) -> Number:
    from scipy.special import stdtrit

    half = float(stdtrit(len(values) - 1, 0.975)) * statistics.stdev(values) / math.sqrt(len(values))
    return Number(statistics.fmean(values), half, f"{len(values)} seeds")


def sampling(eta: float) -> str:
    """The paper's word for how samples are drawn."""
    return {0.0: "d.", 1.0: "s."}.get(eta, f"eta {eta:g}")


def headings(paper: PaperConfig, measured: Measured) -> dict[str, str]:
    """Measure -> heading of its column, which says when it is not the published one."""
    every = [figure for by_seed in measured.values() for figures in by_seed.values() for figure in figures]
    shown = {name: primary(every, name) for name in paper.measures}
    for name in paper.measures:
        own = (
            [figure] if (figure := primary(figures, name)) else []
            for seeds in measured.values()
            for figures in seeds.values()
        )
        check_alike([figure for found in own for figure in found])
    return {
        name: f"{figure.heading} ({'lower' if figure.better == 'lower' else 'higher'} is better)"
        for name, figure in shown.items()
        if figure is not None
    }


def table_rows(paper: PaperConfig, measured: Measured) -> list[list[str]]:
    """Head row, a row for each variant and sampling, then real pictures, reconstructions and the floor."""
    columns = headings(paper, measured)
    rows = [["", "sampling", *columns.values()]]
    for variant in paper.variants:
        for eta in paper.etas:
            by_seed = measured.get((variant.name, eta, None), {})
            cells = [_cell(number(by_seed, name)) for name in columns]
            if set(cells) != {MISSING}:
                rows.append([variant.name, sampling(eta), *cells])
    every = [figures for by_seed in measured.values() for figures in by_seed.values()]
    for title, pick in _MARKS.items():
        cells = []
        for name in columns:
            found = [figure for figures in every if (figure := primary(figures, name)) is not None]
            values = [(value, figure) for figure in found if (value := pick(figure)) is not None]
            best = max(values, key=lambda pair: pair[0] if pair[1].better == "higher" else -pair[0], default=None)
            cells.append(MISSING if best is None else value_text(best[0]))
        if set(cells) != {MISSING}:
            rows.append([title, "", *cells])
    return rows


_MARKS = {
    "real pictures (ceiling)": lambda figure: figure.ceiling,
    "reconstructions": lambda figure: figure.marks.get("reconstructions"),
    "floor (shuffled conditions; the best of the rows)": lambda figure: figure.floor,
    "majority class": lambda figure: figure.marks.get("majority class"),
}


def curve_rows(paper: PaperConfig, measured: Measured, images: Mapping[str, int]) -> list[list[str]]:
    """Head row, then a row for each number of images learnt from; a column for each variant. `images`: of each at its end."""
    measure, eta = paper.measures[0], paper.etas[0]
    heading = next(iter(headings(paper, measured).values()))
    rows = [["images", *(f"{variant.name}: {heading}" for variant in paper.variants)]]
    for place, points in curve_points(paper, measured, images).items():
        rows.append([f"{place}", *(_cell(number(points.get(v.name, {}), measure)) for v in paper.variants)])
    ceilings = [
        figure.ceiling
        for key, by_seed in measured.items()
        for figures in by_seed.values()
        if key[1] == eta and (figure := primary(figures, measure)) is not None and figure.ceiling is not None
    ]
    if ceilings:
        rows.append(["real pictures (ceiling)", *[value_text(min(ceilings))] * len(paper.variants)])
    return rows


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
    for claim in paper.orderings:
        found = difference(claim, measured)
        if found is None:
            rows.append([claim.claim, claim.measure, sampling(claim.eta), MISSING, MISSING, "not measured"])
            continue
        apart, lower = found
        rows.append(
            [claim.claim, claim.measure, sampling(claim.eta), str(apart), apart.over, verdict(apart, lower=lower)]
        )
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
        return _over_seeds([one.value - two.value for one, two in pairs]), lower
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


def as_csv(rows: Sequence[Sequence[str]]) -> str:
    """Rows as CSV (RFC 4180)."""
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _cell(found: Number | None) -> str:
    return MISSING if found is None else str(found)
