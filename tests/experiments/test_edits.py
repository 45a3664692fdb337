"""What becomes of an edit is read off the truth: errors by hand, where the truth differs and where it does not."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from facecond.drawn.pairs import Pair
from facecond.errors import DataError
from facecond.experiments.edited import Column, Made, cell, differences, kept
from facecond.experiments.edits import NOTHING, TRUTH, Judged, judged, of_traits, overview
from facecond.faces.names import ATTRIBUTES, CLASSES


def pair(trait: str, sign: int) -> Pair:
    """The truth has other pixels in the first row of four."""
    before, truth = np.zeros((2, 4, 4, 3), np.uint8)
    truth[0] = 51  # a fifth of the range
    labels = np.zeros((4, 4), np.uint8)
    return Pair(trait, sign, before, truth, labels, labels, np.full(40, -sign, np.int8))


def present(*names: str) -> np.ndarray:
    return np.isin(np.array(ATTRIBUTES), names)


def test_errors_are_means_over_the_places_that_should_change_and_the_others() -> None:
    one = pair("Smiling", 1)
    picture = one.before_HWC.copy()
    picture[0, :2] = 51  # half of what should change has
    picture[3] = 255  # a quarter changed that should not have
    found = judged(one, picture, present("Smiling"), one.labels_HW)
    assert found.inside == pytest.approx(20 / 2)
    assert found.outside == pytest.approx(100 / 3)
    assert found.whole == pytest.approx((20 / 2 + 100) / 4)
    assert (found.obeyed, found.shown) == (True, None)


@pytest.mark.parametrize(("sign", "pixels", "shown"), [(1, 4, True), (1, 3, False), (-1, 4, False), (-1, 0, True)])
def test_what_a_class_shows_is_read_off_the_map_too(sign: int, pixels: int, shown: bool) -> None:
    one = pair("Eyeglasses", sign)
    labels = one.labels_HW.copy()
    labels.ravel()[:pixels] = CLASSES.index("eye_g")
    found = judged(one, one.truth_HWC, present(), labels)
    assert found.shown is shown
    assert found.obeyed is (sign < 0)
    assert (found.inside, found.outside) == (0, 0)


def test_intervals_are_those_of_a_mean_and_of_a_share() -> None:
    values = [1.0, 2.0, 4.0, 3.0, 7.0]
    low, high = stats.t.interval(0.95, 4, loc=np.mean(values), scale=stats.sem(values))
    assert cell(Column("", values), range(5)) == f"3.4 ± {(high - low) / 2:.1f}"
    for hits, count in ((5, 5), (1, 2), (194, 200)):
        of = stats.binomtest(hits, count).proportion_ci(method="wilson")
        flags = [k < hits for k in range(count)]
        text = f"{100 * hits / count:.1f} ({100 * of.low:.1f} to {100 * of.high:.1f})"
        assert cell(Column("", flags, share=True), range(count)) == text
    assert cell(Column("", flags, share=True), range(200)) == "97.0 (93.6 to 98.6)"
    assert cell(Column("", [None, None], share=True), range(2)) == "-"


def test_pictures_are_read_back_whatever_their_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is larger than two gigabytes too; but no archive that unpacks to more than its own size."""
    monkeypatch.setattr("facecond.experiments.edited.MOST", 100, raising=False)  # as if it were too large
    work = SimpleNamespace(folder=tmp_path, step=lambda title, do, words: do())
    pictures = np.random.default_rng(0).integers(0, 255, (2, 8, 8, 3), np.uint8)
    one = Made(pictures, np.ones((2, 8, 8), bool), 0.5)
    found = kept(work, "edit", "friendly, blended", [], lambda: one)  # type: ignore[arg-type]
    np.testing.assert_array_equal(found.pictures_NHWC, pictures)
    np.testing.assert_array_equal(found.region_NHW, one.region_NHW)
    assert found.seconds == 0.5
    (file,) = (tmp_path / "edits").iterdir()
    np.savez_compressed(file, **one._replace(pictures_NHWC=np.zeros((64, 99, 99, 3), np.uint8))._asdict())
    work.step = lambda title, do, words: None
    with pytest.raises(DataError, match="pictures_NHWC has 1881920 bytes, expected at most"):
        kept(work, "edit", "friendly, blended", [], lambda: one)  # type: ignore[arg-type]
    file.unlink()
    with pytest.raises(DataError, match="friendly-blended"):
        kept(work, "edit", "friendly, blended", [], lambda: one)  # type: ignore[arg-type]


def test_differences_are_taken_edit_by_edit() -> None:
    random = np.random.default_rng(0)
    hard = random.normal(size=30)
    one, two = hard + 0.1 * random.normal(size=30), hard + 0.3 + 0.1 * random.normal(size=30)
    flags = [[bool(each) for each in random.random(30) < share] for share in (0.9, 0.2)]
    measured = {
        name: {"error": Column("error", values, lower=True, digits=3), "obeyed": Column("obeyed", said, share=True),
               "same": Column("same", [True] * 30, share=True), "none": Column("none", [None] * 30)}
        for name, values, said in zip(("one", "two"), (list(one), list(two)), flags, strict=True)
    }  # fmt: skip
    rows = differences(measured, [("one", "two")], range(30), "pairs")
    interval = stats.ttest_rel(one, two).confidence_interval(0.95)
    half = (interval.high - interval.low) / 2
    assert rows[1] == ["one less two", "error", f"{(one - two).mean():+.3f} ± {half:.3f}", "30 pairs", "better"]
    interval = stats.ttest_rel(*np.array(flags, float)).confidence_interval(0.95)
    half, value = 50 * (interval.high - interval.low), 100 * (np.mean(flags[0]) - np.mean(flags[1]))
    assert rows[2] == ["one less two", "obeyed", f"{value:+.1f} ± {half:.1f}", "30 pairs", "better"]
    assert rows[3] == ["one less two", "same", "+0.0", "30 pairs", "no interval"]
    assert len(rows) == 4
    assert stats.ttest_ind(one, two).pvalue > 0.05  # without pairs nothing would be decided


def test_each_way_has_a_row_and_each_trait_a_column() -> None:
    results = {
        "friendly, blended": Made(np.zeros((2, 4, 4, 3), np.uint8), np.eye(4, dtype=bool)[None].repeat(2, 0), 0.5)
    }
    right, wrong = Judged("Smiling", True, None, 1, 2, 3), Judged("Smiling", False, None, 1, 2, 3)
    found = {NOTHING: [wrong, wrong], TRUTH: [right, right], "friendly, blended": [right, wrong]}
    assert of_traits(found) == [
        ["way", "Smiling (2)"], [NOTHING, "0"], [TRUTH, "2"], ["friendly, blended", "1"],
    ]  # fmt: skip
    (row,) = [row for row in overview(found, results) if row[0] == "friendly, blended"]
    assert row[1] == "50.0 (9.5 to 90.5)"
    assert row[2] == "-"  # no trait that a map shows
    assert row[5:] == ["25.0", "0.50"]
