"""Faces changed by a trained model: led back to noise under what they show, and on again under what they should show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from facecond.assembly.changes import Change, Face, asked_of
from facecond.assembly.first_stage import require_finite
from facecond.assembly.generator import Generator
from facecond.assembly.session import Session
from facecond.conditions.table import CONDITIONS
from facecond.config.commands.photographs import EditConfig, EditMethod
from facecond.config.diffusion import GuidanceConfig
from facecond.config.training import Precision
from facecond.diffusion.inversion import ITERATIONS, Course, follow, friendly, inverted, noised
from facecond.diffusion.prediction import Predict, predictor, watched
from facecond.diffusion.schedule import schedule_of
from facecond.editing.region import fading
from facecond.photos.paste import paste, region_in
from facecond.progress import bar
from facecond.sampling.noise import StepNoise
from facecond.training.device import autocast, resolve_precision
from facecond.types import NoiseSource, Values


class Edited(NamedTuple):
    """A face after the change."""

    change: Change
    picture_HWC: NDArray[np.uint8]
    """The whole picture; the bytes outside of the region are its own."""
    region_HW: NDArray[np.bool_]
    """Where it might change, of the pixels of the whole picture."""

    def words(self, told: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
        """What the face shows and should show, of the conditions that are `told`, for a record."""
        pairs = ((self.change.face.values, "its own"), (self.change.after, self.change.map_from))
        before, after = (
            {name: CONDITIONS[name].describe(values[name], origin) for name in told} for values, origin in pairs
        )
        return before, after


def edit(
    session: Session[EditConfig], faces: Sequence[Face], maps: Sequence[NDArray[np.uint8] | None] | None = None
) -> list[Edited]:
    """Change some faces together; `maps` as in `asked_of`, for each. `edit_each` returns one after another.

    What needs no change, and a strength of 0, leave a picture's pixels as they are. Raises ConfigError for a strength that takes
    no step and is not 0.
    """
    return list(edit_each(session, faces, maps))


def edit_each(
    session: Session[EditConfig], faces: Sequence[Face], maps: Sequence[NDArray[np.uint8] | None] | None = None
) -> Iterator[Edited]:
    """Do what `edit` does, and put each face into its picture when that is asked for."""
    config, generator = session.config, session.generator
    steps = config.steps_back()
    changes = asked_of(session, faces, maps)
    at_work = [each for each in changes if each.region_HW.any() and steps > 0]
    made: dict[str, NDArray[np.uint8]] = {}  # by digest; no face comes twice
    if at_work:
        how = Changing(config.method, config.sampler.steps, config.strength, config.guidance, config.blend)
        pictures = change(
            generator, np.stack([each.face.image_HWC for each in at_work]),
            _stacked([each.face.values for each in at_work], generator), _stacked([each.after for each in at_work], generator),
            np.stack([each.region_HW for each in at_work]), [each.seed for each in at_work], how,
            resolve_precision(config.precision, generator.device),
        )  # fmt: skip
        made = {each.face.digest: picture for each, picture in zip(at_work, pictures, strict=True)}
    for each in changes:
        face, new = each.face, made.get(each.face.digest)
        height, width = face.picture_HWC.shape[:2]
        if new is None:
            nowhere = each._replace(region_HW=np.zeros_like(each.region_HW))
            yield Edited(nowhere, face.picture_HWC, np.zeros((height, width), dtype=bool))
            continue
        beyond = face.frame.beyond(height, width, generator.resolution)
        shown_HW = fading(each.region_HW, config.feather * generator.resolution, beyond=beyond)
        picture_HWC = paste(face.picture_HWC, new, shown_HW, face.frame)
        yield Edited(each, picture_HWC, region_in(height, width, each.region_HW, face.frame))


def _stacked(values: Sequence[Mapping[str, NDArray[Any]]], generator: Generator) -> Values:
    """What the model is told of several faces."""
    names = generator.conditioner.names
    return {name: torch.from_numpy(np.stack([each[name] for each in values])).to(generator.device) for name in names}


class Changing(NamedTuple):
    """How pictures are changed."""

    method: EditMethod
    steps: int
    """Of DDIM, from noise to latents."""
    strength: float
    """Share of the steps that are taken, the last ones: 0 changes nothing, 1 begins at noise."""
    guidance: GuidanceConfig
    blend: bool
    """Latents outside of the region stay those of the picture at every step."""

    @property
    def taken(self) -> int:
        """Steps that are taken under what pictures should show."""
        return round(self.strength * self.steps)

    @property
    def evaluations(self) -> int:
        """Answers that are asked of the network."""
        back = {EditMethod.sdedit: 0, EditMethod.friendly: 1, EditMethod.ddim: ITERATIONS + 1}[self.method]
        return back * self.steps + self.taken


def change(
    generator: Generator,
    images_BHWC: NDArray[np.uint8],
    before: Values,
    after: Values,
    region_BHW: NDArray[np.bool_],
    seeds: Sequence[int],
    how: Changing,
    precision: Precision = Precision.float32,
) -> NDArray[np.uint8]:
    """Return what pictures, uint8 (B, H, W, 3), become that show `before` and should show `after`: uint8 (B, H, W, 3).

    `region_BHW`: the pixels that may change; a latent cell may where one of its pixels may. Each picture depends on its own row and
    seed (and the weights) alone, up to rounding.
    """
    latents_BCHW = encoded(generator, images_BHWC)
    factor = generator.first_stage.network.factor
    region_B1HW = torch.from_numpy(region_BHW).to(generator.device)[:, None].float()
    cells_B1HW = F.max_pool2d(region_B1HW, factor) > 0 if factor > 1 else region_B1HW > 0
    with (
        torch.no_grad(),
        autocast(precision, generator.device),
        StepNoise(seeds, latents_BCHW.shape[1:], generator.device) as noise,
        bar("changing pictures", how.evaluations, unit="step") as progress,
    ):

        def predict(values: Values) -> Predict:
            found = predictor(
                generator.bound(generator.told(values, len(seeds)), how.guidance), generator.config.target
            )
            return watched(found, lambda number, prediction: progress.update())

        course = course_of(generator, generator.scale.standardise(latents_BCHW), partial(predict, before), how, noise)
        z_BCHW = follow(
            predict(after), course, first=how.steps - how.taken, region_B1HW=cells_B1HW if how.blend else None
        )
        found_BCHW = require_finite(generator.scale.restore(z_BCHW), "latents")
    with torch.inference_mode():
        return generator.first_stage.decode(found_BCHW)


def encoded(generator: Generator, images_BHWC: NDArray[np.uint8]) -> Tensor:
    """Latents of pictures, uint8 (B, H, W, 3): float32 (B, C, h, w)."""
    with torch.no_grad():
        pictures = torch.from_numpy(np.ascontiguousarray(images_BHWC)).to(generator.device).permute(0, 3, 1, 2)
        return generator.first_stage.encode(pictures)


def course_of(
    generator: Generator, z0_BCHW: Tensor, before: Callable[[], Predict], how: Changing, noise: NoiseSource
) -> Course:
    """Return the course to the latents of pictures, on the model's scale; `before` gives what the model says of what they show."""
    schedule, steps = schedule_of(generator.config.schedule), how.steps
    if how.method is EditMethod.sdedit:
        return noised(z0_BCHW, schedule, steps=steps, noise_source=noise)
    predict = before()
    if how.method is EditMethod.ddim:
        return inverted(predict, z0_BCHW, schedule, steps=steps)
    return friendly(predict, z0_BCHW, schedule, steps=steps, noise_source=noise)
