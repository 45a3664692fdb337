import numpy as np
import torch

from facecond.config.training import Precision
from facecond.training.learner import Draws, Step


def step(first, count, images_seen=96, seed=0, batch=8):
    draws = Draws(seed, images_seen, batch)
    return Step(np.arange(count), np.zeros(count, bool), first, 960, draws, torch.device("cpu"), Precision.float32)


def integers(high):
    return lambda count, source: torch.randint(high, (count,), generator=source)


def test_slices_of_one_draw_for_the_whole_batch():
    for draw in (
        lambda s: s.normal("noise", 3, 2),
        lambda s: s.uniform("u", 5),
        lambda s: s.drawn("t", integers(1000)),
    ):
        whole = draw(step(0, 8))
        parts = [draw(step(first, 2)) for first in range(0, 8, 2)]
        assert torch.equal(torch.cat(parts), whole)


def test_numbers_depend_on_seed_stream_and_images_seen():
    base = step(0, 8).normal("noise", 4)
    assert torch.equal(base, step(0, 8).normal("noise", 4))
    others = [step(0, 8, seed=1).normal("noise", 4), step(0, 8, images_seen=104).normal("noise", 4),
              step(0, 8).normal("other", 4)]  # fmt: skip
    assert all(not torch.isclose(base, other).any() for other in others)
    one = step(0, 8)
    assert not torch.equal(one.normal("a", 4), one.normal("b", 4))


def test_distributions():
    many = step(0, 4096, batch=4096)
    normal, uniform = many.normal("n", 8), many.uniform("u", 8)
    assert abs(normal.mean()) < 0.02
    assert abs(normal.std() - 1) < 0.02
    assert uniform.min() >= 0
    assert uniform.max() < 1
    assert abs(uniform.mean() - 0.5) < 0.01
    counts = many.drawn("t", integers(4)).bincount(minlength=4)
    assert (counts - 1024).abs().max() < 150
