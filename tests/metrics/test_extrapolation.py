"""Extrapolation to infinitely many samples: nearer to the distance of known Gaussians, an interval that holds it, no order."""

import numpy as np
import pytest

from facecond.metrics.extrapolation import LEAST, frechet_at_infinity
from facecond.metrics.frechet import frechet_distance

WIDTH, SHIFT, SCALE = 12, 0.1, 1.2
DISTANCE = WIDTH * (SHIFT**2 + (SCALE - 1) ** 2)


def draw(random: np.random.Generator, count: int, against: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    """Samples and reference of two Gaussians whose distance is known."""
    return SCALE * random.normal(size=(count, WIDTH)) + SHIFT, random.normal(size=(against, WIDTH))


def test_it_is_nearer_to_the_distance_of_known_gaussians_and_its_interval_holds_it() -> None:
    """Of 120 samples the plain distance is nearly twice too large, and never has the truth within its interval."""
    random, pairs = np.random.default_rng(0), []
    for _ in range(100):
        samples, reference = draw(random, 120)
        pairs.append((frechet_at_infinity(samples, reference), frechet_distance(samples, reference)))
    found, plain = (np.array([pair[which].value for pair in pairs]) for which in (0, 1))
    assert abs(found.mean() - DISTANCE) < 0.1 * DISTANCE < 0.5 * DISTANCE < abs(plain.mean() - DISTANCE)
    assert np.mean([abs(one.value - DISTANCE) <= one.spread() for one, _ in pairs]) >= 0.93
    assert np.mean([abs(other.value - DISTANCE) <= other.spread() for _, other in pairs]) < 0.5
    wide = np.mean([one.spread() for one, _ in pairs]) / 1.98 / found.std(ddof=1)
    assert 0.9 < wide < 1.4  # half of the interval, in Student's quantiles, beside the deviation that there was


def test_it_is_the_line_through_parts() -> None:
    """Six conditions with the same two pictures: every part of a cut is the same, and the line follows from three distances."""
    random = np.random.default_rng(1)
    samples, reference = draw(random, LEAST, 50)
    groups = np.zeros(6, dtype=np.int64)
    with pytest.raises(ValueError, match=f"{LEAST - 1} conditions cannot be cut into 3 parts, {LEAST} are needed"):
        frechet_at_infinity(samples[1:], reference)
    with pytest.raises(ValueError, match="1 conditions cannot"):
        frechet_at_infinity(samples, reference, groups)
    with pytest.raises(ValueError, match="one width"):
        frechet_at_infinity(samples[:, :3], reference)
    same = np.repeat(samples[None, :2], 6, axis=0)  # six conditions of the same two pictures
    values = [frechet_distance(same[:count].reshape(-1, WIDTH), reference).value for count in (6, 3, 2)]
    line = np.polyfit([1, 2, 3], values, 1)
    found = frechet_at_infinity(same.reshape(-1, WIDTH), reference, np.arange(6).repeat(2))
    assert found.value == pytest.approx(line[1])
    assert type(found.value) is float  # as figures hold them


def test_neither_order_nor_numbers_of_conditions_matter_bit_for_bit() -> None:
    random = np.random.default_rng(2)
    samples, reference = draw(random, 60, 80)
    conditions = np.arange(30).repeat(2)
    shuffled, names = random.permutation(60), random.permutation(30)
    for before, after in (
        (None, None),
        (conditions, names[conditions][shuffled]),
    ):
        one = frechet_at_infinity(samples, reference, before)
        two = frechet_at_infinity(samples[shuffled], reference[::-1], after)
        assert two.value == one.value
        np.testing.assert_array_equal(two.of_samples_N, one.of_samples_N[shuffled])
    assert frechet_at_infinity(samples, reference, seed=1).value != frechet_at_infinity(samples, reference).value


def test_pictures_of_one_condition_stay_together() -> None:
    """Copies say nothing new: four of each picture are extrapolated as one of each, but for what divides by N - 1."""
    samples, reference = draw(np.random.default_rng(3), 900, 900)
    once = frechet_at_infinity(samples, reference)
    often = frechet_at_infinity(samples.repeat(4, axis=0), reference, np.arange(900).repeat(4))
    assert often.spread(np.arange(900).repeat(4)) == pytest.approx(once.spread(), rel=0.05)
    assert abs(often.value - once.value) < once.spread() / 4
