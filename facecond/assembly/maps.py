"""A trained generator of label maps, ready to draw: what a person says, attributes and parts of a map, becomes whole maps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from facecond.assembly.generator import Diffuser, fields_of, load_diffuser, read_generative
from facecond.autoencoder.maps import channels_of, labels_of
from facecond.conditions.mask import Mask
from facecond.conditions.table import CONDITIONS
from facecond.config.diffusion import DiffusionConfig, GuidanceConfig, MapLoss, MapsConfig, SamplerConfig
from facecond.config.settings import plain, restore
from facecond.config.training import Precision
from facecond.denoisers.denoiser import LatentScale
from facecond.diffusion.classes import of_classes
from facecond.diffusion.prediction import Predict, pinned
from facecond.errors import DataError, NotFiniteError
from facecond.faces.names import NUM_CLASSES
from facecond.progress import bar
from facecond.rng import mix
from facecond.sampling.generation import Watch
from facecond.sampling.noise import StepNoise, start_noise
from facecond.sampling.plans import Prompt, Request
from facecond.training.device import resolve_precision
from facecond.types import Values
from facecond.workspace.find import RunInfo
from facecond.workspace.origin import weights_file


@dataclass(frozen=True, slots=True)
class MapGenerator(Diffuser):
    """Draws label maps, with the sampler and the guidance its run was trained with."""

    name: str
    """Of the run."""
    sampler: SamplerConfig
    guidance: GuidanceConfig

    def complete(
        self,
        values: Values,
        seeds: Sequence[int],
        precision: Precision = Precision.auto,
        watch: Watch | None = None,
    ) -> NDArray[np.uint8]:
        """Draw a whole label map for each seed, uint8 (B, H, W), under what `values` (of B items) say of attributes and maps.

        What a map says is kept, pixel by pixel; what it leaves open (255, or no map at all) is drawn. A map depends on
        weights, values and its seed, and on nothing else. `watch` sees the steps.

        Raises DataError where the network's answers are not finite.
        """
        given_BHW = values.get(Mask.name)
        shape = (NUM_CLASSES, self.resolution, self.resolution)

        read = reader(self.config, self.scale)
        showing = self.showing(
            watch, "maps", self.sampler.steps, lambda drawn_BCHW: labels_of(drawn_BCHW).cpu().numpy()
        )

        def amend(predict: Predict) -> Predict:
            predict = read(predict)
            if given_BHW is not None:
                known_B1HW = (given_BHW < NUM_CLASSES)[:, None]
                predict = pinned(predict, self.scale.standardise(channels_of(given_BHW)), known_B1HW)
            return showing(predict)

        own = [mix(seed, "map") for seed in seeds]
        with StepNoise(own, shape, self.device) as fresh:
            try:
                drawn_BCHW = self.latents(
                    values, start_noise(own, shape, self.device), self.sampler, self.guidance, fresh,
                    resolve_precision(precision, self.device), amend,
                )  # fmt: skip
            except NotFiniteError as error:
                raise DataError(
                    f"maps drawn by {self.name} are not finite", hint="name another: maps=RUN, or do without: maps=none"
                ) from error
        drawn_BHW = labels_of(drawn_BCHW)
        if given_BHW is not None:
            drawn_BHW = torch.where(given_BHW < NUM_CLASSES, given_BHW, drawn_BHW)
        return drawn_BHW.cpu().numpy()

    @property
    def made_with(self) -> dict[str, Any]:
        """What its maps depend on besides seeds and conditions (JSON values)."""
        guidance = {name: self.guidance.weight(name) for name in self.conditioner.names}
        return {"weights": self.sha256, "sampler": plain(self.sampler), "guidance": guidance}


def reader(config: DiffusionConfig, scale: LatentScale) -> Callable[[Predict], Predict]:
    """Return what turns a network's raw answers, of the kind that `config` trained it to give, into predictions of maps."""
    if (temperature := temperature_of(config)) is None:
        return lambda predict: predict
    return lambda predict: of_classes(predict, scale.mean, scale.std, temperature)


def temperature_of(config: DiffusionConfig) -> float | None:
    """What the answer of a network that answers in logits of classes is divided by; None for a network of another kind."""
    if isinstance(config, MapsConfig) and config.loss is MapLoss.cross_entropy:
        return config.temperature
    return None


def load_map_generator(run: RunInfo, device: torch.device) -> MapGenerator:
    """Load a finished run of `model=maps`. Raises CheckpointError when its weights are missing, damaged or of something else."""
    file = weights_file(run)
    weights = read_generative(file, "maps")
    resolution = run.content["resolution"]
    diffuser = load_diffuser(weights, file, device, channels=NUM_CLASSES, resolution=resolution)
    sampler, guidance = (
        restore(section, run.config[name], f"{run.path}: {name}")
        for name, section in (("sampler", SamplerConfig), ("guidance", GuidanceConfig))
    )
    return MapGenerator(**fields_of(diffuser), name=run.path.name, sampler=sampler, guidance=guidance)


def together(device: torch.device) -> int:
    """Maps drawn at once, never fewer: with another number the last digits of a sum may differ, and with them a pixel of a map.

    On a CPU one: a person who asks for one waits a third as long, and many take a quarter longer.
    """
    return 1 if device.type == "cpu" else 4


def is_open(prompt: Prompt) -> bool:
    """Whether a prompt leaves a map open, wholly or in part (255). An item's map stays as it is, and so do channels of parts."""
    labels = prompt.values.get(Mask.name)
    if labels is None:
        return True
    return prompt.source is None and labels.ndim == 2 and bool((labels >= NUM_CLASSES).any())


def complete(
    requests: Sequence[Request], maps: MapGenerator, precision: Precision, watch: Watch | None = None
) -> list[Request]:
    """Return the requests with a map drawn, from the seed of each, where it is left open; `watch` sees the steps."""
    whole = list(requests)
    places = [place for place, request in enumerate(requests) if is_open(request.prompt)]
    many = together(maps.device)
    with bar("drawing maps", len(places), unit="map", shown=watch is None and len(places) > many) as progress:
        for start in range(0, len(places), many):
            here = places[start : start + many]
            chosen = [requests[place] for place in [*here, *[here[-1]] * (many - len(here))]]
            drawn_BHW = maps.complete(_values(chosen, maps), [request.seed for request in chosen], precision, watch)
            for place, drawn_HW in zip(here, drawn_BHW, strict=False):
                whole[place] = replace(requests[place], prompt=_completed(requests[place].prompt, drawn_HW, maps.name))
            progress.update(len(here))
    return whole


def _values(requests: Sequence[Request], maps: MapGenerator) -> Values:
    """What the requests say of attributes and maps, stacked; what they leave out says nothing."""
    told = {}
    for condition in {*maps.conditioner.conditions, CONDITIONS[Mask.name]}:
        nothing = condition.nothing(1, maps.resolution)[0].numpy()
        values = [request.prompt.values.get(condition.name, nothing) for request in requests]
        told[condition.name] = torch.from_numpy(np.stack(values)).to(maps.device)
    return told


def _completed(prompt: Prompt, drawn_HW: NDArray[np.uint8], by: str) -> Prompt:
    given, words = prompt.values.get(Mask.name), prompt.description.get(Mask.name)
    return replace(
        prompt,
        values={**prompt.values, Mask.name: drawn_HW},
        description={
            **prompt.description,
            Mask.name: f"{words}, the rest drawn by {by}" if words else f"drawn by {by}",
        },
        given={**prompt.given, Mask.name: given},
    )
