"""Precision, recall, density and coverage against the papers' definitions written out, and where they are known."""

import numpy as np
import pytest

from facecond.metrics import neighbours
from facecond.metrics.neighbours import Neighbours


def written_out(samples: np.ndarray, real: np.ndarray, k: int) -> tuple[float, float, float, float]:
    """One picture after another."""

    def radius(rows: np.ndarray, i: int) -> float:
        return sorted(np.linalg.norm(rows - rows[i], axis=1))[k]  # the 0th is the row itself

    real_radii = [radius(real, i) for i in range(len(real))]
    own_radii = [radius(samples, i) for i in range(len(samples))]
    precise = [any(np.linalg.norm(s - r) <= d for r, d in zip(real, real_radii, strict=True)) for s in samples]
    dense = [sum(np.linalg.norm(s - r) <= d for r, d in zip(real, real_radii, strict=True)) / k for s in samples]
    recalled = [any(np.linalg.norm(s - r) <= d for s, d in zip(samples, own_radii, strict=True)) for r in real]
    covered = [any(np.linalg.norm(s - r) <= d for s in samples) for r, d in zip(real, real_radii, strict=True)]
    return tuple(float(np.mean(each)) for each in (precise, recalled, dense, covered))  # type: ignore[return-value]


def means(found: Neighbours) -> tuple[float, ...]:
    return tuple(float(each.mean()) for each in (found.precise_N, found.recalled_M, found.dense_N, found.covered_M))


@pytest.mark.parametrize("block", [7, 1024])
@pytest.mark.parametrize("k", [1, 5])
def test_as_written_out(monkeypatch: pytest.MonkeyPatch, block: int, k: int) -> None:
    monkeypatch.setattr(neighbours, "BLOCK", block)
    random = np.random.default_rng(0)
    samples, real = random.normal(size=(30, 3)), random.normal(size=(40, 3)) + 1.2
    assert means(Neighbours.of(samples, real, k)) == pytest.approx(written_out(samples, real, k))


def test_a_set_against_itself_and_against_one_far_away() -> None:
    rows = np.random.default_rng(1).normal(size=(50, 4))
    found = means(Neighbours.of(rows, rows))
    assert found[:2] == (1.0, 1.0)
    assert found[3] == 1.0
    assert means(Neighbours.of(rows + 100, rows)) == (0.0, 0.0, 0.0, 0.0)


def test_density_of_one_distribution_is_one() -> None:
    """Naeem et al. 2020, section 3.3: its expected value is 1 where both sets come from one distribution."""
    random = np.random.default_rng(2)
    dense = [Neighbours.of(*random.normal(size=(2, 400, 8))).dense_N.mean() for _ in range(10)]
    assert np.mean(dense) == pytest.approx(1.0, abs=0.03)


def test_too_few_are_refused() -> None:
    with pytest.raises(ValueError, match="more than 5"):
        Neighbours.of(np.zeros((5, 2)), np.zeros((9, 2)))
