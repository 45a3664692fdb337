"""The generator of label maps: what it is given stays, what is open is drawn from the seed alone."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facecond.assembly.generator import diffusion_networks
from facecond.assembly.maps import MapGenerator, complete
from facecond.assembly.sources import open_source
from facecond.assembly.training import learner
from facecond.autoencoder.maps import channels_of, labels_of
from facecond.conditions.mask import Mask
from facecond.conditions.table import chosen
from facecond.config.compose import compose
from facecond.config.data import DrawnConfig
from facecond.config.diffusion import GuidanceConfig, MapLoss, SamplerConfig, Target
from facecond.config.training import Precision
from facecond.data.batches import ResidentData
from facecond.data.pack import Pack
from facecond.data.packing import pack_source
from facecond.denoisers.denoiser import LatentScale
from facecond.diffusion.prediction import Prediction, pinned
from facecond.diffusion.samplers import SAMPLERS
from facecond.diffusion.schedule import StraightLine
from facecond.errors import ConfigError
from facecond.faces.labels import flip_labels
from facecond.faces.names import NUM_CLASSES
from facecond.sampling.plans import Prompt, one_each
from facecond.training.learner import Learner
from facecond.types import Level

SIZE = 64


def maps_of(count: int) -> torch.Tensor:
    source = torch.Generator().manual_seed(0)
    return torch.randint(NUM_CLASSES, (count, SIZE, SIZE), generator=source).to(torch.uint8)


def generator(
    eta: float = 0.0, conditions: Sequence[str] = ("attributes", "mask"), loss: MapLoss = MapLoss.cross_entropy
) -> MapGenerator:
    """Random weights, an answer that is not zero."""
    words = ["model=maps", "size=tiny", "model.denoiser.model_channels=32", "model.denoiser.head_channels=32",
             f"model.conditions=[{','.join(conditions)}]"]  # fmt: skip
    config: Any = compose("train", [*words, f"model.loss={loss.name}"]).config
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


@pytest.mark.parametrize("loss", list(MapLoss))
def test_a_map_depends_on_its_seed_and_keeps_what_it_is_given(loss: MapLoss) -> None:
    for eta in (0.0, 1.0):
        maps, given = generator(eta, loss=loss), maps_of(3)
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


def test_what_is_given_is_before_the_network_at_every_step() -> None:
    """A network that is told no map sees the given part in the noisy map all the same: the rest follows from it."""
    maps = generator(conditions=["attributes"])
    one, other = maps_of(2)[:1], maps_of(2)[1:]
    one[:, 20:], other[:, 20:] = 255, 255
    drawn = [maps.complete({Mask.name: given}, [5])[0, 20:] for given in (one, other)]
    assert (drawn[0] != drawn[1]).any()


def test_prompts_without_a_whole_map_get_one() -> None:
    maps, whole = generator(), maps_of(1)[0].numpy()
    half = whole.copy()
    half[30:] = 255
    hat = np.zeros(40, np.int8)
    prompts = [
        Prompt(values={"mask": whole, "attributes": hat}, description={"mask": "m.png"}),
        Prompt(values={"mask": half}, description={"mask": "m.png"}),
        Prompt(values={"attributes": hat}, description={"attributes": "+Smiling"}),
        Prompt(values={"mask": half}, description={"mask": "validation item 3"}, source="000003"),
    ]
    plan = one_each(prompts, seed=3)
    completed = complete(plan, maps, Precision.float32)
    assert completed[0].prompt is prompts[0]
    assert completed[3].prompt is prompts[3]  # an item's map is taken as it is
    assert (completed[1].prompt.values["mask"][:30] == whole[:30]).all()
    assert completed[1].prompt.description["mask"] == "m.png, the rest drawn by maps"
    assert completed[1].prompt.given["mask"] is half
    assert completed[2].prompt.description == {"attributes": "+Smiling", "mask": "drawn by maps"}
    assert completed[2].prompt.given == {"mask": None}
    for before, after in zip(plan[1:3], completed[1:3], strict=True):
        assert (before.seed, before.index) == (after.seed, after.index)
        assert (after.prompt.values["mask"] < NUM_CLASSES).all()
    expected = maps.complete({"attributes": torch.zeros(1, 40, dtype=torch.int8)}, [plan[2].seed])
    assert (completed[2].prompt.values["mask"] == expected[0]).mean() > 0.99


def test_a_generator_that_is_told_no_map_keeps_one_all_the_same() -> None:
    half = maps_of(1)[0].numpy()
    half[30:] = 255
    plan = one_each([Prompt(values={"mask": half}, description={"mask": "m.png"})], seed=0)
    (completed,) = complete(plan, generator(conditions=["attributes"]), Precision.float32)
    assert (completed.prompt.values["mask"][:30] == half[:30]).all()


def test_a_batch_of_maps_is_mirrored_as_its_condition_is(tmp_path: Path) -> None:
    pack = pack_source(open_source(DrawnConfig(count=6, validation=2)), tmp_path / "pack", SIZE, workers=1)
    data = ResidentData(pack, maps=channels_of, conditions=chosen(["mask"]))
    flips = np.array([True, False])
    batch = data.batch(np.array([1, 2]), flips)
    assert torch.equal(labels_of(batch.latents_BCHW), batch.conditions["mask"])
    own = np.array(pack.labels[data.pack_indices[[1, 2]]])
    assert (batch.conditions["mask"][0].numpy() == flip_labels(own[0])).all()
    assert (batch.conditions["mask"][1].numpy() == own[1]).all()


def test_evaluations_are_told_no_map(tmp_path: Path) -> None:
    """What a model of maps is asked is what it draws without one."""
    pack = pack_source(open_source(DrawnConfig(count=12, validation=4)), tmp_path / "pack", SIZE, workers=1)
    config: Any = compose("train", ["model=maps", "size=tiny", "model.denoiser.model_channels=32",
                                    "model.denoiser.head_channels=32", "trainer.sample_grid=2"]).config  # fmt: skip
    built, _ = learner("maps", config, pack, torch.device("cpu"))
    asked: list[Any] = []
    built.draw_grid = lambda request: asked.append(request.batch.conditions) or np.zeros((2, 2, 3), np.uint8)  # type: ignore[attr-defined,func-returns-value]
    built.evaluate(0)
    assert (asked[0]["mask"] == 255).all()
    assert (asked[0]["attributes"] != 0).any()


def small_learner(pack: Pack, *words: str) -> Learner:
    tiny = ["model=maps", "size=tiny", "model.denoiser.model_channels=32", "model.denoiser.head_channels=32"]
    config: Any = compose("train", [*tiny, "trainer.sample_grid=0", *words]).config
    return learner("maps", config, pack, torch.device("cpu"))[0]


def test_an_answer_that_says_nothing_leaves_the_noisy_pixels_own_evidence(tmp_path: Path) -> None:
    """The last layer is zero at the start: the loss is that of Bayes' rule with classes equally likely beforehand."""
    pack = pack_source(open_source(DrawnConfig(count=12, validation=4)), tmp_path / "pack", SIZE, workers=1)
    built: Any = small_learner(pack)
    batch = built._validation_batch(np.arange(2))
    noise = torch.randn(2, NUM_CLASSES, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    time = torch.tensor([300.0, 800.0], dtype=torch.float64)
    z0 = built.scale.standardise(batch.latents_BCHW)
    denoise = built.denoiser.bind(built.conditioner(batch.conditions))
    with torch.no_grad():
        found = built._loss(denoise, z0, noise, built.schedule.at(time))
    likely = []
    for clean, eps, sigma in zip(z0, noise, (time / 1000).tolist(), strict=True):
        z = ((1 - sigma) * clean + sigma * eps).double()
        apart = torch.stack([
            (z - (1 - sigma) * built.scale.standardise(of_class.view(1, -1, 1, 1))[0].double()).square().sum(dim=0)
            for of_class in torch.eye(NUM_CLASSES)
        ])  # fmt: skip
        likely.append((-apart / (2 * sigma**2)).log_softmax(dim=0))
    labels = batch.latents_BCHW.argmax(dim=1)
    expected = -torch.stack(likely).gather(1, labels[:, None]).mean()
    assert float(found.mean) == pytest.approx(float(expected), rel=1e-4)


def test_classes_are_asked_of_the_clean_map(tmp_path: Path) -> None:
    pack = pack_source(open_source(DrawnConfig(count=4, validation=2)), tmp_path / "pack", SIZE, workers=1)
    with pytest.raises(ConfigError, match=r"model\.target=velocity cannot be learnt by model\.loss=cross_entropy"):
        small_learner(pack, "model.target=velocity")
    small_learner(pack, "model.target=velocity", "model.loss=squared_error")


@pytest.mark.parametrize(("balance", "strength"), [(0.0, 1.0), (0.5, 1.0), (1.0, 1.0), (0.5, 0.4)])
def test_standardised_channels_have_mean_0_and_a_deviation_that_is_balanced(
    balance: float, strength: float, tmp_path: Path
) -> None:
    pack = pack_source(open_source(DrawnConfig(count=24, validation=4)), tmp_path / "pack", SIZE, workers=1)
    words = [
        "model=maps",
        "size=tiny",
        f"model.balance={balance}",
        f"model.strength={strength}",
        "trainer.sample_grid=0",
    ]
    config: Any = compose("train", words).config
    built, _ = learner("maps", config, pack, torch.device("cpu"))
    labels = np.array(pack.labels[pack.indices("train")])
    both = channels_of(torch.from_numpy(np.concatenate([labels, flip_labels(labels)])))
    channels = built.modules["scale"].standardise(both)  # type: ignore[operator]
    common = both.mean(dim=(0, 2, 3)) > 1e-3
    torch.testing.assert_close(channels.mean(dim=(0, 2, 3))[common], torch.zeros(int(common.sum())), atol=1e-3, rtol=0)
    expected = strength * both.std(dim=(0, 2, 3))[common] ** (1 - balance)
    torch.testing.assert_close(channels.std(dim=(0, 2, 3))[common], expected, atol=1e-3, rtol=0)
