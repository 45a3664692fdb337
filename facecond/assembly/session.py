"""A loaded generator with the pack its conditions come from: the entry for the commands and for programs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from facecond.conditions.table import CONDITIONS, chosen
from facecond.config.commands import GenerateConfig
from facecond.config.compose import plain
from facecond.config.diffusion import GuidanceConfig, SamplerConfig
from facecond.errors import DataError
from facecond.processes import ALONE, Processes
from facecond.sampling.plans import Prompt
from facecond.workspace.origin import Origin

C = TypeVar("C", bound=GenerateConfig)


@dataclass(frozen=True, slots=True)
class Session(Generic[C]):
    """A loaded generator with the pack its conditions come from; C is the command's configuration."""

    generator: Any
    pack: Any
    config: C
    made_with: dict[str, Any]
    processes: Processes = ALONE
    """Those that share the sampling; the first one draws grids and measures."""

    @property
    def names(self) -> list[str]:
        """Conditions the model is told: all it has, or those the configuration keeps."""
        only = getattr(self.config, "only", [])
        return [name for name in self.generator.conditioner.names if not only or name in only]

    def prompt(self, place: int, changes: Mapping[str, NDArray[Any]] | None = None) -> Prompt:
        """The values of validation item `place` (0, 1, ...), as far as the model is told them, with `changes` put over them.

        Raises DataError for an item the split does not hold.
        """
        items = self.pack.indices("validation")
        if not 0 <= place < len(items):
            raise DataError(
                f"validation item {place} does not exist", hint=f"{self.pack.path} has 0 to {len(items) - 1}"
            )
        values, description = {}, {}
        for condition in chosen(self.names):
            name, origin = condition.name, f"validation item {place}"
            value = np.array(self.pack.values(condition)[items[place]])
            if changes and name in changes:
                value, origin = condition.change(value, changes[name]), f"{origin}, changed"
            values[name], description[name] = value, condition.describe(value, origin)
        return Prompt(values=values, description=description, source=self.pack.ids[items[place]])

    def read(self, texts: Mapping[str, str]) -> Prompt:
        """The values the user gave by hand, condition -> text, and no others. Raises FacecondError for what cannot be read."""
        values = {name: CONDITIONS[name].read(text, self.generator.resolution) for name, text in texts.items()}
        return Prompt(
            values=values, description={name: CONDITIONS[name].describe(values[name], texts[name]) for name in texts}
        )

    def generate(self, plan: Sequence[Any], folder: Path, description: str = "sampling") -> Any:
        """Sample what `folder` lacks of `plan`, with all processes; return the plan's images, opened."""
        from facecond.sampling.folder import finish
        from facecond.sampling.generation import generate, open_generation

        config, generator, processes = self.config, self.generator, self.processes
        render = generator.renderer(config.sampler, config.guidance, config.precision)
        processes.all_do(lambda: generate(
            plan, render, folder, made_with=self.made_with, latent_shape=generator.latent_shape,
            defaults={"sampler": plain(SamplerConfig()), "guidance": plain(GuidanceConfig())},
            batch_size=config.batch_size, device=generator.device, rank=processes.rank, world_size=processes.size,
            description=description,
        ))  # fmt: skip
        if processes.size > 1:
            processes.first_does(lambda: finish(folder))
        return open_generation(folder, len(plan))


def open_session(origin: Origin, config: C, *, weights: Path | None = None, processes: Processes = ALONE) -> Session[C]:
    """Load the generator (from `weights`, or the run's own) and open the pack."""
    from facecond import assembly
    from facecond.data.pack import Pack
    from facecond.training.precision import resolve_precision

    device = assembly.choose_device(config.device, processes)
    pack, run = Pack.open(origin.pack), origin.run
    first_stage = assembly.load_first_stage(origin.first_stage, device)
    generator = assembly.load_generator(
        weights or origin.weights, first_stage, device, resolution=run.content["resolution"]
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
        "guidance": {name: config.guidance.weight(name) for name in generator.conditioner.names},
        "precision": resolve_precision(config.precision, device).name,
    }
    return Session(generator, pack, config, dict(made_with), processes)
