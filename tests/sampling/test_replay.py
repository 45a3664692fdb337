"""Steps of sampling that are recorded once and replayed; what is recorded here is a function, on a GPU a CUDA graph."""

import logging
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from facecond.config.diffusion import Sampler, ScheduleConfig, Target
from facecond.diffusion.prediction import predictor
from facecond.diffusion.samplers import SAMPLERS
from facecond.diffusion.schedule import schedule_of
from facecond.sampling.replay import Replayed, record
from facecond.types import Denoise


class Network:
    """Answers with something that depends on latents and time; counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, z_BCHW: Tensor, time_B: Tensor) -> Tensor:
        self.calls += 1
        return z_BCHW.sin() * (1 + time_B[:, None, None, None] / 1000).to(z_BCHW)


def in_place(network: Denoise, z_BCHW: Tensor, time_B: Tensor) -> Denoise:
    """As a graph does it: inputs are copied to one place, the answer is always at another, and the network is not called again."""
    z_static, time_static, answer = z_BCHW.clone(), time_B.clone(), torch.zeros_like(z_BCHW)

    def replay(z: Tensor, time: Tensor) -> Tensor:
        z_static.copy_(z)
        time_static.copy_(time)
        answer.copy_(Network()(z_static, time_static))
        return answer.clone()

    return replay


def sampled(denoise: Denoise, sampler: Sampler, target: Target) -> Tensor:
    noise = torch.randn(3, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    return SAMPLERS[sampler](
        predictor(denoise, target), noise, schedule_of(ScheduleConfig()), steps=7, eta=0.0, noise_source=None
    )


@pytest.mark.parametrize("sampler", list(Sampler))
@pytest.mark.parametrize("target", list(Target))
def test_replayed_steps_are_those_that_are_not(sampler: Sampler, target: Target) -> None:
    network = Network()
    replayed = sampled(Replayed(network, record=in_place, device="cpu"), sampler, target)
    assert network.calls == 1  # the first step
    assert torch.equal(replayed, sampled(Network(), sampler, target))


def test_nothing_is_recorded_on_a_processor() -> None:
    network = Network()
    sampled(Replayed(network), Sampler.ddim, Target.eps)
    assert network.calls == 7


def test_another_batch_size_is_started_from_the_host() -> None:
    network, z = Network(), torch.ones(4, 3, 2, 2)
    replayed = Replayed(network, record=in_place, device="cpu")
    for _ in range(3):
        replayed(z, torch.zeros(4))
    assert network.calls == 1
    assert torch.equal(replayed(z[:2], torch.zeros(2)), Network()(z[:2], torch.zeros(2)))
    assert network.calls == 2


def failing(message: str) -> Callable[..., Denoise]:
    def refuse(*about: object) -> Denoise:
        raise RuntimeError(message)

    return refuse


def test_where_recording_fails_a_line_says_so(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="facecond")
    network = Network()
    found = sampled(Replayed(network, record=failing("operation not permitted"), device="cpu"), Sampler.ddim, Target.v)
    assert network.calls == 7
    assert torch.equal(found, sampled(Network(), Sampler.ddim, Target.v))
    (line,) = caplog.messages
    assert "not captured in a CUDA graph (operation not permitted)" in line


def test_too_little_memory_is_not_swallowed() -> None:
    with pytest.raises(RuntimeError, match="out of memory"):
        sampled(Replayed(Network(), record=failing("CUDA out of memory"), device="cpu"), Sampler.ddim, Target.v)


@pytest.mark.gpu
@pytest.mark.parametrize("sampler", list(Sampler))
def test_a_graph_answers_as_the_network(sampler: Sampler) -> None:
    network = torch.nn.Conv2d(3, 3, 3, padding=1).cuda()

    def denoise(z_BCHW: Tensor, time_B: Tensor) -> Tensor:
        return network(z_BCHW) * (1 + time_B[:, None, None, None] / 1000).to(z_BCHW)

    noise = torch.randn(3, 3, 4, 4, generator=torch.Generator().manual_seed(1)).cuda()
    with torch.no_grad(), torch.autocast("cuda", torch.bfloat16):
        found = [
            SAMPLERS[sampler](
                predictor(each, Target.x0), noise, schedule_of(ScheduleConfig()), steps=7, eta=0.0, noise_source=None
            )
            for each in (denoise, Replayed(denoise, record=record))
        ]
    torch.testing.assert_close(found[0], found[1], rtol=1e-3, atol=1e-3)
