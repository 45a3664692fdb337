"""Maps made to agree with attributes: what is contradicted, whose part is taken, and where it lands."""

import numpy as np
import pytest
from numpy.typing import NDArray

from facecond.drawn.painter import Drawing, draw
from facecond.editing.agree import PART_OF, agreeing, contradicted, following_map, most_similar, take_part
from facecond.faces.attributes import ATTRIBUTES, parse_attributes
from facecond.faces.labels import CLASSES

SKIN, NOSE, GLASSES, HAT, HAIR = (CLASSES.index(name) for name in ("skin", "nose", "eye_g", "hat", "hair"))


def face(nose: tuple[int, int], **boxes: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """A square of skin with a nose of 2 x 2 pixels and boxes (top, bottom, left, right) of named classes."""
    labels = np.zeros((32, 32), dtype=np.uint8)
    labels[4:28, 6:26] = SKIN
    for name, (top, bottom, left, right) in boxes.items():
        labels[top:bottom, left:right] = CLASSES.index(name)
    labels[nose[0] : nose[0] + 2, nose[1] : nose[1] + 2] = NOSE
    return labels


def test_what_an_attribute_asks_for_and_the_map_denies() -> None:
    bare, glasses = face((16, 15)), face((16, 15), eye_g=(10, 12, 10, 22))
    assert contradicted(bare, parse_attributes("+Eyeglasses,-Wearing_Hat,+Smiling")) == ["Eyeglasses"]
    assert contradicted(glasses, parse_attributes("+Eyeglasses")) == []
    assert contradicted(glasses, parse_attributes("-Eyeglasses,+Wearing_Hat")) == ["Wearing_Hat", "Eyeglasses"]
    assert contradicted(glasses, parse_attributes("")) == []


def test_attributes_follow_what_a_class_shows() -> None:
    labels = np.zeros((8, 8), dtype=np.uint8)
    labels[:2] = HAT
    asked = parse_attributes("-Wearing_Hat,+Eyeglasses,+Male")
    np.testing.assert_array_equal(following_map(labels, asked), parse_attributes("+Wearing_Hat,-Eyeglasses,+Male"))
    # a map without a hat before: the hat is new, that there are no glasses was so before
    np.testing.assert_array_equal(
        following_map(labels, asked, np.zeros_like(labels)), parse_attributes("+Wearing_Hat,+Eyeglasses,+Male")
    )


def test_glasses_land_where_the_noses_meet_and_nothing_else_changes() -> None:
    own, other = face((18, 13)), face((16, 15), eye_g=(10, 12, 10, 22), hat=(0, 4, 6, 26))
    found = take_part(own, other, "Eyeglasses")
    expected = own.copy()
    expected[12:14, 8:20] = GLASSES
    np.testing.assert_array_equal(found, expected)


def test_glasses_are_taken_off_down_to_the_other_face() -> None:
    own, other = face((16, 15), eye_g=(10, 12, 10, 22)), face((16, 15), l_eye=(10, 11, 11, 14))
    np.testing.assert_array_equal(take_part(own, other, "Eyeglasses") == GLASSES, False)
    np.testing.assert_array_equal(take_part(own, other, "Eyeglasses"), other)


def test_a_hat_brings_its_hair() -> None:
    own = face((16, 15), hair=(2, 6, 4, 28))
    other = face((16, 15), hat=(0, 4, 6, 26), hair=(4, 6, 6, 8))
    found = take_part(own, other, "Wearing_Hat")
    np.testing.assert_array_equal(np.isin(found, (HAT, HAIR)), np.isin(other, (HAT, HAIR)))


def test_the_most_similar_face() -> None:
    own = face((16, 15))
    others = np.stack([face((20, 15)), face((16, 16)), face((10, 9))])
    assert most_similar(own, others) == 1


@pytest.fixture(scope="module")
def faces() -> Drawing:
    return draw(3, range(300), 64)


@pytest.mark.parametrize("name", list(PART_OF))
@pytest.mark.parametrize("sign", [-1, 1])
def test_drawn_faces_agree_afterwards(name: str, sign: int, faces: Drawing) -> None:
    asked = np.zeros(len(ATTRIBUTES), dtype=np.int8)
    asked[ATTRIBUTES.index(name)] = sign
    against = [labels for labels in faces.labels if contradicted(labels, asked)][:20]
    assert against
    for labels in against:
        donors = agreeing(labels, faces.labels, faces.attributes, name, sign)
        assert len(donors) > 0
        donor = faces.labels[donors[most_similar(labels, faces.labels[donors])]]
        found = take_part(labels, donor, name)
        assert contradicted(found, asked) == []
        others = [CLASSES.index(part.shown_by) for other, part in PART_OF.items() if other != name]
        assert not (np.isin(found, others) & ~np.isin(labels, np.unique(labels))).any()  # nothing nobody asked for
