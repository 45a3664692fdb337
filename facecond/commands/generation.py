"""What `sample`, `eval` and `swap-masks` share: the run, its sampler, its first stage, its pack, and the call that samples."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from facecond.commands.defaults import check_guided, check_sampling, sampling_of
from facecond.commands.prepared import Prepared
from facecond.commands.workspace import Found, RunInfo, find_pack, find_run, first_stage_of, read_run
from facecond.config.commands import GenerateConfig
from facecond.config.compose import compose, plain
from facecond.errors import CheckpointError, DataError
from facecond.io.files import sha256_file
from facecond.processes import ALONE, Processes

NO_INFLUENCE = ("workspace", "device", "batch_size", "name", "run", "pack")
"""Keys that do not decide what a picture looks like (run and pack are named by their content)."""


C = TypeVar("C", bound=GenerateConfig)


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """What samples come from."""

    run: RunInfo
    pack: Path
    weights: Path
    first_stage: Path
    """Run or weights file."""

    @property
    def conditions(self) -> list[str]:
        """What the model is conditioned on."""
        return list(self.run.config["model"]["conditions"])


def prepare_generation(
    command: str, words: Sequence[str], check: Callable[[Any], None] = lambda config: None
) -> Prepared[Any, Origin]:
    """Compose, find run, pack and first stage, and let the run's own sampler and guidance stand beneath the person's.

    `check` looks at the configuration before anything is looked for on disk, so that a slip of the pen is named first.
    """
    config: GenerateConfig = compose(command, words).config
    check(config)
    found = find_run(config.workspace, config.run, "diffusion")
    run = read_run(found.path)
    beneath, why = sampling_of(run, words, command)
    composed = compose(command, words, beneath=beneath)
    config = composed.config
    weights = weights_file(run)
    check_sampling(run.config["model"], config.sampler, config.guidance, run.path.name)
    pack = find_pack(config.workspace, config.pack) if config.pack else _pack_of(run, config.workspace)
    sampler, guidance = config.sampler, config.guidance
    named = run.config["model"]["conditions"]
    check_guided(words, named, f"the model of {run.path.name}")
    used = {
        "run": str(found),
        "pack": str(pack),
        "sampler": f"{sampler.name.name}, {sampler.steps} steps, eta {sampler.eta:g} ({why})",
    }
    if named:
        weights_of = ", ".join(f"{condition} {getattr(guidance, condition):g}" for condition in named)
        used["guidance"] = f"{weights_of} ({why})"
    origin = Origin(
        run=run, pack=pack.path, weights=weights,
        first_stage=first_stage_of(config.workspace, str(run.first_stage), str(run.path)),
    )  # fmt: skip
    return Prepared(composed=composed, name=run.path.name, used=used, found=origin)


def weights_file(run: RunInfo) -> Path:
    """The weights of a run. Raises CheckpointError when it is not finished."""
    file = run.path / "weights.safetensors"
    if not file.is_file():
        raise CheckpointError(
            f"{file} does not exist", hint="the run is not finished: give its training command again to continue it"
        )
    return file


def digest(prepared: Prepared[C, Any]) -> str:
    """Eight digits that tell apart what is asked of one run: everything that has an influence on the pictures."""
    values = {key: value for key, value in plain(prepared.config).items() if key not in NO_INFLUENCE}
    mask = values.get("mask")
    files = [prepared.found.weights, prepared.found.pack / "manifest.json", *([Path(mask)] if mask else [])]
    values["content"] = [sha256_file(file) for file in files]
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:8]


@dataclass(frozen=True, slots=True)
class Session(Generic[C]):
    """A loaded generator with the pack its conditions come from; C is the command's configuration."""

    generator: Any
    pack: Any
    config: C
    made_with: dict[str, Any]
    processes: Processes = ALONE
    """Those that share the sampling; the first one draws figures and measures."""

    @property
    def names(self) -> list[str]:
        """Conditions the model is told: all it has, or those the configuration keeps."""
        only = getattr(self.config, "only", [])
        return [name for name in self.generator.conditioner.names if not only or name in only]

    def condition(self, place: int, attributes: Any = None, labels: Any = None) -> Any:
        """The condition of validation item `place` (0, 1, ...), as far as the model has such conditions.

        `attributes` (int8 (40,)) changes what it names; `labels` replaces the item's map.
        Raises DataError for an item the split does not hold.
        """
        import numpy as np

        from facecond.faces.attributes import format_attributes
        from facecond.sampling.plans import Condition

        items = self.pack.indices("validation")
        if not 0 <= place < len(items):
            raise DataError(
                f"validation item {place} does not exist", hint=f"{self.pack.path} has 0 to {len(items) - 1}"
            )
        index = items[place]
        own = np.array(self.pack.attributes[index])
        if attributes is not None:
            own = np.where(attributes != 0, attributes, own).astype(np.int8)
        names = self.names
        description = {}
        if "mask" in names:
            description["mask"] = f"validation item {place}" + ("" if labels is None else ", changed")
        if "attributes" in names:
            description["attributes"] = format_attributes(own)
        return Condition(
            labels=(np.array(self.pack.labels[index]) if labels is None else labels) if "mask" in names else None,
            attributes=own if "attributes" in names else None,
            description=description,
            source=self.pack.ids[index],
        )

    def generate(self, plan: Sequence[Any], folder: Path, description: str = "sampling") -> Any:
        """Sample what `folder` lacks of `plan`, with all processes; return the opened generation."""
        from facecond.sampling.folder import finish
        from facecond.sampling.generation import generate, open_generation

        config, generator, processes = self.config, self.generator, self.processes
        render = generator.renderer(config.sampler, config.guidance, config.precision)
        processes.all_do(lambda: generate(
            plan, render, folder, made_with=self.made_with, latent_shape=generator.latent_shape,
            batch_size=config.batch_size, device=generator.device, rank=processes.rank, world_size=processes.size,
            description=description,
        ))  # fmt: skip
        if processes.size > 1:
            processes.first_does(lambda: finish(folder))
        return open_generation(folder)


def open_session(prepared: Prepared[C, Any], weights: Path | None = None) -> Session[C]:
    """Load the generator (from `weights`, or the run's own) and open the pack."""
    from facecond import build
    from facecond.data.pack import Pack
    from facecond.training.precision import resolve_precision

    config = prepared.config
    device = build.choose_device(config.device, prepared.processes)
    pack = Pack.open(prepared.found.pack)
    run: RunInfo = prepared.found.run
    first_stage = build.load_first_stage(prepared.found.first_stage, device)
    generator = build.load_generator(
        weights or prepared.found.weights, first_stage, device, resolution=run.content["resolution"]
    )
    if pack.resolution != generator.resolution:
        raise DataError(
            f"{pack.path} has {pack.resolution} px, the run {run.path.name} was trained at {generator.resolution}",
            hint="name a pack of that resolution: pack=...",
        )
    made_with: Mapping[str, Any] = {
        "weights": generator.sha256,
        "first_stage": first_stage.sha256,
        "sampler": plain(config.sampler),
        "guidance": plain(config.guidance),
        "precision": resolve_precision(config.precision, device).name,
    }
    return Session(generator, pack, config, dict(made_with), prepared.processes)


def _pack_of(run: RunInfo, workspace: str) -> Found:
    """The pack the run was trained on, wherever it lies in the workspace now; else the latest."""
    places = [Path(run.content["pack_path"]), *sorted((Path(workspace) / "packs").glob("*"))]
    for place in places:
        manifest = place / "manifest.json"
        if manifest.is_file() and sha256_file(manifest) == run.pack:
            return Found(place, "the run was trained on it")
    return find_pack(workspace, None)
