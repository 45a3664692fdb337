"""The generator of label maps: what it is given stays, what is open is drawn from the seed alone."""

from typing import Any

import numpy as np
import torch

from facecond.assembly.generator import diffusion_networks
from facecond.assembly.maps import MapGenerator, with_maps
from facecond.autoencoder.maps import channels_of, labels_of
from facecond.conditions.mask import Mask
from facecond.config.compose import compose
from facecond.config.diffusion import GuidanceConfig, SamplerConfig, Target
from facecond.denoisers.denoiser import LatentScale
from facecond.diffusion.prediction import Prediction, pinned
from facecond.diffusion.samplers import SAMPLERS
from facecond.diffusion.schedule import StraightLine
from facecond.faces.names import NUM_CLASSES
from facecond.sampling.plans import Prompt, one_each
from facecond.types import Level

SIZE = 64


def maps_of(count: int) -> torch.Tensor:
    source = torch.Generator().manual_seed(0)
    return torch.randint(NUM_CLASSES, (count, SIZE, SIZE), generator=source).to(torch.uint8)


def generator(eta: float = 0.0) -> MapGenerator:
    """Random weights, an answer that is not zero."""
    words = ["model=maps", "size=tiny", "model.denoiser.model_channels=32", "model.denoiser.head_channels=32"]
    config: Any = compose("train", words).config
    torch.manual_seed(0)
    denoiser, conditioner = diffusion_networks(config.model, NUM_CLASSES, SIZE)
    with torch.no_grad():
        denoiser.out[-1].weight.normal_(0, 0.3)
    return MapGenerator(
        config.model, denoiser.eval(), conditioner.eval(), LatentScale(NUM_CLASSES), "0" * 64, SIZE, torch.device("cpu"),
        name="maps", sampler=SamplerConfig(steps=2, eta=eta), guidance=GuidanceConfig(scale=2.0),
    )  # fmt: skip


def test_channels_are_the_classes_and_back() -> None:
    labels = maps_of(2)
    channels = channels_of(labels)
    assert channels.shape == (2, NUM_CLASSES, SIZE, SIZE)
    assert torch.equal(channels.sum(dim=1), torch.ones(2, SIZE, SIZE))
    assert torch.equal(channels[:, 17], (labels == 17).float())
    assert torch.equal(labels_of(channels), labels)
    labels[0, 3, 5] = 255
    assert channels_of(labels)[0, :, 3, 5].abs().sum() == 0


def test_an_average_of_two_classes_is_one_of_them() -> None:
    one, other = channels_of(torch.full((1, 2, 2), 17)), channels_of(torch.full((1, 2, 2), 8))
    for share in (0.1, 0.4, 0.6, 0.9):
        assert set(labels_of(share * one + (1 - share) * other).unique().tolist()) <= {17, 8}


def test_what_is_known_is_what_a_sampler_ends_at() -> None:
    source = torch.Generator().manual_seed(1)
    clean, wrong = (torch.randn(1, 2, 4, 4, generator=source) for _ in range(2))
    known = torch.zeros(1, 1, 4, 4, dtype=torch.bool)
    known[..., :2] = True

    def predict(z_BCHW: torch.Tensor, level: Level[float]) -> Prediction:
        return Prediction(wrong, Target.x0, z_BCHW, level)

    for sample in SAMPLERS.values():
        noise = torch.randn(1, 2, 4, 4, generator=source)
        found = sample(pinned(predict, clean, known), noise, StraightLine(), steps=4, eta=0.0)
        torch.testing.assert_close(found, torch.where(known, clean, wrong))


def test_a_map_depends_on_its_seed_and_keeps_what_it_is_given() -> None:
    for eta in (0.0, 1.0):
        maps, given = generator(eta), maps_of(3)
        given[:, 20:] = 255
        given[2] = 255
        together = maps.complete({Mask.name: given}, [5, 6, 7])
        assert together.dtype == np.uint8
        assert (together < NUM_CLASSES).all()
        assert (together[:2, :20] == given[:2, :20].numpy()).all()
        for place, seed in enumerate([5, 6, 7]):
            alone = maps.complete({Mask.name: given[place : place + 1]}, [seed])
            assert (alone[0] == together[place]).mean() > 0.99  # rounding may turn a pixel where two classes are level
        free = maps.complete({}, [7])
        assert (free[0] == together[2]).mean() > 0.99
        assert (maps.complete({}, [8])[0] != free[0]).any()


def test_prompts_without_a_whole_map_get_one() -> None:
    maps, whole = generator(), maps_of(1)[0].numpy()
    half = whole.copy()
    half[30:] = 255
    hat = np.zeros(40, np.int8)
    prompts = [
        Prompt(values={"mask": whole, "attributes": hat}, description={"mask": "m.png"}),
        Prompt(values={"mask": half}, description={"mask": "m.png"}),
        Prompt(values={"attributes": hat}, description={"attributes": "+Smiling"}),
    ]
    plan = one_each(prompts, seed=3)
    completed = with_maps(plan, maps)
    assert len(completed) == 3
    assert completed[0].prompt is prompts[0]
    assert (completed[1].prompt.values["mask"][:30] == whole[:30]).all()
    assert completed[1].prompt.description["mask"] == "m.png, the rest drawn by maps"
    assert completed[2].prompt.description == {"attributes": "+Smiling", "mask": "drawn by maps"}
    for before, after in zip(plan, completed, strict=True):
        assert (before.seed, before.index) == (after.seed, after.index)
        assert (after.prompt.values["mask"] < NUM_CLASSES).all()
    expected = maps.complete({"attributes": torch.zeros(1, 40, dtype=torch.int8)}, [plan[2].seed])
    assert (completed[2].prompt.values["mask"] == expected[0]).mean() > 0.99
    longer = with_maps(one_each([*prompts, *prompts], seed=3), maps)
    for few, many in zip(completed, longer, strict=False):
        assert (few.prompt.values["mask"] == many.prompt.values["mask"]).all()
