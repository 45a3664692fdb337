"""Charts are read back as XML: points stand where the axes' numbers say, and nothing but the data decides the text."""

import itertools
import math
import re
import subprocess
import sys
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest

from facecond.reports.curves import AT_NIGHT, COLOURS, MARKED, Chart, Series, style_sheet, svg

SVG = "{http://www.w3.org/2000/svg}"
HREF = "{http://www.w3.org/1999/xlink}href"
Points = list[tuple[float, float]]


def chart(*series: Series) -> Chart:
    return Chart(title="Loss & <more> of $x$", x_label="images seen", y_label="loss", series=series)


def elements(text: str, kind: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(text).iter(SVG + kind))


def words(text: str) -> list[str]:
    return [element.text or "" for element in elements(text, "text")]


def path_points(path: ElementTree.Element) -> list[Points]:
    """The unbroken stretches of a path."""
    stretches = path.attrib["d"].replace("\n", " ").split("M ")[1:]
    return [
        [(float(x), float(y)) for x, y in (point.split() for point in stretch.split("L "))] for stretch in stretches
    ]


def lines(text: str) -> dict[str, list[Points]]:
    """The stretches of each line by colour; the legend's samples of the lines are not clipped to the axes."""
    drawn = [path for path in elements(text, "path") if "clip-path" in path.attrib]
    return {
        colour: path_points(path)
        for place, colour in enumerate(COLOURS)
        for path in drawn
        if f"stroke: var(--line-{place}, {colour})" in path.attrib["style"]
    }


def dots(text: str) -> Points:
    clipped = [group for group in elements(text, "g") if "clip-path" in group.attrib]
    return [(float(use.attrib["x"]), float(use.attrib["y"])) for group in clipped for use in group.iter(SVG + "use")]


def x_axis(text: str) -> Points:
    """(number, place) at the horizontal axis."""
    found = []
    for element in elements(text, "text"):
        if re.fullmatch(r"[\d.]+k?", element.text or "") and "text-anchor: middle" in element.attrib["style"]:
            number = (element.text or "").replace("k", "e3")
            found.append((float(number), float(element.attrib["x"])))
    return found


def y_axis(text: str) -> Points:
    """(number, place) at the vertical axis: each number's line of the grid is drawn before it."""
    numbers = [
        float(element.text or "") for element in elements(text, "text") if "text-anchor: end" in element.attrib["style"]
    ]
    drawn = [
        path for path in elements(text, "path") if "clip-path" in path.attrib and "opacity" in path.attrib["style"]
    ]
    return [(number, path_points(path)[0][0][1]) for number, path in zip(numbers, drawn, strict=True)]


def test_points_stand_where_the_axes_say() -> None:
    x, y = [0, 1000, 2000, 4000], [1.0, 0.1, 0.5, 0.02]
    text = svg(chart(Series(name="a", x=x, y=y)))
    ((line,),) = lines(text).values()
    (x0, across0), *_, (x1, across1) = x_axis(text)
    (y0, down0), *_, (y1, down1) = y_axis(text)
    assert dots(text) == line
    for (across, down), value_x, value_y in zip(line, x, y, strict=True):
        assert across == pytest.approx(across0 + (value_x - x0) / (x1 - x0) * (across1 - across0), abs=0.01)
        assert down == pytest.approx(down0 + (value_y - y0) / (y1 - y0) * (down1 - down0), abs=0.01)


def test_every_series_has_its_line_and_a_long_one_no_dots() -> None:
    long = Series(name="long", x=range(MARKED + 1), y=[index % 7 for index in range(MARKED + 1)])
    short = Series(name="short", x=range(MARKED), y=[index % 5 for index in range(MARKED)])
    text = svg(chart(long, short))
    found = lines(text)
    assert [len(found[colour][0]) for colour in COLOURS[:2]] == [MARKED + 1, MARKED]
    assert len(found) == 2
    assert dots(text) == found[COLOURS[1]][0]


def test_a_series_may_have_the_line_of_another_place_be_thin_and_unnamed() -> None:
    text = svg(chart(
        Series(name="under", x=[0, 1], y=[0, 1], line=2, thin=True, named=False), Series(name="over", x=[0, 1], y=[1, 0], line=2),
        Series(name="seventh", x=[0, 1], y=[2, 2], line=8),
    ))  # fmt: skip
    drawn = [
        path.attrib["style"]
        for path in elements(text, "path")
        if "clip-path" in path.attrib and "line-2" in path.attrib["style"]
    ]
    assert len(drawn) == 3
    assert sum("stroke-dasharray" in style for style in drawn) == 1  # colours begin again with other dashes
    assert {"over", "seventh"} <= set(words(text))
    assert "under" not in words(text)


# Machado, Oliveira and Fernandes (2009), severity 1.0: linear RGB as readers without one kind of cone see it.
WITHOUT = {
    "none": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "red": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "green": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "blue": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def linear(colour: str) -> np.ndarray:
    values = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lab(colour: np.ndarray) -> np.ndarray:
    """CIE 1976 L*a*b* of linear sRGB."""
    ratios = XYZ @ colour.clip(0, 1) / (0.9505, 1, 1.089)
    x, y, z = np.where(ratios > 0.008856, np.cbrt(ratios), 7.787 * ratios + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize(("colours", "ground"), [(COLOURS, "#ffffff"), (AT_NIGHT, "#1c1f27")], ids=["day", "night"])
def test_lines_are_told_apart_by_every_reader(colours: tuple[str, ...], ground: str) -> None:
    """Contrast of 3:1 with the ground (WCAG 2.1, 1.4.11); four times the difference that is just noticeable between any two."""
    for colour in colours:
        lightness = sorted((XYZ[1] @ linear(each) for each in (colour, ground)), reverse=True)
        assert (lightness[0] + 0.05) / (lightness[1] + 0.05) >= 3
    for matrix in WITHOUT.values():
        seen = [lab(np.array(matrix) @ linear(colour)) for colour in colours]
        assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) >= 4 * 2.3


def test_the_page_has_a_colour_for_every_line() -> None:
    sheet = style_sheet()
    for place, (day, night) in enumerate(zip(COLOURS, AT_NIGHT, strict=True)):
        assert f"--line-{place}:{day}" in sheet.partition("@media")[0]
        assert f"--line-{place}:{night}" in sheet.partition("@media")[2]


def test_values_that_are_not_finite_leave_a_gap() -> None:
    text = svg(chart(Series(name="a", x=range(6), y=[1, 2, math.nan, 3, 4, math.inf])))
    ((first, second),) = lines(text).values()
    assert (len(first), len(second)) == (2, 2)
    assert dots(text) == first + second


def test_words_are_shown_as_they_are() -> None:
    one = Series(name="a<b & $c", x=[0, 1], y=[0, 1])
    text = svg(chart(one, Series(name="other", x=[0, 1], y=[1, 0])))
    assert {"Loss & <more> of $x$", "images seen", "loss", "a<b & $c", "other"} <= set(words(text))
    assert "a<b & $c" not in words(svg(chart(one)))  # one line needs no legend


def test_the_same_chart_gives_the_same_text_whatever_the_settings() -> None:
    drawn = chart(Series(name="a", x=[0, 1, 2], y=[0, 1, 0]))
    text = svg(drawn)
    settings = {"lines.linewidth": 9.0, "svg.fonttype": "path", "font.size": 30.0}
    with matplotlib.rc_context(settings):
        assert svg(drawn) == text
        assert {name: matplotlib.rcParams[name] for name in settings} == settings


def test_the_text_holds_no_date_no_link_and_no_declaration() -> None:
    text = svg(chart(Series(name="a", x=[0, 1], y=[0, 1])))
    assert text.startswith("<svg ")
    assert set(re.findall(r"https?://[^\"]*", text)) == {SVG[1:-1], HREF[1:].split("}")[0]}
    assert not elements(text, "metadata")
    assert not re.search(r"\b20\d\d-", text)


def test_charts_of_one_page_share_no_names() -> None:
    series = Series(name="a", x=[0, 1], y=[0, 1])
    names = [
        {element.attrib["id"] for element in ElementTree.fromstring(text).iter() if "id" in element.attrib}
        for text in (svg(Chart(title=title, x_label="x", y_label="y", series=[series])) for title in ("one", "two"))
    ]
    assert names[0]
    assert not names[0] & names[1]
    text = svg(chart(series))
    used = set(re.findall(r'url\(#(\w+)\)|xlink:href="#(\w+)"', text))
    assert used
    assert {first or second for first, second in used} <= set(re.findall(r' id="(\w+)"', text))


def test_as_many_x_as_y() -> None:
    with pytest.raises(ValueError, match="same first dimension"):
        svg(chart(Series(name="a", x=[0, 1], y=[0])))


def test_matplotlib_is_loaded_by_a_chart_alone_and_without_its_global_figures() -> None:
    program = (
        "import sys; from facecond.reports import curves, page\n"
        "assert 'matplotlib' not in sys.modules\n"
        "curves.svg(curves.Chart(title='', x_label='', y_label='', series=[]))\n"
        "assert 'matplotlib' in sys.modules and 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_points_may_have_words_and_no_line() -> None:
    text = svg(chart(Series(name="a", x=[1, 2], y=[3, 4], labels=["one", "two"]), Series(name="b", x=[1, 2], y=[4, 3])))
    assert {"one", "two"} <= {element.text for element in elements(text, "text")}
    assert list(lines(text)) == [COLOURS[1]]
    assert len(dots(text)) == 4
    with pytest.raises(ValueError, match="shorter"):
        svg(chart(Series(name="a", x=[1, 2], y=[3, 4], labels=["one"])))
