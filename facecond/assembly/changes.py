"""What faces should become: what they show, what they should show, and where they may change for it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from facecond import rng
from facecond.assembly.maps import together
from facecond.assembly.photographs import PhotoClassifier, PhotoParser
from facecond.assembly.session import Session
from facecond.conditions.attributes import Attributes
from facecond.conditions.mask import Mask
from facecond.conditions.table import CONDITIONS
from facecond.config.commands.photographs import EditConfig
from facecond.editing.agree import following_map
from facecond.editing.region import AFFECTS, WHOLE, Reach, painted, region_of
from facecond.errors import DataError
from facecond.faces.attributes import MASK_EVIDENCE, parse_attributes
from facecond.faces.names import ATTRIBUTES
from facecond.io.images import digest_of_pixels, read_image
from facecond.photos.frame import Frame, central_frame, cut
from facecond.photos.reading import read_face
from facecond.types import UNSPECIFIED_LABEL

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
    parser: PhotoParser,
    classifier: PhotoClassifier | None,
) -> Face:
    """Return a photograph, read by the judges. Raises DataError when no face is found."""
    picture, size = read_image(photo), session.generator.resolution
    face = read_face(picture, parser, size, session.config.align)
    if face is None:
        raise DataError(f"{photo}: no face found")
    for finding in face.findings:
        log.warning("%s: %s %s", photo, finding.name.replace("_", " "), finding.detail)
    frame, values = face.frame, dict[str, NDArray[Any]]({Mask.name: face.labels_HW})
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
    config = session.config
    seed = rng.mix(config.seed, "edit", int(face.digest[:15], 16))
    after, reaches = dict(face.values), _reaches(config, face)
    if text := config.given().get(Attributes.name):
        own, wanted = face.values[Attributes.name], parse_attributes(text)
        after[Attributes.name] = CONDITIONS[Attributes.name].change(own, wanted)
    own_HW, origin = face.values[Mask.name], config.given().get(Mask.name) or ", ".join(config.paint) or "its own"
    after[Mask.name] = _mapped(config, own_HW, session.generator.resolution) if map_HW is None else map_HW
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
