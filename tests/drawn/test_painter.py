"""What is drawn is a function of (seed, index) and agrees with its labels and words."""

import numpy as np
import pytest

from facecond.drawn.painter import Drawing, draw
from facecond.faces.attributes import ATTRIBUTES
from facecond.faces.labels import CLASSES

COLUMN = {name: number for number, name in enumerate(ATTRIBUTES)}
LABEL = {name: number for number, name in enumerate(CLASSES)}


@pytest.fixture(scope="module")
def many() -> Drawing:
    return draw(11, range(400), 64)


def has(drawing: Drawing, name: str) -> np.ndarray:
    return drawing.attributes[:, COLUMN[name]] > 0


def area(drawing: Drawing, part: str) -> np.ndarray:
    return (drawing.labels == LABEL[part]).sum((1, 2))


@pytest.mark.parametrize(("resolution", "count"), [(64, 41), (128, 9), (256, 3)])
def test_cutting_into_batches_changes_no_bit(resolution, count):
    indices = [7 * number for number in range(count)]
    together = draw(3, indices, resolution)
    for pieces in (1, 5):
        parts = [draw(3, indices[start : start + pieces], resolution) for start in range(0, count, pieces)]
        for whole, cut in zip(together, zip(*parts, strict=True), strict=True):
            np.testing.assert_array_equal(whole, np.concatenate(cut))


def test_order_and_company_do_not_matter():
    forwards, backwards = draw(3, range(20), 64), draw(3, range(19, -1, -1), 64)
    for one, other in zip(forwards, backwards, strict=True):
        np.testing.assert_array_equal(one, other[::-1])


def test_shapes_types_and_ranges(many):
    assert many.images.shape == (400, 64, 64, 3)
    assert many.images.dtype == np.uint8
    assert many.labels.shape == (400, 64, 64)
    assert many.labels.dtype == np.uint8
    assert many.attributes.shape == (400, 40)
    assert many.attributes.dtype == np.int8
    assert set(np.unique(many.attributes)) == {-1, 1}
    assert set(np.unique(many.labels)) == set(range(19))


def test_seeds_and_indices_give_different_faces(many):
    assert len({image.tobytes() for image in many.images}) == 400
    assert (draw(12, range(3), 64).images != many.images[:3]).any()


@pytest.mark.parametrize("resolution", [64, 128, 256, 512])
def test_every_resolution_shows_the_same_face(resolution):
    small, large = draw(5, range(6), 64), draw(5, range(6), resolution)
    np.testing.assert_array_equal(small.attributes, large.attributes)
    step = resolution // 64
    picked = large.labels[:, step // 2 :: step, step // 2 :: step]
    assert (picked == small.labels).mean() > 0.93
    means = large.images.reshape(6, 64, step, 64, step, 3).mean((2, 4))
    assert np.abs(means - small.images).mean() < 6


@pytest.mark.parametrize(
    ("word", "part", "least"),
    [
        ("Eyeglasses", "eye_g", 25),
        ("Wearing_Hat", "hat", 150),
        ("Wearing_Earrings", "ear_r", 8),
        ("Wearing_Necklace", "neck_l", 12),
    ],
)
def test_word_and_part_go_together(many, word, part, least):
    drawn, said = area(many, part), has(many, word)
    assert (drawn[~said] == 0).all()
    assert (drawn[said] >= least).all()
    assert 3 <= said.sum() <= 200


def test_parts_everybody_has(many):
    for part, least in (("skin", 400), ("nose", 20), ("u_lip", 8), ("l_lip", 8), ("neck", 5), ("cloth", 5)):
        assert (area(many, part) >= least).mean() > 0.98, part
    sunglasses = has(many, "Eyeglasses") & (area(many, "l_eye") + area(many, "r_eye") == 0)
    assert (area(many, "l_eye")[~sunglasses] > 0).mean() > 0.95
    assert (area(many, "r_eye")[~sunglasses] > 0).mean() > 0.95
    assert (area(many, "hair")[~has(many, "Bald")] > 40).all()


def test_mouth_is_open_when_it_is_said_to_be(many):
    assert (area(many, "mouth")[has(many, "Mouth_Slightly_Open")] >= 4).all()
    assert (area(many, "mouth")[~has(many, "Mouth_Slightly_Open")] == 0).all()


def test_left_is_the_subjects_left(many):
    columns = np.arange(64)
    for left, right in (("l_eye", "r_eye"), ("l_brow", "r_brow"), ("l_ear", "r_ear")):
        both = (area(many, left) > 3) & (area(many, right) > 3)
        assert both.sum() > 40
        middle = [
            ((many.labels == LABEL[part]).sum(1) * columns).sum(1) / np.maximum(area(many, part), 1)
            for part in (left, right)
        ]
        assert (middle[0][both] > middle[1][both]).all()


@pytest.mark.parametrize(
    "word",
    [name for name in ATTRIBUTES if name not in {"Attractive", "No_Beard"}],
)
def test_every_word_changes_the_picture(word):
    base = {"Wearing_Hat": False, "Blurry": False, "Eyeglasses": False, "Bald": False, "Male": word in MENS}
    pair = [draw(2, range(8), 64, base | {word: value}) for value in (False, True)]
    assert (pair[1].attributes[:, COLUMN[word]] == 1).all()
    assert (pair[0].attributes[:, COLUMN[word]] == -1).all()
    difference = np.abs(pair[0].images.astype(int) - pair[1].images).max(-1)
    changed = (difference > 12).sum((1, 2))
    assert np.median(changed) >= 12, changed


MENS = {"5_o_Clock_Shadow", "Bald", "Goatee", "Mustache", "Sideburns", "Wearing_Necktie"}


def test_forcing_a_word_leaves_the_rest_of_the_face():
    plain, glasses = (draw(2, range(12), 64, {"Eyeglasses": value}) for value in (False, True))
    outside = glasses.labels[:, 44:] == plain.labels[:, 44:]
    assert outside.mean() > 0.995


def test_too_small_a_picture_is_refused():
    with pytest.raises(ValueError, match="16 pixels"):
        draw(0, [0], 8)
