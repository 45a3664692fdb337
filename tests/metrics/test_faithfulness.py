"""Confusion matrices and attribute scores, by hand, by set arithmetic."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from facecond.metrics.faithfulness import AttributeScores, Confusion

MAPS = arrays(np.uint8, (3, 4, 4), elements=st.sampled_from([0, 1, 2, 3, 255]))
FOUND = arrays(np.uint8, (3, 4, 4), elements=st.integers(0, 3))


def by_hand() -> Confusion:
    reference = np.array([[[0, 0, 1, 1]], [[1, 1, 2, 255]]], dtype=np.uint8)
    found = np.array([[[0, 1, 1, 1]], [[1, 3, 0, 2]]], dtype=np.uint8)
    return Confusion.of(reference, found, num_classes=4)


def test_by_hand() -> None:
    scores = by_hand()
    np.testing.assert_array_equal(scores.total, [[1, 1, 0, 0], [0, 3, 0, 1], [1, 0, 0, 0], [0, 0, 0, 0]])
    # 0: 1 / (2 + 2 - 1); 1: 3 / (4 + 4 - 3); 2: never found; 3: not in the reference.
    np.testing.assert_allclose(scores.iou_per_class, [1 / 3, 3 / 5, 0, np.nan])
    assert scores.mean_iou == pytest.approx((1 / 3 + 3 / 5 + 0) / 3)
    assert scores.accuracy == pytest.approx(4 / 7)
    # Image 1: (1/2 + 2/3) / 2; image 2: (1/2 + 0) / 2.
    assert scores.mean_of_image_ious == pytest.approx(((1 / 2 + 2 / 3) / 2 + (1 / 2) / 2) / 2)
    assert scores.images_per_class.tolist() == [1, 2, 1, 0]
    assert scores.count == 2


@given(reference=MAPS, found=FOUND)
@settings(deadline=None)
def test_iou_is_intersection_over_union_of_pixel_sets(reference: np.ndarray, found: np.ndarray) -> None:
    said = reference != 255
    expected = []
    for part in range(4):
        a, b = (reference == part) & said, (found == part) & said
        if a.any():
            expected.append((a & b).sum() / (a | b).sum())
    scores = Confusion.of(reference, found, num_classes=4)
    if expected:
        assert scores.mean_iou == pytest.approx(np.mean(expected))
        assert scores.accuracy == pytest.approx((reference == found)[said].mean())


@given(reference=MAPS, found=FOUND, cut=st.integers(0, 3))
@settings(deadline=None)
def test_merging_parts_gives_the_whole(reference: np.ndarray, found: np.ndarray, cut: int) -> None:
    whole = Confusion.of(reference, found)
    parts = [Confusion.of(reference[rows], found[rows]) for rows in (slice(cut, None), slice(0, cut))]
    merged = Confusion.merge(parts)
    np.testing.assert_array_equal(merged.total, whole.total)
    assert merged.mean_iou == whole.mean_iou or np.isnan(whole.mean_iou)
    np.testing.assert_array_equal(Confusion.merge(parts[::-1]).counts_NKK, whole.counts_NKK)


def test_perfect_is_one_and_has_no_spread() -> None:
    labels = np.random.default_rng(0).integers(0, 19, (5, 32, 32)).astype(np.uint8)
    scores = Confusion.of(labels, labels)
    assert scores.mean_iou == scores.accuracy == scores.mean_of_image_ious == 1.0
    assert scores.spread() == scores.spread("accuracy") == 0.0


def test_spread_of_accuracy_is_that_of_a_mean_over_images() -> None:
    generator = np.random.default_rng(0)
    wrong = generator.random((300, 8, 8)) < generator.random((300, 1, 1))
    scores = Confusion.of(np.zeros((300, 8, 8), np.uint8), wrong.astype(np.uint8))
    expected = 1.96 * wrong.mean(axis=(1, 2)).std() / 300**0.5
    assert scores.spread("accuracy", rounds=4000) == pytest.approx(expected, rel=0.06)
    assert scores.spread(rounds=500) > 0


def test_wrong_maps() -> None:
    labels = np.zeros((1, 4, 4), dtype=np.uint8)
    with pytest.raises(ValueError, match="one shape"):
        Confusion.of(labels, labels[:, :2])
    with pytest.raises(ValueError, match=r"classes are 0\.\.18"):
        Confusion.of(labels, np.full_like(labels, 255))


def attributes() -> AttributeScores:
    found = np.array([[1, 1, 0], [1, 0, 1], [0, 1, 1], [1, 1, 1]], dtype=bool)
    reference = np.array([[1, 1, 1], [-1, 1, 1], [-1, -1, 1], [1, 0, 1]], dtype=np.int8)
    return AttributeScores(found, reference, ("a", "b", "c"))


def test_attributes_by_hand() -> None:
    scores = attributes()
    np.testing.assert_allclose(scores.accuracy_per_attribute, [3 / 4, 1 / 3, 3 / 4])
    # a: 2/2 and 1/2; b: 1/2 and 0/1; c never absent.
    np.testing.assert_allclose(scores.balanced_per_attribute, [3 / 4, 1 / 4, np.nan])
    assert scores.accuracy == pytest.approx((3 / 4 + 1 / 3 + 3 / 4) / 3)
    assert scores.balanced == pytest.approx(0.5)
    np.testing.assert_allclose(scores.majority_per_attribute(), [1 / 2, 2 / 3, 1])
    np.testing.assert_allclose(scores.majority_per_attribute(np.array([True, False, False])), [1 / 2, 1 / 3, 0])
    assert scores.majority() == pytest.approx((1 / 2 + 2 / 3 + 1) / 3)


def test_a_constant_answer_scores_its_floor_and_half() -> None:
    reference = np.where(np.random.default_rng(0).random((500, 40)) < 0.2, 1, -1).astype(np.int8)
    scores = AttributeScores(np.zeros((500, 40), dtype=bool), reference)
    assert scores.accuracy == pytest.approx(scores.majority())
    assert scores.balanced == 0.5


def test_select_and_merge() -> None:
    scores = attributes()
    assert scores.select(["c", "a"]).names == ("a", "c")
    assert scores.select(["a"]).accuracy == 0.75
    halves = [
        AttributeScores(scores.found_NA[rows], scores.reference_NA[rows], scores.names)
        for rows in (slice(2), slice(2, 4))
    ]
    merged = AttributeScores.merge(halves)
    np.testing.assert_array_equal(merged.accuracy_per_attribute, scores.accuracy_per_attribute)
    assert merged.count == 4


def test_spread_of_one_attribute_is_that_of_a_proportion() -> None:
    generator = np.random.default_rng(1)
    reference = np.where(generator.random((400, 1)) < 0.5, 1, -1).astype(np.int8)
    found = (reference > 0) ^ (generator.random((400, 1)) < 0.2)
    scores = AttributeScores(found, reference, ("a",))
    expected = 1.96 * (scores.accuracy * (1 - scores.accuracy) / 400) ** 0.5
    assert scores.spread(rounds=4000) == pytest.approx(expected, rel=0.06)
    assert scores.spread("balanced", rounds=4000) == pytest.approx(expected, rel=0.15)


def test_shapes_must_fit() -> None:
    with pytest.raises(ValueError, match="names"):
        AttributeScores(np.zeros((2, 3), dtype=bool), np.zeros((2, 3), dtype=np.int8))


def test_the_interval_of_mean_iou_covers_it() -> None:
    """150 conditions with an accuracy of their own and two images of each; the truth is the mean of all 400 repeats."""
    shares = np.array([0.5, 0.3, 0.15, 0.05])

    def draw(seed: int) -> Confusion:
        generator = np.random.default_rng(seed)
        right = generator.beta(6, 3, size=150).repeat(2)
        pixels = generator.multinomial(400, generator.dirichlet(20 * shares, size=300))
        hits = generator.binomial(pixels, right[:, None])
        counts = generator.multinomial(pixels - hits, shares)
        counts[:, np.arange(4), np.arange(4)] += hits
        return Confusion(counts)

    drawn = [draw(seed) for seed in range(400)]
    truth = np.mean([each.mean_iou for each in drawn])
    conditions = np.arange(150).repeat(2)
    covered = np.mean([abs(each.mean_iou - truth) <= each.spread("mean_iou", conditions, rounds=300) for each in drawn])
    assert 0.93 <= covered <= 0.97
