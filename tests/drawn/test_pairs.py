"""The same person with one trait changed: attributes differ in the trait alone, pictures where the trait is."""

import numpy as np
import pytest

from facecond.drawn.painter import draw
from facecond.drawn.pairs import check_traits, pairs
from facecond.errors import DataError
from facecond.faces.names import ATTRIBUTES, CLASSES

TRAITS = ["Eyeglasses", "Blond_Hair"]


def test_pairs_differ_in_their_trait_alone() -> None:
    found = pairs(TRAITS, 8, 32)
    assert [pair.trait for pair in found] == TRAITS * 4
    assert [pair.sign for pair in found] == [1, 1, -1, -1] * 2
    for pair in found:
        assert pair.attributes_A[ATTRIBUTES.index(pair.trait)] == -pair.sign
        assert pair.differs().any()
    glasses = CLASSES.index("eye_g")
    for pair in found[::2]:
        maps = (pair.labels_HW, pair.true_labels_HW)
        assert [bool((labels == glasses).any()) for labels in maps] == [pair.sign < 0, pair.sign > 0]
    for pair in found[1::2]:  # the colour of hair is not where anything is
        np.testing.assert_array_equal(pair.labels_HW, pair.true_labels_HW)
    assert len({pair.before_HWC.tobytes() for pair in found}) == len(found)  # no person comes twice


def test_the_truth_is_the_person_drawn_with_the_trait() -> None:
    (pair,) = pairs(["Eyeglasses"], 1, 32)
    people = draw(17, range(100), 32, {"Eyeglasses": True})
    (place,) = np.flatnonzero((people.images == pair.truth_HWC).all(axis=(1, 2, 3)))
    np.testing.assert_array_equal(people.labels[place], pair.true_labels_HW)
    np.testing.assert_array_equal(draw(17, [int(place)], 32, {"Eyeglasses": False}).images[0], pair.before_HWC)


def test_too_few_pairs_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facecond.drawn.pairs.LOOKED_AT", 3)
    with pytest.raises(DataError, match=r"Bangs: \d pairs .* 25 are asked for"):
        pairs(["Bangs", "Eyeglasses"], 50, 16)


@pytest.mark.parametrize("trait", ["Attractive", "Male", "No_Beard"])
def test_a_trait_that_changes_others_is_refused_before_anything_is_drawn(
    trait: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facecond.drawn.pairs.LOOKED_AT", 40)
    with pytest.raises(
        DataError, match=rf"{trait}: 0 pairs .* can hardly be changed alone; these can: .*Bangs, .*Smiling"
    ):
        check_traits(["Smiling", trait], 4)
    check_traits(["Smiling", "Bangs"], 4)
    for value in (False, True):  # outside truth: the painter's own words of the same people
        words = [draw(17, range(40), 16, {trait: each}).attributes for each in (value, not value)]
        assert ((words[0] != words[1]).sum(axis=1) != 1).all()
