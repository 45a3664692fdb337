"""Rates and correlations of the drawn people against CelebA-HQ's, and words that exclude one another."""

import numpy as np
import pytest

from facecond.drawn.people import CONSTANT, RATES, people
from facecond.faces.attributes import ATTRIBUTES

# CelebAMask-HQ's own rates (30000 images), from its attribute file.
REAL = {
    "Arched_Eyebrows": 0.367, "Bags_Under_Eyes": 0.288, "Bangs": 0.181, "Big_Lips": 0.363, "Big_Nose": 0.324, "Black_Hair": 0.220,
    "Blond_Hair": 0.171, "Brown_Hair": 0.231, "Bushy_Eyebrows": 0.189, "Goatee": 0.076, "Heavy_Makeup": 0.457,
    "High_Cheekbones": 0.462, "Male": 0.369, "Mouth_Slightly_Open": 0.471, "Narrow_Eyes": 0.117, "No_Beard": 0.811,
    "Oval_Face": 0.208, "Pale_Skin": 0.051, "Receding_Hairline": 0.084, "Rosy_Cheeks": 0.113, "Smiling": 0.470,
    "Straight_Hair": 0.215, "Wavy_Hair": 0.357, "Wearing_Earrings": 0.265, "Wearing_Lipstick": 0.562, "Wearing_Necklace": 0.170,
    "Wearing_Necktie": 0.072, "Young": 0.779,
}  # fmt: skip
# Rare ones are drawn more often than they are; these are the rates aimed at.
RAISED = {
    "Wearing_Hat": (0.05, 0.09),
    "Eyeglasses": (0.08, 0.13),
    "Bald": (0.02, 0.05),
    "Blurry": (0.02, 0.04),
    "Double_Chin": (0.05, 0.11),
}
REAL_CORRELATIONS = {
    ("Wearing_Lipstick", "Male"): -0.86, ("Wearing_Lipstick", "Heavy_Makeup"): 0.78, ("Smiling", "High_Cheekbones"): 0.71,
    ("No_Beard", "Male"): -0.63, ("Smiling", "Mouth_Slightly_Open"): 0.56, ("Chubby", "Double_Chin"): 0.51,
    ("Goatee", "Mustache"): 0.56,
    ("Big_Nose", "Male"): 0.45, ("Gray_Hair", "Young"): -0.37, ("Wearing_Earrings", "Male"): -0.41,
}  # fmt: skip


@pytest.fixture(scope="module")
def crowd():
    return people(1, range(6000))


@pytest.mark.parametrize("word", REAL)
def test_rates_are_those_of_the_data_set(crowd, word):
    assert abs(crowd.has(word).mean() - REAL[word]) < 0.07


@pytest.mark.parametrize("word", RAISED)
def test_raised_rates(crowd, word):
    low, high = RAISED[word]
    assert low < crowd.has(word).mean() < high


@pytest.mark.parametrize("pair", REAL_CORRELATIONS)
def test_correlations_are_those_of_the_data_set(crowd, pair):
    one, other = (crowd.has(name).astype(float) for name in pair)
    assert abs(np.corrcoef(one, other)[0, 1] - REAL_CORRELATIONS[pair]) < 0.17


@pytest.mark.parametrize(
    "pair",
    [("Bald", "Wearing_Hat"), ("Bangs", "Bald"), ("Receding_Hairline", "Bangs"), ("Wearing_Necklace", "Wearing_Necktie"),
     ("Straight_Hair", "Wavy_Hair"), ("Black_Hair", "Blond_Hair"), ("No_Beard", "Goatee"), ("No_Beard", "5_o_Clock_Shadow")],
)  # fmt: skip
def test_words_that_exclude_one_another(crowd, pair):
    assert not (crowd.has(pair[0]) & crowd.has(pair[1])).any()


def test_women_have_no_beard_and_old_men_no_lipstick(crowd):
    assert crowd.has("No_Beard")[~crowd.has("Male")].all()
    assert not crowd.has("Wearing_Lipstick")[crowd.has("Male")].any()


def test_only_the_constants_are_constant(crowd):
    constant = {name for name in ATTRIBUTES if crowd.has(name).mean() in (0.0, 1.0)}
    assert constant == set(CONSTANT)


def test_the_table_names_attributes():
    assert set(RATES) <= set(ATTRIBUTES)


def test_wanted_words_hold_and_win():
    forced = people(1, range(500), {"Bald": True, "Male": True})
    assert forced.has("Bald").all()
    assert not forced.has("Bangs").any()
    assert not forced.has("Wearing_Hat").any()
    free = people(1, range(500))
    np.testing.assert_array_equal(forced.uniform, free.uniform)


def test_prefix_of_a_crowd_is_the_same_people(crowd):
    np.testing.assert_array_equal(people(1, [5, 3]).attributes, crowd.attributes[[5, 3]])
