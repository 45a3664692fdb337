"""Classes from noise: Bayes' rule written out, and frequencies that sampling must return."""

import math

import pytest
import torch
from torch import Tensor

from facecond.config.diffusion import Target
from facecond.diffusion.classes import cross_entropy, expected, log_posterior, of_classes
from facecond.diffusion.prediction import Prediction
from facecond.diffusion.samplers import SAMPLERS
from facecond.diffusion.schedule import StraightLine
from facecond.types import Level

MEAN, STD = torch.tensor([0.6, 0.3, 0.1]), torch.tensor([1.1, 0.7, 0.4])


def of_class(number: int) -> Tensor:
    """x0 at a pixel of the class, (K,)."""
    return (torch.eye(3)[number] - MEAN) / STD


@pytest.mark.parametrize("sigma", [0.05, 0.4, 0.9, 1.0])
def test_posterior_is_bayes_rule_with_normal_densities(sigma: float) -> None:
    source = torch.Generator().manual_seed(0)
    z, answer = torch.randn(2, 3, 4, 4, generator=source), torch.randn(2, 3, 4, 4, generator=source)
    if sigma < 0.1:  # where densities of far pixels are all 0 in float64, too
        z = (1 - sigma) * of_class(1)[None, :, None, None] + sigma * z
    joint = answer.double().softmax(dim=1)
    for number in range(3):
        centre = ((1 - sigma) * of_class(number)).double()[:, None, None]
        joint[:, number] *= torch.distributions.Normal(centre, sigma).log_prob(z.double()).sum(dim=1).exp()
    wanted = joint / joint.sum(dim=1, keepdim=True)
    for level in (
        Level(1 - sigma, sigma, 1000 * sigma),
        Level(*(torch.full((2,), each, dtype=torch.float64) for each in (1 - sigma, sigma, 1000 * sigma))),
    ):
        found = log_posterior(answer, z, level, MEAN, STD)
        torch.testing.assert_close(found.exp(), wanted.float(), atol=2e-5, rtol=1e-4)


def test_expected_latents_and_cross_entropy_of_known_probabilities() -> None:
    shares = torch.tensor([0.2, 0.5, 0.3])
    log = shares.log()[None, :, None, None].expand(1, 3, 2, 2)
    wanted = sum(share * of_class(number) for number, share in enumerate(shares.tolist()))
    torch.testing.assert_close(expected(log, MEAN, STD)[0, :, 1, 1], wanted)
    labels = torch.tensor([[[0, 1], [1, 2]]])
    assert cross_entropy(log, labels).item() == pytest.approx(-math.log(0.2 * 0.5 * 0.5 * 0.3) / 4)


def test_temperature_is_the_power_of_what_the_surroundings_say() -> None:
    source = torch.Generator().manual_seed(0)
    z, answer = (torch.randn(2, 3, 4, 4, generator=source) for _ in range(2))
    level = Level(0.4, 0.6, 600.0)

    def predict(z_BCHW: Tensor, level: Level[float]) -> Prediction:
        return Prediction(answer, Target.x0, z_BCHW, level)

    alone = log_posterior(torch.zeros_like(z), z, level, MEAN, STD).exp()
    joint = alone * answer.softmax(dim=1) ** 2
    wanted = joint / joint.sum(dim=1, keepdim=True)
    found = of_classes(predict, MEAN, STD, 0.5)(z, level).x0 * STD[:, None, None] + MEAN[:, None, None]
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_sampling_returns_the_frequencies_that_the_surroundings_say(eta: float) -> None:
    """Pixels that know nothing of one another: a network that answers their log-frequencies answers perfectly."""
    shares, count = torch.tensor([0.7, 0.25, 0.05]), 20_000
    source = torch.Generator().manual_seed(3)

    def predict(z_BCHW: Tensor, level: Level[float]) -> Prediction:
        return Prediction(shares.log()[None, :, None, None].expand_as(z_BCHW), Target.x0, z_BCHW, level)

    def fresh(step: int = 0) -> Tensor:
        return torch.randn(count, 3, 1, 1, generator=source)

    drawn = SAMPLERS[next(each for each in SAMPLERS if each.name == "ddim")](
        of_classes(predict, MEAN, STD), fresh(), StraightLine(), steps=100, eta=eta, noise_source=fresh
    )
    found = (drawn * STD[:, None, None] + MEAN[:, None, None]).argmax(dim=1).flatten().bincount(minlength=3) / count
    spread = (shares * (1 - shares) / count).sqrt()
    assert ((found - shares).abs() < 5 * spread + 0.01).all(), found
