"""Faces changed by a trained model: read, led back to noise under what they show, and on again under what they should show."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from facecond import rng
from facecond.assembly.first_stage import require_finite
from facecond.assembly.generator import Generator
from facecond.assembly.maps import together
from facecond.assembly.photographs import PhotoClassifier, PhotoParser
from facecond.assembly.session import Session
from facecond.conditions.attributes import Attributes
from facecond.conditions.mask import Mask
from facecond.conditions.table import CONDITIONS
from facecond.config.commands.photographs import EditConfig, EditMethod
from facecond.config.diffusion import GuidanceConfig
from facecond.config.training import Precision
from facecond.diffusion.inversion import Course, follow, friendly, inverted, noised
from facecond.diffusion.prediction import Predict, predictor
from facecond.diffusion.schedule import schedule_of
from facecond.editing.agree import following_map
from facecond.editing.region import AFFECTS, WHOLE, Reach, fading, painted, region_of
from facecond.errors import DataError
from facecond.faces.attributes import MASK_EVIDENCE, parse_attributes
from facecond.faces.names import ATTRIBUTES
from facecond.io.images import digest_of_pixels, read_image
from facecond.photos.frame import Frame, central_frame, cut
from facecond.photos.paste import paste
from facecond.photos.reading import read_face
from facecond.sampling.generation import StepNoise
from facecond.training.device import autocast, resolve_precision
from facecond.types import UNSPECIFIED_LABEL, NoiseSource, Values

log = logging.getLogger("facecond")


class Face(NamedTuple):
    """A picture, and the face in it."""

    source: str
    digest: str
    """SHA-256 of its file, or of its pixels."""
    picture_HWC: NDArray[np.uint8]
    frame: Frame
    image_HWC: NDArray[np.uint8]
    """The face as the model sees it, uint8 (side, side, 3)."""
    values: Mapping[str, NDArray[Any]]
    """What it shows, by condition; its map also where the model is told none."""


class Change(NamedTuple):
    """What is to become of a face."""

    face: Face
    seed: int
    after: Mapping[str, NDArray[Any]]
    """What it should show."""
    region_HW: NDArray[np.bool_]
    """Where it may change, of the pixels the model sees."""
    map_from: str = "its own"
    """Where the map asked for comes from."""


class Edited(NamedTuple):
    """A face after the change."""

    change: Change
    picture_HWC: NDArray[np.uint8]
    """The whole picture; the bytes outside of the region are its own."""

    def words(self, told: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
        """What the face shows and should show, of the conditions that are `told`, for a record."""
        pairs = ((self.change.face.values, "its own"), (self.change.after, self.change.map_from))
        before, after = (
            {name: CONDITIONS[name].describe(values[name], origin) for name in told} for values, origin in pairs
        )
        return before, after


def of_item(session: Session[EditConfig], place: int) -> Face:
    """Return a validation item, of which all is known. Raises DataError when there is none at `place`."""
    prompt, pack = session.prompt(place), session.pack
    index = pack.indices("validation")[place]
    picture = np.array(pack.images[index])
    values = {**prompt.values, Mask.name: np.array(pack.labels[index])}
    frame = central_frame(*picture.shape[:2])
    return Face(str(pack.ids[index]), digest_of_pixels(picture), picture, frame, picture, values)


def of_photograph(
    session: Session[EditConfig],
    photo: Path,
    digest: str,
    parser: PhotoParser | None,
    classifier: PhotoClassifier | None,
) -> Face:
    """Return a photograph, read by the judges. Raises DataError when no face is found."""
    picture, size = read_image(photo), session.generator.resolution
    values: dict[str, Any] = {}
    frame = central_frame(*picture.shape[:2])
    if parser is not None:
        face = read_face(picture, parser, size, session.config.align)
        if face is None:
            raise DataError(f"{photo}: no face found")
        for finding in face.findings:
            log.warning("%s: %s %s", photo, finding.name.replace("_", " "), finding.detail)
        frame, values[Mask.name] = face.frame, face.labels_HW
    if classifier is not None:
        present = set(classifier(cut(picture, frame, classifier.size)))
        values[Attributes.name] = np.array([1 if name in present else -1 for name in ATTRIBUTES], dtype=np.int8)
    whole = picture.shape[:2] == (size, size) and frame == central_frame(size, size)
    return Face(str(photo), digest, picture, frame, picture if whole else cut(picture, frame, size), values)


def asked_of(
    session: Session[EditConfig], faces: Sequence[Face], maps: Sequence[NDArray[np.uint8] | None] | None = None
) -> list[Change]:
    """Return what faces should show, by the configuration of the session, and where they may change for it.

    `maps`: for each the label map it should have, in place of what the configuration says of it; None = as that says.
    """
    given = maps or [None] * len(faces)
    changes = [_asked(session, face, labels) for face, labels in zip(faces, given, strict=True)]
    by_hand = session.config.given()
    if session.maps is None or Attributes.name not in by_hand or Mask.name in by_hand or session.config.paint:
        return changes
    places = [k for k, each in enumerate(changes) if given[k] is None and _reshapes(each)]
    many = together(session.maps.device)
    for start in range(0, len(places), many):
        some = places[start : start + many]
        for k, labels_HW in zip(some, _drawn(session, [changes[k] for k in some]), strict=True):
            changes[k] = _with_map(session, changes[k], labels_HW)
    return changes


def _reshapes(change: Change) -> bool:
    """Whether one of the attributes that change can be read off a map."""
    own, after = (values[Attributes.name] for values in (change.face.values, change.after))
    return any(ATTRIBUTES[k] in MASK_EVIDENCE for k in np.flatnonzero(own != after))


def _reaches(config: EditConfig, face: Face) -> list[Reach]:
    """What is asked for besides a map reaches."""
    reaches = []
    if text := config.given().get(Attributes.name):
        wanted, own = parse_attributes(text), face.values[Attributes.name]
        reaches = [AFFECTS[ATTRIBUTES[k]] for k in np.flatnonzero((wanted != 0) & (wanted != own))]
    if config.region:
        whole = any(part.lower() == WHOLE for part in config.region)
        reaches.append(Reach((WHOLE,) if whole else tuple(config.region)))
    return reaches


def _asked(session: Session[EditConfig], face: Face, map_HW: NDArray[np.uint8] | None) -> Change:
    config, size = session.config, session.generator.resolution
    seed = rng.mix(config.seed, "edit", int(face.digest[:15], 16))
    after, reaches = dict(face.values), _reaches(config, face)
    if text := config.given().get(Attributes.name):
        own, wanted = face.values[Attributes.name], parse_attributes(text)
        after[Attributes.name] = CONDITIONS[Attributes.name].change(own, wanted)
    if Mask.name not in face.values:  # no parser: nothing is known of where parts are
        return Change(face, seed, after, np.full((size, size), bool(reaches)))
    own_HW, origin = face.values[Mask.name], config.given().get(Mask.name) or ", ".join(config.paint) or "its own"
    after[Mask.name] = _mapped(config, own_HW, size) if map_HW is None else map_HW
    if Attributes.name in after and Attributes.name not in config.given():
        after[Attributes.name] = following_map(after[Mask.name], after[Attributes.name], own_HW)
    return Change(face, seed, after, region_of(own_HW, after[Mask.name], reaches, grow=config.grow), origin)


def _with_map(session: Session[EditConfig], change: Change, labels_HW: NDArray[np.uint8]) -> Change:
    """The same with a map that was drawn for it; where that differs from the face's own, it may change too."""
    assert session.maps is not None
    after, face = {**change.after, Mask.name: labels_HW}, change.face
    differs_HW = region_of(face.values[Mask.name], labels_HW, _reaches(session.config, face), grow=session.config.grow)
    origin = f"its own, drawn anew by {session.maps.name} where it may change"
    return change._replace(after=after, region_HW=change.region_HW | differs_HW, map_from=origin)


def _mapped(config: EditConfig, own_HW: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """The map a person asks for: theirs where it says something, parts of others, the face's own elsewhere."""
    mask = CONDITIONS[Mask.name]
    if text := config.given().get(Mask.name):
        given_HW = mask.read(text, size)
        return np.where(given_HW != UNSPECIFIED_LABEL, given_HW, own_HW)
    labels_HW = own_HW
    for part, file in config.painted():
        labels_HW = painted(labels_HW, mask.read(str(file), size), part)
    return labels_HW


def _drawn(session: Session[EditConfig], changes: Sequence[Change]) -> NDArray[np.uint8]:
    """Maps of as many faces as are drawn `together`, or fewer: what lies in their regions is drawn anew, under their attributes."""
    maps = session.maps
    assert maps is not None
    padded = [*changes, *[changes[-1]] * (together(maps.device) - len(changes))]
    opened = [np.where(each.region_HW, np.uint8(UNSPECIFIED_LABEL), each.after[Mask.name]) for each in padded]
    values = {
        Attributes.name: torch.from_numpy(np.stack([each.after[Attributes.name] for each in padded])).to(maps.device),
        Mask.name: torch.from_numpy(np.stack(opened)).to(maps.device),
    }
    drawn_BHW: NDArray[np.uint8] = maps.complete(values, [each.seed for each in padded], session.config.precision)
    return drawn_BHW[: len(changes)]


def edit(
    session: Session[EditConfig], faces: Sequence[Face], maps: Sequence[NDArray[np.uint8] | None] | None = None
) -> list[Edited]:
    """Change some faces together; `maps` as in `asked_of`, for each.

    What needs no change, and a strength of 0, leave a picture byte for byte as it is.
    """
    config, generator = session.config, session.generator
    changes, steps = asked_of(session, faces, maps), round(config.strength * config.sampler.steps)
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
    found = []
    for each in changes:
        face, new = each.face, made.get(each.face.digest)
        if new is None:
            found.append(Edited(each._replace(region_HW=np.zeros_like(each.region_HW)), face.picture_HWC))
            continue
        inside = face.picture_HWC is not face.image_HWC
        shown_HW = fading(each.region_HW, config.feather * generator.resolution, inside=inside)
        found.append(Edited(each, paste(face.picture_HWC, new, shown_HW, face.frame)))
    return found


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
    ):
        course = course_of(generator, generator.scale.standardise(latents_BCHW), before, how, noise)
        first = how.steps - round(how.strength * how.steps)
        z_BCHW = follow(
            _predict(generator, after, len(seeds), how.guidance), course, first=first,
            region_B1HW=cells_B1HW if how.blend else None,
        )  # fmt: skip
        found_BCHW = require_finite(generator.scale.restore(z_BCHW), "latents")
    with torch.inference_mode():
        return generator.first_stage.decode(found_BCHW)


def encoded(generator: Generator, images_BHWC: NDArray[np.uint8]) -> Tensor:
    """Latents of pictures, uint8 (B, H, W, 3): float32 (B, C, h, w)."""
    with torch.no_grad():
        pictures = torch.from_numpy(np.ascontiguousarray(images_BHWC)).to(generator.device).permute(0, 3, 1, 2)
        return generator.first_stage.encode(pictures)


def course_of(generator: Generator, z0_BCHW: Tensor, before: Values, how: Changing, noise: NoiseSource) -> Course:
    """Return the course to the latents of pictures that show `before`, on the model's scale."""
    schedule, steps = schedule_of(generator.config.schedule), how.steps
    if how.method is EditMethod.sdedit:
        return noised(z0_BCHW, schedule, steps=steps, noise_source=noise)
    predict = _predict(generator, before, len(z0_BCHW), how.guidance)
    if how.method is EditMethod.ddim:
        return inverted(predict, z0_BCHW, schedule, steps=steps)
    return friendly(predict, z0_BCHW, schedule, steps=steps, noise_source=noise)


def _predict(generator: Generator, values: Values, count: int, guidance: GuidanceConfig) -> Predict:
    return predictor(generator.bound(generator.told(values, count), guidance), generator.config.target)
