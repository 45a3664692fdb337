"""The score of classes: by its formula, at its limits, its interval, and no order."""

import numpy as np
import pytest
from scipy.special import log_softmax, softmax
from scipy.stats import entropy

from facecond.metrics.classes import class_score

RANDOM = np.random.default_rng(0)
LOGITS = 2 * RANDOM.normal(size=(3000, 12)) + RANDOM.normal(size=12)


def logs(rows: np.ndarray) -> np.ndarray:
    found: np.ndarray = log_softmax(rows, axis=1)
    return found


def by_formula(rows: np.ndarray) -> float:
    """SciPy's relative entropy of each picture's classes and those of all."""
    shares = softmax(rows, axis=1)
    return float(np.exp(entropy(shares, shares.mean(axis=0)[None], axis=1).mean()))


@pytest.mark.parametrize("count", [2, 19, 20, 3000])
def test_score_by_its_formula(count: int) -> None:
    found = class_score(LOGITS[:count], logs)
    assert found.value == pytest.approx(by_formula(LOGITS[:count]), rel=1e-9)
    assert (found.of_parts is None) == (count < 20)


def test_the_customary_score_is_a_mean_over_ten_parts() -> None:
    """Whatever the cut: of parts of 300 it is near to any other cut's, and below the score of all."""
    found = class_score(LOGITS, logs)
    other = np.mean([by_formula(part) for part in np.split(LOGITS, 10)])
    assert found.of_parts == pytest.approx(other, rel=0.01)
    assert found.of_parts < found.value
    distinct = class_score(1e4 * np.eye(30), logs)  # thirty classes, and three in each part
    assert (distinct.value, distinct.of_parts) == (pytest.approx(30), pytest.approx(3))
    copies = class_score(np.repeat(LOGITS[:1], 40, axis=0), logs)
    assert (copies.value, copies.of_parts) == (pytest.approx(1), pytest.approx(1))


def test_limits_are_one_and_the_number_of_classes() -> None:
    assert class_score(np.zeros((50, 12)), logs).value == pytest.approx(1)
    sure = 1e4 * np.eye(12).repeat(5, axis=0)  # all other probabilities are 0 in floating point
    assert class_score(sure, logs).value == pytest.approx(12)
    assert class_score(sure, logs).influence_N == pytest.approx(np.zeros(60), abs=1e-9)


def test_influence_is_the_derivative_and_the_interval_covers() -> None:
    whole = class_score(LOGITS, logs)
    for place in (0, 1500, 2999):
        changed = (whole.value - class_score(np.delete(LOGITS, place, axis=0), logs).value) * (len(LOGITS) - 1)
        assert changed == pytest.approx(whole.influence_N[place], abs=0.01 * np.abs(whole.influence_N).max())
    random, groups = np.random.default_rng(1), np.arange(150).repeat(2)
    found = []
    for _ in range(300):
        shared = random.normal(size=(150, 5)).repeat(2, axis=0)
        found.append(class_score(shared + 0.5 * random.normal(size=(300, 5)), logs))
    expected = np.mean([each.value for each in found])
    covered = np.mean([abs(each.value - expected) <= each.spread(groups) for each in found])
    assert 0.93 <= covered <= 0.97
    assert np.mean([abs(each.value - expected) <= each.spread() for each in found]) < covered


def test_order_does_not_matter_bit_for_bit() -> None:
    shuffled = np.random.default_rng(2).permutation(len(LOGITS))
    one, two = class_score(LOGITS, logs), class_score(LOGITS[shuffled], logs)
    assert (one.value, one.of_parts) == (two.value, two.of_parts)
    np.testing.assert_array_equal(two.influence_N, one.influence_N[shuffled])


@pytest.mark.parametrize("rows", [np.zeros((1, 4)), np.zeros(5), np.full((5, 4), np.nan)])
def test_what_has_no_score_is_refused(rows: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"expected|no numbers"):
        class_score(rows, logs)
