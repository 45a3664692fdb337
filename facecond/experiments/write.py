"""A reproduced table as Markdown, CSV, LaTeX and one self-contained page, each saying what it was made with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from facecond.experiments import table
from facecond.io.files import atomic_write
from facecond.reports.tables import MISSING, markdown

if TYPE_CHECKING:
    from facecond.commands.prepared import Prepared
    from facecond.config.commands import ReproduceConfig
    from facecond.experiments.plan import Plan

Rows = Sequence[Sequence[str]]


def write_table(
    prepared: Prepared[ReproduceConfig, Plan],
    folder: Path,
    rows: Rows,
    claims: Rows,
    measured: table.Measured,
    images: Mapping[str, int],
) -> dict[str, Path]:
    """Write the table, its claims, and every number by seed into `folder`; return the files by what they are."""
    plan = prepared.found
    title, notes = plan.paper.title, _notes(prepared, measured)
    markdowned = [f"# {title}", markdown(rows)]
    if claims:
        markdowned += ["## Does it hold?", markdown(claims)]
    texts = {
        "table.md": "\n".join([*markdowned, *(f"- {note}" for note in notes)]) + "\n",
        "table.csv": table.as_csv(rows),
        "numbers.csv": table.as_csv(table.long_rows(measured)),
        "table.tex": tabular(rows) + ("\n" + tabular(claims) if claims else ""),
    }
    for name, text in texts.items():
        with atomic_write(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    _write_page(folder / "table.html", title, rows, claims, notes)
    made = {
        "page": "table.html",
        "table": "table.md",
        "csv": "table.csv",
        "numbers": "numbers.csv",
        "latex": "table.tex",
    }
    return {what: folder / name for what, name in made.items()}


def _notes(prepared: Prepared[ReproduceConfig, Plan], measured: table.Measured) -> list[str]:
    """What the table was made with, and what its numbers mean."""
    import platform

    import torch

    plan = prepared.found
    every = [figure for by_seed in measured.values() for figures in by_seed.values() for figure in figures]
    scale = prepared.composed.choices["scale"]
    notes = [
        f"Command: facecond reproduce {prepared.composed.choices.get('paper', 'paper=...')} scale={scale}",
        f"Scale: {prepared.used['scale'].partition('(')[2].rstrip(')')}; pack {plan.pack}",
        f"Machine: {platform.machine()}, torch {torch.__version__}",
        "d. = deterministic sampling (eta 0), s. = stochastic (eta 1)",
        "±: half of the 95 % interval, over seeds of training where there are several, else over conditions",
    ]
    judges = dict.fromkeys(f"{figure.judge} ({figure.judge_hash[:12]})" for figure in every if figure.judge)
    notes.append(f"Measured with: {', '.join(judges)}")
    notes += dict.fromkeys(f"Caution: {figure.caution}" for figure in every if figure.caution)
    return notes


def tabular(rows: Rows) -> str:
    """Rows as a LaTeX `tabular` with the rules of `booktabs`; the first row is the head."""
    lines = [" & ".join("--" if cell == MISSING else latex(cell) for cell in row) + r" \\" for row in rows]
    return "\n".join([
        r"% Needs \usepackage{booktabs}.", rf"\begin{{tabular}}{{l{'r' * (len(rows[0]) - 1)}}}", r"\toprule", lines[0], r"\midrule",
        *lines[1:], r"\bottomrule", r"\end{tabular}", "",
    ])  # fmt: skip


def _write_page(path: Path, title: str, rows: Rows, claims: Rows, notes: Sequence[str]) -> None:
    raise NotImplementedError
