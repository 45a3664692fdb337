import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from facecond.config.training import JudgeTrainingConfig, Precision
from facecond.learners.augment import augment, blur, move
from facecond.training.learner import Draws, Step


def step(first=0, count=4, batch=4):
    return Step(np.arange(count), np.zeros(count, bool), first, 64, Draws(0, 0, batch), torch.device("cpu"),
                Precision.float32)  # fmt: skip


@pytest.fixture
def pictures():
    return torch.randint(0, 256, (4, 3, 12, 12), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def test_blur_is_scipys(pictures):
    deviations = torch.tensor([0.3, 0.7, 1.0, 1.4])
    found = blur(pictures.float(), deviations, radius=5)
    for picture, deviation, result in zip(pictures.numpy(), deviations.tolist(), found.numpy(), strict=True):
        for channel, expected in zip(picture, result, strict=True):
            other = gaussian_filter(channel.astype(np.float64), deviation, mode="nearest", radius=5)
            assert np.allclose(expected, other, atol=1e-3)


def test_no_change_asked_none_made(pictures):
    assert torch.equal(augment(pictures, JudgeTrainingConfig(blur=0, noise=0, brightness=0), step()), pictures)


def test_changes_are_small_and_differ_between_pictures():
    grey = torch.full((4, 3, 32, 32), 128, dtype=torch.uint8)
    found = augment(grey, JudgeTrainingConfig(blur=0.8, noise=0.04, brightness=0.1), step()).float()
    assert found.dtype == torch.float32
    means = found.mean(dim=(1, 2, 3))
    assert ((means - 128).abs() < 0.1 * 255 + 1).all()
    assert means.std() > 1
    noise = found.std(dim=(1, 2, 3))
    assert (noise < 0.04 * 127.5 + 1).all()
    assert noise.max() > 1


def test_micro_batches_get_the_same_changes(pictures):
    config = JudgeTrainingConfig()
    whole = augment(pictures, config, step())
    parts = [augment(pictures[first : first + 2], config, step(first, 2)) for first in (0, 2)]
    assert torch.equal(torch.cat(parts), whole)


class Chosen:
    """Draws what a test chooses: rotation, zoom, shift to the right and down, each 0 to 1 for its range."""

    def __init__(self, *strength: float) -> None:
        self.strength = torch.tensor([strength])

    def uniform(self, stream: str, *shape: int) -> torch.Tensor:
        return self.strength


def test_pictures_and_maps_turn_by_a_right_angle_and_shift_by_pixels_together(pictures):
    picture, labels = pictures[:1], pictures[:1, 0] % 19
    turned = move(picture, labels, JudgeTrainingConfig(turn=90), Chosen(1.0, 0.5, 0.5, 0.5))
    assert torch.equal(turned[0], picture.rot90(1, (2, 3)))
    assert torch.equal(turned[1], labels.rot90(1, (1, 2)))
    shifted = move(picture, labels, JudgeTrainingConfig(shift=0.25), Chosen(0.5, 0.5, 1.0, 0.5))
    assert torch.equal(shifted[0][..., :9], picture[..., 3:])  # a quarter of 12 pixels to the left
    assert torch.equal(shifted[1][..., :9], labels[..., 3:])
    assert (shifted[1][..., 9:] == 255).all()  # nothing is said beyond the edge


def test_pictures_are_zoomed_about_their_middle():
    ramp = (torch.arange(16.0) * 8 + 60).to(torch.uint8).expand(1, 3, 16, 16).contiguous()
    zoomed, _ = move(ramp, ramp[:, 0] % 19, JudgeTrainingConfig(zoom=0.5), Chosen(0.5, 1.0, 0.5, 0.5))
    # Half as large again: pixel x shows what stood at 7.5 + (x - 7.5) / 1.5.
    expected = 60 + 8 * (7.5 + (torch.arange(16.0) - 7.5) / 1.5)
    assert torch.allclose(zoomed[0, 0, 0].float(), expected, atol=0.51)


def test_nothing_moves_unless_asked(pictures):
    labels = pictures[:, 0]
    moved = move(pictures, labels, JudgeTrainingConfig(), step())
    assert moved[0] is pictures
    assert moved[1] is labels
