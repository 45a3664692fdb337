"""Figures as tables: every number with its ceiling, its floor and its sample count (the paper, section 4, tables).

Rows are plain strings, for the terminal and for Markdown; a spreadsheet gets the numbers as they are, a LaTeX document a
`tabular`. results.json itself is `facecond.io.results`.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence

from facecond.io.results import ClassValue, Figure
from facecond.quantities import grouped

MISSING = "-"

LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", "±": r"$\pm$",
}  # fmt: skip
"""Characters that mean something in LaTeX, or are none of its default font, and how they are written there."""


def value_text(value: float | None, unit: str = "") -> str:
    """Write a number for people: 0.712 for fractions, 0.0029 for what is smaller, 27.4 dB, 8.20 for distances, `-` for None
    and NaN."""
    if value is None or not math.isfinite(value):
        return MISSING
    digits = 3 if abs(value) < 2 else 2 if abs(value) < 20 else 1
    if 1e-6 <= abs(value) < 0.1:
        digits = max(3, 1 - math.floor(math.log10(abs(value))))
    return f"{value:.{digits}f}" + (f" {unit}" if unit else "")


def share(figure: Figure) -> float | None:
    """Return how much of the way from floor to ceiling was made, 1 = all of it; None when either is missing."""
    if figure.floor is None or figure.ceiling is None or figure.floor == figure.ceiling:
        return None
    made = (figure.value - figure.floor) / (figure.ceiling - figure.floor)
    return made if math.isfinite(made) else None


def figure_rows(figures: Sequence[Figure]) -> list[list[str]]:
    """One head row, then one row per figure: name, value, ceiling, floor, other marks, images."""
    rows = [["figure", "value", "ceiling", "floor", "other", "images"]]
    for figure in figures:
        marks = [f"{words} {value_text(mark)}" for words, mark in figure.marks.items()]
        rows.append(
            [
                *_first_cells(figure),
                ", ".join([*marks, *([figure.caution] if figure.caution else [])]) or MISSING,
                grouped(figure.count, " "),
            ]
        )
    return rows


def class_rows(classes: Sequence[ClassValue]) -> list[list[str]]:
    """One head row, then one row per class; columns that no class fills are left out."""
    columns = [
        ("class", [item.name for item in classes]),
        ("value", [value_text(item.value) for item in classes]),
        ("ceiling", [value_text(item.ceiling) for item in classes]),
        ("floor", [value_text(item.floor) for item in classes]),
        ("images", [MISSING if item.count is None else str(item.count) for item in classes]),
        ("group", [item.group or MISSING for item in classes]),
    ]
    kept = [column for column in columns if column[0] in ("class", "value") or set(column[1]) - {MISSING}]
    return [[name for name, _ in kept], *([values[row] for _, values in kept] for row in range(len(classes)))]


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as a Markdown table; the first row is the head."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    marks = ["---:" if _numeric([row[column] for row in rows[1:]]) else "---" for column in range(len(rows[0]))]
    return "\n".join("| " + " | ".join(row) + " |" for row in [cells[0], marks, *cells[1:]]) + "\n"


def circumstances(figure: Figure) -> str:
    """Return how a figure was measured, in sentences: note, reference set, preprocessing, judge; "" for nothing said."""
    judge = f"{figure.judge} ({figure.judge_hash[:12]})" if figure.judge_hash else figure.judge
    facts = {
        "": figure.note,
        "Caution: ": figure.caution,
        "Reference: ": figure.reference,
        "Preprocessing: ": figure.preprocessing,
        "Judge: ": judge,
    }
    return " ".join(f"{name}{words.rstrip('.')}." for name, words in facts.items() if words)


def ground_of(figure: Figure) -> str:
    """What a figure was measured with and against, in one line: judge, reference, preprocessing, what ceiling and floor are."""
    judge = f"{figure.judge} ({figure.judge_hash[:12]})" if figure.judge_hash else figure.judge
    parts = [
        judge,
        figure.reference,
        figure.preprocessing,
        f"ceiling: {figure.ceiling_of}" if figure.ceiling is not None else "",
        f"floor: {figure.floor_of}" if figure.floor is not None else "",
    ]
    return "; ".join(part for part in parts if part)


def report_markdown(figures: Sequence[Figure], used: Mapping[str, str] | None = None) -> str:
    """Return all figures as Markdown: the table, what was `used`, how each was measured, and the tables per class."""
    parts = [markdown(figure_rows(figures)), *(f"- {what}: {which}" for what, which in (used or {}).items())]
    parts += [f"- **{figure.heading}**: {words}" for figure in figures if (words := circumstances(figure))]
    parts += [
        f"\n### {figure.heading} per class\n\n{markdown(class_rows(figure.classes))}"
        for figure in figures
        if figure.classes
    ]
    return "\n".join(parts).rstrip("\n") + "\n"


def results_csv(figures: Sequence[Figure]) -> str:
    """Return figures as CSV (RFC 4180), one row each: numbers unrounded, empty where there is none, marks as `name=value`."""
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(
        ["name", "title", "value", "half_interval", "unit", "better", "ceiling", "ceiling_of", "floor", "floor_of", "count",
         "marks", "detector", "detector_sha256", "reference", "preprocessing", "caution", "note"]
    )  # fmt: skip
    for figure in figures:
        table.writerow(
            [figure.name, figure.heading, _exact(figure.value), _exact(figure.spread), figure.unit, figure.better,
             _exact(figure.ceiling), "" if figure.ceiling is None else figure.ceiling_of,
             _exact(figure.floor), "" if figure.floor is None else figure.floor_of, figure.count,
             "; ".join(f"{words}={_exact(mark)}" for words, mark in figure.marks.items()), figure.judge, figure.judge_hash,
             figure.reference, figure.preprocessing, figure.caution, figure.note]
        )  # fmt: skip
    return text.getvalue()


def results_tex(figures: Sequence[Figure]) -> str:
    """Return figures as a LaTeX `tabular` with the rules of `booktabs`, one row each; cautions stand below them."""
    head = ["Figure", "Value", "Ceiling", "Floor", "Count", "Detector"]
    rows, cautions = [], list(dict.fromkeys(each for figure in figures for each in figure.cautions))
    for figure in figures:
        cells = [*_first_cells(figure), f"{figure.count}", figure.judge or MISSING]
        cells = [latex(cell) if cell != MISSING else "--" for cell in cells]
        if numbers := ", ".join(str(cautions.index(each) + 1) for each in figure.cautions):
            cells[0] += rf"\textsuperscript{{{numbers}}}"
        rows.append(cells)
    below = [
        rf"\multicolumn{{{len(head)}}}{{p{{0.95\linewidth}}}}{{\footnotesize\textsuperscript{{{number}}} {latex(caution)}}}"
        for number, caution in enumerate(cautions, start=1)
    ]
    lines = [
        r"% Needs \usepackage{booktabs}.", r"\begin{tabular}{lrrrrl}", r"\toprule", " & ".join(head) + r" \\", r"\midrule",
        *(" & ".join(cells) + r" \\" for cells in rows), r"\bottomrule", *(line + r" \\" for line in below), r"\end{tabular}",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def latex(text: str) -> str:
    """Return plain text as LaTeX that shows it."""
    return "".join(LATEX.get(character, character) for character in text)


def _first_cells(figure: Figure) -> list[str]:
    """Heading, value with its interval, ceiling and floor of a figure."""
    value = value_text(figure.value, figure.unit)
    if figure.spread is not None:
        value += f" ± {value_text(figure.spread)}"
    return [
        f"{figure.heading} ({figure.better} is better)" if figure.better == "lower" else figure.heading,
        value,
        _with_words(figure.ceiling, figure.ceiling_of),
        _with_words(figure.floor, figure.floor_of),
    ]


def _exact(value: float | None) -> str:
    """A number with all its digits; "" for None and what is not finite."""
    return "" if value is None or not math.isfinite(value) else repr(float(value))


def _with_words(value: float | None, words: str) -> str:
    return MISSING if value is None else f"{value_text(value)} ({words})"


def _numeric(cells: Sequence[str]) -> bool:
    return all(cell == MISSING or cell[:1].isdigit() or cell[:1] in "+-" for cell in cells) and bool(cells)
