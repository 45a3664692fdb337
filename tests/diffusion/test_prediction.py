"""Conversions between answers: they hold exactly what the definitions say, and lead back to where they came from."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from facecond.config.diffusion import Target
from facecond.diffusion.prediction import ANSWERS, add_noise, answer, convert, error_ratio, predictor
from facecond.types import Level

SHARES = st.floats(0.01, 1.0)
TARGETS = st.sampled_from(list(Target))


def latents(count: int = 2) -> Tensor:
    return torch.randn(count, 3, 3, 4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_every_answer_is_in_the_table() -> None:
    assert set(ANSWERS) == set(Target)


@given(SHARES, SHARES, TARGETS, TARGETS)
def test_any_conversion_gives_the_other_answer_and_leads_back(
    alpha: float, sigma: float, source: Target, to: Target
) -> None:
    x0, eps = latents()
    level = Level(alpha, sigma, 0.0)
    z = add_noise(x0, eps, level)
    raw = answer(source, x0, eps, level)
    found = convert(raw, z, level, source, to)
    torch.testing.assert_close(found, answer(to, x0, eps, level), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(convert(found, z, level, to, source), raw, rtol=1e-9, atol=1e-9)


@given(SHARES, SHARES, TARGETS, TARGETS, TARGETS)
def test_a_wrong_answer_stays_the_same_wrong_answer(
    alpha: float, sigma: float, source: Target, over: Target, to: Target
) -> None:
    z, raw = latents()
    level = Level(alpha, sigma, 0.0)
    direct = convert(raw, z, level, source, to)
    detour = convert(convert(raw, z, level, source, over), z, level, over, to)
    scale = float(direct.abs().max() + convert(raw, z, level, source, over).abs().max() * 1e2)
    assert float((direct - detour).abs().max()) < 1e-9 * scale
    changed = convert(raw + 1, z, level, source, to) - direct
    torch.testing.assert_close(
        changed, torch.full_like(changed, error_ratio(level, source, to)), rtol=1e-6, atol=1e-9 * scale
    )


@pytest.mark.parametrize("source", list(Target))
@pytest.mark.parametrize("to", list(Target))
def test_levels_of_a_batch_are_each_items_own(source: Target, to: Target) -> None:
    z, raw = latents()
    alphas, sigmas = [0.9, 0.5, 0.1], [0.1, 0.5, 0.8]
    together = Level(*(torch.tensor(numbers, dtype=torch.float64) for numbers in (alphas, sigmas, [0.0] * 3)))
    alone = [convert(raw[i : i + 1], z[i : i + 1], Level(alphas[i], sigmas[i], 0.0), source, to) for i in range(3)]
    torch.testing.assert_close(convert(raw, z, together, source, to), torch.cat(alone), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("target", list(Target))
def test_an_answer_is_itself_bit_for_bit(target: Target) -> None:
    z, raw = latents().float()
    assert torch.equal(convert(raw, z, Level(0.3, 0.7, 0.0), target, target), raw)


def test_v_is_the_derivative_by_the_angle_and_velocity_that_by_s() -> None:
    """alpha = cos(phi), sigma = sin(phi): dz/dphi = v; alpha = 1 - s, sigma = s: dz/ds = velocity."""
    x0, eps = latents()

    def on_circle(phi: float) -> Level[float]:
        return Level(math.cos(phi), math.sin(phi), 0.0)

    def on_line(s: float) -> Level[float]:
        return Level(1 - s, s, 0.0)

    for path, target in ((on_circle, Target.v), (on_line, Target.velocity)):
        slope = (add_noise(x0, eps, path(0.4 + 1e-6)) - add_noise(x0, eps, path(0.4 - 1e-6))) / 2e-6
        torch.testing.assert_close(answer(target, x0, eps, path(0.4)), slope, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("target", [Target.x0, Target.v, Target.velocity])
def test_pure_noise_is_known_to_be_noise(target: Target) -> None:
    x0, eps = latents()
    level = Level(0.0, 1.0, 1000.0)
    prediction = predictor(lambda z, time: answer(target, x0, eps, level), target)(eps, level)
    torch.testing.assert_close(prediction.eps, eps)
    torch.testing.assert_close(prediction.x0, x0)


@pytest.mark.parametrize(("source", "level"), [(Target.eps, Level(0.0, 1.0, 0.0)), (Target.x0, Level(1.0, 0.0, 0.0))])
def test_what_an_answer_does_not_say_is_an_error_and_no_nan(source: Target, level: Level[float]) -> None:
    z, raw = latents()
    for to in set(Target) - {source}:
        with pytest.raises(ValueError, match=f"{source.name} says nothing about {to.name}"):
            convert(raw, z, level, source, to)
    assert torch.equal(convert(raw, z, level, source, source), raw)


def test_a_predictor_tells_the_network_the_time_of_each_item() -> None:
    asked = []

    def denoise(z: Tensor, time: Tensor) -> Tensor:
        asked.append(time)
        return z.to(torch.bfloat16)

    z = torch.ones(2, 1, 2, 2)
    prediction = predictor(denoise, Target.eps)(z, Level(0.6, 0.8, 250.0))
    assert asked[0].tolist() == [250.0, 250.0]
    assert prediction.x0.dtype == prediction.eps.dtype == torch.float32
