"""Who is asked for in a synthesized set."""

import numpy as np
import pytest

from facecond.config.commands.synthesize import AttributesFrom
from facecond.editing.asked import OTHERS, asked_of, read_pair, words_for
from facecond.errors import ConfigError
from facecond.faces.attributes import parse_attributes


@pytest.fixture
def people() -> np.ndarray:
    """Sixty people of whom some attributes are common and others rare."""
    dice = np.random.default_rng(0)
    return np.where(dice.random((60, 40)) < np.linspace(0.02, 0.9, 40), 1, -1).astype(np.int8)


@pytest.mark.parametrize("how", AttributesFrom)
def test_a_larger_count_begins_with_a_smaller_one(how: AttributesFrom, people: np.ndarray) -> None:
    pairs = [read_pair("Bald+Eyeglasses"), read_pair("Male-Young")]
    settings = {"how": how, "pairs": pairs, "share": 0.3, "exchanged": how is not AttributesFrom.given, "seed": 5}
    many = asked_of(people, 200, **settings)
    assert asked_of(people, 37, **settings) == many[:37]
    of_pairs = [each.pair for each in many if each.pair is not None]
    assert len(of_pairs) == pytest.approx(0.3 * 200, abs=2)
    assert of_pairs == [place % 2 for place in range(len(of_pairs))]


def test_everybody_comes_once_before_anybody_comes_twice(people: np.ndarray) -> None:
    found = [each.person for each in asked_of(people, 150, how=AttributesFrom.data)]
    assert sorted(found[:60]) == sorted(found[60:120]) == list(range(60))
    assert found[:60] != found[60:120]


def test_balanced_people_have_each_attribute_half_of_the_time_as_far_as_that_goes(people: np.ndarray) -> None:
    chosen = [each.person for each in asked_of(people, 400, how=AttributesFrom.balanced)]
    before, after = people.mean(axis=0), people[chosen].mean(axis=0)
    assert (after**2).mean() < 0.65 * (before**2).mean()


def test_those_who_give_parts_are_others(people: np.ndarray) -> None:
    for each in asked_of(people, 80, how=AttributesFrom.data, exchanged=True):
        assert each.person not in each.others
        assert len({*each.others}) == OTHERS
        assert {*each.others} <= {*range(60)}


def test_people_held_out_and_the_others_give_parts_among_themselves(people: np.ndarray) -> None:
    held_out = np.arange(60) % 5 == 0
    found = asked_of(people, 120, how=AttributesFrom.data, exchanged=True, held_out_N=held_out)
    assert {len({*each.others}) for each in found} == {11, OTHERS}  # all other 11 of 12, and some of 47
    for each in found:
        assert each.person not in each.others
        assert {bool(held_out[other]) for other in each.others} == {bool(held_out[each.person])}


def test_words_go_along_with_the_parts_they_are_for() -> None:
    hair = words_for(["hair"])
    assert {"Black_Hair", "Wavy_Hair", "Bangs"} <= {*hair}
    assert not {"Wearing_Hat", "Male", "Sideburns", "Smiling"} & {*hair}
    assert words_for(["glasses"]) == ["Eyeglasses"]


def test_pairs_are_read() -> None:
    np.testing.assert_array_equal(read_pair("Bald - Male"), parse_attributes("+Bald,-Male"))
    np.testing.assert_array_equal(
        read_pair("-Young+Smiling+5_o_Clock_Shadow"), parse_attributes("-Young,Smiling,5_o_Clock_Shadow")
    )
    for text in ("", "Bald", "+", "Bald+", "Bald++Male", "Bald+Nobody"):
        with pytest.raises(ConfigError):
            read_pair(text)
