"""What a training takes of memory, beside what trainings take: real ones on the CPU, fake ones run backwards too, one on a GPU."""

from __future__ import annotations

import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from facecond.assembly.account import Account, Growing, accounts
from facecond.assembly.generator import diffusion_networks
from facecond.commands.timing import LATENTS, drawn_pack, write_noise_latents
from facecond.config.catalogue import kind_of
from facecond.config.compose import compose
from facecond.config.training import Precision
from facecond.data.latents import LatentStore
from facecond.data.pack import Pack
from facecond.learners.diffusion import RECOMPUTED, Answer
from facecond.quantities import in_bytes
from facecond.training.learner import Draws, Step
from facecond.training.recompute import recompute
from tests.training.steps import run_of

CHECKPOINTED = "trainer.gradient_checkpointing=true"


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    pack = drawn_pack(tmp_path_factory.mktemp("account") / "pack", 64, faces=40, validation=8)
    write_noise_latents(pack)
    return pack


def blank(shape: tuple[int, ...], dtype: str = "uint8") -> Any:
    """An array that takes no memory."""
    return np.broadcast_to(np.zeros((), dtype), shape)


def celeba(side: int) -> tuple[Any, Any]:
    """What is asked of a pack as large as CelebAMask-HQ, and of its latents."""
    shapes = {"images": (30000, side, side, 3), "labels": (30000, side, side), "attributes": (30000, 40)}
    manifest: Any = {
        "resolution": side,
        "ids": [""] * 30000,
        "splits": {"train": [[0, 25000]], "validation": [[25000, 30000]]},
    }
    latents = blank((30000, 3, side // 4, side // 4), "float16")
    pack = Pack(Path(), manifest, {name: blank(shape) for name, shape in shapes.items()})
    return pack, SimpleNamespace(shape=latents.shape[1:], latents=latents, latents_flipped=latents)


def of_paper(device: str, *words: str, side: int = 256, precision: Precision = Precision.bfloat16) -> Account:
    pack, latents = celeba(side)
    config = compose(
        "train", [*(words if any("size" in word for word in words) else ("experiment=paper", *words))]
    ).config
    return accounts("diffusion", config, pack, device, precision, latents)[config.trainer.recompute]


@pytest.fixture(scope="module")
def multicond() -> tuple[Account, Account]:
    """The paper's on a GPU, without gradient checkpointing and with it."""
    pack, latents = celeba(256)
    config = compose("train", ["experiment=paper", "model=multicond"]).config
    return accounts("diffusion", config, pack, "cuda", Precision.bfloat16, latents)


class Live(TorchDispatchMode):
    """Counts the bytes of all storages made inside that are not gone yet, and the most there were."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self._known: dict[int, int] = {}

    def _gone(self, place: int) -> None:
        self.now -= self._known.pop(place)

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = function(*args, **(kwargs or {}))
        for leaf in tree_leaves(given):
            if isinstance(leaf, Tensor) and (place := (storage := leaf.untyped_storage())._cdata) not in self._known:
                self._known[place] = storage.nbytes()
                self.now += storage.nbytes()
                self.most = max(self.most, self.now)
                weakref.finalize(storage, self._gone, place)
        return given


@contextmanager
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def stores(model: str, pack: Pack) -> LatentStore | None:
    return LatentStore.open(pack.path, LATENTS) if kind_of(model) == "diffusion" else None


def counted(model: str, pack: Pack, *words: str) -> Account:
    config = compose("train", [f"model={model}", "size=tiny", *words]).config
    found = accounts(kind_of(model), config, pack, "cpu", Precision.float32, stores(model, pack))
    return found[config.trainer.recompute]


MODELS = [
    ("multicond", ()), ("vq", (CHECKPOINTED,)),
    *(pytest.param(*each, marks=pytest.mark.slow) for each in [
        ("multicond", (CHECKPOINTED,)), ("sketch_attr", ("denoiser=transformer",)), ("maps", ()), ("vq", ()),
        ("vq", ("model.loss.discriminator_weight=0.5",)), ("parser", ()), ("classifier", ()),
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("model", "words"), MODELS, ids=lambda each: each if isinstance(each, str) else " ".join(each))
def test_activations_are_those_of_a_real_step(model: str, words: tuple[str, ...], pack: Pack) -> None:
    """Of a batch of 16: the most that a forward and a backward pass keep, gradients included, which come while activations go."""
    run = run_of(model, pack, "cpu", "trainer.precision=float32", *words)
    run.step()  # what is made once, moments among it, is there
    (phase, *_), items = run.learner.phases, run.learner.items(16, 16)
    run.state.optimisers[phase.name].zero_grad(set_to_none=True)
    step = Step(*items, 0, 1600, Draws(0, 16, 16), run.device, Precision.float32)
    with run.state.only(phase.name), Live() as live:
        loss, _ = run.learner.loss(phase.name, step)
        loss.backward()
    check(counted(model, pack, *words), 16, live.most)


def check(found: Account, images: int, most: int) -> None:
    """`most`: what a forward and a backward pass took, with the gradients that were there already."""
    others = found.weights + found.moments + found.averages
    assert found.needed(images) - found.data == pytest.approx(others + most, rel=0.15)
    if (
        not found.blocks
    ):  # with gradient checkpointing the largest block may come first or last, before or after most gradients
        assert found.activations(images) == pytest.approx(most, rel=0.15)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_states_are_those_of_a_real_training(optimizer: str, pack: Pack) -> None:
    words = f"trainer.optimizer={optimizer}", "model.mask.norm=batch"
    run, found = run_of("multicond", pack, "cpu", *words), counted("multicond", pack, *words)
    run.step()
    modules = run.learner.modules.values()
    weights = [weight for module in modules for weight in module.parameters()]
    assert found.weights == size([*weights, *(buffer for module in modules for buffer in module.buffers())])
    assert found.gradients == size([weight.grad for weight in weights]) == 4 * sum(map(Tensor.numel, weights))
    (optimiser,) = run.state.optimisers.values()
    assert found.moments == size(
        [value for kept in optimiser.state.values() for name, value in kept.items() if name != "step"]
    )
    assert (found.moments == 2 * found.gradients) == (optimizer == "adamw")
    assert found.averages == size(run.state.average.state().values())
    assert not found.divisible


def size(tensors: Any) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


@pytest.mark.parametrize("model", ["multicond", "maps", "parser"])
def test_data_is_what_lies_on_the_device(model: str, pack: Pack) -> None:
    run = run_of(model, pack, "cpu")
    splits = (run.learner.train, run.learner.validation)
    there = sum(column.resident_bytes for split in splits for column in split._columns.values())
    assert counted(model, pack).data == there > 0


def most_of_a_fake_step(config: Any, side: int, images: int, precision: Precision) -> int:
    """Bytes that a diffusion model's forward and backward pass on a CPU take at most, gradients included; nothing is computed."""
    bfloat16 = torch.autocast("cpu", torch.bfloat16, enabled=precision is Precision.bfloat16)
    with FakeTensorMode():
        denoiser, conditioner = diffusion_networks(config.model, 3, side)
        if config.trainer.gradient_checkpointing:
            recompute(denoiser, RECOMPUTED)
        values = {each.name: each.nothing(images, side, "cpu") for each in conditioner.conditions}
        keep = {name: torch.ones(images, dtype=torch.bool) for name in values} if conditioner.optional else {}
        z, times = torch.zeros(images, 3, side // 4, side // 4), torch.zeros(images)
        with Live() as live:
            with bfloat16:
                answer = Answer(denoiser, conditioner)(z, times, values, keep)
            (answer.float() - z).square().mean().backward()
        return live.most


@pytest.mark.parametrize(
    ("size", "side", "precision", "checkpointed"),
    [
        ("tiny", 64, Precision.float32, False),
        pytest.param("tiny", 64, Precision.bfloat16, True, marks=pytest.mark.slow),
        pytest.param("base", 128, Precision.bfloat16, False, marks=pytest.mark.slow),
        pytest.param("paper", 256, Precision.bfloat16, False, marks=pytest.mark.slow),
        pytest.param("paper", 256, Precision.bfloat16, True, marks=pytest.mark.slow),
    ],
)  # fmt: skip
def test_every_size_takes_what_a_fake_step_takes(
    size: str, side: int, precision: Precision, checkpointed: bool
) -> None:
    words = "model=multicond", f"size={size}", f"trainer.gradient_checkpointing={str(checkpointed).lower()}"
    config = compose("train", words).config
    images = config.trainer.batch_size
    most = most_of_a_fake_step(config, side, images, precision)
    found = of_paper("cpu", *words, side=side, precision=precision)
    check(found, images, most)


def test_the_paper_s_states_are_five_numbers_a_weight_and_its_activations_those_counted_elsewhere(
    multicond: tuple[Account, Account], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weight, gradient, two moments and average, 4 bytes each. Activations of 48 images were once counted by other fake tensors,
    with attention that keeps its probabilities: 45 GB."""
    config = compose("train", ["experiment=paper", "model=multicond"]).config
    with torch.device("meta"):
        networks = diffusion_networks(config.model, 3, 256)
    weights = sum(weight.numel() for network in networks for weight in network.parameters())
    found, _ = multicond
    assert found.states - found.data == pytest.approx(5 * 4 * weights, rel=0.001)
    monkeypatch.setattr("facecond.assembly.account._Fused", nullcontext)
    monkeypatch.setattr("facecond.assembly.account.ON_A_GPU", 1)
    assert of_paper("cuda", "model=multicond").activations(48) == pytest.approx(45e9, rel=0.03)


def test_the_paper_s_models_fit_24_gb(multicond: tuple[Account, Account]) -> None:
    """With the 10 % that stay free. Batch normalisation keeps the 48 images of multicond together: it needs checkpointing."""
    room = 24e9 * 0.9
    plain, checkpointed = multicond
    data = 30000 * (256 * 256 + 40 + 2 * 2 * 3 * 64 * 64)  # maps, attributes, latents of pictures and of their mirrors
    assert plain.data == checkpointed.data == data
    text = (Path(__file__).parents[2] / "docs" / "guide.md").read_text(encoding="utf-8")
    assert f"the second takes {in_bytes(plain.needed(48))}; the first does not fit so" in text
    assert f"turns gradient checkpointing on: {in_bytes(checkpointed.needed(48))}" in text
    assert plain.largest(48, room) is None
    assert checkpointed.largest(48, room) == 48
    attributes = of_paper("cuda", "model=attr")
    assert attributes.divisible
    assert attributes.largest(48, room) == 12


@pytest.mark.parametrize("model", ["vq", "parser"])
def test_with_gradient_checkpointing_or_without_as_the_settings_say(model: str, pack: Pack) -> None:
    """A judge keeps the same either way."""
    settings = [compose("train", [f"model={model}", "size=tiny", *words]).config for words in ((), (CHECKPOINTED,))]
    (plain, again), others = (accounts(model, each, pack, "cpu", Precision.float32) for each in settings)
    assert others == (plain, again)
    assert [counted(model, pack), counted(model, pack, CHECKPOINTED)] == [plain, again]
    assert bool(again.blocks) == (plain != again) == (model == "vq")


def test_the_largest_divisor_that_fits() -> None:
    plain = Account(10, 10, 20, 10, 50, Growing(7, 3), (), divisible=True)
    assert plain.needed(8) == 100 + 7 + 24
    assert [plain.largest(12, there) for there in (143, 142, 125, 124, 110, 109)] == [12, 6, 6, 4, 1, None]
    whole = plain._replace(divisible=False)
    assert [whole.largest(12, there) for there in (143, 142)] == [12, None]
    again = plain._replace(blocks=(Growing(2, 5), Growing(30, 1)))  # casts of all, or the larger of the blocks
    assert [again.activations(n) for n in (1, 2, 6, 7)] == [10 + 32, 13 + 32, 25 + 36, 28 + 37]


def test_counting_the_smallest_size_takes_no_time(pack: Pack) -> None:
    """Once torch has loaded what fake tensors need, which an optimiser loads as well."""
    counted("multicond", pack)
    with one_thread():
        began = time.process_time()
        counted("multicond", pack)
        assert time.process_time() - began < 3


def test_nothing_stays_behind(pack: Pack) -> None:
    before = torch.get_rng_state()
    counted("vq", pack)
    of_paper("cuda", "model=attr", "size=tiny", side=64)
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.is_autocast_enabled("cuda")
    assert not torch.is_autocast_enabled("cpu")
    assert torch.zeros(2).sum().item() == 0
