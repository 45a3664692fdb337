"""Charts are well-formed, their points stand where the numbers say, and odd values leave gaps."""

import math
import re
from xml.etree import ElementTree

import pytest

from facecond.reports.curves import MOST_POINTS, Chart, Series, number, svg, ticks

SPACE = "{http://www.w3.org/2000/svg}"


def chart(*series: Series, **more: object) -> Chart:
    return Chart(title="Loss & <more>", x_label="images seen", y_label="loss", series=series, **more)


def elements(text: str, kind: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(text).iter(SPACE + kind))


def lines(text: str) -> list[list[tuple[float, float]]]:
    paths = [path.attrib["d"] for path in elements(text, "path") if path.attrib["class"] == "line"]
    return [[tuple(map(float, point.split())) for point in path[1:].split("L")] for path in paths]  # type: ignore[misc]


def axis(text: str, anchor: str) -> dict[float, float]:
    """Numbers at an axis and their places."""
    found = {}
    for element in elements(text, "text"):
        if element.attrib.get("text-anchor") == anchor and re.fullmatch(r"-?[\d.]+k?", element.text or ""):
            words = element.text or ""
            value = float(words.rstrip("k")) * (1000 if words.endswith("k") else 1)
            found[value] = float(element.attrib["x" if anchor == "middle" else "y"])
    return found


@pytest.mark.parametrize("logarithmic", [False, True])
def test_points_stand_where_the_axes_say(logarithmic: bool) -> None:
    x, y = [0, 1000, 2000, 4000], [1.0, 0.1, 0.5, 0.02]
    text = svg(chart(Series(name="a", x=x, y=y), logarithmic=logarithmic))
    (line,) = lines(text)
    across, down = axis(text, "middle"), axis(text, "end")
    scale = math.log10 if logarithmic else float
    (x0, a0), (x1, a1) = next(iter(across.items())), list(across.items())[-1]
    (y0, d0), (y1, d1) = next(iter(down.items())), list(down.items())[-1]
    y0, y1 = scale(y0), scale(y1)
    for (a, d), value_x, value_y in zip(line, x, y, strict=True):
        assert a == pytest.approx(a0 + (value_x - x0) / (x1 - x0) * (a1 - a0), abs=0.2)
        # Words stand four units below their line.
        assert d == pytest.approx(d0 - 4 + (scale(value_y) - y0) / (y1 - y0) * (d1 - d0), abs=0.3)


def test_values_that_are_not_finite_leave_a_gap() -> None:
    series = Series(name="a", x=[0, 1, 2, 3, 4], y=[1, math.nan, 3, math.inf, 5])
    assert [len(line) for line in lines(svg(chart(series)))] == [1, 1, 1]
    series = Series(name="a", x=[0, 1, 2, 3], y=[1, -1, 3, 4])
    assert [len(line) for line in lines(svg(chart(series, logarithmic=True)))] == [1, 2]


def test_long_series_are_thinned_and_keep_their_mean() -> None:
    count = 10 * MOST_POINTS
    text = svg(chart(Series(name="a", x=range(count), y=[index % 2 for index in range(count)])))
    (line,) = lines(text)
    assert len(line) == MOST_POINTS
    assert len({down for _, down in line}) == 1


def test_smoothing_keeps_a_constant_and_does_not_lag() -> None:
    (line,) = lines(svg(chart(Series(name="a", x=range(50), y=[2.0] * 50, smooth=0.9))))
    assert len({down for _, down in line}) == 1
    step = [0.0] * 100 + [1.0] * 100
    (line,) = lines(svg(chart(Series(name="a", x=range(200), y=step, smooth=0.9))))
    downs = [down for _, down in line]
    middle = (downs[0] + downs[-1]) / 2
    assert abs(downs[99] + downs[100] - 2 * middle) < 2  # symmetric about the step


def test_words_are_escaped_levels_and_names_shown() -> None:
    text = svg(
        chart(Series(name="a<b", x=[0, 1], y=[0, 1]), Series(name="c", x=[0, 1], y=[1, 0]), levels={"real": 0.84})
    )
    words = [element.text for element in elements(text, "text")]
    assert {"Loss & <more>", "a<b", "c", "real 0.84", "images seen", "loss"} <= set(words)


def test_a_chart_without_values_says_so() -> None:
    for series in ([], [Series(name="a", x=[], y=[])], [Series(name="a", x=[1], y=[math.nan])]):
        assert "no values yet" in svg(chart(*series))
    assert "no values yet" not in svg(chart(Series(name="a", x=[5], y=[5])))


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0.13, 0.17), (-3, 250), (1e6, 1.1e6), (0, 7e-5), (-2, -1)])
def test_ticks_are_round_inside_and_neither_few_nor_many(low: float, high: float) -> None:
    values = ticks(low, high)
    assert 2 <= len(values) <= 6
    assert all(low - 1e-9 * abs(low) <= value <= high + 1e-9 * abs(high) for value in values)
    step = values[1] - values[0]
    assert min(abs(step / 10 ** math.floor(math.log10(step * 1.0001)) - round_) for round_ in (1, 2, 2.5, 5)) < 1e-3


def test_numbers_are_short() -> None:
    assert [number(value) for value in (0, 0.25, 1500, 2e6, 3e9)] == ["0", "0.25", "1.5k", "2M", "3G"]
