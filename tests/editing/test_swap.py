"""Swapping parts: an exact exchange of channels, whatever the maps; and heads turned by construction."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from facecond.editing.swap import head_turn, paint, part_channels, swap_channels, swap_parts, turned_pairs
from facecond.errors import ConfigError, DataError
from facecond.faces.labels import PARTS, flip_labels

MAPS = arrays(np.uint8, (6, 6), elements=st.sampled_from([*range(19), 255]))
CHANNELS = arrays(np.bool_, (19, 4, 4))


def face(nose: int, *, turn: int = 0, glasses: bool = False) -> np.ndarray:
    """A face outline from x = 16 to x = 48, eyes at 24 and 40 moved by `turn`, a nose around x = `nose`."""
    labels = np.zeros((64, 64), dtype=np.uint8)
    labels[8:60, 16:49] = 1
    labels[4:12, 10:55] = 13
    labels[24:27, 39 + turn : 42 + turn] = 4
    labels[24:27, 23 + turn : 26 + turn] = 5
    labels[28:40, nose - 2 : nose + 3] = 2
    if glasses:
        labels[22:24, 20:44] = 3
    return labels


@given(a=MAPS, b=MAPS, parts=st.lists(st.sampled_from(PARTS), min_size=1))
@settings(deadline=None)
def test_channels_are_exchanged_exactly(a: np.ndarray, b: np.ndarray, parts: list[str]) -> None:
    swap = swap_parts(a, b, parts)
    for k, name in enumerate(PARTS):
        of_a, of_b = a == k + 1, b == k + 1
        if name in parts:
            of_a, of_b = of_b, of_a
        np.testing.assert_array_equal(swap.channels_a_KHW[k], of_a)
        np.testing.assert_array_equal(swap.channels_b_KHW[k], of_b)


@given(a=CHANNELS, b=CHANNELS, classes=st.lists(st.integers(1, 18)))
@settings(deadline=None)
def test_swapping_twice_restores_both(a: np.ndarray, b: np.ndarray, classes: list[int]) -> None:
    before_a, before_b = a.copy(), b.copy()
    again_a, again_b = swap_channels(*swap_channels(a, b, classes), classes)
    np.testing.assert_array_equal(again_a, before_a)
    np.testing.assert_array_equal(again_b, before_b)
    np.testing.assert_array_equal(a, before_a)  # and the originals were left alone
    np.testing.assert_array_equal(b, before_b)


@given(a=MAPS, b=MAPS)
@settings(deadline=None)
def test_swapping_everything_exchanges_the_maps(a: np.ndarray, b: np.ndarray) -> None:
    swap = swap_parts(a, b, PARTS)
    for found, own, other in ((swap.labels_a_HW, a, b), (swap.labels_b_HW, b, a)):
        said = (other > 0) & (other < 255)
        np.testing.assert_array_equal(found, np.where(said, other, np.where(own == 255, 255, 0)))


@given(a=MAPS, b=MAPS, parts=st.lists(st.sampled_from(PARTS), min_size=1))
@settings(deadline=None)
def test_where_nothing_is_said_stays_each_persons_own(a: np.ndarray, b: np.ndarray, parts: list[str]) -> None:
    swap = swap_parts(a, b, parts)
    for own, labels, channels in (
        (a, swap.labels_a_HW, swap.channels_a_KHW), (b, swap.labels_b_HW, swap.channels_b_KHW)
    ):  # fmt: skip
        covered = channels[:18].any(axis=0)
        np.testing.assert_array_equal(channels[18], (own == 255) & ~covered)
        np.testing.assert_array_equal(labels == 255, channels[18])


@given(labels=MAPS)
@settings(deadline=None)
def test_paint_undoes_part_channels(labels: np.ndarray) -> None:
    np.testing.assert_array_equal(paint(part_channels(labels)), labels)


def test_by_hand_overlaps_are_painted_in_class_order_and_holes_are_background() -> None:
    a = np.array([[1, 1, 13], [1, 2, 0]], dtype=np.uint8)  # skin, nose, hair
    b = np.array([[13, 0, 0], [1, 1, 2]], dtype=np.uint8)
    swap = swap_parts(a, b, ["hair", "nose"])
    # a keeps its skin and gets b's hair (over the skin) and nose; where its own hair and nose were there is a hole.
    np.testing.assert_array_equal(swap.labels_a_HW, [[13, 1, 0], [1, 0, 2]])
    np.testing.assert_array_equal(swap.labels_b_HW, [[0, 0, 13], [1, 2, 0]])
    assert swap.channels_a_KHW[:, 0, 0].nonzero()[0].tolist() == [0, 12]  # the model sees both


def test_everyday_names_mean_their_parts() -> None:
    swap = swap_parts(face(32), face(32, glasses=True), ["glasses", "Eyes"])
    assert swap.channels_a_KHW[2].sum() == 48
    assert swap.channels_b_KHW[2].sum() == 0


def test_wrong_input() -> None:
    labels = face(32)
    with pytest.raises(DataError, match="one size"):
        swap_parts(labels, labels[:32], ["hair"])
    with pytest.raises(DataError, match="values"):
        swap_parts(labels, np.full_like(labels, 77), ["hair"])
    with pytest.raises(ConfigError, match="unknown part 'hiar'"):
        swap_parts(labels, labels, ["hiar"])
    with pytest.raises(ConfigError, match="no parts"):
        swap_parts(labels, labels, [])


def test_turn_by_hand() -> None:
    assert head_turn(face(32)) == pytest.approx(0.0)
    # Nose 8 to the right of the middle: 8 / 16 half widths of the face and 8 / 16 distances of the eyes.
    assert head_turn(face(40)) == pytest.approx(0.5)
    # The eyes moved as well, by 4: (8 / 16 + 4 / 16) / 2.
    assert head_turn(face(40, turn=4)) == pytest.approx(0.375)
    one_eye = face(40)
    one_eye[one_eye == 5] = 1
    assert head_turn(one_eye) == pytest.approx(0.5)


@given(nose=st.integers(20, 44), turn=st.integers(-5, 5))
@settings(max_examples=30, deadline=None)
def test_a_mirrored_head_is_turned_the_other_way(nose: int, turn: int) -> None:
    labels = face(nose, turn=turn)
    assert head_turn(flip_labels(labels)) == pytest.approx(-head_turn(labels))


def test_no_nose_no_turn() -> None:
    assert np.isnan(head_turn(np.ones((8, 8), dtype=np.uint8)))
    alone = np.zeros((8, 8), dtype=np.uint8)
    alone[3, 3] = 2
    assert np.isnan(head_turn(alone))


def test_pairs_are_the_most_different_heads() -> None:
    labels = np.stack([face(32), face(24), face(44), np.zeros((64, 64), np.uint8), face(36), face(26, glasses=True)])
    assert turned_pairs(labels, 2).tolist() == [[1, 2], [5, 4]]
    with pytest.raises(DataError, match="found 5"):
        turned_pairs(labels, 3)
    with pytest.raises(DataError, match="found 1"):
        turned_pairs(labels, 1, parts=["glasses"])
