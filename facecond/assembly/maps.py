"""A trained generator of label maps, ready to draw: what a person says, attributes and parts of a map, becomes whole maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from facecond.assembly.generator import Diffuser, fields_of, load_diffuser, read_generative
from facecond.autoencoder.maps import channels_of, labels_of
from facecond.conditions.mask import Mask
from facecond.config.diffusion import GuidanceConfig, SamplerConfig
from facecond.config.settings import restore
from facecond.config.training import Precision
from facecond.diffusion.prediction import Predict, pinned
from facecond.faces.names import NUM_CLASSES
from facecond.rng import mix
from facecond.sampling.generation import StepNoise, start_noise
from facecond.sampling.plans import Lazy, Request
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

    def complete(self, values: Values, seeds: Sequence[int]) -> NDArray[np.uint8]:
        """Draw a whole label map for each seed, uint8 (B, H, W), under what `values` (of B items) say of attributes and maps.

        What a map says is kept, pixel by pixel; what it leaves open (255, or no map at all) is drawn. A map depends on
        weights, values and its seed, and on nothing else.
        """
        told = self.told({name: value for name, value in values.items() if name in self.conditioner.names}, len(seeds))
        given_BHW = values.get(Mask.name)
        shape = (NUM_CLASSES, self.resolution, self.resolution)

        def amend(predict: Predict) -> Predict:
            if given_BHW is None:
                return predict
            return pinned(predict, self.scale.standardise(channels_of(given_BHW)), (given_BHW < NUM_CLASSES)[:, None])

        own = [mix(seed, "map") for seed in seeds]
        with StepNoise(own, shape, self.device) as fresh:
            drawn_BCHW = self.latents(
                told, start_noise(own, shape, self.device), self.sampler, self.guidance, fresh,
                resolve_precision(Precision.auto, self.device), amend,
            )  # fmt: skip
        drawn_BHW = labels_of(drawn_BCHW)
        if given_BHW is not None:
            drawn_BHW = torch.where(given_BHW < NUM_CLASSES, given_BHW, drawn_BHW)
        return drawn_BHW.cpu().numpy()


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


TOGETHER = 4
"""Maps drawn at once, never fewer: with another number the last digits of a sum may differ, and with them a pixel of a map."""


def with_maps(plan: Sequence[Request], maps: MapGenerator) -> Sequence[Request]:
    """Return the plan with a map drawn from each request's seed wherever its prompt has none or one with open parts (255).

    Maps are drawn when they are asked for; that of a request stays the same in a longer plan. Channels of parts, which may
    overlap, stay as they are.
    """

    @lru_cache(2)
    def block(number: int) -> list[Request]:
        return _complete(plan[number * TOGETHER : (number + 1) * TOGETHER], maps)

    return Lazy(len(plan), lambda index: block(index // TOGETHER)[index % TOGETHER])


def _complete(requests: Sequence[Request], maps: MapGenerator) -> list[Request]:
    whole = list(requests)
    open_places = [place for place, request in enumerate(requests) if _is_open(request.prompt.values.get(Mask.name))]
    if not open_places:
        return whole
    chosen = [*requests, *[requests[-1]] * (TOGETHER - len(requests))]
    values = {
        each.name: torch.from_numpy(np.stack([
            _plain(request.prompt.values.get(each.name, nothing), nothing) for request in chosen
        ])).to(maps.device)
        for each in maps.conditioner.conditions
        for nothing in [each.nothing(1, maps.resolution)[0].numpy()]
    }  # fmt: skip
    drawn_BHW = maps.complete(values, [request.seed for request in chosen])
    for place in open_places:
        request, drawn_HW = requests[place], drawn_BHW[place]
        given = request.prompt.description.get(Mask.name)
        words = f"{given}, the rest drawn by {maps.name}" if given else f"drawn by {maps.name}"
        prompt = replace(
            request.prompt,
            values={**request.prompt.values, Mask.name: drawn_HW},
            description={**request.prompt.description, Mask.name: words},
        )
        whole[place] = replace(request, prompt=prompt)
    return whole


def _plain(value: NDArray[Any], nothing: NDArray[Any]) -> NDArray[Any]:
    """The value, or `nothing` for channels of parts, beside which others are drawn."""
    return value if value.shape == nothing.shape else nothing


def _is_open(labels: NDArray[Any] | None) -> bool:
    return labels is None or (labels.ndim == 2 and bool((labels >= NUM_CLASSES).any()))
