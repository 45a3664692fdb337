"""Line charts as SVG text, written by hand: no plotting library, sharp at any size, light or dark.

A chart is one `<svg>` element that can stand in a file or inside a page; hovering a marked point shows its numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

WIDTH, HEIGHT = 560, 330
LEFT, RIGHT, BOTTOM = 66, 16, 54
MOST_POINTS = 400
"""Longer series are averaged in runs to this many points: more cannot be told apart on the page."""

_Place = Callable[[float, float], tuple[float, float]]
"""From values to places in the picture."""

STYLE = """
.fc-chart{--ink:#1c1e26;--quiet:#626774;--grid:#e4e6eb;--c0:#2f6fdb;--c1:#d1541f;--c2:#14866d;--c3:#9a4bc4;--c4:#a87400;
--c5:#5b6270;font-family:system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;max-width:100%;height:auto}
@media(prefers-color-scheme:dark){.fc-chart{--ink:#eceef4;--quiet:#a2a8b6;--grid:#343844;--c0:#7aa8ff;--c1:#ff9466;
--c2:#4fc7a8;--c3:#cf93f0;--c4:#e0b04a;--c5:#aeb4c0}}
.fc-chart text{fill:var(--quiet);font-size:13px}.fc-chart .title{fill:var(--ink);font-size:16px;font-weight:600}
.fc-chart .key{fill:var(--ink)}.fc-chart .grid{stroke:var(--grid);stroke-width:1}
.fc-chart .line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
.fc-chart .faint{stroke-width:1;opacity:.3}.fc-chart .level{stroke-dasharray:5 4;stroke-width:1.5;fill:none}
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """One line of a chart."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    """As long as x; values that are not finite leave a gap."""
    smooth: float = 0.0
    """0 draws the values; towards 1, a running average with this memory, the values faint behind it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    """What `svg` draws."""

    title: str
    x_label: str
    y_label: str
    series: Sequence[Series]
    levels: Mapping[str, float] = field(default_factory=dict)
    """Dashed horizontal lines with words: ceilings and floors."""
    logarithmic: bool = False
    """The y axis in powers of ten; values that are not positive leave a gap."""


def svg(chart: Chart) -> str:
    """Return the chart as one `<svg>` element; one without any finite point says so in words."""
    key, top = _key(chart)
    plotted = [[_thinned(run) for run in _runs(series, chart.logarithmic)] for series in chart.series]
    points = [point for runs in plotted for run in runs for point in run]
    body = [f'<text class="title" x="{LEFT}" y="22">{escape(chart.title)}</text>', *key]
    if points:
        body += _plot(chart, plotted, points, top)
    else:
        body.append(f'<text x="{WIDTH / 2}" y="{HEIGHT / 2}" text-anchor="middle">no values yet</text>')
    return (
        f'<svg class="fc-chart" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}"'
        f' height="{HEIGHT}" role="img" aria-label="{escape(chart.title, quote=True)}"><style>{STYLE}</style>'
        + "".join(body)
        + "</svg>"
    )


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Return round numbers (1, 2, 2.5 or 5 times a power of ten apart) inside [low, high], at most `most` of them."""
    if not high > low:
        return [low]
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    for factor in (1, 2, 2.5, 5, 10, 20, 25, 50):
        step = factor * power
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first < most:
            return [place * step for place in range(first, last + 1)]
    raise AssertionError("a step of fifty times the span always fits")


def number(value: float) -> str:
    """Write a tick: 1500 as 1.5k, 2000000 as 2M, 0.25 as it is."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.4g}{letter}"
    return "0" if value == 0 else f"{value:.3g}"


def _runs(series: Series, logarithmic: bool) -> list[list[tuple[float, float]]]:
    """Points in unbroken stretches."""
    runs: list[list[tuple[float, float]]] = [[]]
    for x, y in zip(series.x, series.y, strict=True):
        if math.isfinite(x) and math.isfinite(y) and (y > 0 or not logarithmic):
            runs[-1].append((float(x), float(y)))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _thinned(run: list[tuple[float, float]]) -> list[tuple[float, float]]:
    if len(run) <= MOST_POINTS:
        return run
    size = math.ceil(len(run) / MOST_POINTS)
    parts = [run[first : first + size] for first in range(0, len(run), size)]
    return [(sum(x for x, _ in part) / len(part), sum(y for _, y in part) / len(part)) for part in parts]


def _smoothed(run: list[tuple[float, float]], memory: float) -> list[tuple[float, float]]:
    """Mean of the exponential averages from both ends: it does not lag behind the values."""
    ahead, back = _averages([y for _, y in run], memory), _averages([y for _, y in run][::-1], memory)[::-1]
    return [(x, (first + second) / 2) for (x, _), first, second in zip(run, ahead, back, strict=True)]


def _averages(values: list[float], memory: float) -> list[float]:
    """Exponential averages, without the pull towards zero at the start."""
    total = weight = 0.0
    result = []
    for value in values:
        total, weight = memory * total + (1 - memory) * value, memory * weight + (1 - memory)
        result.append(total / weight)
    return result


def _key(chart: Chart) -> tuple[list[str], int]:
    """The legend under the title, wrapped; and where the plot begins."""
    if len(chart.series) < 2:
        return [], 40
    parts: list[str] = []
    x, y = float(LEFT), 44
    for index, series in enumerate(chart.series):
        room = 28 + 7.5 * len(series.name) + 14
        if x + room > WIDTH and x > LEFT:
            x, y = float(LEFT), y + 18
        stroke = f'class="line" stroke="var(--c{index % 6})"'
        parts.append(f'<line x1="{x:.0f}" x2="{x + 18:.0f}" y1="{y - 4}" y2="{y - 4}" {stroke}/>')
        parts.append(f'<text class="key" x="{x + 24:.0f}" y="{y}">{escape(series.name)}</text>')
        x += room
    return parts, y + 14


def _plot(
    chart: Chart, plotted: list[list[list[tuple[float, float]]]], points: list[tuple[float, float]], top: int
) -> list[str]:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    levels = {name: value for name, value in chart.levels.items() if math.isfinite(value)}
    if chart.logarithmic:
        levels = {name: value for name, value in levels.items() if value > 0}
    x_low, x_high = min(x for x, _ in points), max(x for x, _ in points)
    x_low = 0.0 if 0 <= x_low < 0.3 * x_high else x_low
    x_high = x_high if x_high > x_low else x_low + 1
    heights = [_y(y, chart) for _, y in points] + [_y(value, chart) for value in levels.values()]
    y_low, y_high = min(heights), max(heights)
    room = 0.06 * (y_high - y_low) or abs(y_high) * 0.1 or 1.0
    y_low = 0.0 if not chart.logarithmic and 0 <= y_low < 0.35 * y_high else y_low - room
    y_high += room

    def place(x: float, y: float) -> tuple[float, float]:
        across = LEFT + (x - x_low) / (x_high - x_low) * (right - LEFT)
        return across, bottom - (_y(y, chart) - y_low) / (y_high - y_low) * (bottom - top)

    body = []
    for value in _y_ticks(y_low, y_high, chart.logarithmic):
        _, y = place(x_low, value)
        body.append(f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        body.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{number(value)}</text>')
    for value in ticks(x_low, x_high):
        x, _ = place(value, points[0][1])
        body.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{bottom}" y2="{bottom + 5}"/>')
        body.append(f'<text x="{x:.1f}" y="{bottom + 19}" text-anchor="middle">{number(value)}</text>')
    body.append(f'<text x="{(LEFT + right) / 2}" y="{HEIGHT - 10}" text-anchor="middle">{escape(chart.x_label)}</text>')
    middle = (top + bottom) / 2
    turned = f'x="16" y="{middle}" text-anchor="middle" transform="rotate(-90 16 {middle})"'
    body.append(f"<text {turned}>{escape(chart.y_label)}</text>")
    for name, value in levels.items():
        _, y = place(x_low, value)
        body.append(f'<line class="level" stroke="var(--c5)" x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        body.append(f'<text x="{right}" y="{y - 5:.1f}" text-anchor="end">{escape(name)} {number(value)}</text>')
    for index, (series, runs) in enumerate(zip(chart.series, plotted, strict=True)):
        body += _line(series, runs, index, place)
    return body


def _line(series: Series, runs: list[list[tuple[float, float]]], index: int, place: _Place) -> list[str]:
    stroke = f'stroke="var(--c{index % 6})"'
    parts = []
    for run in runs:
        if series.smooth:
            parts.append(f'<path class="line faint" {stroke} d="{_path(run, place)}"/>')
        parts.append(f'<path class="line" {stroke} d="{_path(_smoothed(run, series.smooth), place)}"/>')
    count = sum(len(run) for run in runs)
    if count <= 40:
        for x, y in (point for run in runs for point in run):
            across, down = place(x, y)
            words = escape(f"{series.name}: {y:.4g} at {number(x)}")
            parts.append(
                f'<circle cx="{across:.1f}" cy="{down:.1f}" r="{3 if count > 1 else 4}" fill="var(--c{index % 6})">'
                f"<title>{words}</title></circle>"
            )
    return parts


def _path(run: list[tuple[float, float]], place: _Place) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in (place(*point) for point in run))


def _y(value: float, chart: Chart) -> float:
    return math.log10(value) if chart.logarithmic else value


def _y_ticks(low: float, high: float, logarithmic: bool) -> list[float]:
    if not logarithmic:
        return ticks(low, high)
    powers = range(math.floor(low), math.ceil(high) + 1)
    for factors in ((1,), (1, 3), (1, 2, 5), (1, 2, 3, 4, 5, 6, 7, 8, 9)):
        values = [factor * 10.0**power for power in powers for factor in factors]
        inside = [value for value in values if low <= math.log10(value) <= high]
        if len(inside) >= 3:
            return inside
    return [10.0**value for value in ticks(low, high)]
