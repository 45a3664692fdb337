import pytest

from facecond.config.training import LearningRateSchedule, TrainerConfig
from facecond.training.run import learning_rate


def test_constant_is_the_papers():
    config = TrainerConfig()
    assert {learning_rate(config, seen, config.images) for seen in (48, 10**6, 15 * 10**6)} == {9.6e-5}
    # Latent diffusion: 2e-6 for each image of the batch.
    assert learning_rate(config, 48, config.images) == pytest.approx(2e-6 * 48)


def test_warmup_is_linear():
    config = TrainerConfig(learning_rate=1.0, warmup_images=1000)
    assert [learning_rate(config, seen, 10_000) for seen in (0, 250, 500, 1000, 5000)] == [0, 0.25, 0.5, 1, 1]


def test_cosine_falls_to_the_floor():
    config = TrainerConfig(
        learning_rate=2.0, warmup_images=200, schedule=LearningRateSchedule.cosine, learning_rate_floor=0.1
    )
    # (1 + cos(pi p)) / 2 at p = 0, 1/3, 1/2, 2/3, 1 is 1, 3/4, 1/2, 1/4, 0.
    rates = [learning_rate(config, seen, 1400) for seen in (200, 600, 800, 1000, 1400)]
    assert rates == pytest.approx([2 * (0.1 + 0.9 * share) for share in (1, 0.75, 0.5, 0.25, 0)])
    assert learning_rate(config, 2000, 1400) == pytest.approx(0.2)
