"""Noise belongs to an image: batches, order and devices do not change it, and it is standard normal."""

import math
import time

import pytest
import torch

from facecond import rng
from facecond.sampling.noise import STEPS_PER_BLOCK, StepNoise, start_noise

SHAPE = (3, 8, 8)


def test_start_noise_of_an_image_does_not_depend_on_its_batch() -> None:
    together = start_noise([5, 6, 7], SHAPE)
    assert torch.equal(together[2], start_noise([7], SHAPE)[0])
    assert torch.equal(together[[2, 0]], start_noise([7, 5], SHAPE))
    assert torch.equal(together[0], torch.randn(SHAPE, generator=rng.torch_generator(5, "start")))
    assert not torch.equal(together[0], together[1])


def test_step_noise_depends_on_seed_and_step_only() -> None:
    steps = [0, 1, STEPS_PER_BLOCK - 1, STEPS_PER_BLOCK, 3 * STEPS_PER_BLOCK + 2]
    with StepNoise([5, 6, 7], SHAPE) as source:
        forward = {step: source(step).clone() for step in steps}
    with StepNoise([7], SHAPE) as alone:
        for step in reversed(steps):
            assert torch.equal(alone(step)[0], forward[step][2])
    block = torch.randn((STEPS_PER_BLOCK, *SHAPE), generator=rng.torch_generator(6, "step", 1))
    assert torch.equal(forward[STEPS_PER_BLOCK][1], block[0])


def test_all_noise_is_independent_and_standard_normal() -> None:
    with StepNoise(range(40), SHAPE) as source:
        draws = torch.stack([start_noise(range(40), SHAPE), *(source(step) for step in range(2 * STEPS_PER_BLOCK))])
    flat = draws.flatten(2).double()
    count = flat.numel()
    assert abs(flat.mean()) < 4 / math.sqrt(count)
    assert abs(flat.var() - 1) < 4 * math.sqrt(2 / count)
    rows = flat.flatten(0, 1)
    correlation = (rows @ rows.T / rows.shape[1]).fill_diagonal_(0)
    # 1320 draws of 192 numbers: a repeated draw would correlate at 1, chance stays below six deviations.
    assert correlation.abs().max() < 6 / math.sqrt(rows.shape[1])


def test_steps_before_the_first_are_refused() -> None:
    with StepNoise([1], SHAPE) as source, pytest.raises(ValueError, match="count from 0"):
        source(-1)


def test_a_sampler_that_never_asks_starts_no_thread() -> None:
    source = StepNoise([1], SHAPE)
    assert source._thread is None
    source.close()
    source(0)
    assert source._thread is not None
    source.close()
    assert source._thread is None


def test_five_hundred_steps_cost_little() -> None:
    begin = time.process_time()
    with StepNoise(range(16), (3, 64, 64)) as source:
        for step in range(500):
            source(step)
    # Measured at 0.6 s; the network's 500 steps on 16 such latents take minutes on the same machine.
    assert time.process_time() - begin < 10
