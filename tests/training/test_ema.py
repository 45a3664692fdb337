import json
from pathlib import Path

import pytest
import torch
from torch import nn

from facecond.training.ema import Average

TRACE = json.loads((Path(__file__).parent.parent / "golden" / "ema_trace.json").read_text())


def test_trace_of_the_original():
    """LitEma of CompVis latent diffusion: a weight set to k at call k = 0..29; ema_trace.json holds the average after
    each."""
    module = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        module.weight.fill_(TRACE[0] / (2 / 11))  # the start that gives the first entry: decay is 2/11, the weight is 0
    average = Average({"net": module}, 0.9999)
    for k, expected in enumerate(TRACE):
        with torch.no_grad():
            module.weight.fill_(float(k))
        average.update()
        assert average.state()["net.weight"].item() == pytest.approx(expected, rel=1e-6)


def test_long_run_reaches_the_full_decay():
    module = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        module.weight.zero_()
    average = Average({"net": module}, 0.5)
    with torch.no_grad():
        module.weight.fill_(1.0)
    # (1 + n) / (10 + n) is 2/11, 3/12, 4/13, 5/14, ... and passes 0.5 at n = 8: what is left of the 0 is their product.
    left = 1.0
    for n in range(1, 20):
        average.update()
        left *= min(0.5, (1 + n) / (10 + n))
        assert average.state()["net.weight"].item() == pytest.approx(1 - left, abs=1e-6)


def test_buffers_and_frozen_weights_are_copied():
    module = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    module[0].bias.requires_grad_(False)
    average = Average({"net": module}, 0.9)
    with torch.no_grad():
        module[0].bias.fill_(5.0)
        module[1].running_mean.fill_(2.0)
        module[1].num_batches_tracked.fill_(7)
    average.update()
    state = average.state()
    assert state.keys() == {f"net.{name}" for name in module.state_dict()}
    assert state["net.0.bias"].tolist() == [5.0] * 3
    assert state["net.1.running_mean"].tolist() == [2.0] * 3
    assert state["net.1.num_batches_tracked"].item() == 7


def test_in_place_exchanges_and_gives_back_to_the_bit():
    module = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    average = Average({"net": module}, 0.9)
    with torch.no_grad():
        for weight in module.parameters():
            weight.add_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(1)))
    average.update()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    kept = {name: tensor.clone() for name, tensor in average.state().items()}

    def compare():
        with average.in_place():
            for name, tensor in module.state_dict().items():
                assert torch.equal(tensor, kept[f"net.{name}"])
            raise ValueError("an evaluation that fails")

    with pytest.raises(ValueError, match="fails"):
        compare()
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())
    assert all(torch.equal(tensor, kept[name]) for name, tensor in average.state().items())


def test_restore():
    module = nn.Linear(2, 2)
    average, other = Average({"net": module}, 0.9), Average({"net": nn.Linear(2, 2)}, 0.9)
    average.update()
    other.restore(average.state(), average.updates)
    assert other.updates == 1
    assert all(torch.equal(tensor, average.state()[name]) for name, tensor in other.state().items())
