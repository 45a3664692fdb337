"""Where a picture may change: what differs, what attributes are words for, and how it fades in."""

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from facecond.editing.region import AFFECTS, Reach, classes_of, fading, painted, region_of
from facecond.errors import ConfigError
from facecond.faces.names import ATTRIBUTES, CLASSES

NOSE, HAIR, SKIN = CLASSES.index("nose"), CLASSES.index("hair"), CLASSES.index("skin")


def face() -> np.ndarray:
    labels = np.zeros((32, 32), dtype=np.uint8)
    labels[4:28, 6:26] = SKIN
    labels[0:8, 6:26] = HAIR
    labels[14:18, 15:17] = NOSE
    return labels


def test_every_attribute_is_a_word_for_parts_that_exist() -> None:
    assert set(AFFECTS) == set(ATTRIBUTES)
    for reach in AFFECTS.values():
        assert reach.parts == ("all",) or classes_of(reach.parts)


def test_nothing_is_in_it_where_nothing_changes() -> None:
    assert not region_of(face(), face(), grow=0.1).any()


def test_it_is_where_the_maps_differ_and_grows_in_all_directions() -> None:
    after = face()
    after[14, 15] = SKIN
    differs = face() != after
    assert np.array_equal(region_of(face(), after), differs)
    grown = binary_dilation(differs, iterations=1)  # a cross: a pixel's diagonal is farther than one pixel
    assert np.array_equal(region_of(face(), after, grow=1.2 / 32), grown)


def test_a_part_counts_in_either_map() -> None:
    after = face()
    after[14:18, 13:15] = NOSE
    region = region_of(face(), after, [Reach(("nose",))])
    assert np.array_equal(region, (face() == NOSE) | (after == NOSE))
    assert region_of(face(), face(), [Reach(("all",))]).all()
    assert np.array_equal(region_of(face(), face(), [Reach(("background", "hair"))]), np.isin(face(), (0, HAIR)))


def test_what_lies_between_eyes_is_glasses_too() -> None:
    labels = face()
    labels[10:12, 9:12], labels[10:12, 20:23] = CLASSES.index("l_eye"), CLASSES.index("r_eye")
    apart = region_of(labels, labels, [Reach(("eyes",))])
    assert not apart[10:12, 12:20].any()
    assert region_of(labels, labels, [Reach(("eyes",), between=True)])[10:12, 9:23].all()


def test_an_edit_fades_in_inside_of_its_region() -> None:
    region = np.zeros((32, 32), dtype=bool)
    region[:20, 8:24] = True  # it touches the picture's upper edge
    shown = fading(region, 3)
    assert np.array_equal(shown > 0, region)
    assert shown[0, 16] == 1
    np.testing.assert_allclose(shown[5, 8:12], [0.25, 0.5, 0.75, 1])
    assert np.array_equal(fading(region, 0), region.astype(np.float32))
    around = np.pad(np.zeros(region.shape, dtype=bool), 1, constant_values=True)  # in a larger picture
    np.testing.assert_allclose(fading(region, 3, beyond=around)[:4, 16], [0.25, 0.5, 0.75, 1])
    whole, left = np.ones((9, 9), dtype=bool), np.zeros((11, 11), dtype=bool)
    left[:, 0] = True  # which goes on to the left of it
    np.testing.assert_allclose(fading(whole, 1, beyond=left)[4], [0.5, *[1.0] * 8])
    assert fading(whole, 1, beyond=np.zeros_like(left)).min() == 1
    ring = np.pad(np.zeros_like(whole), 1, constant_values=True)
    np.testing.assert_allclose(fading(whole, 1, beyond=ring)[4], [0.5, *[1.0] * 7, 0.5])
    assert fading(np.ones((4, 4), dtype=bool), 3).min() == 1
    assert not fading(np.zeros((4, 4), dtype=bool), 3).any()


def test_a_painted_part_leaves_no_hole() -> None:
    other = face()
    other[other == HAIR] = 0
    other[0:3, 6:26] = HAIR
    made = painted(face(), other, "hair")
    assert np.array_equal(made == HAIR, other == HAIR)
    assert set(np.unique(made[4:8, 10:22])) == {
        SKIN
    }  # the nearest that is no hair; at the sides that is the background
    assert set(np.unique(made)) == {0, HAIR, SKIN, NOSE}
    outside = ~np.isin(face(), HAIR) & ~np.isin(other, HAIR)
    assert np.array_equal(made[outside], face()[outside])


@pytest.mark.parametrize("name", ["hairs", "nos", ""])
def test_an_unknown_part_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="unknown part"):
        classes_of([name])
