import numpy as np
import pytest

from facecond.training.stream import stream_items, validation_pieces
from tests.learners.faces import trainer


def test_an_epoch_is_a_permutation_however_it_is_cut():
    config = trainer()
    whole = stream_items(config, 0, 40, 40)
    assert sorted(whole.indices_B) == list(range(40))
    pieces = [stream_items(config, seen, 8, 40) for seen in range(0, 40, 8)]
    assert np.array_equal(np.concatenate([piece.indices_B for piece in pieces]), whole.indices_B)
    assert np.array_equal(np.concatenate([piece.flips_B for piece in pieces]), whole.flips_B)
    assert 5 < whole.flips_B.sum() < 35
    assert not stream_items(trainer(flips=False), 0, 40, 40).flips_B.any()


@pytest.mark.parametrize(("items", "size", "expected"), [(4, 100, [0, 25, 50, 75]), (10, 3, [0, 1, 2])])
def test_validation_items_are_spread_evenly(items, size, expected):
    pieces = list(validation_pieces(trainer(evaluate_items=items, batch_size=3), size))
    assert np.concatenate(pieces).tolist() == expected
    assert max(map(len, pieces)) <= 3
