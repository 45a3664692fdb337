"""Distances of features: closed forms, clean-fid's own functions, and intervals that cover the truth."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from cleanfid import fid as clean
from scipy.linalg import sqrtm
from scipy.optimize import linear_sum_assignment
from scipy.stats import wasserstein_distance

from facecond.metrics.frechet import frechet_distance
from facecond.metrics.influence import Distance
from facecond.metrics.kernel import kernel_distance
from facecond.metrics.sliced import sliced_distance


def features(count: int, width: int, seed: int, shift: float = 0.0, scale: float = 1.0) -> np.ndarray:
    random = np.random.default_rng(seed)
    mixing = np.random.default_rng(7).normal(size=(width, width)) / np.sqrt(width)
    return ((random.normal(size=(count, width)) @ mixing) * scale + shift).astype(np.float32)


def exactly(count: int, mean: np.ndarray, covariance: np.ndarray, seed: int) -> np.ndarray:
    """Rows whose mean and covariance are as given."""
    rows = np.random.default_rng(seed).normal(size=(count, len(mean)))
    rows -= rows.mean(axis=0)
    rows = rows @ np.linalg.inv(np.linalg.cholesky(np.cov(rows, rowvar=False))).T
    return rows @ np.linalg.cholesky(covariance).T + mean


@pytest.mark.parametrize("counts", [(40, 50), (9, 12), (40, 9)], ids=["more than features", "fewer", "one of each"])
def test_frechet_is_clean_fid_s(counts: tuple[int, int]) -> None:
    one, two = features(counts[0], 16, 0), features(counts[1], 16, 1, shift=0.4, scale=1.5)
    moments = [(x.astype(np.float64).mean(0), np.cov(x.astype(np.float64), rowvar=False)) for x in (one, two)]
    expected = clean.frechet_distance(*moments[0], *moments[1])
    assert frechet_distance(one, two).value == pytest.approx(float(np.real(expected)), rel=1e-4)


def test_frechet_of_known_gaussians() -> None:
    """Commuting covariances: |m1 - m2|^2 plus the squared differences of the standard deviations."""
    means, deviations = np.array([[0.0, 1, 2], [1, 1, 0]]), np.array([[1.0, 2, 3], [2, 2, 0.5]])
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    sets = [
        exactly(30, m, turn @ np.diag(s**2) @ turn.T, seed)
        for seed, (m, s) in enumerate(zip(means, deviations, strict=True))
    ]
    expected = ((means[0] - means[1]) ** 2).sum() + ((deviations[0] - deviations[1]) ** 2).sum()
    assert frechet_distance(*sets).value == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(("count", "width"), [(300, 40), (30, 200)])
def test_a_set_has_no_distance_from_itself(count: int, width: int) -> None:
    rows = features(count, width, 0, scale=5)
    found = frechet_distance(rows, rows.copy())
    assert found.value < 1e-6
    assert kernel_distance(rows, rows).value < 0  # unbiased: pairs of one row with itself count on one side only


@pytest.mark.parametrize("count", [400, 1000])
def test_kernel_distance_is_clean_fid_s_where_its_subsets_are_everything(count: int) -> None:
    one, two = features(count, 32, 0), features(count, 32, 1, shift=0.3)
    expected = clean.kernel_distance(one.astype(np.float64), two.astype(np.float64), num_subsets=3)
    assert kernel_distance(one, two).value == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    "distance",
    [frechet_distance, kernel_distance, partial(sliced_distance, directions=60)],
    ids=["frechet", "kernel", "sliced"],
)
@pytest.mark.parametrize("count", [50, 3000])
def test_order_does_not_matter_bit_for_bit(distance: Callable[..., Distance], count: int) -> None:
    one, two = features(count, 64, 0), features(count, 64, 1, shift=0.2)
    shuffled = np.random.default_rng(3).permutation(count)
    before, after = distance(one, two), distance(one[shuffled], two[shuffled[::-1]])
    assert after.value == before.value
    np.testing.assert_array_equal(after.of_samples_N, before.of_samples_N[shuffled])


@pytest.mark.parametrize("distance", [frechet_distance, kernel_distance])
@pytest.mark.parametrize("counts", [(30, 40), (8, 10)])
def test_influence_is_the_derivative(distance: Callable[..., Distance], counts: tuple[int, int]) -> None:
    """Leaving a picture out changes the distance by its influence over the count, to first order."""
    scale = 8 if distance is frechet_distance else 1
    one = np.repeat(features(counts[0], 12, 0), 40, axis=0)  # forty copies of each: leaving one out is a small step
    two = np.repeat(features(counts[1], 12, 1, shift=0.3, scale=1.4), 40, axis=0)
    whole = distance(one, two)
    assert whole.of_samples_N.mean() == pytest.approx(0, abs=1e-9)
    for place in (0, 133, 239):
        changed = (whole.value - distance(np.delete(one, place, axis=0), two).value) * (len(one) - 1)
        assert changed == pytest.approx(whole.of_samples_N[place], abs=0.02 * scale * np.abs(whole.of_samples_N).max())
        changed = (whole.value - distance(one, np.delete(two, place, axis=0)).value) * (len(two) - 1)
        assert changed == pytest.approx(
            whole.of_reference_M[place], abs=0.02 * scale * np.abs(whole.of_reference_M).max()
        )


@pytest.mark.parametrize(
    "distance",
    [frechet_distance, kernel_distance, partial(sliced_distance, directions=10)],
    ids=["frechet", "kernel", "sliced"],
)
def test_intervals_cover_the_truth(distance: Callable[..., Distance]) -> None:
    """Of 600 sets of samples with two pictures of each condition, 93 to 97 % have the expected value within their interval."""
    width, conditions = 6, 150
    random = np.random.default_rng(11)

    def draw(shift: float) -> np.ndarray:
        shared = random.normal(size=(conditions, width)).repeat(2, axis=0)
        return shared + 0.5 * random.normal(size=(2 * conditions, width)) + shift

    groups = np.arange(conditions).repeat(2)
    found = [distance(draw(0.6), draw(0.0)[::2]) for _ in range(600)]
    expected = float(np.mean([each.value for each in found]))
    covered = np.mean([abs(each.value - expected) <= each.spread(groups) for each in found])
    assert 0.93 <= covered <= 0.97
    ungrouped = np.mean([abs(each.value - expected) <= each.spread() for each in found])
    assert ungrouped < covered


def test_frechet_intervals_cover_the_distance_of_the_gaussians() -> None:
    """Of 600 sets of 1000 conditions with two pictures each, 93 to 97 % have the closed form within their interval.

    With three features and so many pictures what the distance is too large by is a tenth of its deviation.
    """
    conditions, shift, scale = 1000, np.array([0.5, -0.3, 0.2]), np.array([1.0, 1.5, 0.6])
    truth = (shift**2).sum() + ((scale - 1) ** 2).sum()
    random, groups = np.random.default_rng(17), np.arange(conditions).repeat(2)
    covered = []
    for _ in range(600):
        shared = random.normal(size=(conditions, 3)).repeat(2, axis=0)
        samples = (0.8 * shared + 0.6 * random.normal(size=shared.shape)) * scale + shift  # 0.8^2 + 0.6^2 = 1
        found = frechet_distance(samples, random.normal(size=shared.shape))
        covered.append(abs(found.value - truth) <= found.spread(groups))
    assert 0.93 <= np.mean(covered) <= 0.97


def test_square_root_of_a_singular_product_is_not_needed() -> None:
    """Where SciPy's square root of the product gives an error of its own, the factors do not."""
    one, two = features(8, 30, 0), features(8, 30, 1)
    product = np.cov(one.astype(np.float64), rowvar=False) @ np.cov(two.astype(np.float64), rowvar=False)
    root = np.real(np.trace(sqrtm(product)))
    mine = frechet_distance(one, two).value
    moments = [np.cov(x.astype(np.float64), rowvar=False).trace() for x in (one, two)]
    shift = ((one.astype(np.float64).mean(0) - two.astype(np.float64).mean(0)) ** 2).sum()
    assert mine == pytest.approx(shift + sum(moments) - 2 * root, rel=1e-3)


@pytest.mark.parametrize("distance", [frechet_distance, sliced_distance])
@pytest.mark.parametrize("rows", [np.zeros((1, 4)), np.zeros((5, 3)), np.full((5, 4), np.nan)])
def test_what_cannot_be_compared_is_refused(distance: Callable[..., Distance], rows: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"expected|finite"):
        distance(rows, np.zeros((5, 4)))


@pytest.mark.parametrize("counts", [(30, 30), (12, 30), (8, 9), (35, 21)])
def test_sliced_distance_of_one_feature_is_optimal_transport(counts: tuple[int, int]) -> None:
    """The assignment that costs least, of as many copies as make the sets equally large; every direction is the same one."""
    random = np.random.default_rng(4)
    one, two = random.normal(size=(counts[0], 1)), random.gamma(2, size=(counts[1], 1))
    whole = np.lcm(*counts)
    costs = (one.repeat(whole // counts[0], axis=0) - two.repeat(whole // counts[1], axis=0).T) ** 2
    expected = costs[linear_sum_assignment(costs)].mean()
    assert sliced_distance(one, two, directions=3).value == pytest.approx(3 * expected, rel=1e-10)


def test_sliced_distance_of_two_values_is_scipy_s_squared() -> None:
    """Where everything moves equally far, the 2-Wasserstein distance is the 1-Wasserstein distance of SciPy."""
    one = np.random.default_rng(0).normal(size=(40, 1))
    two = np.repeat(one + 0.7, 3, axis=0)
    assert sliced_distance(one, two).value == pytest.approx(3 * wasserstein_distance(one[:, 0], two[:, 0]) ** 2)


def test_sliced_distance_of_shifted_sets_is_three_squared_shifts() -> None:
    """Exactly, with one feature; with more in the mean over directions."""
    rows = features(300, 8, 0).astype(np.float64)
    assert sliced_distance(rows, rows, directions=50).value == 0
    shift = np.array([1, -2, 0, 0.5, 0, 0, 3, 1])
    found = sliced_distance(rows, rows + shift, directions=5000)
    assert found.value == pytest.approx(3 * (shift**2).sum(), rel=0.03)
    found = sliced_distance(rows[:, :1], rows[:, :1] - 2, directions=5)
    assert found.value == pytest.approx(3 * 2**2)
    np.testing.assert_allclose(found.of_samples_N, 3 * 4 * (rows[:, 0] - rows[:, 0].mean()), atol=1e-9)
    np.testing.assert_allclose(found.of_reference_M, -found.of_samples_N, atol=1e-9)


def test_influence_on_the_sliced_distance_is_the_derivative() -> None:
    """Leaving one of many pictures out changes it by its influence over the count."""
    random = np.random.default_rng(8)
    one, two = random.normal(size=(2000, 3)), 1.6 * random.normal(size=(1500, 3)) + 0.5
    near = partial(sliced_distance, directions=15)
    whole = near(one, two)
    assert whole.of_samples_N.mean() == pytest.approx(0, abs=1e-9)
    for place in (0, 700, 1400):
        changed = (whole.value - near(np.delete(one, place, axis=0), two).value) * (len(one) - 1)
        assert changed == pytest.approx(whole.of_samples_N[place], abs=0.02 * np.abs(whole.of_samples_N).max())
        changed = (whole.value - near(one, np.delete(two, place, axis=0)).value) * (len(two) - 1)
        assert changed == pytest.approx(whole.of_reference_M[place], abs=0.02 * np.abs(whole.of_reference_M).max())


def test_sliced_distance_is_that_of_other_directions() -> None:
    """Along 2000 directions of another generator, by sorting two sets of one size; and of Gaussians in closed form."""
    random = np.random.default_rng(3)
    one, two = random.normal(size=(1000, 6)), 1.5 * random.normal(size=(1000, 6)) + 0.4
    found = sliced_distance(one, two, directions=2000).value
    expected = []
    for _ in range(2000):
        axis = random.normal(size=6)
        axis /= np.sqrt(axis @ axis)
        expected.append(((np.sort(one @ axis) - np.sort(two @ axis)) ** 2).mean())
    assert found == pytest.approx(18 * np.mean(expected), rel=0.03)
    assert found == pytest.approx(18 * (0.4**2 + 0.5**2), rel=0.1)
