"""A reproduced table as Markdown, CSV, LaTeX and one self-contained page, each saying what it was made with."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facecond.experiments import table
from facecond.io.files import atomic_write
from facecond.reports.tables import MISSING, latex, markdown

if TYPE_CHECKING:
    from facecond.commands.prepared import Prepared
    from facecond.config.commands.whole import ReproduceConfig
    from facecond.experiments.plan import Plan
    from facecond.reports.curves import Chart
    from facecond.reports.page import Block

Rows = Sequence[Sequence[str]]

MadeWith = Mapping[str, Sequence[Mapping[str, Any]]]
"""Name of a variant -> what each of its generations was made with (`made_with` of generation.json)."""


def write_table(
    prepared: Prepared[ReproduceConfig, Plan],
    folder: Path,
    rows: Rows,
    claims: Rows,
    measured: table.Measured,
    images: Mapping[str, int],
    made_with: MadeWith,
) -> dict[str, Path]:
    """Write the table, its claims, and every number by seed into `folder`; return the files by what they are."""
    plan = prepared.found
    title, notes = plan.paper.title, _notes(prepared, measured, made_with)
    markdowned = [f"# {title}", markdown(rows)]
    if claims:
        markdowned += ["## Does it hold?", markdown(claims)]
    texts = {
        "table.md": "\n".join([*markdowned, *(f"- {note}" for note in notes)]) + "\n",
        "table.csv": table.as_csv(rows),
        "numbers.csv": table.as_csv(table.long_rows(measured)),
        "table.tex": tabular(rows)
        + ("\n" + tabular(claims) if claims else "")
        + "".join(f"% {note}\n" for note in notes),
    }
    for name, text in texts.items():
        with atomic_write(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    _write_page(folder / "table.html", prepared, rows, claims, notes, _curve(prepared, measured, images))
    made = {
        "page": "table.html",
        "table": "table.md",
        "csv": "table.csv",
        "numbers": "numbers.csv",
        "latex": "table.tex",
    }
    return {what: folder / name for what, name in made.items()}


def _notes(prepared: Prepared[ReproduceConfig, Plan], measured: table.Measured, made_with: MadeWith) -> list[str]:
    """What the table was made with, and what its numbers mean."""
    import torch

    from facecond.workspace.provenance import machine

    plan = prepared.found
    every = [figure for by_seed in measured.values() for figures in by_seed.values() for figure in figures]
    notes = [
        f"Command: facecond reproduce {shlex.join(prepared.composed.overrides)}",
        f"Scale: {prepared.used['scale'].partition('(')[2].rstrip(')')}; pack {plan.pack}",
        f"Samples: {how_sampled(made_with)}",
        f"Machine: {machine()}, torch {torch.__version__}",
        "d. = deterministic sampling (eta 0), s. = stochastic (eta 1)",
        "images: pictures that the numbers of a row rest on, in each training; a measure that rests on others is named",
        "a to b below the rows: the least and the greatest of what the rows are compared with, where it is not the same",
        "±: half of the 95 % interval, over seeds of training where there are several, else over conditions",
    ]
    judges = dict.fromkeys(f"{figure.judge} ({figure.judge_hash[:12]})" for figure in every if figure.judge)
    notes.append(f"Measured with: {', '.join(judges)}")
    notes += dict.fromkeys(f"Caution: {each}" for figure in every for each in figure.cautions)
    return notes


def how_sampled(made_with: MadeWith) -> str:
    """Sampler, steps and guidance of the samples; with the variants behind each where they were not all sampled alike.

    "none" where nothing was sampled.
    """
    ways: dict[str, dict[str, None]] = {}
    for variant, generations in made_with.items():
        for each in generations:
            sampler, guidance = each["sampler"], guidance_text(each["guidance"])
            ways.setdefault(f"{sampler['name']}, {sampler['steps']} steps, {guidance}", {})[variant] = None
    if len(ways) <= 1:
        return next(iter(ways), "none")
    return "; ".join(f"{way} ({' and '.join(variants)})" for way, variants in ways.items())


def guidance_text(weights: Mapping[str, float]) -> str:
    """Weights of guidance by condition, in words; weights of 1 are none."""
    if set(weights.values()) <= {1.0}:
        return "no guidance"
    each = {f"{weight:g}": None for weight in weights.values()}
    return "guidance " + (
        next(iter(each)) if len(each) == 1 else ", ".join(f"{name} {weight:g}" for name, weight in weights.items())
    )


def tabular(rows: Rows) -> str:
    """Rows as a LaTeX `tabular` with the rules of `booktabs`; the first row is the head."""
    lines = [" & ".join("--" if cell == MISSING else latex(cell) for cell in row) + r" \\" for row in rows]
    return "\n".join([
        r"% Needs \usepackage{booktabs}.", rf"\begin{{tabular}}{{l{'r' * (len(rows[0]) - 1)}}}", r"\toprule", lines[0], r"\midrule",
        *lines[1:], r"\bottomrule", r"\end{tabular}", "",
    ])  # fmt: skip


def _curve(
    prepared: Prepared[ReproduceConfig, Plan], measured: table.Measured, images: Mapping[str, int]
) -> Chart | None:
    """A line for each variant, where the experiment is a curve."""
    from facecond.reports.curves import Chart, Series

    paper = prepared.found.paper
    if not images:
        return None
    points = table.curve_points(paper, measured, images)
    heading = next(iter(table.headings(paper, measured).values()))
    series = []
    for variant in paper.variants:
        values = {place: table.number(each.get(variant.name, {}), paper.measures[0]) for place, each in points.items()}
        known = {place: found.value for place, found in values.items() if found is not None}
        series.append(Series(name=variant.name, x=list(known), y=list(known.values())))
    return Chart(title=paper.title, x_label="images seen", y_label=heading, series=series)


def _write_page(
    path: Path,
    prepared: Prepared[ReproduceConfig, Plan],
    rows: Rows,
    claims: Rows,
    notes: Sequence[str],
    chart: Chart | None,
) -> None:
    from facecond.reports.page import Charts, Page, Section, Table, Words, write_page

    blocks: list[Block] = [Charts(charts=[chart])] if chart is not None else []
    sections = [Section(title="Table", blocks=[*blocks, Table(rows=rows)])]
    if claims:
        sections.append(Section(title="Does it hold?", blocks=[Table(rows=claims)]))
    sections.append(Section(title="How it was made", blocks=[Words(text="\n\n".join(notes))]))
    page = Page(
        title=prepared.found.paper.title, lead=f"{notes[1]}.", sections=sections, command=notes[0].partition(": ")[2]
    )
    write_page(path, page)
