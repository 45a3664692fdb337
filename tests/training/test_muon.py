"""Muon: against torch's, against singular values, and inside a training."""

import json
import socket

import pytest
import torch
from torch import nn

from facecond.assembly.generator import diffusion_networks
from facecond.config.compose import compose
from facecond.training.loop import fit
from facecond.training.muon import MOMENTUM, Muon, hidden_matrices, orthogonal
from tests.training.test_loop import agree, assert_same_end, end_of, start
from tests.training.toy import Toy, trainer

SHAPES = [(32, 32), (24, 96), (96, 24), (40, 41), (16, 300), (24, 96)]


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def muon(weights, matrices, rate=0.02, decay=0.1):
    return Muon(weights, set(matrices), lr=rate, betas=(0.9, 0.99), weight_decay=decay)


def steps(optimisers, weights, count=6):
    """Take steps with the same gradients whatever the optimisers, at a rate that changes."""
    for number in range(count):
        for index, weight in enumerate(weights):
            weight.grad = drawn(*weight.shape, seed=100 * number + index) + 0.3 * weight.detach()
        for optimiser in optimisers:
            for group in optimiser.param_groups:
                group["lr"] = 0.02 / (1 + number)
            optimiser.step()


def test_matrices_move_as_torchs_muon_moves_them():
    """Up to torch's bfloat16 (unit 2^-9): six steps end within a hundredth of the way; with torch's in float32, within 3e-6."""
    begun = [drawn(*shape, seed=index) for index, shape in enumerate(SHAPES)]
    ours, theirs = ([nn.Parameter(weight.clone()) for weight in begun] for _ in range(2))
    steps([muon(ours, ours)], ours)
    settings = {"lr": 0.02, "weight_decay": 0.1, "momentum": MOMENTUM, "adjust_lr_fn": "match_rms_adamw"}
    steps([torch.optim.Muon(theirs, **settings)], theirs)
    for one, other, start_ in zip(ours, theirs, begun, strict=True):
        assert (one - other).norm() < 0.01 * (other - start_).norm()


def test_other_weights_move_as_adamw_moves_them():
    """To the bit, with one rate for both kinds."""
    begun = [drawn(32, 32), drawn(32, seed=1), drawn(5, 7, seed=2)]
    ours, theirs = ([nn.Parameter(weight.clone()) for weight in begun] for _ in range(2))
    steps([muon(ours, ours[:1])], ours)
    steps([torch.optim.AdamW(theirs, lr=0.02, betas=(0.9, 0.99), weight_decay=0.1, fused=True)], theirs)
    assert [torch.equal(one, other) for one, other in zip(ours, theirs, strict=True)] == [False, True, True]


@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
def test_a_convolution_is_its_matrix(memory):
    kernel, flat = drawn(24, 20, 3, 3), drawn(24, 20, 3, 3).flatten(1)
    convolution, matrix = nn.Parameter(kernel.to(memory_format=memory)), nn.Parameter(flat)
    optimisers = muon([convolution], [convolution]), muon([matrix], [matrix])
    for number in range(4):
        gradient = drawn(24, 20, 3, 3, seed=9 + number)
        convolution.grad, matrix.grad = gradient.to(memory_format=memory), gradient.flatten(1)
        for optimiser in optimisers:
            optimiser.step()
    assert torch.equal(convolution.flatten(1), matrix)
    assert convolution.is_contiguous(memory_format=memory)


@pytest.mark.parametrize("shape", [(3, 32, 32), (2, 48, 64), (2, 32, 288), (1, 64, 65)])
def test_singular_values_of_an_update_are_about_one(shape):
    """From 0.65 to 1.25 where they were a hundredth of the matrix's norm, and in its own singular vectors."""
    x = drawn(*shape)
    left, before, right = torch.linalg.svd(x.double(), full_matrices=False)
    answers = left.mT @ orthogonal(x).double() @ right.mT
    after = answers.diagonal(dim1=1, dim2=2)
    assert 0 < after.min() < after.max() < 1.25
    assert after[before > 0.01 * before.norm(dim=1, keepdim=True)].min() > 0.65
    assert (answers - torch.diag_embed(after)).abs().max() < 1e-4


@pytest.mark.parametrize("rows", [20, 40])
def test_both_ways_to_iterate_are_one(rows):
    """Up to float32: the same matrix with columns of zeros is iterated on the other way."""
    x = drawn(2, rows, 2 * rows) * torch.logspace(0, -5, rows)[:, None]
    wider = torch.cat([x, torch.zeros(2, rows, 1)], dim=2)
    torch.testing.assert_close(orthogonal(wider)[..., :-1], orthogonal(x), rtol=0, atol=1e-4)


def test_an_update_is_as_large_as_adamws():
    """0.2 times the rate in root mean square, whatever the shape and the gradient; nothing for no gradient at all."""
    weights = [nn.Parameter(drawn(*shape)) for shape in (*SHAPES, (24, 20, 3, 3))]
    before = [weight.detach().clone() for weight in weights]
    for weight in weights:
        weight.grad = 1e-3 * drawn(*weight.shape, seed=5)
    weights[0].grad = torch.zeros(32, 32)
    muon(weights, weights, rate=0.5, decay=0.0).step()
    sizes = [float((weight.detach() - was).square().mean().sqrt()) for weight, was in zip(weights, before, strict=True)]
    assert sizes[0] == 0
    assert sizes[1:] == pytest.approx([0.1] * len(sizes[1:]), rel=0.25)


def test_which_weights_are_matrices():
    denoiser, conditioner = diffusion_networks(compose("train", ["model=multicond", "size=tiny"]).config.model, 3, 64)
    names = {id(weight): name for part in (denoiser, conditioner) for name, weight in part.named_parameters()}
    chosen = {names[id(weight)] for weight in hidden_matrices([denoiser, conditioner])}
    assert {"middle_block.1.transformer_blocks.0.attn1.to_q.weight", "input_blocks.1.0.in_layers.2.weight"} <= chosen
    assert not chosen & {"input_blocks.0.0.weight", "out.2.weight"}  # first and last
    assert all("null" not in name and name.endswith(".weight") for name in chosen)
    assert not hidden_matrices([nn.Embedding(64, 64), nn.Conv2d(32, 32, 3, groups=32), nn.LayerNorm(32)])


DEEP = {"norm": False, "critic_from": 32, "width": 16, "deep": True}


def run(folder, **settings):
    return fit(Toy(**DEEP), trainer(optimizer="muon", **settings), folder, weights_config={"toy": True})


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that was never interrupted."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    run(folder)
    kept = {name for name in end_of(folder)[0] if name.endswith("/momentum")}
    assert kept == {"optimiser/generator/generator.2.1.weight/momentum"}
    return folder


def test_stopped_and_continued_ends_bitwise_the_same(whole, tmp_path):
    for _ in range(3):
        assert not run(tmp_path / "parts", stop_after_minutes=1e-9).finished
    assert run(tmp_path / "parts").finished
    assert_same_end(tmp_path / "parts", whole)


def test_it_learns_and_something_else_than_adamw(whole, tmp_path):
    fit(Toy(**DEEP), trainer(), tmp_path / "adamw", weights_config={"toy": True})
    with pytest.raises(AssertionError):
        agree(tmp_path / "adamw", whole, 1e-3)
    errors = [line["error"] for line in end_of(whole)[1] if line["kind"] == "training"]
    assert errors[-1] < 0.8 * errors[0]


def test_micro_batches_learn_the_same(whole, tmp_path):
    run(tmp_path / "a", micro_batch=2)
    agree(tmp_path / "a", whole, 1e-4)


@pytest.mark.slow
def test_two_processes_learn_the_same(whole, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    told = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}  # as torchrun does
    processes = [
        start(tmp_path / "two", '{"optimizer": "muon"}', json.dumps(DEEP), **told, RANK=rank, LOCAL_RANK=rank)
        for rank in "01"
    ]
    for process in processes:
        assert process.wait(timeout=240) == 0, process.stderr.read()
    agree(tmp_path / "two", whole, 1e-4)
