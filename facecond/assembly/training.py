"""What `facecond train` hands to the training loop: the learner of each kind of model, put together from its configuration."""

import logging
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from facecond.assembly.first_stage import FirstStage, load_first_stage
from facecond.assembly.generator import Diffuser, Generator, diffusion_networks
from facecond.assembly.initial import Learnt, start_classifier, start_diffusion, start_first_stage, start_parser
from facecond.assembly.judges import ANSWERS
from facecond.assembly.maps import reader
from facecond.assembly.room import require_what_training_takes
from facecond.autoencoder.losses import VQLoss
from facecond.autoencoder.maps import channels_of, labels_of
from facecond.autoencoder.vq import VQModel
from facecond.conditions.condition import Condition
from facecond.conditions.mask import Mask
from facecond.conditions.table import chosen, pictures_of
from facecond.config.commands.base import NO_FIRST_STAGE
from facecond.config.commands.train import (
    TrainClassifierConfig,
    TrainConfig,
    TrainDiffusionConfig,
    TrainFirstStageConfig,
    TrainMapsConfig,
    TrainParserConfig,
)
from facecond.config.diffusion import DiffusionConfig, MapLoss, Target
from facecond.config.settings import plain
from facecond.data.batches import ResidentData
from facecond.data.latents import LatentStore
from facecond.data.learnt import learnt_from
from facecond.data.pack import SPLITS, Pack
from facecond.denoisers.denoiser import LatentScale
from facecond.errors import ConfigError, NotFiniteError
from facecond.faces.labels import flip_table
from facecond.faces.names import NUM_CLASSES
from facecond.judges.classifier import build_classifier
from facecond.judges.parser import build_parser
from facecond.learners.classifier import ClassifierLearner
from facecond.learners.diffusion import DiffusionLearner, GridRequest
from facecond.learners.maps import MapLearner
from facecond.learners.parser import ParserLearner
from facecond.learners.vq import FirstStageLearner
from facecond.reports.layouts import Shown, samples_figure
from facecond.rng import mix
from facecond.training.device import resolve_precision
from facecond.training.learner import Learner
from facecond.types import NoiseSource, Values

Built = tuple[Learner, dict[str, Any]]
"""A learner and what the header of its weights says: kind, model configuration, resolution, a judge's answers."""

log = logging.getLogger("facecond")


def learner(kind: str, config: TrainConfig, pack: Pack, device: torch.device, **of_kind: Any) -> Built:
    """Return the learner of `kind` with freshly drawn (or, with `config.init`, loaded) weights on `device`.

    `of_kind` is what one kind needs beside: `latents` (hash of the first stage) and `first_stage` (its place) for
    diffusion. The initial weights are a function of `config.trainer.seed`.
    """
    require_what_training_takes(kind, config, pack.resolution, device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(mix(config.trainer.seed, f"initial weights of {kind}"))
        built, weights_config = LEARNERS[kind](config, pack, device, **of_kind)
    answers = {"answers": list(ANSWERS[kind])} if kind in ANSWERS else {}
    return built, {
        "kind": kind, "model": plain(config.model), "resolution": pack.resolution, **answers, **weights_config
    }  # fmt: skip


def _check_sides(pack: Pack, multiple: int, what: str) -> None:
    """Raise ConfigError when the pack's pictures cannot be divided as a network does."""
    if pack.resolution % multiple:
        raise ConfigError(
            f"{pack.path} has {pack.resolution} px, but {what} needs a multiple of {multiple}",
            hint=f"make the data again with resolution={-(-pack.resolution // multiple) * multiple}",
        )


def _pictures(pack: Pack, device: torch.device, conditions: Sequence[Condition] = ()) -> dict[str, ResidentData]:
    return {
        split: ResidentData(pack, split=split, images=True, conditions=conditions, device=device) for split in SPLITS
    }


def _check_told(model: DiffusionConfig, pack: Pack) -> None:
    """Raise ConfigError when the pack leaves something unsaid that a model without null tokens must be told."""
    if model.optional:
        return
    items = np.concatenate([pack.indices(split) for split in SPLITS])
    for condition in chosen(model.conditions):
        values = pack.values(condition)
        pieces = (torch.from_numpy(np.array(values[items[i : i + 256]])) for i in range(0, len(items), 256))
        open_items = sum(int((~condition.says_everything(piece)).sum()) for piece in pieces)
        if open_items:
            raise ConfigError(
                f"{pack.path}: {condition.unsaid} of {open_items} items are not specified, and this model must be told all",
                hint=f"choose a model without {condition.name}, or train with model.condition_dropout=0.1 "
                "model.partial_dropout=0.1",
            )


def _identity(pack: Pack) -> dict[str, Any]:
    return {"pack": pack.manifest["sha256"], "resolution": pack.resolution}


def _diffusion(
    config: TrainDiffusionConfig, pack: Pack, device: torch.device, *, latents: str, first_stage: Any
) -> Built:
    model = config.model
    _check_told(model, pack)
    stage = load_first_stage(first_stage, device) if config.trainer.sample_grid else None
    learnt = _diffusion_data(config, pack, device, latents, chosen(model.conditions))
    denoiser, conditioner = diffusion_networks(model, learnt.channels, pack.resolution)
    _check_sides(pack, learnt.factor * denoiser.multiple, "this denoiser on these latents")
    scale = LatentScale(learnt.channels, *learnt.statistics)
    if config.init is not None:
        start_diffusion(denoiser, conditioner, config.init)
    for module in (denoiser, conditioner, scale):
        module.to(device)
    built = DiffusionLearner(
        denoiser, conditioner, scale, model, config.weighting, config.trainer,
        train=learnt.data["train"], validation=learnt.data["validation"],
        identity=_identity(pack) | {"first_stage": latents, "model": plain(model), "weighting": plain(config.weighting)},
        draw_grid=_grid_drawer(config, pack, stage, device) if stage else None,
    )  # fmt: skip
    return built, {"first_stage": latents}


def _maps(config: TrainMapsConfig, pack: Pack, device: torch.device) -> Built:
    """A learner of the label maps themselves; `mask` among its conditions is the part of a map that is given."""
    model = config.model
    if not model.optional or (Mask.name in model.conditions and model.dropout_of(Mask.name) == 0):
        raise ConfigError(
            "a generator of maps must learn to do without attributes and maps, or nothing is left to draw",
            hint="set model.condition_dropout=0.1 and model.mask.dropout=0.5",
        )
    for split in SPLITS:
        if unsaid := pack.manifest["classes"][split]["unspecified_pixels"]:
            raise ConfigError(
                f"{pack.path}: of {unsaid} pixels of its {split} maps nothing is said, and whole maps are to be learnt",
                hint="choose a pack whose label maps are whole: pack=...",
            )
    denoiser, conditioner = diffusion_networks(model, NUM_CLASSES, pack.resolution)
    _check_sides(pack, denoiser.multiple, "this denoiser")
    data = {
        split: ResidentData(pack, split=split, maps=channels_of, conditions=chosen(model.conditions), device=device)
        for split in SPLITS
    }
    if model.loss is MapLoss.cross_entropy and model.target is not Target.x0:
        raise ConfigError(
            f"model.target={model.target.name} cannot be learnt by model.loss=cross_entropy: classes are asked of the clean map",
            hint="set model.target=x0, or model.loss=squared_error",
        )
    mean, deviation = _class_statistics(pack) if model.standardise_latents else (np.zeros(NUM_CLASSES), np.ones(1))
    spread = np.broadcast_to(deviation**model.balance / model.strength, NUM_CLASSES)
    scale = LatentScale(NUM_CLASSES, mean, spread)
    if config.init is not None:
        start_diffusion(denoiser, conditioner, config.init, kind="maps")
    for module in (denoiser, conditioner, scale):
        module.to(device)
    kind = MapLearner if model.loss is MapLoss.cross_entropy else DiffusionLearner
    built = kind(
        denoiser, conditioner, scale, model, config.weighting, config.trainer,
        train=data["train"], validation=data["validation"],
        identity=_identity(pack) | {"model": plain(model), "weighting": plain(config.weighting)},
        draw_grid=_maps_drawer(config, pack, device), withheld=[Mask.name],
    )  # fmt: skip
    return built, {"source": pack.manifest["source"].get("kind")}


def _class_statistics(pack: Pack) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and deviation (19,) of each class's channel over the training maps; sides count alike, a rare class as one in 10,000."""
    share = np.array(pack.manifest["classes"]["train"]["pixels"], dtype=np.float64)
    share = ((share + share[flip_table()[:NUM_CLASSES]]) / (2 * share.sum())).clip(1e-4)
    return share, np.sqrt(share * (1 - share))


class _DiffusionData(NamedTuple):
    """What a diffusion model learns: latents of a first stage, or the pictures themselves."""

    data: dict[str, ResidentData]
    channels: int
    factor: int
    """Pixels along each side of a latent cell."""
    statistics: tuple[NDArray[Any], NDArray[Any]] | tuple[()]
    """Mean and deviation of each channel over the training split; empty where latents stay as they are."""


def _diffusion_data(
    config: TrainDiffusionConfig, pack: Pack, device: torch.device, latents: str, conditions: Sequence[Condition]
) -> _DiffusionData:
    standardise = config.model.standardise_latents
    if latents == NO_FIRST_STAGE:
        data = _pictures(pack, device, conditions)
        return _DiffusionData(data, 3, 1, data["train"].picture_statistics() if standardise else ())
    store = LatentStore.open(pack.path, latents)
    if config.trainer.flips and store.latents_flipped is None:
        raise ConfigError(
            f"trainer.flips=true, but {store.path} has no mirrored latents",
            hint="train with trainer.flips=false, or delete the folder and encode with flips=true",
        )
    data = {
        split: ResidentData(pack, split=split, latents=store, conditions=conditions, device=device) for split in SPLITS
    }
    return _DiffusionData(
        data, store.shape[0], pack.resolution // store.shape[-1], (store.mean, store.std) if standardise else ()
    )


def _grid_drawer(
    config: TrainDiffusionConfig, pack: Pack, stage: FirstStage, device: torch.device
) -> Callable[[GridRequest], NDArray[np.uint8]]:
    """Return a function that draws the sample grid of an evaluation: map, real picture, sample from the same noise."""
    precision = resolve_precision(config.trainer.precision, device)

    def draw(request: GridRequest) -> NDArray[np.uint8]:
        generator = Generator(
            config.model, request.denoiser, request.conditioner, request.scale, "", pack.resolution, device, stage
        )  # fmt: skip
        values, noise_BCHW = request.batch.conditions, request.noise_BCHW
        noise = _grid_noise(noise_BCHW)
        try:
            latents = generator.latents(values, noise_BCHW, config.sampler, config.guidance, noise, precision)
            samples = stage.decode(latents)
        except NotFiniteError as reason:  # a model that learnt little may diverge under guidance; training goes on
            log.warning("no samples are shown: %s", reason)
            samples = np.zeros((len(noise_BCHW), pack.resolution, pack.resolution, 3), np.uint8)
        real = stage.decode(request.batch.latents_BCHW)
        shown = [
            Shown(name=f"item {i}", image=real[i], given=pictures_of(_item(values, i)), samples=[samples[i]])
            for i in range(len(real))
        ]
        return samples_figure(shown, title="Validation items, same noise at every evaluation", cell=pack.resolution)

    return draw


def _maps_drawer(
    config: TrainMapsConfig, pack: Pack, device: torch.device
) -> Callable[[GridRequest], NDArray[np.uint8]]:
    """Return a function that draws the sample grid of an evaluation: a face's map, and one drawn from its attributes alone."""
    precision = resolve_precision(config.trainer.precision, device)

    def draw(request: GridRequest) -> NDArray[np.uint8]:
        generator = Diffuser(
            config.model, request.denoiser, request.conditioner, request.scale, "", pack.resolution, device
        )  # fmt: skip
        noise_BCHW = request.noise_BCHW
        try:
            drawn_BCHW = generator.latents(
                request.batch.conditions,
                noise_BCHW,
                config.sampler,
                config.guidance,
                _grid_noise(noise_BCHW),
                precision,
                reader(config.model, request.scale),
            )
            drawn = labels_of(drawn_BCHW).cpu().numpy()
        except NotFiniteError as reason:
            log.warning("no maps are shown: %s", reason)
            drawn = np.zeros((len(noise_BCHW), pack.resolution, pack.resolution), np.uint8)
        real = labels_of(request.batch.latents_BCHW).cpu().numpy()
        shown = [Shown(name=f"item {i}", image=real[i], samples=[drawn[i]]) for i in range(len(real))]
        return samples_figure(shown, title="Maps of validation items, and maps drawn from their attributes", cell=128)

    return draw


def _item(values: Values, place: int) -> dict[str, NDArray[Any]]:
    return {name: each[place].cpu().numpy() for name, each in values.items()}


def _grid_noise(noise_BCHW: torch.Tensor) -> NoiseSource:
    """The noise of each sampling step of a grid, the same at every evaluation."""
    from facecond.rng import torch_generator

    def noise(step: int) -> torch.Tensor:
        source = torch_generator(0, "grid step", step)
        return torch.randn(noise_BCHW.shape, generator=source).to(noise_BCHW.device)

    return noise


def _vq(config: TrainFirstStageConfig, pack: Pack, device: torch.device) -> Built:
    model = config.model
    if config.init is None and (model.training.freeze_encoder or not model.training.keep_decoder):
        raise ConfigError(
            "freeze_encoder and keep_decoder=false go on from given weights",
            hint="name a first stage: init=RUN_OR_FILE",
        )
    network = VQModel(model.network)
    _check_sides(pack, network.factor, "this first stage")
    if config.init is not None:
        start_first_stage(network, config.init, keep_decoder=model.training.keep_decoder)
    built = FirstStageLearner(
        network.to(device), VQLoss(model.loss).to(device), model.training, config.trainer, **_pictures(pack, device),
        identity=_identity(pack) | {"model": plain(model)},
    )  # fmt: skip
    return built, {}


def _parser(config: TrainParserConfig, pack: Pack, device: torch.device) -> Built:
    model = config.model
    counts = pack.manifest["classes"]["train"]["pixels"]
    if sum(count > 0 for count in counts) < 2:
        said = "name one class only" if any(counts) else "say nothing"
        raise ConfigError(
            f"{pack.path}: the label maps of its training faces {said}, so a parser would learn nothing",
            hint="choose a pack with label maps: pack=...",
        )
    parser = build_parser(model.network)
    before = start_parser(parser, config.init)
    parser.to(device)
    identity = _identity(pack) | {"model": plain(model)}
    built = ParserLearner(parser, model.training, config.trainer, **_pictures(pack, device), identity=identity)
    return built, _learnt(before, pack)


def _classifier(config: TrainClassifierConfig, pack: Pack, device: torch.device) -> Built:
    model = config.model
    known = np.asarray(pack.attributes)[pack.indices("train")] != 0
    if not known.any():
        raise ConfigError(
            f"{pack.path}: no attribute of its training faces is known, so a classifier would learn nothing",
            hint="choose a pack with attributes (pack=...), or pack the data again with data.attributes=FILE.csv",
        )
    classifier = build_classifier(model.network)
    before = start_classifier(classifier, config.init)
    classifier.to(device)
    identity = _identity(pack) | {"model": plain(model)}
    built = ClassifierLearner(classifier, model.training, config.trainer, **_pictures(pack, device), identity=identity)
    return built, _learnt(before, pack)


def _learnt(before: Learnt, pack: Pack) -> dict[str, Any]:
    """What the header of a judge's weights says of the faces behind it; nothing when those `before` are not known."""
    return {"learnt_from": [*before, learnt_from(pack)]} if before is not None else {}


LEARNERS: dict[str, Callable[..., Built]] = {
    "diffusion": _diffusion,
    "maps": _maps,
    "vq": _vq,
    "parser": _parser,
    "classifier": _classifier,
}
