"""A trained diffusion model ready to sample, with the pack its conditions come from: the entry for the commands and for programs.

A program opens a run with `open`, which is `facecond.open`; a command opens what it has found with `open_session`. What needs
torch is imported where it is used, so that commands can be prepared without it.
"""

from __future__ import annotations

import dataclasses
import inspect
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from facecond.bounds import check_bounds
from facecond.conditions.table import CONDITIONS, chosen
from facecond.config.commands.base import CommandConfig, GenerateConfig
from facecond.config.commands.sample import SampleConfig
from facecond.config.diffusion import GuidanceConfig, SamplerConfig
from facecond.config.settings import plain
from facecond.data.pack import Pack
from facecond.editing.agree import with_agreeing_map
from facecond.errors import ConfigError, DataError, nearest
from facecond.io.files import require_room, sha256_file
from facecond.processes import ALONE, Processes
from facecond.sampling.plans import Prompt, Request, one_each
from facecond.workspace.find import RunInfo, find_pack, find_run, first_stage_of, read_run
from facecond.workspace.origin import Origin, compose_sampling, find_maps, own_pack, weights_file

if TYPE_CHECKING:
    from facecond.assembly.generator import Generator
    from facecond.assembly.maps import MapGenerator
    from facecond.sampling.generation import Generation, Watch

log = logging.getLogger("facecond")

C = TypeVar("C", bound=GenerateConfig)

Given = str | os.PathLike[str] | NDArray[Any]
"""A value given by hand: words or the path of a file, as on the command line, or the array they stand for."""


class Pictures(NamedTuple):
    """What `Session.sample` returns."""

    images: NDArray[np.uint8]
    """(N, H, W, 3), 0 to 255."""
    records: list[dict[str, Any]]
    """One per image: index, seed, source (id of the item behind it, or None), description (condition -> words), told
    (condition -> value, an array, and its sha256), place, and what all have in common: weights and first_stage (SHA-256),
    sampler, guidance (condition -> weight), precision."""


@dataclass(frozen=True, slots=True)
class Session(Generic[C]):
    """A loaded generator with the pack its conditions come from; C is the configuration it samples with."""

    generator: Generator
    run: RunInfo
    own_pack: Pack | None
    config: C
    processes: Processes = ALONE
    """Those that share the sampling; the first one draws grids and measures."""
    maps: MapGenerator | None = None
    """Draws the label maps that are not given."""

    @property
    def pack(self) -> Pack:
        """The pack whose items can be asked for. Raises DataError when there is none."""
        if self.own_pack is None:
            raise DataError(
                f"the pack that {self.run.path.name} was trained on is not in {self.config.workspace}",
                hint="name one (pack=), or give the conditions by hand",
            )
        return self.own_pack

    @property
    def pack_sha256(self) -> str:
        """SHA-256 that names the content of the pack."""
        return sha256_file(self.pack.path / "manifest.json")

    @property
    def names(self) -> list[str]:
        """Conditions the model is told: all it has, or those the configuration keeps."""
        only = getattr(self.config, "only", [])
        return [name for name in self.generator.conditioner.names if not only or name in only]

    @property
    def made_with(self) -> dict[str, Any]:
        """What pictures depend on besides their seeds and conditions (JSON values)."""
        from facecond.training.device import resolve_precision

        config, generator = self.config, self.generator
        return {
            "weights": generator.sha256,
            "first_stage": generator.first_stage.sha256,
            "sampler": plain(config.sampler),
            "guidance": {name: config.guidance.weight(name) for name in generator.conditioner.names},
            "precision": resolve_precision(config.precision, generator.device).name,
            **({"maps": self.maps.made_with} if self.maps else {}),
        }

    def sample(
        self,
        *,
        item: int | None = None,
        count: int = 1,
        seed: int = 0,
        guidance: float | Mapping[str, float] | None = None,
        sampler: str | None = None,
        steps: int | None = None,
        eta: float | None = None,
        precision: str | None = None,
        batch_size: int | None = None,
        adapt_masks: bool = True,
        folder: str | os.PathLike[str] | None = None,
        watch: Watch | None = None,
        **conditions: Given | None,
    ) -> Pictures:
        """Sample `count` pictures that are told the same, each from noise of its own.

        Args:
            item: validation item (0, 1, ...) whose conditions the model is told, changed by what else is given.
            count: pictures, 1 or more.
            seed: seed of the starting noise, 0 or more; a larger count begins with the pictures of a smaller one.
            guidance: weight of every condition that has none of its own, or weights by name of the condition.
            sampler: name of a sampler; it brings its own steps and eta, as `sampler=` on the command line.
            steps: sampling steps.
            eta: 0 = deterministic, 1 = fresh noise at every step.
            precision: arithmetic of the denoiser: float32, bfloat16, or auto, which takes what the hardware is good at.
            batch_size: pictures sampled at once; without influence on them beyond rounding.
            adapt_masks: let the item's map agree with attributes that contradict it, as `facecond sample` does.
            folder: folder to keep pictures and records in, or to continue; without it nothing is written.
            watch: called at every step of every batch with a `facecond.sampling.generation.Step`, which can show what the network
                takes the pictures to be by then; an exception that it raises ends the sampling. Without a folder only.
            **conditions: what the model is told, by name of the condition: words or a path as on the command line, or the array
                they stand for, of the shape, dtype and entries of `Condition.column`: int8 (40,) in {-1, 0, 1}, or uint8 (H, W)
                as large as the pictures. What is left out, or None, is unspecified; of a map it is drawn, for each picture apart,
                when the session has a generator of maps.

        What is not given of sampler, steps, eta and guidance is as the run was trained with. Pictures and records are the same with
        and without `folder`; with it, `images` is mapped from the disk, read-only.

        Raises FacecondError for what cannot be read, what the model is not conditioned on or must be told, settings it cannot
        be sampled with, and an item without a pack or beyond its split.
        """
        from facecond.assembly.maps import is_open
        from facecond.progress import bar
        from facecond.sampling.generation import batches, record_of

        if watch is not None and folder is not None:
            raise ConfigError("watch and folder are both given", hint="watch a sampling that writes nothing")
        given = self._known({name: value for name, value in conditions.items() if value is not None})
        weights = guidance if isinstance(guidance, Mapping) else {"scale": guidance}
        settings = {"sampler": sampler, "sampler.steps": steps, "sampler.eta": eta, "precision": precision,
                    "batch_size": batch_size, **{f"guidance.{name}": weight for name, weight in weights.items()}}  # fmt: skip
        session = self._set(settings, count=count, seed=seed)
        prompt = self.read(given) if item is None else self.changed(item, given, adapt=adapt_masks)
        for name, value in given.items():
            if not isinstance(value, np.ndarray):
                for finding in CONDITIONS[name].findings(os.fspath(value), self.generator.resolution) or ():
                    log.warning("%s: %s", value, finding)
        if session.maps is not None and not is_open(prompt):
            session = dataclasses.replace(session, maps=None)
        plan = one_each([prompt] * count, seed)
        records = []
        if folder is not None:
            made = session.generate(plan, Path(folder))
            images = made.images
            for request in plan:
                told = session.told(request.prompt, made, request.index)
                records.append(record_of(dataclasses.replace(request, prompt=told), {}))
        else:
            generator, config, size = session.generator, session.config, session.generator.resolution
            render = generator.renderer(config.sampler, config.guidance, config.precision, config.capture, watch)
            complete = partial(session.complete, watch=watch)
            images = np.empty((count, size, size, 3), dtype=np.uint8)
            with bar("sampling", count) as progress:
                for batch, pictures in batches(
                    plan, render, generator.latent_shape, config.batch_size, generator.device, complete
                ):
                    images[[request.index for request in batch]] = pictures
                    known: dict[int, dict[str, str]] = {}  # of one batch: prompts are told apart while they are there
                    records += [record_of(request, known) for request in batch]
                    progress.update(len(batch))
            records.sort(key=lambda record: record["index"])
        return Pictures(images, [{**record, **session.made_with} for record in records])

    def _known(self, given: Mapping[str, Given]) -> dict[str, Given]:
        """What is given, in the order of the table. Raises ConfigError for what the model is not conditioned on."""
        for name in given:
            if name not in CONDITIONS:
                words = [*CONDITIONS, *inspect.signature(self.sample).parameters]
                raise ConfigError(f"{name!r} is neither a condition nor a setting of sample", hint=nearest(name, words))
            if name not in self.names:
                raise ConfigError(
                    f"{name} is given, but the model of {self.run.path.name} is not conditioned on it",
                    hint=f"it is conditioned on {', '.join(self.names) or 'nothing'}; leave it out, or open another run",
                )
        return {name: given[name] for name in CONDITIONS if name in given}

    def _set(self, settings: Mapping[str, Any], *, count: int, seed: int) -> Session[Any]:
        """The same session with other settings, key -> value; those that are None are the run's."""
        words = [f"{key}={value}" for key, value in settings.items() if value is not None]
        config: Any = compose_sampling("sample", words, self.run)[0].config if words else self.config
        config = dataclasses.replace(config, count=count, seed=seed, workspace=self.config.workspace)
        check_bounds(config, slips=config.limits)
        return dataclasses.replace(self, config=config)

    def without_maps(self) -> Session[C]:
        """The same session, which leaves open what is open, as `maps=none` does."""
        return dataclasses.replace(self, maps=None)

    def prompt(self, item: int, changes: Mapping[str, NDArray[Any]] | None = None, *, how: str = "changed") -> Prompt:
        """The values of validation item `item` (0, 1, ...), as far as the model is told them, with `changes` put over them.

        `how` says in the record what the changes are.

        Raises DataError for an item the split does not hold.
        """
        items = self.pack.indices("validation")
        if not 0 <= item < len(items):
            raise DataError(
                f"validation item {item} does not exist", hint=f"{self.pack.path} has 0 to {len(items) - 1}"
            )
        values, description = {}, {}
        for condition in chosen(self.names):
            name, origin = condition.name, f"validation item {item}"
            value = np.array(self.pack.values(condition)[items[item]])
            if changes and name in changes:
                value, origin = condition.change(value, changes[name]), f"{origin}, {how}"
            values[name], description[name] = value, condition.describe(value, origin)
        return Prompt(values=values, description=description, source=self.pack.ids[items[item]])

    def changed(self, item: int, given: Mapping[str, Given], *, adapt: bool) -> Prompt:
        """The prompt of a validation item with what was given put over it, and, with `adapt`, its map made to agree with that."""
        changes = self.read(given).values
        prompt = self.prompt(item, changes)
        return with_agreeing_map(prompt, changes, self.pack, item) if adapt else prompt

    def read(self, given: Mapping[str, Given]) -> Prompt:
        """The values a person gave by hand, condition -> value, and no others. Raises FacecondError for what cannot be read."""
        values, description, size = {}, {}, self.generator.resolution
        for name, value in given.items():
            condition, origin = CONDITIONS[name], "an array"
            if isinstance(value, np.ndarray):
                values[name] = condition.accept(value, size)
            elif isinstance(value, str | os.PathLike):
                origin = os.fspath(value)
                values[name] = condition.read(origin, size)
            else:
                raise ConfigError(f"{name} is a {type(value).__name__}", hint="give words, a path or a numpy array")
            description[name] = condition.describe(values[name], origin)
        return Prompt(values=values, description=description)

    def complete(self, requests: Sequence[Request], watch: Watch | None = None) -> list[Request]:
        """Return the requests with maps drawn where they leave them open, when there is a generator of maps."""
        if self.maps is None:
            return list(requests)
        from facecond.assembly.maps import complete

        return complete(requests, self.maps, self.config.precision, watch)

    def told(self, prompt: Prompt, made: Generation, index: int) -> Prompt:
        """Return what the model was told for picture `index` of a generation: the prompt, with what was drawn where it was open."""
        record = made.records[index]
        drawn = [name for name, told in record["told"].items() if "given" in told]
        values = {name: CONDITIONS[name].recall(record["told"][name]["value"], made.folder) for name in drawn}
        return dataclasses.replace(
            prompt,
            values={**prompt.values, **values},
            description=record["description"],
            given={name: prompt.values.get(name) for name in drawn},
        )

    def generate(
        self,
        plan: Sequence[Any],
        folder: Path,
        description: str = "sampling",
        *,
        about: Mapping[str, Any] | None = None,
    ) -> Generation:
        """Sample what `folder` lacks of `plan`, with all processes; return the plan's images, opened.

        `about` (JSON values) is kept in the folder beside the pack.
        """
        from facecond.io.lock import WAIT, hold
        from facecond.sampling.folder import finish
        from facecond.sampling.generation import generate, open_generation

        config, generator, processes = self.config, self.generator, self.processes
        if not folder.exists():
            require_room(folder, len(plan) * 3 * generator.resolution**2, f"{len(plan)} samples")
        render = generator.renderer(config.sampler, config.guidance, config.precision, config.capture)
        with processes.first_enters(lambda: hold(folder, wait=WAIT)):
            processes.all_do(lambda: generate(
                plan, render, folder, made_with=self.made_with, latent_shape=generator.latent_shape,
                about=({"pack": self.pack_sha256} if self.own_pack else {}) | dict(about or {}),
                defaults={"sampler": plain(SamplerConfig()), "guidance": plain(GuidanceConfig())},
                batch_size=config.batch_size, device=generator.device, rank=processes.rank, world_size=processes.size,
                description=description, complete=self.complete,
            ))  # fmt: skip
            if processes.size > 1:
                processes.first_does(lambda: finish(folder))
        return open_generation(folder, len(plan))


def open(
    run: str | os.PathLike[str] | None = None,
    *,
    pack: str | os.PathLike[str] | None = None,
    first_stage: str | os.PathLike[str] | None = None,
    maps: str | os.PathLike[str] | None = None,
    device: str = "auto",
    workspace: str | os.PathLike[str] | None = None,
) -> Session[SampleConfig]:
    """Open a trained diffusion model for sampling: `facecond.open("outputs/runs/multicond").sample(count=4)`.

    Args:
        run: folder of a run, or its name in WORKSPACE/runs; None = the latest.
        pack: pack whose validation items can be asked for, a folder or a name in WORKSPACE/packs; None = the one the run was
            trained on, where it is in the workspace. Only `item=` needs one.
        first_stage: run or file of the run's first stage, when it is not in the workspace.
        maps: run of `model=maps` that draws the label maps that are not given, each picture its own; None = the latest that
            fits, if there is one; "none" = leave them open.
        device: auto (the first CUDA device when there is one), cpu or cuda.
        workspace: None = the one that the folder `run` lies in, else `outputs`.

    Returns:
        A session; see `Session.sample` for what it can be told.

    Raises FacecondError when run, first stage or a pack that is named cannot be found, or do not belong together.
    """
    if workspace is None:
        folder = Path("" if run is None else run).absolute()
        inside = folder.parent.name == "runs" and (folder / "run.json").is_file()
        workspace = folder.parent.parent if inside else CommandConfig().workspace
    place = os.fspath(workspace)
    info = read_run(find_run(place, None if run is None else os.fspath(run), "diffusion").path)
    config: SampleConfig = compose_sampling("sample", [f"device={device}"], info)[0].config
    found = own_pack(info, place) if pack is None else find_pack(place, os.fspath(pack))
    named = None if first_stage is None else os.fspath(first_stage)
    stage = first_stage_of(place, str(info.first_stage), str(info.path), named)
    config = dataclasses.replace(config, workspace=place)
    named = None if maps is None else os.fspath(maps)
    drawn_by = find_maps(place, named, info, found.path if found else None)
    return _load(
        info,
        weights_file(info),
        stage,
        found.path if found else None,
        config,
        maps=drawn_by.run if drawn_by else None,
    )


def open_session(
    origin: Origin, config: C, *, weights: Path | None = None, processes: Processes = ALONE, maps: RunInfo | None = None
) -> Session[C]:
    """Load the generator (from `weights`, or the run's own), and that of maps, and open the pack, as a command found them."""
    return _load(origin.run, weights or origin.weights, origin.first_stage, origin.own_pack, config, processes, maps)


def _load(
    run: RunInfo, weights: Path, stage: Path, pack_path: Path | None, config: C, processes: Processes = ALONE,
    maps: RunInfo | None = None,
) -> Session[C]:  # fmt: skip
    from facecond.assembly.first_stage import load_first_stage
    from facecond.assembly.generator import load_generator
    from facecond.training.device import choose_device

    device = choose_device(config.device, processes)
    pack = Pack.open(pack_path) if pack_path else None
    first_stage = load_first_stage(stage, device)
    generator = load_generator(weights, first_stage, device, resolution=run.content["resolution"])
    if pack is not None and pack.resolution != generator.resolution:
        raise DataError(
            f"{pack.path} has {pack.resolution} px, the run {run.path.name} was trained at {generator.resolution}",
            hint="name a pack of that resolution: pack=...",
        )
    if maps is None:
        return Session(generator, run, pack, config, processes)
    from facecond.assembly.maps import load_map_generator

    return Session(generator, run, pack, config, processes, load_map_generator(maps, device))
