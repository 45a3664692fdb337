"""Pictures land where they belong, label maps keep their classes, and words fit."""

from itertools import pairwise

import numpy as np
import pytest

from facecond.faces.labels import PALETTE
from facecond.faces.names import ATTRIBUTES
from facecond.reports import lettering
from facecond.reports.grids import GAP, MARGIN, UNSPECIFIED_COLOUR, Cell, Heads, grid, paint
from facecond.reports.layouts import (
    Shown,
    attribute_figure,
    checkpoint_figure,
    contact_sheet,
    samples_figure,
    swap_figure,
)
from facecond.reports.lettering import width, wrap


def plain(value: int, size: int = 16) -> np.ndarray:
    return np.full((size, size, 3), value, np.uint8)


def places(picture: np.ndarray, value: int, size: int) -> list[tuple[int, int]]:
    """Upper left corners of the squares of one grey."""
    found = (picture == value).all(-1)
    corners = found & ~np.roll(found, 1, 0) & ~np.roll(found, 1, 1)
    squares = [(y, x) for y, x in np.argwhere(corners) if found[y : y + size, x : x + size].all()]
    return [(int(y), int(x)) for y, x in squares]


def test_cells_stand_in_rows_and_columns() -> None:
    values = [[10, 20, 30], [40, 50, 60]]
    picture = grid([[plain(value) for value in row] for row in values], cell=32)
    assert picture.shape == (2 * MARGIN + 64 + GAP, 2 * MARGIN + 96 + 2 * GAP, 3)
    for row, items in enumerate(values):
        for column, value in enumerate(items):
            expected = (MARGIN + row * (32 + GAP), MARGIN + column * (32 + GAP))
            assert places(picture, value, 32) == [expected]


def test_names_heads_and_legend_make_room_and_do_not_cover_cells() -> None:
    labels = np.zeros((8, 8), np.uint8)
    labels[4:] = 255
    picture = grid(
        [[plain(10), Cell(picture=labels, caption="a caption")], [plain(30), None]],
        title="A title",
        text="words " * 30,
        heads=Heads(columns=["one", "a head that needs several lines"], groups=[("both", 2)]),
        names=["first row", "second\nrow"],
        cell=64,
        breaks=[1],
        legend=True,
    )
    (first,), (second,) = places(picture, 10, 64), places(picture, 30, 64)
    assert first[1] == second[1] > MARGIN
    assert second[0] - first[0] > 64 + 5 * GAP
    assert (picture[second[0] + 64 : second[0] + 110] != 255).any(), "no legend"
    beside = picture[first[0] : first[0] + 64, : first[1]]
    assert (beside != 255).any(), "no row name"
    assert (picture[:, -MARGIN:] == 255).all(), "something runs out of the picture"


def test_label_maps_are_enlarged_without_new_colours() -> None:
    labels = np.random.default_rng(0).integers(0, 19, (9, 9)).astype(np.uint8)
    picture = grid([[labels]], cell=40)
    shown = {tuple(colour) for colour in picture[MARGIN : MARGIN + 40, MARGIN : MARGIN + 40].reshape(-1, 3).tolist()}
    assert shown == {tuple(int(part) for part in PALETTE[value]) for value in np.unique(labels)}


def test_paint_marks_what_is_not_specified_and_fades_the_rest() -> None:
    labels = np.array([[0, 13], [255, 2]], np.uint8)
    assert tuple(paint(labels)[1, 0]) == UNSPECIFIED_COLOUR
    assert np.array_equal(paint(labels)[0, 1], PALETTE[13])
    faded = paint(labels, emphasis=[2])
    assert np.array_equal(faded[1, 1], PALETTE[2])
    assert faded[0, 1].astype(int).sum() > PALETTE[13].astype(int).sum() + 300
    with pytest.raises(ValueError, match="up to 19"):
        paint(np.full((2, 2), 19, np.uint8))


def test_mistakes_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one cell"):
        grid([])
    with pytest.raises(ValueError, match="more names"):
        grid([[plain(1)]], names=["a", "b"])
    with pytest.raises(ValueError, match="more names"):
        grid([[plain(1)]], heads=Heads(groups=[("a", 2)]))


@pytest.mark.parametrize("text", ["one two three four five six", "+Wearing_Lipstick,+Mouth_Slightly_Open", "x" * 90])
def test_wrapped_lines_fit_and_lose_nothing(text: str) -> None:
    lines = wrap(text, 15, 100)
    assert len(lines) > 1
    assert all(width(line, 15) <= 100 for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize("text", ["x" * 90, "Wi" * 40, "ffi\N{COMBINING ACUTE ACCENT}AV" * 15, "W"])
@pytest.mark.parametrize("limit", [3, 100])
def test_lines_of_a_long_word_hold_as_many_letters_as_fit(text: str, limit: int) -> None:
    lines = wrap(text, 15, limit)
    assert "".join(lines) == text
    for line, after in pairwise(lines):
        assert len(line) == 1 or width(line, 15) <= limit
        assert width(line + after[0], 15) > limit


def test_a_word_of_many_letters_is_measured_a_few_times_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = []
    monkeypatch.setattr(lettering, "width", lambda text, size: measured.append(text) or width(text, size))
    words = ",".join(f"-{name}" for name in ATTRIBUTES)
    lines = wrap(words, 12, 144)
    assert "".join(lines) == words
    assert len(measured) < 12 * len(lines)


def test_lines_break_where_asked() -> None:
    assert wrap("a\nb", 15, 100) == ["a", "b"]
    assert wrap("", 15, 100) == []


def test_contact_sheet_shows_every_picture_once_above_its_map() -> None:
    images = [plain(20 * number + 10) for number in range(5)]
    maps = [np.full((16, 16), number + 1, np.uint8) for number in range(5)]
    sheet = contact_sheet(images, maps, [str(number) for number in range(5)], columns=3, cell=32)
    for number in range(5):
        ((y, x),) = places(sheet, 20 * number + 10, 32)
        below = sheet[y + 32 + GAP : y + 64 + GAP, x : x + 32]
        assert (below == PALETTE[number + 1]).all()


def test_the_papers_figures_hold_their_pictures_in_order() -> None:
    labels = np.full((16, 16), 13, np.uint8)
    maps = {"own map": labels, "mixed map": labels}
    person = Shown(name="A", image=plain(10), samples=[plain(20), plain(30)], given=maps)
    other = Shown(name="B", image=plain(40), samples=[plain(50), plain(60)], given=maps)
    swapped = swap_figure([(person, other)], [2, 13], cell=32)
    assert [len(places(swapped, value, 32)) for value in (10, 20, 30, 40, 50, 60)] == [1] * 6
    (a,), (b,), (sample,) = places(swapped, 10, 32), places(swapped, 40, 32), places(swapped, 20, 32)
    assert a[1] == b[1] < sample[1]
    assert a[0] == sample[0] < b[0]

    rows = samples_figure([person, other], cell=32)
    assert places(rows, 30, 32)[0][1] - places(rows, 10, 32)[0][1] == 4 * (32 + GAP)  # two maps and a sample between

    attributes = attribute_figure([[plain(10), plain(20)], [plain(30), plain(40)]], ["+Smiling", "-Male"], cell=64)
    assert places(attributes, 10, 64)[0][1] == places(attributes, 30, 64)[0][1] < places(attributes, 40, 64)[0][1]

    runs = {"P2": [[plain(10), plain(20)], [plain(30), plain(40)]], "gamma 0": [[plain(50)] * 2, [plain(60)] * 2]}
    checkpoints = checkpoint_figure(runs, ["10k", "20k"], cell=32)
    heights = [places(checkpoints, value, 32)[0][0] for value in (10, 50, 30, 60)]
    assert heights == sorted(heights)
    assert len(set(heights)) == 4
