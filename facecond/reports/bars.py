"""Figures as pieces of HTML: tiles with a bar between floor and ceiling, and tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from facecond.io.results import Figure
from facecond.reports.tables import MISSING, share, value_text


def tile(figure: Figure) -> str:
    """Return one figure as a tile: the number, a bar with marks for ceiling and floor, the sample count."""
    marks = _marks(figure)
    spread = f" <small>± {value_text(figure.spread)}</small>" if figure.spread is not None else ""
    unit = f" <small>{escape(figure.unit)}</small>" if figure.unit else ""
    rows = "".join(
        f'<li><span class="dot {kind}"></span><span>{escape(words)}</span><span>{value_text(value)}</span></li>'
        for kind, words, value in marks
    )
    made = share(figure)
    notes = [f"{figure.count:,} images".replace(",", "\u202f")]
    if made is not None:
        notes.append(f"{100 * made:.0f} % of the way from floor to ceiling")
    if figure.better == "lower":
        notes.append("lower is better")
    note = f"<br>{escape(figure.note)}" if figure.note else ""
    return (
        f'<div class="tile"><div class="name">{escape(figure.heading)}</div>'
        f'<div class="value">{value_text(figure.value)}{unit}{spread}</div>'
        f'{bar(figure.value, marks, figure.better)}<ul>{rows}</ul><p class="note">{" · ".join(notes)}{note}</p></div>'
    )


def bar(value: float | None, marks: Sequence[tuple[str, str, float]], better: str = "higher") -> str:
    """Return a bar filled up to `value`, with a tick per mark (kind, words, value); nothing where there is no mark."""
    known = [mark for _, _, mark in marks if math.isfinite(mark)]
    if not known or value is None or not math.isfinite(value):
        return ""
    low, high = min(*known, value), max(*known, value)
    fraction = better == "higher" and low >= 0 and high <= 1
    start, end = (0.0, 1.0) if fraction else (min(0.0, low), 1.08 * high or 1.0)
    ticks = "".join(
        f'<b class="{kind}" style="left:{_percent(mark, start, end)}" title="{escape(words, quote=True)}'
        f' {value_text(mark)}"></b>'
        for kind, words, mark in marks
        if math.isfinite(mark)
    )
    return f'<div class="bar"><i style="width:{_percent(value, start, end)}"></i>{ticks}</div>'


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as a table; the first is the head."""
    head = "".join(f"<th>{escape(cell)}</th>" for cell in rows[0])
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows[1:])
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def class_table(figure: Figure) -> str:
    """Return the values per class with a bar each, the groups under headings of their own."""
    grouped = any(item.group for item in figure.classes)
    order = sorted(figure.classes, key=lambda item: item.group) if grouped else list(figure.classes)
    head = "".join(f"<th>{words}</th>" for words in ("", "", "value", "ceiling", "floor"))
    body = []
    before = ""
    for item in order:
        if item.group != before:
            body.append(f'<tr><th colspan="5">{escape(item.group)}</th></tr>')
            before = item.group
        marks = [("ceiling", "ceiling", item.ceiling), ("floor", "floor", item.floor)]
        known = [(kind, words, value) for kind, words, value in marks if value is not None]
        drawn = bar(item.value, known or [("mark", "", 0.0)], figure.better)
        values = "".join(f"<td>{value_text(value)}</td>" for value in (item.value, item.ceiling, item.floor))
        body.append(
            f"<tr><td>{escape(item.name)}</td><td>{drawn if item.value is not None else MISSING}</td>{values}</tr>"
        )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"


def _marks(figure: Figure) -> list[tuple[str, str, float]]:
    marks: list[tuple[str, str, float]] = []
    if figure.ceiling is not None:
        marks.append(("ceiling", figure.ceiling_of, figure.ceiling))
    marks.extend(("mark", words, value) for words, value in figure.marks.items())
    if figure.floor is not None:
        marks.append(("floor", figure.floor_of, figure.floor))
    return sorted(marks, key=lambda mark: mark[2], reverse=figure.better == "higher")


def _percent(value: float, start: float, end: float) -> str:
    return f"{100 * min(1.0, max(0.0, (value - start) / (end - start))):.1f}%"
