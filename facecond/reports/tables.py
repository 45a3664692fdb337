"""Figures as tables: every number with its ceiling, its floor and its sample count (the paper, section 4, tables).

Rows are plain strings, for the terminal and for Markdown; results.json itself is `facecond.io.results`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from facecond.io.results import ClassValue, Figure

MISSING = "-"


def value_text(value: float | None, unit: str = "") -> str:
    """Write a number for people: 0.712 for fractions, 27.4 dB, 8.20 for distances, `-` for None and NaN."""
    if value is None or not math.isfinite(value):
        return MISSING
    digits = 3 if abs(value) < 2 else 2 if abs(value) < 20 else 1
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
        value = value_text(figure.value, figure.unit)
        if figure.spread is not None:
            value += f" ± {value_text(figure.spread)}"
        marks = [f"{words} {value_text(mark)}" for words, mark in figure.marks.items()]
        rows.append(
            [
                f"{figure.heading} ({figure.better} is better)" if figure.better == "lower" else figure.heading,
                value,
                _with_words(figure.ceiling, figure.ceiling_of),
                _with_words(figure.floor, figure.floor_of),
                ", ".join([*marks, *([figure.caution] if figure.caution else [])]) or MISSING,
                f"{figure.count:,}".replace(",", " "),
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


def _with_words(value: float | None, words: str) -> str:
    return MISSING if value is None else f"{value_text(value)} ({words})"


def _numeric(cells: Sequence[str]) -> bool:
    return all(cell == MISSING or cell[:1].isdigit() or cell[:1] in "+-" for cell in cells) and bool(cells)
