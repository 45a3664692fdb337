"""Line charts, drawn by matplotlib as SVG that stands inside a page."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#c4689b", "#1c1e26", "#6b3f00")
"""Line colours in the order of the series; a seventh series begins again, with other dashes. After Okabe and Ito (Color Universal
Design, 2008): apart also for readers who do not see red, green or blue."""

AT_NIGHT = ("#4aa3e0", "#f08a24", "#1fa981", "#e597c2", "#f4f5f8", "#d9c300")
"""The same lines on a dark ground."""

DASHES = ("-", "--", "-.", ":")
"""Of the first series of each colour, the second, ..."""

MARKED = 40
"""Series of up to this many points have a dot at each."""

_INK, _QUIET = "#1c1e27", "#5d6270"
"""Stand for the page's colours of text; neither is in `COLOURS`."""

_STYLE = {
    "svg.fonttype": "none",  # text stays text: the page sets its font, and a reader can select it
    "text.parse_math": False,  # a $ in a name is a $
    "font.size": 9,
    "text.color": _INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.labelcolor": _QUIET,
    "axes.edgecolor": "#c9cdd6",
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.formatter.useoffset": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": _QUIET,
    "grid.alpha": 0.2,
    "xtick.color": _QUIET,
    "ytick.color": _QUIET,
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
    line: int | None = None
    """Place in `COLOURS`; None = the place among the chart's series."""
    thin: bool = False
    """A thinner line, behind the others, without dots unless it is a single point."""
    named: bool = True
    """Stands in the legend."""
    labels: Sequence[str] | None = None
    """Said beside each point, above it and below it in turn of the series; where given, no line joins them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    """What `svg` draws."""

    title: str
    x_label: str
    y_label: str
    series: Sequence[Series]
    """From two named series on, a legend names them."""


def svg(chart: Chart) -> str:
    """Return the chart as one `<svg>` element on a transparent ground, the same text for the same chart.

    ValueError when a series has not as many x as y.
    """
    # Imported here: matplotlib is slow to load, and only a page with charts needs it.
    from matplotlib import style
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine
    from matplotlib.ticker import EngFormatter

    content = io.StringIO()
    # Starts from matplotlib's defaults: the user's own settings file is not read.
    with style.context({**_STYLE, "svg.hashsalt": repr(chart)}, after_reset=True):
        figure = Figure(figsize=(4.8, 3.0), dpi=72)
        FigureCanvasSVG(figure)  # texts are measured as this canvas draws them, at 72 dots an inch
        axes = figure.subplots()
        for place, series in enumerate(chart.series):
            rounds, colour = divmod(place if series.line is None else series.line, len(COLOURS))
            axes.plot(
                series.x, series.y, label=series.name if series.named else "_", color=COLOURS[colour],
                linestyle=DASHES[rounds % len(DASHES)] if series.labels is None else "",
                linewidth=0.8 if series.thin else 1.6, zorder=2.0 if series.thin else 2.1,
                marker="o" if len(series.x) <= (1 if series.thin else MARKED) else "",
            )  # fmt: skip
            for x, y, label in zip(series.x, series.y, series.labels or [""] * len(series.x), strict=True):
                axes.annotate(
                    label,
                    (x, y),
                    xytext=(4, 4 if place % 2 == 0 else -10),
                    textcoords="offset points",
                    fontsize="small",
                )
        axes.set(title=chart.title, xlabel=chart.x_label, ylabel=chart.y_label)
        if any(x >= 1000 for series in chart.series for x in series.x):
            axes.xaxis.set_major_formatter(EngFormatter(sep=""))  # 200k, not 200000
        if sum(series.named for series in chart.series) > 1:
            axes.legend()
        without = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        ConstrainedLayoutEngine().execute(figure)  # a figure with layout="constrained" would be drawn twice
        figure.savefig(content, format="svg", transparent=True, metadata=without)
    text = re.sub('<g id="[^"]*"', "<g", content.getvalue())  # figure_1, axes_1: the same in every chart of a page
    text = re.sub('(?<=: )(#[0-9a-f]{6})(?=[;"])', _variable, text)
    return text[text.index("<svg") :]  # an XML declaration and a document type have no place inside a page


def _variable(colour: re.Match[str]) -> str:
    name = _VARIABLES.get(colour[1])
    return f"var(--{name}, {colour[1]})" if name else colour[1]


def style_sheet() -> str:
    """Return CSS that gives the lines their colours, by day and by night."""
    day, night = (
        ";".join(f"--line-{place}:{colour}" for place, colour in enumerate(colours)) for colours in (COLOURS, AT_NIGHT)
    )
    return f":root{{{day}}}@media screen and (prefers-color-scheme:dark){{:root{{{night}}}}}"


_VARIABLES = {_INK: "ink", _QUIET: "quiet"} | {colour: f"line-{place}" for place, colour in enumerate(COLOURS)}
"""Colours of a chart and the CSS variables that take their place on a page."""
