"""When memory is out: smaller pieces of the same work, down to one item."""

import numpy as np
import pytest
import torch

from facecond.memory import Halving, is_out_of_memory


def limited(most: int, sizes: list[int]):
    """Work that fails, as torch does, on more than `most` items."""

    def work(part: slice) -> np.ndarray:
        sizes.append(part.stop - part.start)
        if part.stop - part.start > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
        return np.arange(part.start, part.stop)

    return work


def test_the_whole_when_there_is_room_else_halves(caplog: pytest.LogCaptureFixture) -> None:
    sizes: list[int] = []
    halving = Halving("batch_size")
    with caplog.at_level("WARNING", "facecond"):
        assert np.concatenate(halving.over(10, limited(3, sizes))).tolist() == list(range(10))
    assert sizes == [10, 5, 3, 3, 3, 1]
    assert "memory is not enough for 10 at once; going on with 5 (batch_size=5)" in caplog.text
    sizes.clear()
    assert np.concatenate(halving.over(7, limited(3, sizes))).tolist() == list(range(7))
    assert sizes == [3, 3, 1]  # what was too much once is not tried again


def test_one_item_that_is_too_large_is_raised() -> None:
    with pytest.raises(torch.OutOfMemoryError):
        Halving("batch_size").over(4, limited(0, []))


def test_other_errors_are_raised_at_once() -> None:
    def work(part: slice) -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="mat1"):
        Halving("batch_size").over(4, work)


def test_what_allocators_say() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)
    with pytest.raises(MemoryError) as host:
        np.zeros(1 << 60, np.uint8)
    assert is_out_of_memory(host.value)
    assert not is_out_of_memory(RuntimeError("shape"))
