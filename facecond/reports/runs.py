"""Runs beside one another: what they are, their curves, pictures and figures, and the records behind the pictures.

A run is given as a `RunShown`, whatever its files are; each function makes one section of a page of it and the others. What is
missing or damaged is a sentence where it would stand.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from facecond.config.settings import flatten, to_yaml
from facecond.io.results import ClassValue, Figure
from facecond.io.runs import of_class
from facecond.quantities import grouped
from facecond.reports.curves import Chart, Series
from facecond.reports.made import sampler_text
from facecond.reports.page import (
    Bar,
    Block,
    Cell,
    Charts,
    Code,
    Column,
    Columns,
    Folded,
    Group,
    Picture,
    Section,
    Table,
    Terms,
    Words,
)
from facecond.reports.tables import MISSING, circumstances, figure_rows, value_text

KINDS = {
    "diffusion": "Diffusion models",
    "maps": "Generators of label maps",
    "vq": "First stages",
    "parser": "Face parsers",
    "classifier": "Attribute classifiers",
}
"""Kinds of models in words, in the order of a page."""

LAST = ("learning_rate", "images_per_second", "seconds")
"""Figures of metrics.jsonl that stand behind the others."""

UNITS = {"learning_rate": "", "images_per_second": "images / s", "seconds": "s of training"}
"""Words at the vertical axis, where they say more than the figure's name."""

RUNS, CURVES, TRAINING, SAMPLES, MEASURED = "Runs", "Curves", "Samples while training", "Samples", "Measured"
"""Titles of the sections."""

NAMES = ("name", "workspace")
"""Settings in which runs differ by nature."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampled:
    """A generation: its picture and the records behind it."""

    name: str
    """Name of its folder."""
    how: str
    """Sampler, guidance and precision in words."""
    picture: Picture | None
    records: Sequence[Mapping[str, Any]]
    """The first records; see docs/formats.md, "generation"."""
    count: int
    """Pictures in the folder."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """One figure of a run."""

    figure: Figure
    how: str
    """How the samples were made, in words."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunShown:
    """A run as a page shows it."""

    name: str
    kind: str
    """A key of `KINDS`."""
    facts: Mapping[str, str]
    """What it is and what it took, by what is said."""
    settings: Mapping[str, Any]
    """The resolved training configuration, nested JSON values."""
    lines: Sequence[Mapping[str, Any]] = ()
    """Lines of metrics.jsonl."""
    grids: Sequence[Picture] = ()
    """Sample grids written while it was trained."""
    sampled: Sequence[Sampled] = ()
    measured: Sequence[Measured] = ()
    missing: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Sentences about what cannot be shown, by the title of the section it is missing in."""


def by_kind(runs: Sequence[RunShown]) -> list[RunShown]:
    """The runs in the order in which a page shows them: by kind, else as given."""
    return sorted(runs, key=lambda run: list(KINDS).index(run.kind))


def overview(runs: Sequence[RunShown]) -> Section:
    """What the runs are, the settings in which those of one kind differ, and each whole configuration, folded."""
    facts = list(dict.fromkeys(name for run in runs for name in run.facts))
    rows = [[name, *(run.facts.get(name, MISSING) for run in runs)] for name in facts]
    blocks: list[Block] = [Table(rows=[_heads("", runs), *rows])]
    for kind, words in KINDS.items():
        alike = [run for run in runs if run.kind == kind]
        if len(alike) > 1:
            blocks.append(_differences(alike, runs, f"{words}: settings in which they differ"))
    for run in runs:
        yaml = to_yaml(dict(run.settings))
        blocks.append(Folded(title=f"Configuration of {run.name}", blocks=[Code(text=yaml)]))
    return Section(title=RUNS, text=_said(runs, RUNS), blocks=blocks)


def curves(runs: Sequence[RunShown]) -> Section:
    """Every figure that runs of one kind logged, a chart with a line per run; of those per class the last values, folded."""
    blocks: list[Block] = []
    lines = _colours(runs) if len(runs) > 1 else None
    kinds = [kind for kind in KINDS if any(run.kind == kind and run.lines for run in runs)]
    for kind in kinds:
        alike = [run for run in runs if run.kind == kind]
        keys = _logged(alike)
        charts = [curve(alike, key, lines=lines) for key in keys if not of_class(key)]
        blocks.append(
            Charts(charts=charts, title=f"{KINDS[kind]}: {', '.join(r.name for r in alike)}" if len(kinds) > 1 else "")
        )
        if classes := [key for key in keys if of_class(key)]:
            rows = [[key, *(value_text(_last(run, key)) for run in alike)] for key in classes]
            table = Table(rows=[_heads("", alike, runs), *rows])
            blocks.append(Folded(title=f"{KINDS[kind]}: figures per class at the last evaluation", blocks=[table]))
    return Section(title=CURVES, text=_said(runs, CURVES), blocks=blocks)


def curve(
    runs: Sequence[RunShown], key: str, *, title: str = "", label: str = "", lines: Mapping[str, int] | None = None
) -> Chart:
    """One figure of metrics.jsonl over the images seen.

    With `lines`, a place in `COLOURS` for each run, the colour says which run it is, and where both are there training is thinner
    than evaluation; without, of one run, the colour says which of the two it is.
    """
    both = ("training", "evaluation")
    kinds = [kind for kind in both if any(_points(run, kind, key) for run in runs)]
    series: list[Series] = []
    for run in runs:
        shown = [kind for kind in kinds if _points(run, kind, key)]
        for kind in shown:
            x, y = zip(*_points(run, kind, key), strict=True)
            series.append(Series(
                name=kind if lines is None else run.name, x=x, y=y, thin=len(kinds) > 1 and kind == "training",
                line=both.index(kind) if lines is None else lines[run.name], named=lines is None or kind == shown[-1],
            ))  # fmt: skip
    label = label or UNITS.get(key, key)
    if lines is not None and len(kinds) > 1:
        label += " (thin: training)"
    title = title or (f"{key}, {kinds[0]}" if len(kinds) == 1 else key)
    return Chart(title=title, x_label="images seen", y_label=label, series=series)


def training_pictures(runs: Sequence[RunShown]) -> Section:
    """The first and the last sample grid of each run, the runs beside one another."""
    colours = _colours(runs)
    columns = [Column(title=run.name, line=colours[run.name], blocks=run.grids) for run in runs if run.grids]
    return Section(title=TRAINING, text=_said(runs, TRAINING), blocks=[Columns(columns=columns)] if columns else [])


def sampled(runs: Sequence[RunShown]) -> Section:
    """The grids of the generations of each run, the runs beside one another, with the first records folded below."""
    columns = []
    for run in runs:
        blocks: list[Block] = []
        for each in run.sampled:
            blocks += [each.picture] if each.picture else [Words(text=f"{each.name}: {each.how}.")]
            blocks += [records(each)] if each.records else []
        if blocks:
            columns.append(Column(title=run.name, line=_colours(runs)[run.name], blocks=blocks))
    return Section(title=SAMPLES, text=_said(runs, SAMPLES), blocks=[Columns(columns=columns)] if columns else [])


def records(made: Sampled) -> Folded:
    """The first records of a generation: of each picture its number, item, condition in words, seed and sampler."""
    rows: list[list[str | Cell]] = [["picture", "item", "condition", "seed", "sampler"]]
    for record in made.records:
        told = record.get("description") or {}
        words = "; ".join(f"{name}: {text or 'nothing said'}" for name, text in told.items())
        rows.append([
            str(record["index"]), str(record.get("source") or MISSING), words or MISSING, str(record["seed"]),
            sampler_text(record["sampler"]),
        ])  # fmt: skip
    title = f"Records of {made.name}: {len(made.records)} of {made.count}"
    return Folded(title=title, blocks=[Table(rows=rows)])


def measured(runs: Sequence[RunShown], differences: Sequence[Figure] = ()) -> Section:
    """A table of the figures, with a row for each run and way of sampling it was taken of; then the values per class, folded.

    Rows stand in one group when figure, judge, reference and preprocessing are the same. `differences` are those of
    `facecond compare`.
    """
    taken: dict[tuple[str, ...], list[tuple[RunShown, Measured]]] = {}
    for run in runs:
        for each in run.measured:
            figure = each.figure
            key = (figure.heading, figure.name, figure.judge, figure.judge_hash, figure.reference, figure.preprocessing)
            taken.setdefault(key, []).append((run, each))
    headings = [heading for heading, *_ in taken]
    groups = sorted(taken.values(), key=lambda rows: (headings.index(rows[0][1].figure.heading), -len(rows)))
    rows: list[Sequence[str | Cell] | Group] = [["run", "value", "ceiling", "floor", "images"]]
    for group in groups:
        rows += _measure_rows(group, _colours(runs))
    blocks: list[Block] = [Table(rows=rows)] if groups else []
    if differences:
        note = "Measured on the same conditions; ±: 95 % interval of the difference, condition by condition."
        blocks.append(Table(rows=figure_rows(differences), title="Differences (facecond compare)", note=note))
    how = {
        group[0][1].figure.heading: circumstances(replace(group[0][1].figure, caution="; ".join(_cautions(group))))
        for group in reversed(groups)
    }
    if groups:
        terms = {heading: words for heading, words in reversed(how.items()) if words}
        blocks.append(Folded(title="How each was measured", blocks=[Terms(terms=terms)]))
    per_class = [_per_class(group) for group in groups if any(each.figure.classes for _, each in group)]
    blocks += [Folded(title="Values per class", blocks=per_class)] if per_class else []
    return Section(title=MEASURED, text=_said(runs, MEASURED), blocks=blocks)


def _measure_rows(
    rows: Sequence[tuple[RunShown, Measured]], colours: Mapping[str, int]
) -> list[Sequence[str | Cell] | Group]:
    """What was measured the same way: its name, then a row for each run, their bars on one scale."""
    first = rows[0][1].figure
    scale = [
        mark
        for _, each in rows
        for mark in (each.figure.value, each.figure.ceiling, each.figure.floor, *each.figure.marks.values())
        if mark is not None
    ]
    judge = f"{first.judge} ({first.judge_hash[:12]})" if first.judge_hash else first.judge
    cautions = _cautions(rows)
    where = "; ".join(filter(None, (first.reference, f"judged by {judge}" if judge else "", *cautions)))
    table: list[Sequence[str | Cell] | Group] = [Group(text=f"{first.heading} ({first.better} is better)", small=where)]
    for run, each in rows:
        figure = each.figure
        marks = [f"{words} {value_text(value)}" for words, value in figure.marks.items()]
        others = ", ".join([*marks, *(words for words in figure.cautions if words not in cautions)])
        value = value_text(figure.value, figure.unit)
        value += "" if figure.spread is None else f"\u00a0±\u00a0{value_text(figure.spread)}"
        table.append([
            Cell(
                text=run.name, small=each.how, line=colours[run.name],
                bar=Bar(item=figure, better=figure.better, among=scale),
            ),
            Cell(text=value, small=others),
            Cell(text=value_text(figure.ceiling), small=figure.ceiling_of if figure.ceiling is not None else ""),
            Cell(text=value_text(figure.floor), small=figure.floor_of if figure.floor is not None else ""),
            grouped(figure.count),
        ])  # fmt: skip
    return table


def _cautions(rows: Sequence[tuple[RunShown, Measured]]) -> list[str]:
    """The cautions that all rows of a group have."""
    first, *others = (each.figure.cautions for _, each in rows)
    return [words for words in first if all(words in other for other in others)]


def _per_class(rows: Sequence[tuple[RunShown, Measured]]) -> Table:
    """The values of each class under those of the others: a column for each row of the measure's table, and the ceiling."""
    columns: list[Mapping[str, ClassValue]] = [{item.name: item for item in each.figure.classes} for _, each in rows]
    names = list(dict.fromkeys(name for column in columns for name in column))
    heads = [Cell(text=run.name, small=each.how) for run, each in rows]
    table: list[list[str | Cell]] = [["class", *heads, "ceiling"]]
    for name in names:
        found = [column.get(name) for column in columns]
        known = next(item for item in found if item is not None)
        table.append(
            [
                Cell(text=name, small=known.group),
                *(value_text(item.value if item else None) for item in found),
                value_text(known.ceiling),
            ]
        )
    first = rows[0][1].figure
    return Table(rows=table, title=f"{first.heading} per class", note=first.reference)


def _differences(alike: Sequence[RunShown], runs: Sequence[RunShown], title: str) -> Block:
    flat = [flatten(run.settings) for run in alike]
    keys = [key for key in dict.fromkeys(key for each in flat for key in each) if key not in NAMES]
    different = [key for key in keys if any(each.get(key, MISSING) != flat[0].get(key, MISSING) for each in flat)]
    if not different:
        return Words(text=f"{title}: none.")
    rows = [[key, *(_value(each.get(key, MISSING)) for each in flat)] for key in different]
    return Table(rows=[_heads("", alike, runs), *rows], title=title)


def _heads(first: str, shown: Sequence[RunShown], runs: Sequence[RunShown] | None = None) -> list[str | Cell]:
    colours = _colours(runs or shown)
    return [first, *(Cell(text=run.name, line=colours[run.name]) for run in shown)]


def _colours(runs: Sequence[RunShown]) -> dict[str, int]:
    """The line of each run, the same on the whole page."""
    return {run.name: place for place, run in enumerate(runs)}


def _value(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _points(run: RunShown, kind: str, key: str) -> list[tuple[float, float]]:
    lines = [line for line in run.lines if line.get("kind") == kind and key in line]
    return [(line["images_seen"], math.nan if line[key] is None else line[key]) for line in lines]


def _last(run: RunShown, key: str) -> float | None:
    points = _points(run, "evaluation", key)
    return points[-1][1] if points else None


def _logged(runs: Sequence[RunShown]) -> list[str]:
    keys = dict.fromkeys(
        key for run in runs for line in run.lines for key in line if key not in ("images_seen", "kind")
    )
    return [key for key in keys if key not in LAST] + [key for key in LAST if key in keys]


def _said(runs: Sequence[RunShown], title: str) -> str:
    """What is missing in a section, a paragraph for each sentence."""
    return "\n\n".join(f"{run.name}: {sentence}" for run in runs for sentence in run.missing.get(title, ()))
