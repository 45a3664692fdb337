"""What samples come from: a finished diffusion run, its first stage, the pack its conditions come from; and how it is sampled,
its own sampler and guidance unless others are named.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from facecond.conditions.mask import Mask
from facecond.conditions.table import CONDITIONS
from facecond.config.commands.base import NO_MAPS, GenerateConfig
from facecond.config.compose import Composed, compose
from facecond.config.diffusion import DiffusionConfig, GuidanceConfig, SamplerConfig, ScheduleShape, Target
from facecond.config.models import MODELS
from facecond.config.settings import plain, restore
from facecond.data.pack import read_manifest
from facecond.errors import CheckpointError, ConfigError, DataError, FacecondError
from facecond.io.files import sha256_file
from facecond.io.runs import WEIGHTS, done_of
from facecond.workspace.find import (
    CAME_ALONG,
    Found,
    RunInfo,
    bundled_pack,
    bundled_runs,
    find_pack,
    find_run,
    finished_runs,
    first_stage_of,
    images_seen,
    is_bundled,
    pack_with,
    read_run,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """What samples come from."""

    run: RunInfo
    own_pack: Path | None
    """Where conditions are taken from; None where there is no such pack, so that they can be given by hand alone."""
    weights: Path
    first_stage: Path
    """Run or weights file."""

    @property
    def pack(self) -> Path:
        """The pack whose items can be asked for. Raises DataError when there is none."""
        if self.own_pack is None:
            raise DataError(
                f"the pack that {self.run.path.name} was trained on is gone, and no other of {self.run.content['resolution']} px "
                "is there",
                hint="name one (pack=), or give the conditions by hand",
            )
        return self.own_pack

    @property
    def conditions(self) -> list[str]:
        """What the model is conditioned on."""
        return list(self.run.config["model"]["conditions"])


def origin_of(run: RunInfo, pack: Path | None, workspace: str, first_stage: str | None = None) -> Origin:
    """Join a run with its weights, its first stage (as named, or found) and the pack its conditions are taken from.

    Raises CheckpointError when the run is not finished or its first stage is nowhere to be found.
    """
    weights = weights_file(run)
    place = first_stage_of(workspace, str(run.first_stage), str(run.path), first_stage)
    return Origin(run=run, own_pack=pack, weights=weights, first_stage=place)


def at_snapshot(origin: Origin, images: int) -> Origin:
    """The same with the weights kept after `images` images. Raises DataError when there are none."""
    files = {int(file.stem): file for file in (origin.run.path / "snapshots").glob("*.safetensors")}
    if images not in files:
        raise DataError(
            f"{origin.run.path} has no snapshot after {images} images",
            hint=f"it has {', '.join(map(str, sorted(files)))}"
            if files
            else "train with trainer.snapshot_every=IMAGES",
        )
    return dataclasses.replace(origin, weights=files[images])


def how_trained(found: Found, pack: Path | None, workspace: str, named: str | None) -> str:
    """The run as it is shown: why this one, how many images it saw, and, when it was not `named`, which other saw many more."""
    if not (found.path / "done.json").is_file():
        return str(found)
    seen, faces = images_seen(found.path), 0
    for first, last in read_manifest(pack)["splits"].get("train", []) if pack else []:
        faces += last - first
    words = f"{found.why}, {seen} images seen" + (f", fewer than the {faces} training faces" if seen < faces else "")
    if named is None:
        finished = finished_runs(workspace, "diffusion")
        others = {path: done["images_seen"] for path in finished if (done := done_of(path))}
        most = max(others, key=others.__getitem__, default=found.path)
        if most != found.path and others[most] >= MANY_MORE * seen:
            words += f"; {most.name} saw {others[most]}: run={most.name}"
    return str(Found(found.path, words))


MANY_MORE = 4
"""Times as many images as the latest run saw, at which another is pointed out."""


def weights_file(run: RunInfo) -> Path:
    """The weights of a run. Raises CheckpointError when it is not finished."""
    file = run.path / WEIGHTS
    if not file.is_file():
        raise CheckpointError(
            f"{file} does not exist", hint="the run is not finished: give its training command again to continue it"
        )
    return file


def own_pack(run: RunInfo, workspace: str) -> Found | None:
    """The pack the run was trained on, wherever it lies in the workspace now, else where it lay; None when it is gone.

    Of a run that came with the program, the people that came with it.
    """
    if is_bundled(run.path) and (people := bundled_pack(run.path.name)):
        return Found(people, "drawn people that came with the program")
    return learnt_from(run, workspace)


def learnt_from(run: RunInfo, workspace: str) -> Found | None:
    """The pack the run was trained on, wherever it lies in the workspace now, else where it lay; None when it is gone."""
    place = pack_with(workspace, run.pack, Path(run.content["pack_path"]))
    return Found(place, "the run was trained on it") if place else None


def pack_of(run: RunInfo, workspace: str) -> Found | None:
    """The pack the run was trained on, or, when it is gone, the latest; None where that has pictures of another size or is not
    there.
    """
    if (own := own_pack(run, workspace)) is not None:
        return own
    try:
        latest = find_pack(workspace, None)
    except DataError:
        return None
    return latest if read_manifest(latest.path)["resolution"] == run.content["resolution"] else None


def compose_sampling(
    command: str, words: Sequence[str], run: RunInfo, made_with: Mapping[str, Any] | None = None
) -> tuple[Composed, str]:
    """Compose the configuration of a command that samples `run`; return it and where its sampler and guidance come from.

    The run's own have less say than `words`; `made_with`, of samples that are there already (see generation.json), takes
    their place. Raises ConfigError for a fault in the words and for what the run cannot be sampled with.
    """
    if made_with is None:
        beneath, why = sampling_of(run, words)
    else:
        why = "what the samples were made with"
        beneath = [
            f"{part}.{key}={value}" for part in ("sampler", "guidance") for key, value in made_with[part].items()
        ]
        beneath.append(f"precision={made_with['precision']}")
    composed = compose(command, words, beneath=beneath)
    check_sampling(model_of(run), composed.config.sampler, composed.config.guidance, run.path.name)
    check_guided(composed, run.config["model"]["conditions"], f"the model of {run.path.name}")
    return composed, why


def check_sampling(model: DiffusionConfig, sampler: SamplerConfig, guidance: GuidanceConfig, name: str) -> None:
    """Refuse what the model called `name` cannot be sampled with.

    Raises ConfigError for more steps than it has timesteps, for a target that cannot start from pure noise, and for guidance
    where it never learnt what "not told" means.
    """
    timesteps, straight = model.schedule.timesteps, model.schedule.shape is ScheduleShape.straight
    if straight and model.target is Target.eps:
        raise ConfigError(
            "model.target=eps with model.schedule.shape=straight: sampling starts at pure noise, where the noise says nothing "
            "about the picture",
            hint="set model.target=velocity (or v, or x0)",
        )
    if sampler.steps > timesteps and not straight:
        raise ConfigError(
            f"sampler.steps={sampler.steps}: the model of {name} has {timesteps} timesteps",
            hint=f"at most {timesteps}",
        )
    for condition in model.conditions:
        if guidance.weight(condition) != 1.0 and not model.optional:
            raise ConfigError(
                f"guidance.{condition}={guidance.weight(condition):g}: the model of {name} was always told everything, "
                "so guidance has nothing to start from",
                hint="leave guidance at 1, or train with model.condition_dropout=0.1",
            )


def check_guided(composed: Composed, conditions: Sequence[str], name: str) -> None:
    """Raise ConfigError when the user names guidance for a condition that the model called `name` does not have."""
    for condition in CONDITIONS:
        if composed.given(f"guidance.{condition}") and condition not in conditions:
            raise ConfigError(
                f"guidance.{condition}: {name} is not conditioned on {condition}",
                hint="leave it out, or name another model",
            )


class DrawnBy(NamedTuple):
    """The run that draws label maps, and why this one."""

    run: RunInfo
    why: str

    def __str__(self) -> str:
        return f"{self.run.path} ({self.why})"


def find_maps(workspace: str, named: str | None, run: RunInfo, pack: Path | None) -> DrawnBy | None:
    """The run that draws the label maps which the model of `run` is not given; `pack` is where its other conditions come from.

    Unless one is `named`: the latest of those, in the workspace or come with the program, that learnt maps of the same size from
    the same pack, or from one of the same kind of source as `pack`. None where there is none, or "none" is named.

    Raises ConfigError when one is named for a model that is told no maps or must be given them, CheckpointError when it is not
    finished or draws maps of another size.
    """
    if named == NO_MAPS:
        return None
    model, resolution = model_of(run), run.content["resolution"]
    if Mask.name not in model.conditions or not model.optional:
        if named is None:
            return None
        raise ConfigError(
            f"maps={named}: the model of {run.path.name} is told no maps, or must be given them", hint="leave it out"
        )
    if named is not None:
        found = find_run(workspace, named, "maps")
        maps = read_run(found.path)
        weights_file(maps)
        if (own := maps.content["resolution"]) != resolution:
            raise CheckpointError(
                f"{found.path} draws maps of {own} px, and {resolution} are needed", hint="name another: maps=RUN"
            )
        return DrawnBy(maps, found.why)
    source = read_manifest(pack)["source"].get("kind") if pack else None
    for path in [*finished_runs(workspace, "maps"), *bundled_runs("maps")]:
        try:
            maps = read_run(path)
        except FacecondError:
            continue
        alike = maps.pack == run.pack or (source is not None and maps.content["weights_config"].get("source") == source)
        if alike and maps.content["resolution"] == resolution:
            return DrawnBy(maps, CAME_ALONG if is_bundled(path) else "the latest that learnt such maps")
    return None


def model_of(run: RunInfo) -> DiffusionConfig:
    """The model that a run of pictures or of maps was trained as."""
    model: DiffusionConfig = restore(MODELS[run.kind], dict(run.config["model"]), f"{run.path}: the model")
    return model


def sampling_of(run: RunInfo, words: Sequence[str]) -> tuple[list[str], str]:
    """Return the run's own sampler and guidance as overrides below those typed, and a sentence about them."""
    sections = ["sampler", "guidance"]
    if any(word.startswith("sampler=") for word in words):
        sections.remove("sampler")
    values = {f"{section}.{key}": value for section in sections for key, value in run.config[section].items()}
    beneath = [f"{key}={'null' if value is None else value}" for key, value in values.items()]
    return beneath, "as the run was trained with, unless named"


def generation_key(origin: Origin, config: GenerateConfig, plan: Mapping[str, Any]) -> str:
    """Return eight digits of everything that decides the pictures of a generation, and of nothing else.

    `plan` (JSON values) says which conditions are drawn in which order, but not how many: the seed of an image is a
    function of (seed, place), so that a larger count continues the same folder.
    """
    from facecond.training.device import choose_device, resolve_precision

    return short_hash({
        "weights": sha256_file(origin.weights),
        "first_stage": origin.run.first_stage,
        "sampler": _chosen(config.sampler),
        "guidance": {name: config.guidance.weight(name) for name in origin.conditions},
        "seed": config.seed,
        "precision": resolve_precision(config.precision, choose_device(config.device)).name,
        "plan": dict(plan),
    })  # fmt: skip


def told_items(items: Sequence[int] = (), *, conditions: Sequence[str]) -> list[str]:
    """Pieces of a generation's name that say: the conditions of validation items; of a few their numbers."""
    if not conditions:
        return ["untold"]
    return ["items", *(map(str, items) if len(items) <= FEW_ITEMS else [])]


FEW_ITEMS = 4
"""Items whose numbers stand in the name of a generation."""


def how_sampled(run: RunInfo, config: GenerateConfig) -> list[str]:
    """Pieces of a generation's name that say how it is sampled, as far as it is not how `run` was trained to be; and eta."""
    own, sampler = run.config["sampler"], config.sampler
    usual = GuidanceConfig(**run.config["guidance"])
    weights = [(config.guidance.weight(name), usual.weight(name)) for name in run.config["model"]["conditions"]]
    guidance = [f"{weight:g}" for weight, _ in weights]
    if len(set(guidance)) == 1:
        guidance = guidance[:1]
    pieces = {
        sampler.name.name: sampler.name.name != own["name"],
        f"{sampler.steps}steps": sampler.steps != own["steps"],
        f"eta{sampler.eta:g}": sampler.eta != 0,
        f"guidance{'-'.join(guidance)}": any(weight != before for weight, before in weights),
        f"seed{config.seed}": config.seed != 0,
    }
    return [piece for piece, said in pieces.items() if said]


def _chosen(section: Any) -> dict[str, Any]:
    """The settings that differ from the schema's defaults, so that a key the schema gains later changes no name."""
    usual = plain(type(section)())
    return {key: value for key, value in plain(section).items() if value != usual[key]}


def items_plan(origin: Origin, items: Sequence[int] = ()) -> dict[str, Any]:
    """Return the part of a plan that says: the conditions of validation items; all of them in their order, or `items`."""
    manifest = read_manifest(origin.pack)
    content = short_hash([manifest["sha256"], manifest["splits"], manifest["ids"]])
    in_order = list(items) == list(range(len(items)))
    return {"pack": content, "split": "validation", "items": "in order" if in_order else list(items)}


def short_hash(values: Any) -> str:
    """Return the first eight digits of the SHA-256 of JSON values."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:8]
