"""Edges matched with lines: counted by hand, and against a search over all pairs of pixels."""

import numpy as np
import pytest

from facecond.metrics.lines import LineMatches
from facecond.metrics.resampling import mean_spread


def picture(*columns: int) -> np.ndarray:
    lines = np.zeros((1, 10, 12), np.uint8)
    lines[:, :, list(columns)] = 1
    return lines


def test_counted_by_hand() -> None:
    """Two lines; an edge beside the first, one two pixels off the second, one far away."""
    found = LineMatches.of(picture(2, 7), picture(3, 9, 11).astype(bool))
    assert found.counts_N4.tolist() == [[20, 10, 30, 10]]
    assert (found.recall, found.precision) == (10 / 20, 10 / 30)
    assert found.f1 == pytest.approx(2 * (1 / 2) * (1 / 3) / (1 / 2 + 1 / 3))


@pytest.mark.parametrize(("edges", "score"), [((2, 7), 1.0), ((1, 8), 1.0), ((4, 10), 0.0), ((), 0.0)])
def test_best_and_worst(edges: tuple[int, ...], score: float) -> None:
    assert LineMatches.of(picture(2, 7), picture(*edges).astype(bool)).f1 == score


def test_nothing_at_all_has_no_score() -> None:
    assert np.isnan(LineMatches.of(picture(), picture().astype(bool)).f1)


def test_edges_do_not_count_where_nothing_was_said() -> None:
    lines, edges = picture(2), picture(2, 9).astype(bool)
    assert LineMatches.of(lines, edges).precision == 0.5
    lines[:, :, 8:] = 255
    assert LineMatches.of(lines, edges).precision == 1.0


def test_near_is_a_search_over_all_pairs() -> None:
    random = np.random.default_rng(0)
    lines, edges = (random.random((3, 14, 14)) < 0.06).astype(np.uint8), random.random((3, 14, 14)) < 0.06
    found = LineMatches.of(lines, edges)
    for counts, drawn, seen in zip(found.counts_N4, lines, edges, strict=True):
        a, b = np.argwhere(drawn == 1), np.argwhere(seen)
        distance = np.sqrt(((a[:, None] - b[None]) ** 2).sum(-1))
        met = distance <= 1
        assert counts.tolist() == [len(a), met.any(1).sum(), len(b), met.any(0).sum()]


def test_sets_are_joined_by_their_counts() -> None:
    random = np.random.default_rng(1)
    lines, edges = (random.random((6, 14, 14)) < 0.1).astype(np.uint8), random.random((6, 14, 14)) < 0.1
    parts = [LineMatches.of(lines[rows], edges[rows]) for rows in (slice(0, 2), slice(2, 6))]
    assert LineMatches.merge(parts).f1 == LineMatches.of(lines, edges).f1
    assert LineMatches.merge(parts).count == 6


def test_the_interval_of_equal_shares_is_that_of_a_mean() -> None:
    """With one line and one edge pixel in every picture, met together or not, F1 is the mean of what is met."""
    met = (np.random.default_rng(2).random(200) < 0.3).astype(np.int64)
    one = np.ones_like(met)
    scores = LineMatches(np.stack([one, met, one, met], axis=1))
    assert scores.f1 == pytest.approx(met.mean())
    assert scores.spread() == pytest.approx(mean_spread(met.astype(float)))


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="one shape"):
        LineMatches.of(picture(2), picture(2)[:, :5].astype(bool))
