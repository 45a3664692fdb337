import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from facecond.errors import ConfigError, DataError
from facecond.faces import labels as fl

MAPS = hnp.arrays(
    np.uint8,
    hnp.array_shapes(min_dims=2, max_dims=3, max_side=9),
    elements=st.sampled_from([*range(19), 255]),
)

# From the face parser's published code against CelebAMask-HQ's list, written out independently of ORDERS.
FACE_PARSING_TO_CELEBA = [0, 1, 6, 7, 4, 5, 3, 8, 9, 15, 2, 10, 11, 12, 17, 16, 18, 13, 14]
CELEBA_TO_FACE_PARSING = [0, 1, 10, 6, 4, 5, 2, 3, 7, 8, 11, 12, 13, 17, 18, 9, 15, 14, 16]


def test_nineteen_classes_in_published_order():
    assert fl.NUM_CLASSES == 19
    assert len(fl.PARTS) == 18
    assert [fl.CLASSES[i] for i in (0, 1, 3, 10, 13, 15, 16, 18)] == [
        "background", "skin", "eye_g", "mouth", "hair", "ear_r", "neck_l", "cloth",
    ]  # fmt: skip


def test_reorder_tables_are_the_published_ones():
    assert fl.reorder_table("face_parsing", "celebamaskhq")[:19].tolist() == FACE_PARSING_TO_CELEBA
    assert fl.reorder_table("celebamaskhq", "face_parsing")[:19].tolist() == CELEBA_TO_FACE_PARSING
    assert fl.reorder_table("face_parsing", "celebamaskhq")[255] == 255


@given(st.sampled_from(sorted(fl.ORDERS)), st.sampled_from(sorted(fl.ORDERS)), MAPS)
def test_reorder_tables_invert(source, target, labels):
    there, back = fl.reorder_table(source, target), fl.reorder_table(target, source)
    assert there.dtype == np.uint8
    assert there.shape == (256,)
    np.testing.assert_array_equal(back[there[labels]], labels)


def test_reorder_keeps_foreign_values_visible():
    assert fl.foreign_values(fl.reorder_table("face_parsing", "celebamaskhq")[np.array([[3, 19, 200]], np.uint8)]) == [
        19, 200,
    ]  # fmt: skip


def test_unknown_order_suggests():
    with pytest.raises(ConfigError, match="face_parsing"):
        fl.reorder_table("faceparsing", "celebamaskhq")


@given(MAPS)
def test_flip_twice_is_identity(labels):
    np.testing.assert_array_equal(fl.flip_labels(fl.flip_labels(labels)), labels)


def test_flip_mirrors_and_exchanges_sides():
    labels = np.array([[4, 6, 8, 0, 13], [9, 7, 5, 255, 10]], np.uint8)
    assert fl.flip_labels(labels).tolist() == [[13, 0, 9, 7, 5], [10, 255, 4, 6, 8]]


def test_flip_keeps_the_subjects_left_eye_on_the_right_half():
    labels = np.zeros((4, 8), np.uint8)
    labels[1, 6], labels[1, 1] = 4, 5  # l_eye lies on the right half of the picture
    flipped = fl.flip_labels(labels)
    assert np.argwhere(flipped == 4)[0].tolist() == [1, 6]
    assert np.argwhere(flipped == 5)[0].tolist() == [1, 1]


def test_part_indices():
    assert fl.part_indices(["hair", "Nose"]) == [2, 13]
    assert fl.part_indices(["eyes", "lips", "l_eye"]) == [4, 5, 11, 12]
    assert fl.part_indices(["mouth"]) == [10]
    assert fl.part_indices(["whole_mouth"]) == [10, 11, 12]
    for group, parts in fl.PART_GROUPS.items():
        assert fl.part_indices([group]) == fl.part_indices(parts)
    with pytest.raises(ConfigError, match="did you mean 'hair'"):
        fl.part_indices(["hairs"])
    with pytest.raises(ConfigError, match="background"):
        fl.part_indices(["background"])


def test_palette_and_colours():
    assert fl.PALETTE.shape == (19, 3)
    assert len(np.unique(fl.PALETTE, axis=0)) == 19
    picture = fl.colourise(np.array([[1, 13, 255]], np.uint8))
    assert picture.tolist() == [[[204, 0, 0], [0, 0, 204], [128, 128, 128]]]
    with pytest.raises(DataError, match="19"):
        fl.colourise(np.array([[19]], np.uint8))


def test_resize_picks_the_pixels_torch_nearest_exact_picks():
    import torch

    labels = np.random.default_rng(0).integers(0, 19, (64, 64)).astype(np.uint8)
    np.testing.assert_array_equal(fl.resize_labels(labels, 32), labels[1::2, 1::2])
    for size in (32, 16, 128):
        expected = torch.nn.functional.interpolate(
            torch.from_numpy(labels)[None, None].float(), size=(size, size), mode="nearest-exact"
        )
        np.testing.assert_array_equal(fl.resize_labels(labels, size), expected[0, 0].numpy().astype(np.uint8))


@given(
    hnp.arrays(np.uint8, (12, 10), elements=st.sampled_from([0, 1, 17, 255])),
    st.tuples(st.integers(1, 24), st.integers(1, 24)),
)
def test_resize_never_invents_a_label(labels, size):
    small = fl.resize_labels(labels, size)
    assert small.shape == size
    assert set(np.unique(small)) <= set(np.unique(labels))
