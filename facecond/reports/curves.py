"""Line charts, drawn by matplotlib as SVG that stands inside a page."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

COLOURS = ("#2f6fdb", "#d1541f", "#14866d", "#9a4bc4", "#a87400", "#5b6270")
"""Line colours in the order of the series; a seventh series begins again."""

MARKED = 40
"""Series of up to this many points have a dot at each."""

_STYLE = {
    "svg.fonttype": "none",  # text stays text: the page sets its font, and a reader can select it
    "text.parse_math": False,  # a $ in a name is a $
    "font.size": 9,
    "text.color": "#1c1e26",
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.labelcolor": "#626774",
    "axes.edgecolor": "#c9cdd6",
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.formatter.useoffset": False,
    "axes.prop_cycle": f"cycler(color={list(COLOURS)})",
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": "#626774",
    "grid.alpha": 0.2,
    "xtick.color": "#626774",
    "ytick.color": "#626774",
    "ytick.major.size": 0,
    "lines.markersize": 4,
    "legend.frameon": False,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """One line of a chart."""

    name: str
    """What the legend calls it."""
    x: Sequence[float]
    y: Sequence[float]
    """As long as x; values that are not finite leave a gap."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    """What `svg` draws."""

    title: str
    x_label: str
    y_label: str
    series: Sequence[Series]
    """From two series on, a legend names them."""


def svg(chart: Chart) -> str:
    """Return the chart as one `<svg>` element on a transparent ground, the same text for the same chart.

    ValueError when a series has not as many x as y.
    """
    # Imported here: matplotlib is slow to load, and only a page with charts needs it.
    from matplotlib import style
    from matplotlib.figure import Figure
    from matplotlib.ticker import EngFormatter

    content = io.StringIO()
    # Starts from matplotlib's defaults: the user's own settings file is not read.
    with style.context({**_STYLE, "svg.hashsalt": chart.title}, after_reset=True):
        figure = Figure(figsize=(5.6, 3.3), layout="constrained")
        axes = figure.subplots()
        for series in chart.series:
            axes.plot(series.x, series.y, label=series.name, marker="o" if len(series.x) <= MARKED else "")
        axes.set(title=chart.title, xlabel=chart.x_label, ylabel=chart.y_label)
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))  # 200k, not 200000
        if len(chart.series) > 1:
            axes.legend()
        without = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(content, format="svg", transparent=True, metadata=without)
    text = re.sub('<g id="[^"]*"', "<g", content.getvalue())  # figure_1, axes_1: the same in every chart of a page
    return text[text.index("<svg") :]  # an XML declaration and a document type have no place inside a page
