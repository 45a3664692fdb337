"""What becomes of an edit is read off the truth: errors by hand, where the truth differs and where it does not."""

import numpy as np
import pytest
from scipy import stats

from facecond.drawn.pairs import Pair
from facecond.experiments.edited import Made, number
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


def test_intervals_are_those_of_a_mean() -> None:
    values = [1.0, 0.0, 1.0, 1.0, 0.0]
    found = number(values)
    low, high = stats.norm.interval(0.95, loc=np.mean(values), scale=stats.sem(values))
    assert (found.value, found.half) == pytest.approx((0.6, (high - low) / 2), rel=1e-4)


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
    assert row[1].startswith("50.0 ± ")
    assert row[2] == "-"  # no trait that a map shows
    assert row[5:] == ["25.0", "0.50"]
